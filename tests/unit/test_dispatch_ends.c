/* Mappings that share a port or an internal end, and those whose target moves: what is
 * open in the kernel is what some mapping needs. */
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

static void test_move_target(void **state)
{
	struct igw_map_add add = add_of(10, 40001, 50001);

	(void)state;
	lab_added(lab, &add);
	add.internal_port = 50002;
	lab_added(lab, &add);
	assert_int_equal(fake_count(FW_MAP_SET), 1);
	assert_int_equal(fake_count(FW_END_DEL), 1);
	assert_int_equal(fake_count(FW_END_SET), 1);
	assert_int_equal(fake_op(FW_END_DEL)->endpoint.port, 50001);
	assert_int_equal(fake_op(FW_END_SET)->endpoint.port, 50002);
	assert_int_equal(fake.n_ends, 1);
	/* The flows to the old end, by the old end. */
	assert_int_equal(fake.cuts, 1);
	assert_int_equal(fake.n_matches, 1);
	assert_int_equal(fake.matches[0].external_port, 40001);
	assert_int_equal(fake.matches[0].internal_port, 50001);
}

/* The old end stays when another mapping leads to it, and the new one may have others. */
static void test_move_between_shared_ends(void **state)
{
	struct igw_map_add one = add_of(10, 40001, 50001);
	struct igw_map_add two = add_of(10, 40002, 50001);
	struct igw_map_add three = add_of(10, 40003, 50003);

	(void)state;
	lab_added(lab, &one);
	lab_added(lab, &two);
	lab_added(lab, &three);
	one.internal_port = 50003;
	one.lease_s = 60;
	lab_added(lab, &one);
	assert_int_equal(fake_count(FW_END_DEL), 0);
	/* The other mapping's hour is not cut short. */
	assert_int_equal(fake_op(FW_END_SET)->endpoint.timeout_ms, 3600000);
	assert_int_equal(fake.n_ends, 2);
	two.internal_port = 50003;
	lab_added(lab, &two);
	assert_int_equal(fake_count(FW_END_DEL), 1);
	assert_int_equal(fake.n_ends, 1);
}

static void test_shared_end(void **state)
{
	struct igw_map_add one = add_of(10, 40001, 50001);
	struct igw_map_add two = add_of(10, 40002, 50001);

	(void)state;
	lab_added(lab, &one);
	two.lease_s = 7200;
	lab_added(lab, &two);
	assert_int_equal(fake.n_ends, 1);
	/* A renewal of the shorter one keeps the longer one's time. */
	lab_added(lab, &one);
	assert_int_equal(fake_op(FW_END_SET)->endpoint.timeout_ms, 7200000);
	assert_int_equal(lab_delete(lab, 10, IGW_TCP, 40002), IGW_OK);
	assert_int_equal(fake_count(FW_MAP_DEL), 1);
	assert_int_equal(fake_count(FW_END_DEL), 0);
	assert_int_equal(fake.n_matches, 1);
	assert_int_equal(fake.matches[0].external_port, 40002);
	lab_check(lab);
	assert_int_equal(fake.n_ends, 1);
	assert_int_equal(lab_delete(lab, 10, IGW_TCP, 40001), IGW_OK);
	assert_int_equal(fake_count(FW_END_DEL), 1);
	lab_check(lab);
	assert_int_equal(fake.n_ends, 0);
}

/* A mapping whose end was refused still leads there when the other one goes. */
static void test_shared_end_after_a_refusal(void **state)
{
	struct igw_map_add one = add_of(10, 40001, 50001);
	struct igw_map_add two = add_of(10, 40002, 50001);

	(void)state;
	lab_added(lab, &one);
	lab_added(lab, &two);
	fake.apply_error = -EBUSY;
	fake.apply_errors = 1;
	assert_int_equal(lab_delete(lab, 10, IGW_TCP, 40001), IGW_KERNEL);
	assert_int_equal(lab_delete(lab, 10, IGW_TCP, 40002), IGW_OK);
	assert_int_equal(fake_count(FW_END_DEL), 0);
	lab_check(lab);
}

static void test_same_port_other_protocol(void **state)
{
	struct igw_map_add tcp = add_of(10, 40001, 50001), udp = tcp;

	(void)state;
	udp.protocol = IGW_UDP;
	lab_added(lab, &tcp);
	lab_added(lab, &udp);
	assert_int_equal(fake.n_ends, 2);
	assert_int_equal(lab_delete(lab, 10, IGW_UDP, 40001), IGW_OK);
	lab_check(lab);
	assert_non_null(table_find(lab->broker.table, IGW_TCP, 40001, &tcp.remote_host));
}

static void test_disabled(void **state)
{
	struct igw_map_add add = add_of(10, 40001, 50001);

	(void)state;
	add.enabled = 0;
	lab_added(lab, &add);
	assert_int_equal(fake.n_ends, 0);
	assert_false(fake_op(FW_MAP_SET)->mapping.enabled);
	add.enabled = 1;
	lab_added(lab, &add);
	assert_int_equal(fake.n_ends, 1);
	assert_int_equal(fake.cuts, 0);
	/* Switched off again: the end goes and the flows are cut. */
	add.enabled = 0;
	lab_added(lab, &add);
	assert_int_equal(fake.n_ends, 0);
	assert_int_equal(fake.cuts, 1);
	assert_int_equal(fake.n_matches, 1);
	assert_int_equal(lab_delete(lab, 10, IGW_TCP, 40001), IGW_OK);
	assert_int_equal(fake_count(FW_END_DEL), 0);
	lab_check(lab);
}

static void test_remote_hosts(void **state)
{
	struct igw_map_add any = add_of(10, 40001, 50001), one = any, two = any;
	struct igw_map_key key = { .client = host_of(10),
		.remote_host = addr_of("198.51.100.7"),
		.external_port = 40001,
		.protocol = IGW_TCP };
	struct igw_map_result result;

	(void)state;
	one.remote_host = addr_of("198.51.100.7");
	two.remote_host = addr_of("198.51.100.8");
	two.internal_port = 50002;
	lab_added(lab, &any);
	lab_added(lab, &one);
	lab_added(lab, &two);
	assert_int_equal(table_count(lab->broker.table), 3);
	lab_ask(lab, 0, IGW_MAP_DELETE, &key, IGW_MAP_RESULT, &result, sizeof(result));
	assert_int_equal(result.reason, IGW_OK);
	lab_check(lab);
	assert_true(igw_addr_equal(&fake.matches[0].remote_host, &one.remote_host));
	assert_null(table_find(lab->broker.table, IGW_TCP, 40001, &one.remote_host));
	assert_int_equal(table_count(lab->broker.table), 2);
	/* The port belongs to one client whatever the remote host. */
	one = add_of(11, 40001, 50001);
	one.remote_host = addr_of("198.51.100.9");
	assert_int_equal(lab_add(lab, &one).reason, IGW_CONFLICT);
}

static void test_bad_remote_hosts(void **state)
{
	static const char *const bad[] = { "0.0.0.0", "0.1.2.3", "224.0.0.1",
		"255.255.255.255", "240.0.0.1", "2001:db8::1", "::1" };
	struct igw_map_add add = add_of(10, 40001, 50001);

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		add.remote_host = addr_of(bad[i]);
		assert_int_equal(lab_add(lab, &add).reason, IGW_BAD_ARGUMENT);
	}
	assert_int_equal(fake.applies, 0);
}

static void test_conflict(void **state)
{
	struct igw_map_add add = add_of(10, 40001, 50001);
	struct mapping before;

	(void)state;
	before = *lab_added(lab, &add);
	add = add_of(11, 40001, 50001);
	assert_int_equal(lab_add(lab, &add).reason, IGW_CONFLICT);
	add.remote_host = addr_of("198.51.100.7");
	assert_int_equal(lab_add(lab, &add).reason, IGW_CONFLICT);
	assert_int_equal(fake.applies, 1);
	assert_memory_equal(
		table_find_id(lab->broker.table, before.id), &before, sizeof(before));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_move_target),
		TEST(test_move_between_shared_ends),
		TEST(test_shared_end),
		TEST(test_shared_end_after_a_refusal),
		TEST(test_same_port_other_protocol),
		TEST(test_disabled),
		TEST(test_remote_hosts),
		TEST(test_bad_remote_hosts),
		TEST(test_conflict),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
