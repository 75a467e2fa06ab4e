/* Command lines that are wrong, and the verbs that need no broker. No test here may reach
 * a socket. */
#include "test_cli.h"

#define NO_SOCKET "/nowhere/igdward-test.sock"

static void check(
	const char *const *args, enum igw_exit code, const char *out, const char *err)
{
	struct run run;

	run_init(&run, NO_SOCKET);
	run_cli(&run, args);
	assert_string_equal(run.err, err);
	assert_string_equal(run.out, out);
	assert_int_equal(run.code, code);
	run_free(&run);
}

/* Wrong usage: exit code 2, and the message on stderr, or as JSON on stdout. */
static void check_usage(const char *const *args, const char *err)
{
	check(args, IGW_EXIT_USAGE, "", err);
}

#define HELP "; see 'igdward help'\n"
#define EXPLAIN_USAGE                                                                    \
	"usage: igdward explain --client ADDRESS --protocol tcp|udp "                    \
	"--external-port PORT\n"                                                         \
	"    --internal-port PORT [--internal-client ADDRESS]\n"                         \
	"    [--via upnp|natpmp|pcp] [--remote-host ADDRESS] [--lease SECONDS]\n"

static void test_verb(void **state)
{
	(void)state;
	check_usage(ARGS(NULL), "igdward: a verb is missing" HELP);
	check_usage(ARGS("--json=1"), "igdward: --json takes no value" HELP);
	check_usage(ARGS("lst"), "igdward: no such verb: lst; did you mean 'list'?\n");
	check_usage(
		ARGS("sttus"), "igdward: no such verb: sttus; did you mean 'status'?\n");
	check_usage(ARGS("relaod"),
		"igdward: no such verb: relaod; did you mean 'reload'?\n");
	check_usage(
		ARGS("expl"), "igdward: no such verb: expl; did you mean 'explain'?\n");
	check_usage(ARGS("polcy", "check"),
		"igdward: no such verb: polcy; did you mean 'policy check'?\n");
	check_usage(ARGS("policy"),
		"igdward: no such verb: policy; did you mean 'policy check'?\n");
	check_usage(ARGS("policy", "chekc"),
		"igdward: no such verb: policy; did you mean 'policy check'?\n");
	check_usage(ARGS("frobnicate"), "igdward: no such verb: frobnicate" HELP);
	check_usage(ARGS(""), "igdward: no such verb: " HELP);
	check_usage(ARGS("LIST"), "igdward: no such verb: LIST" HELP);
	check_usage(ARGS("x\x1b[2J\n"), "igdward: no such verb: x\\x1b[2J\\x0a" HELP);
	check_usage(ARGS("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
		"igdward: no such verb: "
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" HELP);
	check(ARGS("lst", "--json"), IGW_EXIT_USAGE,
		"{\"error\":{\"code\":\"usage\",\"message\":\"no such verb: lst; did you "
		"mean 'list'?\",\"path\":\"\"}}\n",
		"");
}

static void test_options(void **state)
{
	(void)state;
	check_usage(ARGS("list", "--colour"), "igdward: unknown option: --colour" HELP);
	check_usage(ARGS("list", "-x"), "igdward: unknown option: -x" HELP);
	check_usage(ARGS("list", "-xh"), "igdward: unknown option: -x" HELP);
	/* Short for two of them. */
	check_usage(ARGS("explain", "--internal", "1"),
		"igdward: unknown option: --internal" HELP);
	check_usage(ARGS("list", "--client"), "igdward: --client needs a value" HELP);
	check_usage(ARGS("--help=x"), "igdward: --help takes no value" HELP);
	check_usage(ARGS("list", "--client=1.2.3.4", "--client", "1.2.3.5"),
		"igdward: --client is given twice" HELP);
	check(ARGS("--json", "--colour"), IGW_EXIT_USAGE,
		"{\"error\":{\"code\":\"usage\",\"message\":\"unknown option: --colour"
		"; see 'igdward help'\",\"path\":\"\"}}\n",
		"");
}

static void test_option_elsewhere(void **state)
{
	(void)state;
	check_usage(ARGS("status", "--client=1.2.3.4"),
		"igdward: --client has no meaning here\n"
		"usage: igdward status\n");
	check_usage(ARGS("list", "--lease", "1"),
		"igdward: --lease has no meaning here\n"
		"usage: igdward list [--client ADDRESS] [--protocol tcp|udp]\n");
	check_usage(ARGS("--via", "upnp", "policy", "check"),
		"igdward: --via has no meaning here\n"
		"usage: igdward policy check [FILE]\n");
}

static void test_words(void **state)
{
	(void)state;
	check_usage(ARGS("status", "now"), "igdward: too many arguments\n"
					   "usage: igdward status\n");
	check_usage(ARGS("show"), "igdward: an argument is missing\n"
				  "usage: igdward show ID\n");
	check_usage(ARGS("delete", "0000002a", "0000002b"),
		"igdward: too many arguments\n"
		"usage: igdward delete ID\n");
	check_usage(ARGS("policy", "check", "a", "b"),
		"igdward: too many arguments\n"
		"usage: igdward policy check [FILE]\n");
	check_usage(ARGS("a", "b", "c", "d", "e"), "igdward: too many arguments: e" HELP);
	check_usage(ARGS("--", "a", "b", "c", "d", "e"),
		"igdward: too many arguments: e" HELP);
	/* Behind "--" even this is a word. */
	check_usage(ARGS("show", "--", "--json"),
		"igdward: --json: not an id of eight hexadecimal digits\n");
}

static void test_ids(void **state)
{
	static const char *const bad[] = { "0", "2a", "0000002", "0000002a0", "0x00002a",
		"0000002g", " 000002a", "0000002a ", "+000002a", "", "000000\xd9\xa4" };
	struct run run;

	(void)state;
	run_init(&run, NO_SOCKET);
	for (size_t i = 0; i < COUNT(bad); i++) {
		run_cli(&run, ARGS("show", bad[i]));
		assert_int_equal(run.code, IGW_EXIT_USAGE);
		assert_non_null(strstr(run.err, "not an id of eight hexadecimal digits"));
		run_cli(&run, ARGS("delete", bad[i]));
		assert_int_equal(run.code, IGW_EXIT_USAGE);
	}
	run_free(&run);
}

/* `explain` with one of its values replaced. */
static void check_explain(const char *option, const char *value, const char *err)
{
	static const char *const good[][2] = {
		{ "--client", "192.168.1.10" },
		{ "--protocol", "tcp" },
		{ "--external-port", "8080" },
		{ "--internal-port", "80" },
	};
	const char *args[FAKE_ARGS_MAX] = { option, value, "explain" };
	size_t n = 3;

	for (size_t i = 0; i < COUNT(good); i++) {
		if (strcmp(option, good[i][0]) == 0)
			continue;
		args[n++] = good[i][0];
		args[n++] = good[i][1];
	}
	check_usage(args, err);
}

static void test_values(void **state)
{
	static const char *const ports[] = { "0", "65536", "080", "-1", "+80", "80 ",
		" 80", "", "http", "0x50", "99999999999999999999", "80,443" };
	static const char *const addrs[] = { "", "192.168.1", "192.168.1.010",
		"192.168.1.256", "0300.168.1.1", "localhost", "192.168.1.1/24",
		"::ffff:1.2.3.4", "fe80::1%eth0", "1.2.3.4 " };
	char err[256];

	(void)state;
	for (size_t i = 0; i < COUNT(ports); i++) {
		snprintf(err, sizeof(err),
			"igdward: --external-port: %s: not a port from 1 to 65535\n",
			ports[i]);
		check_explain("--external-port", ports[i], err);
	}
	for (size_t i = 0; i < COUNT(addrs); i++) {
		snprintf(err, sizeof(err),
			"igdward: --client: %s: not an IPv4 or IPv6 address\n", addrs[i]);
		check_explain("--client", addrs[i], err);
		check_usage(ARGS("list", "--client", addrs[i]), err);
	}
	check_explain("--internal-port", "65536",
		"igdward: --internal-port: 65536: not a port from 1 to 65535\n");
	check_explain("--internal-client", "x",
		"igdward: --internal-client: x: not an IPv4 or IPv6 address\n");
	check_explain("--remote-host", "any",
		"igdward: --remote-host: any: not an IPv4 or IPv6 address\n");
	check_explain(
		"--protocol", "sctp", "igdward: --protocol: sctp: not tcp or udp\n");
	check_explain("--protocol", "6", "igdward: --protocol: 6: not tcp or udp\n");
	check_usage(ARGS("list", "--protocol", ""),
		"igdward: --protocol: : not tcp or udp\n");
	check_explain("--via", "UPNP", "igdward: --via: UPNP: not upnp, natpmp or pcp\n");
	check_explain("--lease", "1h", "igdward: --lease: 1h: not a number of seconds\n");
	check_explain("--lease", "4294967296",
		"igdward: --lease: 4294967296: not a number of seconds\n");
	check_explain("--lease", "-1", "igdward: --lease: -1: not a number of seconds\n");
}

static void test_explain_needs(void **state)
{
	(void)state;
	check_usage(ARGS("explain"), "igdward: --client is missing\n" EXPLAIN_USAGE);
	check_usage(ARGS("explain", "--client=1.2.3.4", "--protocol=tcp",
			    "--internal-port=1"),
		"igdward: --external-port is missing\n" EXPLAIN_USAGE);
}

/* POSIXLY_CORRECT makes getopt stop at the first word; options must be found all the
 * same, and on every run of the same process. */
static void test_option_order(void **state)
{
	static const char *const orders[][6] = {
		{ "--client=x", "--protocol=tcp", "list" },
		{ "--protocol=tcp", "list", "--client=x" },
		{ "list", "--protocol=tcp", "--client=x" },
		{ "list", "--protocol", "tcp", "--client", "x" },
	};

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(orders); i++) {
		if (i == COUNT(orders))
			setenv("POSIXLY_CORRECT", "1", 1);
		check_usage(orders[i % COUNT(orders)],
			"igdward: --client: x: not an IPv4 or IPv6 address\n");
	}
	unsetenv("POSIXLY_CORRECT");
}

static void test_help(void **state)
{
	static const char *const overview[][3] = { { "help" }, { "--help" }, { "-h" } };
	struct run run;

	(void)state;
	run_init(&run, NO_SOCKET);
	for (size_t i = 0; i < COUNT(overview); i++) {
		run_cli(&run, overview[i]);
		assert_int_equal(run.code, IGW_EXIT_OK);
		assert_string_equal(run.err, "");
		assert_ptr_equal(
			strstr(run.out, "usage: igdward [--socket PATH]"), run.out);
		assert_non_null(strstr(run.out, "\n  policy check  check a policy file"));
		for (const char *at = run.out; *at; at += strcspn(at, "\n") + 1)
			assert_true(strcspn(at, "\n") <= CLI_COLUMNS);
	}
	run_free(&run);
	check(ARGS("help", "show"), IGW_EXIT_OK,
		"usage: igdward show ID\n\neverything about one mapping\n", "");
	check(ARGS("show", "--help"), IGW_EXIT_OK,
		"usage: igdward show ID\n\neverything about one mapping\n", "");
	check(ARGS("-h", "policy", "check", "FILE"), IGW_EXIT_OK,
		"usage: igdward policy check [FILE]\n\n"
		"check a policy file; needs no daemon\n",
		"");
	check(ARGS("help", "show", "--json"), IGW_EXIT_OK,
		"{\"schema\":1,\"data\":{\"name\":\"show\",\"usage\":\"ID\","
		"\"help\":\"everything about one mapping\"}}\n",
		"");
	check_usage(ARGS("help", "shwo"),
		"igdward: no such verb: shwo; did you mean 'show'?\n");
	check_usage(ARGS("lst", "--help"),
		"igdward: no such verb: lst; did you mean 'list'?\n");
}

static void test_help_json(void **state)
{
	struct run run;

	(void)state;
	run_init(&run, NO_SOCKET);
	run_cli(&run, ARGS("--json", "--help"));
	assert_int_equal(run.code, IGW_EXIT_OK);
	assert_non_null(strstr(run.out, "{\"schema\":1,\"data\":[{\"name\":\"status\","));
	assert_non_null(strstr(run.out, "\"name\":\"policy check\""));
	run_free(&run);
}

static void test_version(void **state)
{
	struct run run;

	(void)state;
	run_init(&run, NO_SOCKET);
	run_cli(&run, ARGS("version"));
	assert_int_equal(run.code, IGW_EXIT_OK);
	assert_ptr_equal(strstr(run.out, "igdward "), run.out);
	run_cli(&run, ARGS("version", "--json"));
	assert_int_equal(run.code, IGW_EXIT_OK);
	assert_non_null(strstr(run.out, "{\"schema\":1,\"data\":{\"version\":\""));
	run_free(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verb),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_option_elsewhere),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_explain_needs),
		cmocka_unit_test(test_option_order),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_help_json),
		cmocka_unit_test(test_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
