/* What a restarted broker finds in the kernel: its own mappings of before, and what
 * others have put or left there. */
#include "fakes_broker.h"
#include "record.h"
#include "rejudge.h"

#include <errno.h>

enum {
	SECOND = 1000,
};

static struct lab *lab;

static int setup(void **state)
{
	(void)state;
	lab = lab_open(NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lab_close(lab);
	return 0;
}

/* A mapping as an earlier run left it: 192.168.1.(10 + i) on port 40000 + i. */
static struct mapping left_behind(size_t i)
{
	struct mapping mapping = { .id = (uint32_t)(1000 + i),
		.lease_s = 3600,
		.created_s = WALL - 100,
		.client = host_of((unsigned)(10 + i)),
		.internal_client = host_of((unsigned)(10 + i)),
		.external_port = (uint16_t)(40000 + i),
		.internal_port = 50001,
		.protocol = IGW_TCP,
		.enabled = true,
		.interface = LAN,
		.rule = "old",
		.description = "left" };

	return mapping;
}

static void to_kernel(const struct mapping *mapping, struct fw_mapping *ret)
{
	batch_fw_mapping(mapping, fake.now_ms - 1000 * SECOND, ret);
	ret->timeout_ms = 1000 * SECOND;
}

static void load_good(size_t i, struct fw_mapping *ret)
{
	struct mapping mapping = left_behind(i);

	mapping.enabled = i != 2;
	to_kernel(&mapping, ret);
	if (i == 2)
		ret->enabled = false;
}

static void test_restore(void **state)
{
	const struct mapping *mapping;

	(void)state;
	fake.there = false;
	fake.load = load_good;
	fake.n_load = 4;
	assert_int_equal(rejudge_restore(&lab->broker, lab->now_ms), 0);
	assert_int_equal(fake.installs, 1);
	assert_int_equal(table_count(lab->broker.table), 4);
	assert_int_equal(fake.n_ends, 3);
	assert_int_equal(fake.cuts, 0);
	lab_check(lab);
	mapping = table_find_id(lab->broker.table, 1001);
	assert_non_null(mapping);
	assert_int_equal(mapping->expires_ms, lab->now_ms + 1000 * SECOND);
	assert_int_equal(mapping->created_s, WALL - 100);
	assert_int_equal(mapping->lease_s, 3600);
	assert_string_equal(mapping->rule, "open");
	assert_string_equal(mapping->description, "left");
	assert_true(mapping->enabled);
	assert_false(table_find_id(lab->broker.table, 1002)->enabled);
	/* They are the clients' as before. */
	assert_int_equal(lab_delete(lab, 12, IGW_TCP, 40001), IGW_NOT_OWNER);
	assert_int_equal(lab_delete(lab, 11, IGW_TCP, 40001), IGW_OK);
	lab_check(lab);
}

/* One good one among what an attacker or another version has left. */
static void load_bad(size_t i, struct fw_mapping *ret)
{
	struct mapping mapping = left_behind(i);

	if (i == 1)
		strcpy(mapping.interface, GUEST); /* its client is not there */
	if (i == 2)
		strcpy(mapping.interface, "gone0");
	if (i == 3)
		mapping.internal_port = 445;
	if (i == 4)
		mapping.internal_client = addr_of("198.51.100.7");
	if (i == 5)
		mapping.external_port = 80;
	if (i == 6)
		mapping.protocol = 132;
	if (i == 7)
		mapping.id = 1000; /* the first one's */
	if (i == 8)
		mapping.external_port = 40000; /* the first one's */
	if (i == 9)
		mapping.client = addr_of("2001:db8::1");
	if (i == 10)
		mapping.internal_client = host_of(10); /* not its own */
	to_kernel(&mapping, ret);
	if (i == 11)
		ret->record[0] ^= 1; /* another version */
	if (i == 12)
		ret->record_len--;
	if (i == 13)
		ret->record_len = 0;
}

static void test_restore_refuses(void **state)
{
	(void)state;
	fake.there = false;
	fake.load = load_bad;
	fake.n_load = 14;
	assert_int_equal(rejudge_restore(&lab->broker, lab->now_ms), 0);
	assert_int_equal(table_count(lab->broker.table), 1);
	assert_non_null(table_find_id(lab->broker.table, 1000));
	lab_check(lab);
	/* What was let through by them is cut. */
	assert_int_equal(fake.cuts, 1);
	assert_int_equal(fake.n_matches, 13);
	assert_int_equal(fake.matches[2].internal_port, 445);
}

static void load_twice(size_t i, struct fw_mapping *ret)
{
	load_good(i % 2, ret);
}

/* A dump that was disturbed names elements twice: they are one, and their flows live. */
static void test_restore_twice(void **state)
{
	(void)state;
	fake.there = false;
	fake.load = load_twice;
	fake.n_load = 4;
	assert_int_equal(rejudge_restore(&lab->broker, lab->now_ms), 0);
	assert_int_equal(table_count(lab->broker.table), 2);
	assert_int_equal(fake.cuts, 0);
	lab_check(lab);
}

static void load_long(size_t i, struct fw_mapping *ret)
{
	load_good(i, ret);
	ret->timeout_ms = i == 0 ? UINT64_MAX : UINT64_C(86400) * 1000;
}

static void test_restore_shortens(void **state)
{
	(void)state;
	fake.there = false;
	fake.load = load_long;
	fake.n_load = 2;
	assert_int_equal(rejudge_restore(&lab->broker, lab->now_ms), 0);
	assert_int_equal(table_count(lab->broker.table), 2);
	for (uint32_t id = 1000; id < 1002; id++)
		assert_int_equal(table_find_id(lab->broker.table, id)->expires_ms,
			lab->now_ms + 7200 * SECOND);
	lab_check(lab);
}

static void test_restore_by_policy(void **state)
{
	(void)state;
	lab_set_policy(lab, "{'version':1,'rules':[{'name':'some','action':'allow',"
			    "'external_ports':['40001-40002'],"
			    "'internal_ports':['1024-65535']}]}");
	fake.there = false;
	fake.load = load_good;
	fake.n_load = 4;
	assert_int_equal(rejudge_restore(&lab->broker, lab->now_ms), 0);
	assert_int_equal(table_count(lab->broker.table), 2);
	assert_int_equal(fake.n_matches, 2);
	lab_check(lab);
}

static void load_third_party(size_t i, struct fw_mapping *ret)
{
	struct mapping mapping = left_behind(i);

	mapping.internal_client = host_of(20);
	if (i == 1)
		mapping.client = addr_of("198.51.100.7");
	to_kernel(&mapping, ret);
}

/* Who asked must be on the link still, also where the rule lets it ask for others. */
static void test_restore_third_party(void **state)
{
	(void)state;
	lab_set_policy(lab, "{'version':1,'rules':[{'name':'some','action':'allow',"
			    "'third_party':true,'reason':'test',"
			    "'clients':['192.168.1.0/24','198.51.100.0/24'],"
			    "'external_ports':['1024-65535'],"
			    "'internal_ports':['1024-65535']}]}");
	fake.there = false;
	fake.load = load_third_party;
	fake.n_load = 2;
	assert_int_equal(rejudge_restore(&lab->broker, lab->now_ms), 0);
	assert_int_equal(table_count(lab->broker.table), 1);
	assert_non_null(table_find_id(lab->broker.table, 1000));
	lab_check(lab);
}

static void test_restore_fails(void **state)
{
	(void)state;
	fake.there = false;
	fake.load_error = -EPERM;
	assert_int_equal(rejudge_restore(&lab->broker, lab->now_ms), -EPERM);
	assert_int_equal(fake.installs, 0);
	fake.load_error = 0;
	fake.install_error = -ENOMEM;
	assert_int_equal(rejudge_restore(&lab->broker, lab->now_ms), -ENOMEM);
	assert_int_equal(fake.cuts, 0);
}

static void load_rubbish(size_t i, struct fw_mapping *ret)
{
	ret->protocol = i < 65536 ? IGW_TCP : IGW_UDP;
	ret->external_port = (uint16_t)i;
	ret->timeout_ms = 1;
}

/* More elements than the table holds, none of them ours: root put them there. */
static void test_restore_flood(void **state)
{
	(void)state;
	fake.there = false;
	fake.load = load_rubbish;
	fake.n_load = 2 * 65536;
	assert_int_equal(rejudge_restore(&lab->broker, lab->now_ms), 0);
	assert_int_equal(table_count(lab->broker.table), 0);
	assert_int_equal(fake.installs, 1);
	assert_in_range(fake.n_matches, 1, CT_MATCHES_MAX);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_restore),
		TEST(test_restore_refuses),
		TEST(test_restore_twice),
		TEST(test_restore_shortens),
		TEST(test_restore_by_policy),
		TEST(test_restore_third_party),
		TEST(test_restore_fails),
		TEST(test_restore_flood),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
