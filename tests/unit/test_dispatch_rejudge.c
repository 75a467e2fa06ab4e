/* Mappings that end by time, by a new policy or with the daemon. */
#include "fakes_broker.h"
#include "rejudge.h"

#include <errno.h>

#define RULES(list) "{'version':1,'rules':[" list "]}"
#define ALLOW(ports)                                                                     \
	"{'name':'some','action':'allow','external_ports':['" ports "'],"                \
	"'internal_ports':['1024-65535']}"

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

/* Lets the time pass up to `now_ms` and ends what is due. */
static void expire_at(int64_t now_ms)
{
	lab->now_ms = now_ms;
	fake.now_ms = now_ms;
	mapping_expire(&lab->broker, now_ms);
}

static void test_expiry(void **state)
{
	struct igw_map_add one = add_of(10, 40001, 50001), two = add_of(10, 40002, 50001);
	int64_t start_ms = lab->now_ms;

	(void)state;
	one.lease_s = 60;
	two.lease_s = 61;
	lab_added(lab, &one);
	lab_added(lab, &two);
	expire_at(start_ms + 60 * SECOND - 1);
	assert_int_equal(table_count(lab->broker.table), 2);
	assert_int_equal(fake.applies, 2);
	expire_at(start_ms + 60 * SECOND);
	assert_int_equal(table_count(lab->broker.table), 1);
	assert_int_equal(fake.applies, 3);
	assert_int_equal(fake_count(FW_END_DEL), 0);
	assert_int_equal(fake.n_matches, 1);
	assert_int_equal(fake.matches[0].external_port, 40001);
	assert_int_equal(lab->broker.update_id, 3);
	lab_check(lab);
	expire_at(start_ms + 61 * SECOND);
	assert_int_equal(fake_count(FW_END_DEL), 1);
	assert_int_equal(table_count(lab->broker.table), 0);
	lab_check(lab);
	expire_at(start_ms + 1000 * SECOND);
	assert_int_equal(fake.applies, 4);
	assert_int_equal(lab->broker.update_id, 4);
}

static void test_expiry_refused_by_kernel(void **state)
{
	struct igw_map_add add = add_of(10, 40001, 50001);
	int64_t due_ms = lab->now_ms + 60 * SECOND;

	(void)state;
	add.lease_s = 60;
	lab_added(lab, &add);
	fake.apply_error = -EBUSY;
	fake.apply_errors = 2;
	expire_at(due_ms);
	assert_int_equal(fake.applies, 2);
	assert_int_equal(lab->broker.retry_at_ms, due_ms + SECOND);
	expire_at(due_ms + SECOND);
	assert_int_equal(fake.applies, 3);
	assert_int_equal(table_count(lab->broker.table), 1);
	expire_at(due_ms + 2 * SECOND);
	assert_int_equal(fake.applies, 4);
	assert_int_equal(table_count(lab->broker.table), 0);
	assert_int_equal(fake_count(FW_END_DEL), 1);
	lab_check(lab);
}

static void add_many(uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		struct igw_map_add add = add_of(10, (uint16_t)(40000 + i), 50001);

		add.lease_s = 60;
		assert_int_equal(lab_add(lab, &add).reason, IGW_OK);
	}
	lab_check(lab);
}

static const char wide[] = "{'version':1,'rules':[" ALLOW(
	"1024-65535") "],'limits':{'per_client':5000,'total':5000,"
		      "'reserved_per_client':0},'lease':{'min_s':60,'max_s':7200,"
		      "'zero_s':3600},'rates':{'changes_per_min':6000,'burst':6000}}";

/* More at once than one transaction takes: the rest follows with the next wake-up. */
static void test_expiry_of_many(void **state)
{
	enum { MANY = TABLE_DUE_MAX + 10 };

	(void)state;
	lab_set_policy(lab, wide);
	add_many(MANY);
	expire_at(lab->now_ms + 60 * SECOND);
	assert_int_equal(table_count(lab->broker.table), 10);
	assert_int_equal(fake_count(FW_END_DEL), 0);
	assert_true(table_next_due_ms(lab->broker.table) <= lab->now_ms);
	lab_check(lab);
	expire_at(lab->now_ms);
	assert_int_equal(table_count(lab->broker.table), 0);
	assert_int_equal(fake_count(FW_END_DEL), 1);
	lab_check(lab);
}

static int rejudge(const char *text, const struct link *only)
{
	struct policy *policy = lab_policy(text);
	int r;

	fake.now_ms = lab->now_ms;
	r = rejudge_all(&lab->broker, policy, only, lab->now_ms);
	if (r < 0) {
		policy_free(policy);
		return r;
	}
	policy_free(lab->broker.policy);
	lab->broker.policy = policy;
	return r;
}

static void add_four(void)
{
	struct igw_map_add add;

	add = add_of(10, 40001, 50001);
	lab_added(lab, &add);
	add = add_of(10, 41001, 50001);
	lab_added(lab, &add);
	add = add_of(11, 40002, 50001);
	lab_added(lab, &add);
	add = add_of(11, 41002, 50002);
	lab_added(lab, &add);
}

static void test_rejudge(void **state)
{
	uint32_t update_id;

	(void)state;
	add_four();
	update_id = lab->broker.update_id;
	/* Ends 41001, whose end 40001 still leads to, and 41002 with its end. */
	assert_int_equal(rejudge(RULES(ALLOW("40000-40999")), NULL), 2);
	assert_int_equal(fake.applies, 5);
	assert_int_equal(fake.n_ops, 3);
	assert_int_equal(fake_count(FW_MAP_DEL), 2);
	assert_int_equal(fake_count(FW_END_DEL), 1);
	assert_int_equal(fake_op(FW_END_DEL)->endpoint.port, 50002);
	assert_int_equal(fake.cuts, 1);
	assert_int_equal(fake.n_matches, 2);
	assert_int_equal(lab->broker.update_id, update_id + 1);
	lab_check(lab);
	assert_int_equal(table_count(lab->broker.table), 2);
	/* Those that stay are under the rule that allows them now. */
	assert_string_equal(
		table_find_port(lab->broker.table, IGW_TCP, 40001)->rule, "some");
	/* The second time there is nothing to do, and the kernel is not asked. */
	assert_int_equal(rejudge(RULES(ALLOW("40000-40999")), NULL), 0);
	assert_int_equal(fake.applies, 5);
	assert_int_equal(lab->broker.update_id, update_id + 1);
	assert_int_equal(rejudge(RULES(""), NULL), 2);
	assert_int_equal(table_count(lab->broker.table), 0);
	lab_check(lab);
}

static void test_rejudge_refused_by_kernel(void **state)
{
	const struct mapping *mapping;
	uint32_t at = 0, n = 0;

	(void)state;
	add_four();
	fake.apply_error = -ENOMEM;
	fake.apply_errors = 1;
	assert_int_equal(rejudge(RULES(ALLOW("40000-40999")), NULL), -ENOMEM);
	lab_check(lab);
	while ((mapping = table_next(lab->broker.table, &at))) {
		assert_string_equal(mapping->rule, "open");
		n++;
	}
	assert_int_equal(n, 4);
	assert_int_equal(fake.cuts, 0);
	/* No mark is left: 41001 still leads to the end that 40001 shares, and the end of
	 * 41002 goes with it. */
	assert_int_equal(lab_delete(lab, 10, IGW_TCP, 40001), IGW_OK);
	assert_int_equal(fake_count(FW_END_DEL), 0);
	lab_check(lab);
	assert_int_equal(lab_delete(lab, 11, IGW_TCP, 41002), IGW_OK);
	assert_int_equal(fake_count(FW_END_DEL), 1);
	assert_int_equal(rejudge(RULES(ALLOW("40000-40999")), NULL), 1);
	assert_int_equal(table_count(lab->broker.table), 1);
	lab_check(lab);
}

static void test_rejudge_tables_gone(void **state)
{
	(void)state;
	add_four();
	fake.there = false;
	fake.n_maps = fake.n_ends = 0;
	fake.slack_ms = 60000;
	assert_int_equal(rejudge(RULES(ALLOW("40000-40999")), NULL), 2);
	assert_int_equal(fake.installs, 1);
	assert_int_equal(fake_count(FW_MAP_DEL), 2);
	assert_int_equal(fake_count(FW_END_DEL), 1);
	assert_int_equal(fake.n_matches, 2);
	lab_check(lab);
}

/* Two leave one end at once, a third stays; then all three. */
static void test_rejudge_shared_end(void **state)
{
	struct igw_map_add add;

	(void)state;
	for (uint16_t i = 0; i < 3; i++) {
		add = add_of(10, (uint16_t)(40000 + i), 50001);
		lab_added(lab, &add);
	}
	assert_int_equal(rejudge(RULES(ALLOW("40000-40000")), NULL), 2);
	assert_int_equal(fake_count(FW_END_DEL), 0);
	lab_check(lab);
	for (uint16_t i = 1; i < 3; i++) {
		add = add_of(10, (uint16_t)(40000 + i), 50001);
		lab_set_policy(lab, policy_open);
		lab_added(lab, &add);
	}
	assert_int_equal(rejudge(RULES(""), NULL), 3);
	assert_int_equal(fake_count(FW_END_DEL), 1);
	lab_check(lab);
}

static void test_rejudge_shortens(void **state)
{
	static const char shorter[] = "{'version':1,'rules':[" ALLOW(
		"40000-40999") "],'lease':{'min_s':60,"
			       "'max_s':600,'zero_s':600}}";
	struct igw_map_add add = add_of(10, 40001, 50001);
	struct mapping *mapping = lab_added(lab, &add);

	(void)state;
	add = add_of(10, 40002, 50002);
	add.lease_s = 300;
	lab_added(lab, &add);
	add = add_of(10, 41000, 50003);
	lab_added(lab, &add);
	lab->now_ms += 10 * SECOND;
	assert_int_equal(rejudge(shorter, NULL), 1);
	assert_int_equal(fake_count(FW_MAP_SET), 1);
	assert_int_equal(fake_count(FW_MAP_DEL), 1);
	assert_int_equal(mapping->expires_ms, lab->now_ms + 600 * SECOND);
	lab_check(lab);
	/* Not below what is left, and not longer than it was. */
	lab->now_ms += 590 * SECOND;
	assert_int_equal(rejudge(shorter, NULL), 0);
	assert_int_equal(mapping->expires_ms, lab->now_ms + 10 * SECOND);
	lab_check(lab);
}

/* The end of a shortened mapping may stay longer than needed, never shorter. */
static void test_rejudge_shortens_shared_end(void **state)
{
	static const char shorter[] = "{'version':1,'rules':[" ALLOW(
		"40000-40999") "],'lease':{'min_s':60,"
			       "'max_s':600,'zero_s':600}}";
	struct igw_map_add add = add_of(10, 41000, 50001);
	const struct fake_end *end;

	(void)state;
	lab_added(lab, &add);
	for (uint16_t i = 0; i < 2; i++) {
		add = add_of(10, (uint16_t)(40000 + i), 50001);
		lab_added(lab, &add);
	}
	fake.slack_ms = 3600 * SECOND;
	assert_int_equal(rejudge(shorter, NULL), 1);
	assert_int_equal(fake_count(FW_MAP_SET), 2);
	end = fake_find_end(IGW_TCP, "192.168.1.10", 50001);
	assert_non_null(end);
	assert_true(end->expires_ms >= lab->now_ms + 600 * SECOND);
	lab_check(lab);
	expire_at(lab->now_ms + 600 * SECOND);
	assert_int_equal(fake.n_maps, 0);
	assert_int_equal(fake.n_ends, 0);
}

static void test_rejudge_until(void **state)
{
	struct igw_map_add add = add_of(10, 40001, 50001);
	struct mapping *mapping = lab_added(lab, &add);
	static const char until[] =
		"{'version':1,'rules':[{'name':'some','action':'allow',"
		"'until':'2026-11-01T00:10:00Z','external_ports':['1024-65535'],"
		"'internal_ports':['1024-65535']}]}";

	(void)state;
	assert_int_equal(rejudge(until, NULL), 0);
	assert_int_equal(mapping->expires_ms, lab->now_ms + 600 * SECOND);
	lab_check(lab);
	fake.wall_s += 600;
	lab->now_ms += 599 * SECOND;
	assert_int_equal(rejudge(until, NULL), 1);
	assert_int_equal(fake.n_maps, 0);
}

static void test_rejudge_one_link(void **state)
{
	struct igw_map_add add = add_of(10, 40001, 50001);
	struct igw_map_result result;

	(void)state;
	lab_added(lab, &add);
	add.client = add.internal_client = addr_of("192.168.2.10");
	add.external_port = 40002;
	lab_ask(lab, 1, IGW_MAP_ADD, &add, IGW_MAP_RESULT, &result, sizeof(result));
	assert_int_equal(result.reason, IGW_OK);
	assert_int_equal(rejudge(RULES(""), &lab->broker.links[1]), 1);
	assert_null(table_find_port(lab->broker.table, IGW_TCP, 40002));
	assert_non_null(table_find_port(lab->broker.table, IGW_TCP, 40001));
	lab_check(lab);
	assert_int_equal(rejudge(RULES(""), &lab->broker.links[0]), 1);
}

/* Design §7: a LAN prefix change ends mappings outside it. */
static void test_rejudge_after_renumbering(void **state)
{
	struct igw_map_add add = add_of(10, 40001, 50001);

	(void)state;
	lab_added(lab, &add);
	add = add_of(200, 40002, 50001);
	lab_added(lab, &add);
	fake.ifaces[1].addrs[0].len = 25;
	assert_int_equal(
		rejudge_all(&lab->broker, lab->broker.policy, NULL, lab->now_ms), 1);
	assert_null(table_find_port(lab->broker.table, IGW_TCP, 40002));
	lab_check(lab);
}

static void test_flush(void **state)
{
	(void)state;
	add_four();
	fake.apply_error = -EPERM;
	fake.apply_errors = 1;
	assert_int_equal(mapping_flush(&lab->broker, lab->now_ms), -EPERM);
	assert_int_equal(table_count(lab->broker.table), 4);
	lab_check(lab);
	assert_int_equal(mapping_flush(&lab->broker, lab->now_ms), 0);
	assert_int_equal(table_count(lab->broker.table), 0);
	assert_int_equal(fake.applies, 6);
	assert_int_equal(fake_count(FW_MAP_DEL), 4);
	assert_int_equal(fake_count(FW_END_DEL), 3);
	assert_int_equal(fake.n_matches, 4);
	lab_check(lab);
	assert_int_equal(mapping_flush(&lab->broker, lab->now_ms), 0);
	assert_int_equal(fake.applies, 6);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_expiry),
		TEST(test_expiry_refused_by_kernel),
		TEST(test_expiry_of_many),
		TEST(test_rejudge),
		TEST(test_rejudge_refused_by_kernel),
		TEST(test_rejudge_tables_gone),
		TEST(test_rejudge_shared_end),
		TEST(test_rejudge_shortens),
		TEST(test_rejudge_shortens_shared_end),
		TEST(test_rejudge_until),
		TEST(test_rejudge_one_link),
		TEST(test_rejudge_after_renumbering),
		TEST(test_flush),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
