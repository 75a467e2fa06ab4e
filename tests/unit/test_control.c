/* The control socket: each request's answer, and who may ask for what. Needs root. */
#include "fakes_control.h"

static void test_status(void **state)
{
	struct igw_map_add add = add_of(10, 40001, 50001);
	struct igw_ctl_status status;
	struct igw_ctl_link link;
	int fd = dial();

	(void)state;
	lab_added(lab, &add);
	add = add_of(10, 445, 445);
	assert_int_equal(lab_add(lab, &add).reason, IGW_SMB_PORT);
	lab->broker.links[1].workers = 3;
	lab->broker.links[0].http_port = 5000;
	strcpy(lab->broker.start.policy_path, "/etc/igdward/policy.json");
	ask(fd, IGW_CTL_STATUS, &empty);
	hear(fd, IGW_CTL_STATUS, IGW_CTL_STATUS_IS, &status);
	assert_int_equal(status.started_s, WALL - 10);
	assert_in_range(status.uptime_s, 10, 1000);
	assert_in_range(status.wan_uptime_s, 5, 1000);
	assert_int_equal(status.mappings, 1);
	assert_int_equal(status.clients, 1);
	assert_int_equal(status.limit_total, 20);
	assert_int_equal(status.limit_per_client, 5);
	assert_int_equal(status.rules, 1);
	assert_int_equal(status.restarts, 2);
	assert_int_equal(status.granted, 1);
	assert_int_equal(status.refused[IGW_SMB_PORT], 1);
	assert_int_equal(status.floor_smb, 1 + 2);
	assert_int_equal(status.floor_egress, 4);
	assert_int_equal(status.floor_proxy, 8 + 16);
	assert_int_equal(status.floor_router, 32);
	assert_int_equal(status.floor_control, 64);
	assert_int_equal(status.wan_up, 1);
	assert_int_equal(status.tables_owned, 1);
	assert_string_equal(status.wan, WAN);
	assert_string_equal(status.version, IGDWARD_VERSION);
	assert_string_equal(status.policy_path, "/etc/igdward/policy.json");
	assert_non_null(strstr(status.last_refusal, "smb-port client=192.168.1.10"));
	hear(fd, IGW_CTL_STATUS, IGW_CTL_LINK_IS, &link);
	assert_string_equal(link.interface, LAN);
	assert_int_equal(link.http_port, 5000);
	assert_int_equal(link.prefix_len, 24);
	hear(fd, IGW_CTL_STATUS, IGW_CTL_LINK_IS, &link);
	assert_string_equal(link.interface, GUEST);
	assert_int_equal(link.restarts, 2);
	hear_done(fd, IGW_CTL_STATUS, IGW_CTL_OK, "");
	close(fd);
}

/* Without WAN, without floor, without an address on a link: still an answer. */
static void test_status_of_a_poor_router(void **state)
{
	struct igw_ctl_status status;
	struct igw_ctl_link link;
	int fd = dial();

	(void)state;
	lab->broker.wan_addr = (struct igw_addr){ 0 };
	lab->broker.wan[0] = '\0';
	lab->broker.links[0].n_addrs = 0;
	lab->broker.policy_stale = true;
	fake.there = false;
	fake.install_error = -EPERM;
	ask(fd, IGW_CTL_STATUS, &empty);
	hear(fd, IGW_CTL_STATUS, IGW_CTL_STATUS_IS, &status);
	assert_int_equal(status.tables_missing, 1);
	assert_int_equal(status.wan_up, 0);
	assert_int_equal(status.wan_uptime_s, 0);
	assert_int_equal(status.floor_smb, 0);
	assert_int_equal(status.policy_stale, 1);
	hear(fd, IGW_CTL_STATUS, IGW_CTL_LINK_IS, &link);
	assert_true(igw_addr_is_none(&link.addr));
	hear(fd, IGW_CTL_STATUS, IGW_CTL_LINK_IS, &link);
	hear_done(fd, IGW_CTL_STATUS, IGW_CTL_OK, "");
	/* Looking for the tables puts them back. */
	fake.install_error = 0;
	ask(fd, IGW_CTL_STATUS, &empty);
	hear(fd, IGW_CTL_STATUS, IGW_CTL_STATUS_IS, &status);
	assert_int_equal(status.tables_missing, 0);
	assert_int_equal(status.floor_smb, 3);
	assert_true(fake.there);
	close(fd);
}

static void test_show_and_delete(void **state)
{
	struct igw_map_add add = add_of(10, 40001, 50001);
	struct igw_ctl_id id = { lab_added(lab, &add)->id };
	struct igw_ctl_mapping shown;
	int fd = dial(), other = dial();

	(void)state;
	ask(fd, IGW_CTL_SHOW, &id);
	hear(fd, IGW_CTL_SHOW, IGW_CTL_MAPPING_IS, &shown);
	hear_done(fd, IGW_CTL_SHOW, IGW_CTL_OK, "");
	assert_int_equal(shown.mapping, id.mapping);
	assert_in_range(shown.lease_remaining_s, 3500, 3600);
	assert_int_equal(shown.lease_s, 3600);
	assert_int_equal(shown.connections, 40001);
	assert_int_equal(shown.created_s, WALL);
	assert_int_equal(shown.external_port, 40001);
	assert_int_equal(shown.internal_port, 50001);
	assert_int_equal(shown.mac.b[5], 10);
	assert_string_equal(shown.interface, LAN);
	assert_string_equal(shown.rule, "open");
	assert_string_equal(shown.description, "test");
	/* The kernel does not let go: it stays. */
	fake.apply_error = -EBUSY;
	fake.apply_errors = 1;
	ask(fd, IGW_CTL_DELETE, &id);
	hear_done(fd, IGW_CTL_DELETE, IGW_CTL_FAILED, NULL);
	assert_int_equal(table_count(lab->broker.table), 1);
	ask(fd, IGW_CTL_DELETE, &id);
	hear_done(fd, IGW_CTL_DELETE, IGW_CTL_OK, "");
	assert_int_equal(table_count(lab->broker.table), 0);
	assert_int_equal(fake.n_matches, 1);
	lab_check(lab);
	ask(fd, IGW_CTL_DELETE, &id);
	hear_done(fd, IGW_CTL_DELETE, IGW_CTL_NOT_FOUND, NULL);
	ask(other, IGW_CTL_SHOW, &id);
	hear_done(other, IGW_CTL_SHOW, IGW_CTL_NOT_FOUND, NULL);
	close(fd);
	close(other);
}

static void test_who_may_what(void **state)
{
	struct igw_map_add add = add_of(10, 40001, 50001);
	struct igw_ctl_id id = { lab_added(lab, &add)->id };
	struct igw_ctl_mapping shown;
	struct chan_msg msg;
	int fd = dial_as_nobody();

	(void)state;
	ask(fd, IGW_CTL_DELETE, &id);
	hear_done(fd, IGW_CTL_DELETE, IGW_CTL_DENIED, NULL);
	id.mapping ^= 1; /* whether it is there or not is the same */
	ask(fd, IGW_CTL_DELETE, &id);
	hear_done(fd, IGW_CTL_DELETE, IGW_CTL_DENIED, NULL);
	ask(fd, IGW_CTL_RELOAD, &empty);
	hear_done(fd, IGW_CTL_RELOAD, IGW_CTL_DENIED, NULL);
	assert_false(lab_heard(lab->parent, &msg));
	assert_int_equal(fake.applies, 1);
	ask(fd, IGW_CTL_LIST, &empty);
	hear(fd, IGW_CTL_LIST, IGW_CTL_MAPPING_IS, &shown);
	hear_done(fd, IGW_CTL_LIST, IGW_CTL_OK, "");
	close(fd);
}

static struct igw_ctl_verdict explain(int fd, const struct igw_ctl_explain *question)
{
	struct igw_ctl_verdict verdict;

	ask(fd, IGW_CTL_EXPLAIN, question);
	hear(fd, IGW_CTL_EXPLAIN, IGW_CTL_VERDICT_IS, &verdict);
	hear_done(fd, IGW_CTL_EXPLAIN, IGW_CTL_OK, "");
	return verdict;
}

static void test_explain(void **state)
{
	struct igw_ctl_explain question = { .client = addr_of("192.168.2.10"),
		.external_port = 40001,
		.internal_port = 50001,
		.protocol = IGW_UDP };
	struct igw_ctl_verdict verdict;
	int fd = dial_as_nobody();

	(void)state;
	verdict = explain(fd, &question);
	assert_int_equal(verdict.reason, IGW_OK);
	assert_int_equal(verdict.lease_s, 3600);
	assert_string_equal(verdict.rule, "open");
	assert_string_equal(verdict.interface, GUEST);
	assert_int_equal(verdict.mac.b[5], 10);
	question.internal_client = addr_of("192.168.2.11");
	assert_int_equal(explain(fd, &question).reason, IGW_NOT_REQUESTER);
	question.internal_client = (struct igw_addr){ 0 };
	question.internal_port = 445;
	assert_int_equal(explain(fd, &question).reason, IGW_SMB_PORT);
	question.protocol = 99;
	assert_int_equal(explain(fd, &question).reason, IGW_BAD_ARGUMENT);
	question.client = addr_of("198.51.100.7");
	verdict = explain(fd, &question);
	assert_int_equal(verdict.reason, IGW_NOT_SERVED);
	assert_string_equal(verdict.interface, "");
	/* Asking changes nothing: no mapping, no record, no token. */
	assert_int_equal(fake.applies, 0);
	assert_int_equal(lab->broker.granted, 0);
	assert_int_equal(lab->broker.refused[IGW_SMB_PORT], 0);
	question.client = addr_of("192.168.2.10");
	assert_null(clients_find(table_clients(lab->broker.table), &question.client));
	close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_status),
		TEST(test_status_of_a_poor_router),
		TEST(test_show_and_delete),
		TEST(test_who_may_what),
		TEST(test_explain),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
