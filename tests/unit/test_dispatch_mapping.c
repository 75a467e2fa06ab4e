/* Mappings come, change and go: what is done in the kernel, in which order, and that what
 * the table lists is what the kernel has, also after every failure. */
#include "fakes_broker.h"

#include <errno.h>

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

static void table_is_empty(void *arg)
{
	assert_int_equal(table_count(arg), 0);
}

static void table_has_one(void *arg)
{
	assert_int_equal(table_count(arg), 1);
}

static void test_add(void **state)
{
	struct igw_map_add add = add_of(10, 40001, 50001);
	struct igw_map_result result;
	const struct mapping *mapping;
	const struct fake_op *op;

	(void)state;
	fake.during_apply = table_is_empty;
	fake.during_arg = lab->broker.table;
	result = lab_add(lab, &add);
	assert_int_equal(result.reason, IGW_OK);
	assert_int_equal(result.lease_s, 3600);
	assert_int_equal(result.external_port, 40001);
	assert_int_equal(fake.applies, 1);
	assert_int_equal(fake.n_ops, 2);
	op = fake_op(FW_MAP_SET);
	assert_non_null(op);
	assert_int_equal(op->mapping.timeout_ms, 3600000);
	op = fake_op(FW_END_SET);
	assert_non_null(op);
	assert_int_equal(op->endpoint.timeout_ms, 3600000);
	assert_int_equal(op->endpoint.port, 50001);
	mapping = table_find(lab->broker.table, IGW_TCP, 40001, &add.remote_host);
	assert_non_null(mapping);
	assert_int_equal(mapping->expires_ms, lab->now_ms + 3600000);
	assert_int_equal(mapping->created_s, WALL);
	assert_int_equal(mapping->mac.b[5], 10);
	assert_string_equal(mapping->interface, LAN);
	assert_string_equal(mapping->rule, "open");
	assert_string_equal(mapping->description, "test");
	assert_int_equal(lab->broker.granted, 1);
	assert_int_equal(lab->broker.update_id, 1);
	assert_true(lab->broker.changed);
	assert_int_equal(fake.cuts, 0);
	lab_check(lab);
}

/* Promise 2: no 200 OK without the kernel. */
static void test_add_refused_by_kernel(void **state)
{
	struct igw_map_add add = add_of(10, 40001, 50001);
	struct igw_map_result result;

	(void)state;
	fake.apply_error = -ENOSPC;
	fake.apply_errors = 1;
	result = lab_add(lab, &add);
	assert_int_equal(result.reason, IGW_KERNEL);
	assert_int_equal(result.lease_s, 0);
	assert_int_equal(result.external_port, 0);
	assert_int_equal(table_count(lab->broker.table), 0);
	assert_int_equal(lab->broker.update_id, 0);
	assert_int_equal(lab->broker.granted, 0);
	assert_int_equal(lab->broker.refused[IGW_KERNEL], 1);
	assert_int_equal(fake.installs, 0);
	lab_check(lab);
	/* The second call finds nothing left of the first. */
	lab_added(lab, &add);
}

static void test_renewal_refused_by_kernel(void **state)
{
	struct igw_map_add add = add_of(10, 40001, 50001);
	const struct mapping before = *lab_added(lab, &add);
	const struct mapping *after;

	(void)state;
	add.internal_port = 50002;
	add.lease_s = 60;
	strcpy(add.description, "other");
	fake.apply_error = -ENOMEM;
	fake.apply_errors = 1;
	assert_int_equal(lab_add(lab, &add).reason, IGW_KERNEL);
	after = table_find_id(lab->broker.table, before.id);
	assert_non_null(after);
	assert_memory_equal(after, &before, sizeof(before));
	assert_int_equal(fake.cuts, 0);
	lab_check(lab);
}

/* Somebody flushed the rule set: everything is put back, then the change is made. */
static void test_tables_gone(void **state)
{
	struct igw_map_add add = add_of(10, 40001, 50001);

	(void)state;
	fake.slack_ms = 60000;
	lab_added(lab, &add);
	fake.there = false;
	fake.n_maps = fake.n_ends = 0;
	fake.during_apply = table_has_one;
	fake.during_arg = lab->broker.table;
	add = add_of(11, 40002, 50002);
	assert_int_equal(lab_add(lab, &add).reason, IGW_OK);
	assert_int_equal(fake.installs, 1);
	assert_int_equal(fake.applies, 3);
	assert_int_equal(table_count(lab->broker.table), 2);
	lab_check(lab);

	/* And with a change that ends one. */
	fake.during_apply = NULL;
	fake.there = false;
	fake.n_maps = fake.n_ends = 0;
	assert_int_equal(lab_delete(lab, 10, IGW_TCP, 40001), IGW_OK);
	assert_int_equal(fake.installs, 2);
	assert_int_equal(fake_count(FW_END_DEL), 1);
	assert_int_equal(fake.n_matches, 1);
	lab_check(lab);
}

static void test_tables_gone_for_good(void **state)
{
	struct igw_map_add add = add_of(10, 40001, 50001);

	(void)state;
	fake.slack_ms = 60000;
	lab_added(lab, &add);
	fake.there = false;
	fake.install_error = -EPERM;
	add.external_port = 40002;
	assert_int_equal(lab_add(lab, &add).reason, IGW_KERNEL);
	assert_int_equal(lab_delete(lab, 10, IGW_TCP, 40001), IGW_KERNEL);
	assert_int_equal(table_count(lab->broker.table), 1);
	assert_int_equal(fake.installs, 2);
	assert_int_equal(fake.cuts, 0);
	fake.install_error = 0;
	/* The failed end left no mark behind: the end's last mapping takes it along. */
	assert_int_equal(lab_delete(lab, 10, IGW_TCP, 40001), IGW_OK);
	lab_check(lab);
	assert_int_equal(fake.n_ends, 0);
}

/* The kernel's answer is lost: what was not acknowledged is not left there. */
static void test_answer_lost(void **state)
{
	struct igw_map_add add = add_of(10, 40001, 50001);

	(void)state;
	lab_added(lab, &add);
	fake.apply_error = -ENOBUFS;
	fake.apply_errors = 2;
	add.external_port = 40002;
	assert_int_equal(lab_add(lab, &add).reason, IGW_KERNEL);
	assert_int_equal(table_count(lab->broker.table), 1);
	lab_check(lab);
	assert_int_equal(lab_delete(lab, 10, IGW_TCP, 40001), IGW_KERNEL);
	assert_int_equal(table_count(lab->broker.table), 1);
	lab_check(lab);
	assert_int_equal(lab_delete(lab, 10, IGW_TCP, 40001), IGW_OK);
	lab_check(lab);
}

static void test_renew(void **state)
{
	struct igw_map_add add = add_of(10, 40001, 50001);
	uint32_t id = lab_added(lab, &add)->id;
	const struct mapping *mapping;

	(void)state;
	lab->now_ms += 1000000;
	fake.wall_s += 1000;
	add.lease_s = 120;
	strcpy(add.description, "renewed");
	mapping = lab_added(lab, &add);
	assert_int_equal(mapping->id, id);
	assert_int_equal(mapping->created_s, WALL);
	assert_int_equal(mapping->lease_s, 120);
	/* Shorter than what was left: the client's word. */
	assert_int_equal(mapping->expires_ms, lab->now_ms + 120000);
	assert_string_equal(mapping->description, "renewed");
	assert_int_equal(table_count(lab->broker.table), 1);
	assert_int_equal(fake.n_ops, 2);
	assert_int_equal(fake_count(FW_END_SET), 1);
	assert_int_equal(fake.cuts, 0);
	assert_int_equal(lab->broker.update_id, 2);
}

static void test_delete_not_own(void **state)
{
	struct igw_map_add add = add_of(10, 40001, 50001);

	(void)state;
	lab_added(lab, &add);
	assert_int_equal(lab_delete(lab, 11, IGW_TCP, 40001), IGW_NOT_OWNER);
	assert_int_equal(lab_delete(lab, 10, IGW_TCP, 40002), IGW_NO_ENTRY);
	assert_int_equal(lab_delete(lab, 10, IGW_UDP, 40001), IGW_NO_ENTRY);
	assert_int_equal(fake.applies, 1);
	assert_int_equal(lab->broker.refused[IGW_NOT_OWNER], 1);
	assert_int_equal(lab->broker.refused[IGW_NO_ENTRY], 2);
	lab_check(lab);
	assert_int_equal(lab_delete(lab, 10, IGW_TCP, 40001), IGW_OK);
	assert_int_equal(lab_delete(lab, 10, IGW_TCP, 40001), IGW_NO_ENTRY);
	lab_check(lab);
}

static void test_delete_refused_by_kernel(void **state)
{
	struct igw_map_add add = add_of(10, 40001, 50001);

	(void)state;
	lab_added(lab, &add);
	fake.apply_error = -EBUSY;
	fake.apply_errors = 1;
	assert_int_equal(lab_delete(lab, 10, IGW_TCP, 40001), IGW_KERNEL);
	assert_int_equal(fake.cuts, 0);
	lab_check(lab);
	assert_int_equal(lab_delete(lab, 10, IGW_TCP, 40001), IGW_OK);
	assert_int_equal(fake_count(FW_END_DEL), 1);
	assert_int_equal(fake.cuts, 1);
	lab_check(lab);
}

/* The flows could not be cut: the mapping is gone all the same. */
static void test_cut_fails(void **state)
{
	struct igw_map_add add = add_of(10, 40001, 50001);

	(void)state;
	lab_added(lab, &add);
	fake.cut_error = -EBUSY;
	assert_int_equal(lab_delete(lab, 10, IGW_TCP, 40001), IGW_OK);
	lab_check(lab);
	assert_int_equal(fake.n_maps, 0);
}

static void test_router(void **state)
{
	struct igw_map_add add = add_of(10, 40001, 50001);

	(void)state;
	fake.listens_port = 40001;
	fake.listens_protocol = IGW_TCP;
	assert_int_equal(lab_add(lab, &add).reason, IGW_PORT_IN_USE);
	add.protocol = IGW_UDP;
	lab_added(lab, &add);
	fake.listens_protocol = IGW_UDP;
	lab_added(lab, &add); /* its own mapping is renewed all the same */
	lab->broker.wan_addr = (struct igw_addr){ 0 };
	assert_int_equal(lab_add(lab, &add).reason, IGW_WAN_DOWN);
	add.internal_client = host_of(1);
	assert_int_equal(lab_add(lab, &add).reason, IGW_ROUTER_TARGET);
	add.internal_client = host_of(255);
	assert_int_equal(lab_add(lab, &add).reason, IGW_SPECIAL_ADDRESS);
	add.internal_client = addr_of("192.168.2.10");
	assert_int_equal(lab_add(lab, &add).reason, IGW_OFF_LAN);
	add.internal_client = addr_of("198.51.100.7"); /* UPnProxy */
	assert_int_equal(lab_add(lab, &add).reason, IGW_OFF_LAN);
	add = add_of(10, 40001, 445); /* EternalSilence */
	assert_int_equal(lab_add(lab, &add).reason, IGW_SMB_PORT);
	add = add_of(10, 40001, 50001);
	add.internal_client = host_of(11);
	assert_int_equal(lab_add(lab, &add).reason, IGW_NOT_REQUESTER);
	assert_int_equal(fake.applies, 2);
	lab_check(lab);
}

/* The port of our own HTTP server, which the broker learns when a worker serves. */
static void test_own_http_port(void **state)
{
	struct igw_serving serving = { .http_port = 5000 };
	struct igw_map_add add = add_of(10, 5000, 50001);

	(void)state;
	assert_int_equal(lab_tell(lab, 0, IGW_SERVING, &serving), 0);
	assert_int_equal(lab_add(lab, &add).reason, IGW_CONTROL_PORT);
	add = add_of(10, 40001, 5000);
	assert_int_equal(lab_add(lab, &add).reason, IGW_CONTROL_PORT);
}

static void test_quotas(void **state)
{
	struct igw_map_add add;

	(void)state;
	for (uint16_t i = 0; i < 20; i++) {
		add = add_of(10 + i / 5U, (uint16_t)(40000 + i), 50001);
		lab_added(lab, &add);
	}
	add = add_of(10, 41000, 50001);
	assert_int_equal(lab_add(lab, &add).reason, IGW_QUOTA_CLIENT);
	add = add_of(20, 41000, 50001);
	assert_int_equal(lab_add(lab, &add).reason, IGW_QUOTA_TOTAL);
	/* A renewal, and a moved target, need no new slot. */
	add = add_of(10, 40000, 50009);
	lab_added(lab, &add);
	assert_int_equal(lab_delete(lab, 13, IGW_TCP, 40019), IGW_OK);
	add = add_of(20, 41000, 50001);
	lab_added(lab, &add);
}

/* One client cannot take what is kept for the others' first mappings. */
static void test_reserved(void **state)
{
	struct igw_map_add add;

	(void)state;
	lab_set_policy(lab, "{'version':1,'rules':[{'name':'open','action':'allow',"
			    "'external_ports':['1024-65535'],"
			    "'internal_ports':['1024-65535']}],'limits':{'per_client':10,"
			    "'total':10,'reserved_per_client':2}}");
	for (uint16_t i = 0; i < 8; i++) {
		add = add_of(10, (uint16_t)(40000 + i), 50001);
		lab_added(lab, &add);
	}
	add = add_of(10, 40008, 50001);
	assert_int_equal(lab_add(lab, &add).reason, IGW_QUOTA_TOTAL);
	for (uint16_t i = 0; i < 2; i++) {
		add = add_of(11, (uint16_t)(41000 + i), 50001);
		lab_added(lab, &add);
	}
	add = add_of(12, 42000, 50001);
	assert_int_equal(lab_add(lab, &add).reason, IGW_QUOTA_TOTAL);
}

static void test_over_rate(void **state)
{
	struct igw_map_add add = add_of(10, 40001, 50001);

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		lab_added(lab, &add);
	assert_int_equal(lab_add(lab, &add).reason, IGW_RATE);
	assert_int_equal(lab_delete(lab, 10, IGW_TCP, 40001), IGW_RATE);
	assert_int_equal(table_count(lab->broker.table), 1);
	/* Others are not in the same bucket, and 600 a minute are one in 100 ms. */
	add = add_of(11, 40002, 50001);
	lab_added(lab, &add);
	lab->now_ms += 99;
	assert_int_equal(lab_delete(lab, 10, IGW_TCP, 40001), IGW_RATE);
	lab->now_ms += 1;
	assert_int_equal(lab_delete(lab, 10, IGW_TCP, 40001), IGW_OK);
	assert_int_equal(lab_delete(lab, 10, IGW_TCP, 40001), IGW_RATE);
	assert_int_equal(lab->broker.refused[IGW_RATE], 4);
}

/* A request that waited so long that the client was told it failed is not granted; the
 * number that says so is the worker's and can be any. */
static void test_too_late(void **state)
{
	struct igw_map_add add = add_of(10, 40001, 50001);
	const uint64_t now_ms = (uint64_t)lab->now_ms;
	const uint64_t late[] = { 0, now_ms - 1501 }, in_time[] = { now_ms - 1500, now_ms,
		now_ms + 1, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX };

	(void)state;
	for (size_t i = 0; i < COUNT(late); i++) {
		add.asked_ms = late[i];
		assert_int_equal(lab_add(lab, &add).reason, IGW_KERNEL);
		assert_int_equal(fake.applies, 0);
	}
	for (size_t i = 0; i < COUNT(in_time); i++) {
		add.asked_ms = in_time[i];
		lab_added(lab, &add);
	}
}

static void test_lease_bounds(void **state)
{
	static const struct {
		uint32_t asked_s, granted_s;
	} cases[] = {
		{ 0, 3600 },
		{ 1, 60 },
		{ 60, 60 },
		{ 7200, 7200 },
		{ 7201, 7200 },
		{ UINT32_MAX, 7200 },
	};
	struct igw_map_add add = add_of(10, 40001, 50001);

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		add.lease_s = cases[i].asked_s;
		assert_int_equal(lab_added(lab, &add)->lease_s, cases[i].granted_s);
		assert_int_equal(fake_op(FW_MAP_SET)->mapping.timeout_ms,
			UINT64_C(1000) * cases[i].granted_s);
	}
}

static void test_description_is_cleaned(void **state)
{
	struct igw_map_add add = add_of(10, 40001, 50001);

	(void)state;
	strcpy(add.description, "good\nevent=map-added id=1");
	assert_string_equal(lab_added(lab, &add)->description, "good");
	strcpy(add.description, "x\xe2\x80\xaegpj.exe");
	assert_string_equal(lab_added(lab, &add)->description, "x");
	memset(add.description, 'd', IGW_DESCRIPTION_MAX);
	assert_int_equal(strlen(lab_added(lab, &add)->description), IGW_DESCRIPTION_MAX);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_add),
		TEST(test_add_refused_by_kernel),
		TEST(test_renewal_refused_by_kernel),
		TEST(test_tables_gone),
		TEST(test_tables_gone_for_good),
		TEST(test_answer_lost),
		TEST(test_renew),
		TEST(test_delete_not_own),
		TEST(test_delete_refused_by_kernel),
		TEST(test_cut_fails),
		TEST(test_router),
		TEST(test_own_http_port),
		TEST(test_quotas),
		TEST(test_reserved),
		TEST(test_over_rate),
		TEST(test_too_late),
		TEST(test_lease_bounds),
		TEST(test_description_is_cleaned),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
