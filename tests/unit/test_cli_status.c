/* What `igdward status` makes of the broker's answer. */
#include "test_cli.h"

struct status_case {
	struct igw_ctl_status status;
	struct igw_ctl_link links[IGW_LINKS_MAX + 1];
	size_t n_links;
};

static void status_init(struct status_case *c)
{
	*c = (struct status_case){
		.status = {
			.started_s = 1767323045,
			.policy_loaded_s = 1767323040,
			.uptime_s = 273661,
			.wan_uptime_s = 3552,
			.mappings = 12,
			.clients = 4,
			.limit_total = 256,
			.limit_per_client = 32,
			.rules = 5,
			.restarts = 1,
			.granted = 34,
			.floor_smb = 7,
			.floor_egress = 18446744073709551,
			.wan_addr = { .b = { [10] = 0xff, 0xff, 203, 0, 113, 5 } },
			.wan_up = 1,
			.tables_owned = 1,
			.wan = "eth0",
			.policy_path = "/etc/igdward/policy.json",
			.last_refusal = "smb-port tcp 47669 -> 192.168.1.10:445",
			.version = "0.1.0",
		},
		.links = {
			{ .interface = "br-lan",
				.addr = { .b = { [10] = 0xff, 0xff, 192, 168, 1, 1 } },
				.http_port = 5000,
				.prefix_len = 24 },
			{ .interface = "br-guest",
				.addr = { .b = { [10] = 0xff, 0xff, 192, 168, 2, 1 } },
				.restarts = 1,
				.http_port = 5001,
				.prefix_len = 26 },
		},
		.n_links = 2,
	};
	c->status.refused[IGW_SMB_PORT] = 2;
	c->status.refused[IGW_NO_RULE] = 3;
}

static void serve_status(struct fake *fake, int fd)
{
	const struct status_case *c = fake->arg;

	fake_send(fake, fd, IGW_CTL_STATUS_IS, &c->status);
	for (size_t i = 0; i < c->n_links; i++)
		fake_send(fake, fd, IGW_CTL_LINK_IS, &c->links[i]);
	fake_ok(fake, fd);
}

#define STATUS_TAIL                                                                      \
	"mappings      12 of 256, clients: 4, each at most 32\n"                         \
	"policy        /etc/igdward/policy.json\n"                                       \
	"              rules: 5, loaded 2026-01-02T03:04:00Z\n"                          \
	"granted       34\n"                                                             \
	"refused       smb-port 2, no-rule 3\n"                                          \
	"last refusal  smb-port tcp 47669 -> 192.168.1.10:445\n"                         \
	"floor dropped smb 7, proxy 0, router 0, control 0, egress 18446744073709551\n"  \
	"tables        owned: no other program can change them\n"

static void test_status(void **state)
{
	struct status_case c;

	(void)state;
	status_init(&c);
	expect(serve_status, &c, ARGS("status"), IGW_EXIT_OK,
		"igdwardd      0.1.0, up for 3d 4h, since 2026-01-02T03:04:05Z\n"
		"state         ok\n"
		"WAN link      eth0, 203.0.113.5, up for 59m 12s\n"
		"LAN links     br-lan, 192.168.1.1/24, served on port 5000, restarts: 0\n"
		"              br-guest, 192.168.2.1/26, served on port 5001, restarts: "
		"1\n" STATUS_TAIL,
		"");
}

static void test_status_json(void **state)
{
	struct status_case c;

	(void)state;
	status_init(&c);
	expect(serve_status, &c, ARGS("--json", "status"), IGW_EXIT_OK,
		"{\"schema\":1,\"data\":{\"version\":\"0.1.0\",\"uptime_s\":273661,"
		"\"started\":\"2026-01-02T03:04:05Z\",\"mappings\":12,\"clients\":4,"
		"\"restarts\":1,\"granted\":34,\"last_refusal\":"
		"\"smb-port tcp 47669 -> 192.168.1.10:445\",\"tables_owned\":true,"
		"\"wan\":{\"interface\":\"eth0\",\"address\":\"203.0.113.5\",\"up\":true,"
		"\"uptime_s\":3552},\"links\":[{\"interface\":\"br-lan\",\"address\":"
		"\"192.168.1.1\",\"prefix_length\":24,\"http_port\":5000,\"serving\":true,"
		"\"restarts\":0},{\"interface\":\"br-guest\",\"address\":\"192.168.2.1\","
		"\"prefix_length\":26,\"http_port\":5001,\"serving\":true,"
		"\"restarts\":1}],\"limits\":{\"total\":256,\"per_client\":32},"
		"\"policy\":{\"path\":\"/etc/igdward/policy.json\",\"rules\":5,"
		"\"loaded\":\"2026-01-02T03:04:00Z\",\"stale\":false},"
		"\"refused\":{\"smb-port\":2,\"no-rule\":3},\"floor\":{\"smb\":7,"
		"\"proxy\":0,\"router\":0,\"control\":0,\"egress\":18446744073709551},"
		"\"degraded\":[]}}\n",
		"");
}

static void test_status_degraded(void **state)
{
	struct status_case c;

	(void)state;
	status_init(&c);
	c.status.wan_addr = (struct igw_addr){ 0 };
	c.status.policy_stale = 1;
	c.links[1].http_port = 0;
	expect(serve_status, &c, ARGS("status"), IGW_EXIT_DEGRADED,
		"igdwardd      0.1.0, up for 3d 4h, since 2026-01-02T03:04:05Z\n"
		"state         degraded\n"
		"              the WAN link eth0 has no address\n"
		"              the LAN link br-guest is not being served\n"
		"              the policy file was refused; an older policy is in force\n"
		"WAN link      eth0, no address\n"
		"LAN links     br-lan, 192.168.1.1/24, served on port 5000, restarts: 0\n"
		"              br-guest, 192.168.2.1/26, not served, restarts: "
		"1\n" STATUS_TAIL,
		"");
}

/* A daemon that has nothing: no WAN, no LAN, no policy. */
static void test_status_empty(void **state)
{
	static const struct status_case c;

	(void)state;
	expect(serve_status, &c, ARGS("status"), IGW_EXIT_DEGRADED,
		"igdwardd      , up for 0s, since \n"
		"state         degraded\n"
		"              no WAN interface is known\n"
		"              there is no LAN link to serve\n"
		"              no valid policy was ever loaded: every request is refused\n"
		"WAN link      none\n"
		"mappings      0 of 0, clients: 0, each at most 0\n"
		"policy        none\n"
		"granted       0\n"
		"floor dropped smb 0, proxy 0, router 0, control 0, egress 0\n"
		"tables        not owned: other programs can change them\n",
		"");
	expect(serve_status, &c, ARGS("status", "--json"), IGW_EXIT_DEGRADED,
		"{\"schema\":1,\"data\":{\"version\":\"\",\"uptime_s\":0,\"started\":\"\","
		"\"mappings\":0,\"clients\":0,\"restarts\":0,\"granted\":0,"
		"\"last_refusal\":\"\",\"tables_owned\":false,\"wan\":{\"interface\":\"\","
		"\"address\":\"\",\"up\":false,\"uptime_s\":0},\"links\":[],"
		"\"limits\":{\"total\":0,\"per_client\":0},\"policy\":{\"path\":\"\","
		"\"rules\":0,\"loaded\":\"\",\"stale\":false},\"refused\":{},"
		"\"floor\":{\"smb\":0,\"proxy\":0,\"router\":0,\"control\":0,"
		"\"egress\":0},\"degraded\":[\"no WAN interface is known\","
		"\"there is no LAN link to serve\","
		"\"no valid policy was ever loaded: every request is refused\"]}}\n",
		"");
}

/* Everything as long as it can be, in colour: nothing overflows, every line of reasons
 * fits, and all of the troubles are told. */
static void test_status_full(void **state)
{
	struct status_case c;
	struct fake fake;
	struct run run;
	char *line;

	(void)state;
	memset(&c.status, 0xff, sizeof(c.status));
	memset(c.status.wan, 'w', IGW_IFNAME_MAX);
	memset(c.status.policy_path, 'p', IGW_PATH_MAX);
	memset(c.status.last_refusal, '\n', IGW_LOG_TEXT_MAX);
	c.status.wan[IGW_IFNAME_MAX] = c.status.policy_path[IGW_PATH_MAX] = '\0';
	c.status.last_refusal[IGW_LOG_TEXT_MAX] = c.status.version[15] = '\0';
	c.status.wan_up = 0;
	memset(c.links, 0, sizeof(c.links));
	for (c.n_links = 0; c.n_links < IGW_LINKS_MAX; c.n_links++)
		memset(c.links[c.n_links].interface, '\x1b', IGW_IFNAME_MAX);
	fake_start(&fake, serve_status, &c);
	run_init(&run, fake.path);
	run_cli(&run, ARGS("status", "--json"));
	assert_int_equal(run.code, IGW_EXIT_DEGRADED);
	run.cli.colour = true;
	run_cli(&run, ARGS("status"));
	fake_stop(&fake);
	assert_int_equal(run.code, IGW_EXIT_DEGRADED);
	assert_non_null(strstr(run.out, "\x1b[31mdegraded\x1b[0m\n"));
	assert_non_null(strstr(run.out, "not-served 4294967295\n"));
	assert_non_null(strstr(run.out, "an older policy is in force\n"));
	assert_null(strstr(strstr(run.out, "\x1b[0m") + 4, "\x1b"));
	line = strstr(run.out, "refused       ");
	assert_non_null(line);
	for (; strncmp(line, "last", 4) != 0; line += strcspn(line, "\n") + 1)
		assert_true(strcspn(line, "\n") <= CLI_COLUMNS);
	run_free(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_status_json),
		cmocka_unit_test(test_status_degraded),
		cmocka_unit_test(test_status_empty),
		cmocka_unit_test(test_status_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
