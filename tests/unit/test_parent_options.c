/* The command line of igdwardd: every option, and every way to get one wrong. */
#include "fakes_capture.h"
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>

#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))
#define ARGS(...) ((const char *const[]){ __VA_ARGS__, NULL })

enum {
	ARGS_MAX = 40,
};

static struct capture capture;

static int parse(const char *const *args, struct options *ret)
{
	char *argv[ARGS_MAX] = { (char *)(uintptr_t) "igdwardd" };
	int argc = 1, r;

	for (; *args; args++)
		argv[argc++] = (char *)(uintptr_t)*args;
	optind = 0; /* from the start */
	capture_begin(&capture, STDERR_FILENO);
	r = options_parse(argc, argv, ret);
	capture_end(&capture);
	return r;
}

static void expect_refused(const char *const *args)
{
	struct options options, before;

	memset(&options, 0x5a, sizeof(options));
	before = options;
	assert_int_equal(parse(args, &options), -EINVAL);
	assert_memory_equal(&options, &before, sizeof(options));
	assert_string_not_equal(capture.text, "");
}

static void test_defaults(void **state)
{
	struct options options;

	(void)state;
	assert_int_equal(parse(ARGS(NULL), &options), 0);
	assert_string_equal(options.config, "");
	assert_string_equal(options.policy, "");
	assert_string_equal(options.run_dir, "/run/igdward");
	assert_string_equal(options.state_dir, "/var/lib/igdward");
	assert_null(options.external);
	assert_null(options.log_level);
	assert_int_equal(options.n_internal, 0);
	assert_false(
		options.check || options.teardown || options.version || options.help);
	assert_string_equal(capture.text, "");
}

static void test_all(void **state)
{
	struct options options;

	(void)state;
	assert_int_equal(
		parse(ARGS("--config", "/c", "--policy=/p", "--run-dir", "/r",
			      "--state-dir", "/s", "--external", "wan0", "--internal",
			      "lan0", "--internal=lan1", "--log-level", "debug",
			      "--check", "--teardown", "--version", "--help"),
			&options),
		0);
	assert_string_equal(options.config, "/c");
	assert_string_equal(options.policy, "/p");
	assert_string_equal(options.run_dir, "/r");
	assert_string_equal(options.state_dir, "/s");
	assert_string_equal(options.external, "wan0");
	assert_int_equal(options.n_internal, 2);
	assert_string_equal(options.internal[0], "lan0");
	assert_string_equal(options.internal[1], "lan1");
	assert_string_equal(options.log_level, "debug");
	assert_true(options.check && options.teardown && options.version && options.help);
	/* The last one counts. */
	assert_int_equal(parse(ARGS("--config", "/c", "--config", "/d"), &options), 0);
	assert_string_equal(options.config, "/d");
}

static void test_errors(void **state)
{
	static const char *const paths[] = { "--config", "--policy", "--run-dir",
		"--state-dir" };
	char path[OPTIONS_PATH_MAX + 2];
	struct options options;

	(void)state;
	expect_refused(ARGS("--nonsense"));
	expect_refused(ARGS("-c", "x"));
	expect_refused(ARGS("extra"));
	expect_refused(ARGS("--check", "--", "extra"));
	expect_refused(ARGS("--check=yes"));
	expect_refused(ARGS("--external"));
	expect_refused(ARGS("--internal"));
	expect_refused(ARGS("--log-level"));
	expect_refused(ARGS(""));
	memset(path, 'p', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	for (size_t i = 0; i < COUNT(paths); i++) {
		expect_refused(ARGS(paths[i]));
		expect_refused(ARGS(paths[i], ""));
		expect_refused(ARGS(paths[i], path));
		assert_non_null(strstr(capture.text, paths[i]));
		assert_int_equal(parse(ARGS(paths[i], path + 1), &options), 0);
	}
}

static void test_internal_limit(void **state)
{
	const char *args[2 * IGW_LINKS_MAX + 3] = { NULL };
	struct options options;

	(void)state;
	for (size_t i = 0; i < IGW_LINKS_MAX; i++) {
		args[2 * i] = "--internal";
		args[2 * i + 1] = "lan";
	}
	assert_int_equal(parse(args, &options), 0);
	assert_int_equal(options.n_internal, IGW_LINKS_MAX);
	args[2 * IGW_LINKS_MAX] = "--internal";
	args[2 * IGW_LINKS_MAX + 1] = "lan";
	expect_refused(args);
}

static int apply(const char *const *args, struct config *config)
{
	struct options options;
	int r;

	config_init(config);
	assert_int_equal(parse(args, &options), 0);
	capture_begin(&capture, STDERR_FILENO);
	r = options_apply(&options, config);
	capture_end(&capture);
	assert_true((r == 0) == (capture.text[0] == '\0'));
	return r;
}

static void test_apply(void **state)
{
	struct config config, defaults;
	struct options none = { 0 };

	(void)state;
	config_init(&config);
	strcpy(config.external, "wan1");
	strcpy(config.internal[0], "lan5");
	strcpy(config.policy, "/from/config");
	config.n_internal = 1;
	defaults = config;
	assert_int_equal(options_apply(&none, &config), 0);
	assert_memory_equal(&config, &defaults, sizeof(config));
	assert_int_equal(
		apply(ARGS("--external", "wan0", "--internal", "lan0", "--internal",
			      "lan1", "--policy", "/p", "--log-level", "error"),
			&config),
		0);
	assert_string_equal(config.external, "wan0");
	assert_int_equal(config.n_internal, 2);
	assert_string_equal(config.internal[0], "lan0");
	assert_string_equal(config.internal[1], "lan1");
	assert_string_equal(config.policy, "/p");
	assert_int_equal(config.log_level, CONFIG_LOG_ERROR);
}

/* The command line replaces the config's list, it does not add to it. */
static void test_apply_over_a_longer_list(void **state)
{
	struct options options = { .internal = { "new0" }, .n_internal = 1 };
	struct config config;

	(void)state;
	config_init(&config);
	for (size_t i = 0; i < 3; i++)
		snprintf(config.internal[i], sizeof(config.internal[i]), "old%zu", i);
	config.n_internal = 3;
	assert_int_equal(options_apply(&options, &config), 0);
	assert_int_equal(config.n_internal, 1);
	assert_string_equal(config.internal[0], "new0");
	assert_string_equal(config.internal[1], "");
}

static void test_apply_errors(void **state)
{
	static const char longest[] = "fifteen-bytes-1", longer[] = "sixteen-bytes-12";
	struct config config;

	(void)state;
	assert_int_equal(strlen(longest), IGW_IFNAME_MAX);
	assert_int_equal(apply(ARGS("--external", longest), &config), 0);
	assert_int_equal(apply(ARGS("--external", longer), &config), -EINVAL);
	assert_int_equal(apply(ARGS("--external", ""), &config), -EINVAL);
	assert_int_equal(apply(ARGS("--internal", longest), &config), 0);
	assert_int_equal(apply(ARGS("--internal", longer), &config), -EINVAL);
	assert_int_equal(apply(ARGS("--internal", ""), &config), -EINVAL);
	assert_int_equal(
		apply(ARGS("--internal", "a", "--internal", "b", "--internal", "a"),
			&config),
		-EINVAL);
	assert_int_equal(apply(ARGS("--log-level", ""), &config), -EINVAL);
	assert_int_equal(apply(ARGS("--log-level", "Debug"), &config), -EINVAL);
	assert_int_equal(apply(ARGS("--log-level", "verbose"), &config), -EINVAL);
	assert_non_null(strstr(capture.text, "verbose"));
}

static void test_relative_policy(void **state)
{
	char path[OPTIONS_PATH_MAX + 1];
	struct config config;

	(void)state;
	assert_int_equal(chdir("/tmp"), 0);
	assert_int_equal(apply(ARGS("--policy", "p.json"), &config), 0);
	assert_string_equal(config.policy, "/tmp/p.json");
	/* "/tmp/" and this are one byte too many. */
	memset(path, 'p', sizeof(path));
	path[OPTIONS_PATH_MAX - 4] = '\0';
	assert_int_equal(apply(ARGS("--policy", path), &config), -EINVAL);
	path[OPTIONS_PATH_MAX - 5] = '\0';
	assert_int_equal(apply(ARGS("--policy", path), &config), 0);
}

static void test_usage(void **state)
{
	static const char *const words[] = { "--config", "--policy", "--run-dir",
		"--state-dir", "--external", "--internal", "--log-level", "--check",
		"--teardown", "--version", "--help" };

	(void)state;
	capture_begin(&capture, STDOUT_FILENO);
	options_usage();
	capture_end(&capture);
	for (size_t i = 0; i < COUNT(words); i++)
		assert_non_null(strstr(capture.text, words[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_internal_limit),
		cmocka_unit_test(test_apply),
		cmocka_unit_test(test_apply_over_a_longer_list),
		cmocka_unit_test(test_apply_errors),
		cmocka_unit_test(test_relative_policy),
		cmocka_unit_test(test_usage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
