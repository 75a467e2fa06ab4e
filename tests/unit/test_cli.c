/* Every verb that asks the broker but status: what it asks, what it prints in both forms,
 * and its exit code. */
#include "test_cli.h"

#include <jansson.h>

static const struct igw_ctl_mapping tcp_mapping = {
	.mapping = 0x2a,
	.lease_remaining_s = 3552,
	.connections = 2,
	.lease_s = 7200,
	.created_s = 1767323045,
	.client = { .b = { [10] = 0xff, 0xff, 192, 168, 1, 10 } },
	.internal_client = { .b = { [10] = 0xff, 0xff, 192, 168, 1, 10 } },
	.mac = { .b = { 0x02, 0x42, 0xac, 0x11, 0x00, 0x0a } },
	.external_port = 8080,
	.internal_port = 80,
	.protocol = IGW_TCP,
	.enabled = 1,
	.interface = "br-lan",
	.rule = "high-ports",
	.description = "web",
};

/* Off, for one remote host, by a third party, with text that wants to be trouble. */
static const struct igw_ctl_mapping udp_mapping = {
	.mapping = 0xdeadbeef,
	.lease_remaining_s = 604740,
	.lease_s = 604800,
	.client = { .b = { [10] = 0xff, 0xff, 192, 168, 1, 11 } },
	.internal_client = { .b = { [10] = 0xff, 0xff, 192, 168, 1, 200 } },
	.remote_host = { .b = { [10] = 0xff, 0xff, 198, 51, 100, 7 } },
	.external_port = 3074,
	.internal_port = 3074,
	.protocol = IGW_UDP,
	.via = IGW_VIA_PCP,
	.interface = "br-lan",
	.description = "\x1b[2J\x9b"
		       "31mStra\xc3\x9f"
		       "e\r\nlist \xe2\x80\xae \x7f end",
};

/* ---- list and show ---------------------------------------------------------------- */

static void serve_mappings(struct fake *fake, int fd)
{
	fake_send(fake, fd, IGW_CTL_MAPPING_IS, &tcp_mapping);
	fake_send(fake, fd, IGW_CTL_MAPPING_IS, &udp_mapping);
	fake_ok(fake, fd);
}

static void serve_one(struct fake *fake, int fd)
{
	fake_send(fake, fd, IGW_CTL_MAPPING_IS, fake->arg);
	fake_ok(fake, fd);
}

static void serve_ok(struct fake *fake, int fd)
{
	fake_ok(fake, fd);
}

#define LIST_HEAD                                                                        \
	"ID        PROTO  EXTERNAL  INTERNAL            REMOTE        LEASE    CONN  "   \
	"DESCRIPTION\n"
#define LIST_UDP                                                                         \
	"deadbeef  udp    3074 off  192.168.1.200:3074  198.51.100.7  6d 23h      0  "   \
	"\\x1b[2J...\n"

static void test_list(void **state)
{
	(void)state;
	expect(serve_mappings, NULL, ARGS("list"), IGW_EXIT_OK,
		LIST_HEAD LIST_UDP
		"0000002a  tcp    8080      192.168.1.10:80                   "
		"59m 12s     2  web\n",
		"");
	expect(serve_one, &tcp_mapping, ARGS("list"), IGW_EXIT_OK,
		"ID        PROTO  EXTERNAL  INTERNAL         LEASE    CONN  DESCRIPTION\n"
		"0000002a  tcp    8080      192.168.1.10:80  59m 12s     2  web\n",
		"");
	expect(serve_ok, NULL, ARGS("list"), IGW_EXIT_OK, "no mappings\n", "");
}

#define JSON_TCP                                                                         \
	"{\"id\":\"0000002a\",\"protocol\":\"tcp\",\"external_port\":8080,"              \
	"\"internal_client\":\"192.168.1.10\",\"internal_port\":80,"                     \
	"\"remote_host\":\"\",\"description\":\"web\",\"via\":\"upnp\","                 \
	"\"lease_remaining_s\":3552,\"created\":\"2026-01-02T03:04:05Z\","               \
	"\"rule\":\"high-ports\",\"connections\":2,\"client\":\"192.168.1.10\","         \
	"\"mac\":\"02:42:ac:11:00:0a\",\"interface\":\"br-lan\",\"enabled\":true,"       \
	"\"lease_s\":7200}"
#define JSON_UDP                                                                         \
	"{\"id\":\"deadbeef\",\"protocol\":\"udp\",\"external_port\":3074,"              \
	"\"internal_client\":\"192.168.1.200\",\"internal_port\":3074,"                  \
	"\"remote_host\":\"198.51.100.7\",\"description\":\"\\\\x1b[2J\\\\x9b31m"        \
	"Stra\\u00DFe\\\\x0d\\\\x0alist \\\\xe2\\\\x80\\\\xae \\\\x7f end\","            \
	"\"via\":\"pcp\",\"lease_remaining_s\":604740,\"created\":\"\",\"rule\":\"\","   \
	"\"connections\":0,\"client\":\"192.168.1.11\",\"mac\":\"\","                    \
	"\"interface\":\"br-lan\",\"enabled\":false,\"lease_s\":604800}"
#define JSON_DATA(data) "{\"schema\":1,\"data\":" data "}\n"

static void test_list_json(void **state)
{
	(void)state;
	expect(serve_mappings, NULL, ARGS("list", "--json"), IGW_EXIT_OK,
		JSON_DATA("[" JSON_UDP "," JSON_TCP "]"), "");
	expect(serve_ok, NULL, ARGS("list", "--json"), IGW_EXIT_OK, JSON_DATA("[]"), "");
}

static void test_list_filter(void **state)
{
	static const char *const both = JSON_DATA("[" JSON_UDP "," JSON_TCP "]");
	static const char *const tcp = JSON_DATA("[" JSON_TCP "]");
	static const char *const udp = JSON_DATA("[" JSON_UDP "]");
	static const char *const none = JSON_DATA("[]");
	static const struct {
		const char *args[6];
		const char *const *out;
	} cases[] = {
		{ { "list", "--json", "--protocol", "tcp" }, &tcp },
		{ { "list", "--json", "--protocol", "UDP" }, &udp },
		{ { "--client", "192.168.1.10", "list", "--json" }, &tcp },
		/* Who asked, and who it leads to. */
		{ { "list", "--json", "--client", "192.168.1.11" }, &udp },
		{ { "list", "--json", "--client=192.168.1.200" }, &udp },
		{ { "list", "--json", "--client=192.168.1.200", "--protocol=tcp" },
			&none },
		{ { "list", "--json", "--client", "2001:db8::1" }, &none },
		{ { "list", "--json" }, &both },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		expect(serve_mappings, NULL, cases[i].args, IGW_EXIT_OK, *cases[i].out,
			"");
}

static void serve_many(struct fake *fake, int fd)
{
	struct igw_ctl_mapping m = tcp_mapping;
	const unsigned *n = fake->arg;

	/* Backwards, so that sorting is worth something. */
	for (unsigned i = *n; i > 0; i--) {
		m.mapping = i;
		m.external_port = (uint16_t)i;
		fake_send(fake, fd, IGW_CTL_MAPPING_IS, &m);
	}
	fake_ok(fake, fd);
}

static void check_sorted(const char *text, unsigned n)
{
	json_t *root = json_loads(text, 0, NULL), *data = json_object_get(root, "data");
	char id[9];

	assert_int_equal(json_array_size(data), n);
	for (unsigned i = 0; i < n; i++) {
		snprintf(id, sizeof(id), "%08x", i + 1);
		assert_string_equal(
			json_string_value(json_object_get(json_array_get(data, i), "id")),
			id);
	}
	json_decref(root);
}

static void test_list_many(void **state)
{
	static const unsigned n = 10000;
	struct fake fake;
	struct run run;
	size_t lines = 0;

	(void)state;
	fake_start(&fake, serve_many, &n);
	run_init(&run, fake.path);
	run_cli(&run, ARGS("list"));
	assert_int_equal(run.code, IGW_EXIT_OK);
	for (const char *at = run.out; (at = strchr(at, '\n')) != NULL; at++)
		lines++;
	assert_int_equal(lines, n + 1);
	run_cli(&run, ARGS("list", "--json"));
	assert_int_equal(run.code, IGW_EXIT_OK);
	fake_stop(&fake);
	check_sorted(run.out, n);
	run_free(&run);
}

static void test_show(void **state)
{
	(void)state;
	expect(serve_one, &tcp_mapping, ARGS("show", "0000002A"), IGW_EXIT_OK,
		"id            0000002a\n"
		"protocol      tcp\n"
		"external port 8080\n"
		"internal      192.168.1.10:80\n"
		"remote host   any\n"
		"asked for by  192.168.1.10, by upnp\n"
		"link          br-lan, 02:42:ac:11:00:0a\n"
		"lease         59m 12s left of 2h\n"
		"created       2026-01-02T03:04:05Z\n"
		"rule          high-ports\n"
		"connections   2\n"
		"description   web\n",
		"");
	expect(serve_one, &udp_mapping, ARGS("show", "deadbeef"), IGW_EXIT_OK,
		"id            deadbeef\n"
		"protocol      udp\n"
		"external port 3074, not enabled\n"
		"internal      192.168.1.200:3074\n"
		"remote host   198.51.100.7\n"
		"asked for by  192.168.1.11, by pcp\n"
		"link          br-lan, MAC address not known\n"
		"lease         6d 23h left of 7d\n"
		"created       \n"
		"rule          none\n"
		"connections   0\n"
		"description   \\x1b[2J\\x9b31mStra\\xc3\\x9fe\\x0d\\x0alist "
		"\\xe2\\x80\\xae \\x7f end\n",
		"");
	expect(serve_one, &udp_mapping, ARGS("show", "deadbeef", "--json"), IGW_EXIT_OK,
		JSON_DATA(JSON_UDP), "");
}

/* ---- explain ---------------------------------------------------------------------- */

static void serve_verdict(struct fake *fake, int fd)
{
	fake_send(fake, fd, IGW_CTL_VERDICT_IS, fake->arg);
	fake_ok(fake, fd);
}

#define EXPLAIN                                                                          \
	"explain", "--client", "192.168.1.10", "--protocol", "tcp", "--external-port",   \
		"8080", "--internal-port", "80"

static void test_explain_allowed(void **state)
{
	static const struct igw_ctl_verdict verdict = {
		.reason = IGW_OK,
		.lease_s = 3600,
		.rule = "high-ports",
		.interface = "br-lan",
		.mac = { .b = { 0x02, 0x42, 0xac, 0x11, 0x00, 0x0a } },
	};

	(void)state;
	expect(serve_verdict, &verdict, ARGS(EXPLAIN), IGW_EXIT_OK,
		"request       tcp 8080 to 192.168.1.10 port 80, from 192.168.1.10 by "
		"upnp\n"
		"verdict       allowed\n"
		"reason        ok\n"
		"              allowed\n"
		"rule          high-ports\n"
		"lease         1h\n"
		"link          br-lan, 02:42:ac:11:00:0a\n",
		"");
	expect(serve_verdict, &verdict, ARGS(EXPLAIN, "--json"), IGW_EXIT_OK,
		JSON_DATA(
			"{\"allowed\":true,\"verdict\":\"allowed\",\"reason\":\"ok\","
			"\"sentence\":\"allowed\",\"rule\":\"high-ports\",\"lease_s\":3600,"
			"\"client\":\"192.168.1.10\",\"internal_client\":\"192.168.1.10\","
			"\"protocol\":\"tcp\",\"external_port\":8080,\"internal_port\":80,"
			"\"remote_host\":\"\",\"via\":\"upnp\",\"interface\":\"br-lan\","
			"\"mac\":\"02:42:ac:11:00:0a\"}"),
		"");
}

static void test_explain_refused(void **state)
{
	static const struct igw_ctl_verdict floor = { .reason = IGW_SMB_PORT };
	static const struct igw_ctl_verdict rule = { .reason = IGW_RULE,
		.rule = "no-consoles" };

	(void)state;
	expect(serve_verdict, &floor,
		ARGS(EXPLAIN, "--internal-client", "192.168.1.20", "--via", "pcp"),
		IGW_EXIT_FAILED,
		"request       tcp 8080 to 192.168.1.20 port 80, from 192.168.1.10 by "
		"pcp\n"
		"verdict       refused\n"
		"reason        smb-port\n"
		"              ports 135, 137-139 and 445 are never mapped, on either "
		"side\n"
		"rule          none\n"
		"lease         none\n",
		"");
	expect(serve_verdict, &rule, ARGS(EXPLAIN, "--json", "--remote-host", "1.2.3.4"),
		IGW_EXIT_FAILED,
		JSON_DATA("{\"allowed\":false,\"verdict\":\"refused\","
			  "\"reason\":\"rule:no-consoles\","
			  "\"sentence\":\"a rule of the policy denies it\","
			  "\"rule\":\"no-consoles\",\"lease_s\":0,"
			  "\"client\":\"192.168.1.10\",\"internal_client\":"
			  "\"192.168.1.10\",\"protocol\":\"tcp\",\"external_port\":8080,"
			  "\"internal_port\":80,\"remote_host\":\"1.2.3.4\","
			  "\"via\":\"upnp\",\"interface\":\"\",\"mac\":\"\"}"),
		"");
}

/* ---- what is asked ----------------------------------------------------------------- */

static void check_request(
	const char *const *args, uint32_t id, const void *payload, size_t size)
{
	struct fake fake;
	struct run run;

	fake_start(&fake, serve_ok, NULL);
	run_init(&run, fake.path);
	run_cli(&run, args);
	fake_stop(&fake);
	assert_int_equal(fake.connections, 1);
	assert_int_equal(fake.hdr.id, id);
	assert_int_equal(fake.len, size);
	assert_memory_equal(fake.payload, payload, size);
	run_free(&run);
}

static void test_requests(void **state)
{
	static const struct igw_empty empty;
	static const struct igw_ctl_id id = { .mapping = 0x89abcdef };
	struct igw_ctl_explain plain = {
		.client = tcp_mapping.client,
		.external_port = 8080,
		.internal_port = 80,
		.protocol = IGW_TCP,
	};
	struct igw_ctl_explain full = plain;

	(void)state;
	full.internal_client = udp_mapping.internal_client;
	full.remote_host = udp_mapping.remote_host;
	full.lease_s = 4294967295;
	full.via = IGW_VIA_NATPMP;
	check_request(ARGS("status"), IGW_CTL_STATUS, &empty, sizeof(empty));
	check_request(ARGS("list"), IGW_CTL_LIST, &empty, sizeof(empty));
	check_request(ARGS("reload"), IGW_CTL_RELOAD, &empty, sizeof(empty));
	check_request(ARGS("show", "89abCDef"), IGW_CTL_SHOW, &id, sizeof(id));
	check_request(ARGS("delete", "89abcdef"), IGW_CTL_DELETE, &id, sizeof(id));
	check_request(ARGS(EXPLAIN), IGW_CTL_EXPLAIN, &plain, sizeof(plain));
	check_request(ARGS(EXPLAIN, "--internal-client=192.168.1.200", "--lease",
			      "4294967295", "--remote-host=198.51.100.7", "--via=natpmp"),
		IGW_CTL_EXPLAIN, &full, sizeof(full));
}

/* ---- delete, reload, and answers that are a refusal ---------------------------------
 */

struct answer {
	enum igw_ctl_code code;
	const char *text;
};

static void serve_answer(struct fake *fake, int fd)
{
	const struct answer *answer = fake->arg;

	fake_done(fake, fd, answer->code, answer->text);
}

static void test_delete(void **state)
{
	(void)state;
	expect(serve_ok, NULL, ARGS("delete", "0000002A"), IGW_EXIT_OK,
		"deleted 0000002a\n", "");
	expect(serve_ok, NULL, ARGS("--json", "delete", "0000002a"), IGW_EXIT_OK,
		JSON_DATA("{\"id\":\"0000002a\",\"deleted\":true}"), "");
}

static void test_reload(void **state)
{
	static const struct answer warned = { IGW_CTL_OK,
		"/etc/igdward/policy.json:3:5: /rules/0: can never match" };

	(void)state;
	expect(serve_ok, NULL, ARGS("reload"), IGW_EXIT_OK, "policy reloaded\n", "");
	expect(serve_ok, NULL, ARGS("reload", "--json"), IGW_EXIT_OK,
		JSON_DATA("{\"reloaded\":true,\"warning\":\"\"}"), "");
	expect(serve_answer, &warned, ARGS("reload"), IGW_EXIT_OK,
		"policy reloaded\n"
		"warning       /etc/igdward/policy.json:3:5: /rules/0: can never match\n",
		"");
	expect(serve_answer, &warned, ARGS("reload", "--json"), IGW_EXIT_OK,
		JSON_DATA(
			"{\"reloaded\":true,\"warning\":\"/etc/igdward/policy.json:3:5: "
			"/rules/0: can never match\"}"),
		"");
}

#define JSON_ERROR(code, message, path)                                                  \
	"{\"error\":{\"code\":\"" code "\",\"message\":\"" message "\",\"path\":\"" path \
	"\"}}\n"

static void test_answers(void **state)
{
	static const struct {
		struct answer answer;
		enum igw_exit code;
		const char *err, *json;
	} cases[] = {
		{ { IGW_CTL_FAILED, "" }, IGW_EXIT_FAILED, "igdward: that failed\n",
			JSON_ERROR("failed", "that failed", "") },
		{ { IGW_CTL_FAILED, "kernel\x1b[m: EPERM" }, IGW_EXIT_FAILED,
			"igdward: kernel\\x1b[m: EPERM\n",
			JSON_ERROR("failed", "kernel\\\\x1b[m: EPERM", "") },
		{ { IGW_CTL_NOT_FOUND, "" }, IGW_EXIT_NOT_FOUND,
			"igdward: there is no such mapping\n",
			JSON_ERROR("not-found", "there is no such mapping", "") },
		{ { IGW_CTL_DENIED, "" }, IGW_EXIT_PERMISSION,
			"igdward: only root may do that\n",
			JSON_ERROR("no-permission", "only root may do that", "") },
		{ { IGW_CTL_DENIED, "you are not root" }, IGW_EXIT_PERMISSION,
			"igdward: you are not root\n",
			JSON_ERROR("no-permission", "you are not root", "") },
		{ { IGW_CTL_INVALID, "" }, IGW_EXIT_INVALID,
			"igdward: the policy is not valid\n",
			JSON_ERROR("invalid", "the policy is not valid", "") },
		{ { IGW_CTL_INVALID, "/p.json:3:5: /rules/0/action: found \"x\": y" },
			IGW_EXIT_INVALID,
			"igdward: /p.json:3:5: /rules/0/action: found \"x\": y\n",
			JSON_ERROR("invalid",
				"/p.json:3:5: /rules/0/action: found \\\"x\\\": y",
				"/rules/0/action") },
		{ { IGW_CTL_INVALID, "a: /b/p.json:3:5: '[' expected" }, IGW_EXIT_INVALID,
			"igdward: a: /b/p.json:3:5: '[' expected\n",
			JSON_ERROR("invalid", "a: /b/p.json:3:5: '[' expected", "") },
		{ { IGW_CTL_INVALID, "p:1:2: /no-end" }, IGW_EXIT_INVALID,
			"igdward: p:1:2: /no-end\n",
			JSON_ERROR("invalid", "p:1:2: /no-end", "") },
		{ { IGW_CTL_INVALID, ": /" }, IGW_EXIT_INVALID, "igdward: : /\n",
			JSON_ERROR("invalid", ": /", "") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		expect(serve_answer, &cases[i].answer, ARGS("reload"), cases[i].code, "",
			cases[i].err);
		expect(serve_answer, &cases[i].answer, ARGS("show", "00000001"),
			cases[i].code, "", cases[i].err);
		expect(serve_answer, &cases[i].answer,
			ARGS("--json", "delete", "00000001"), cases[i].code,
			cases[i].json, "");
	}
}

/* Output that cannot be written is no success. */
static void test_output_fails(void **state)
{
	static const char *const args[] = { "version" };
	char *argv[] = { (char *)(uintptr_t) "igdward", (char *)(uintptr_t)args[0],
		NULL };
	struct run run;

	(void)state;
	run_init(&run, "");
	run.cli.out = fopen("/dev/full", "w");
	run.cli.err = tmpfile();
	assert_non_null(run.cli.out);
	assert_non_null(run.cli.err);
	assert_int_equal(cli_run(&run.cli, 2, argv), IGW_EXIT_FAILED);
	fclose(run.cli.out);
	fclose(run.cli.err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_list_json),
		cmocka_unit_test(test_list_filter),
		cmocka_unit_test(test_list_many),
		cmocka_unit_test(test_show),
		cmocka_unit_test(test_explain_allowed),
		cmocka_unit_test(test_explain_refused),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_delete),
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_output_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
