/*
 * The files of policy_files/ and config_files/, which test_schema.py feeds to the
 * schemas: the parsers take every good one and refuse every bad one, with a place.
 */
#include "config.h"
#include "policy.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#ifndef TEST_SOURCE_DIR
#define TEST_SOURCE_DIR "."
#endif

enum {
	FILE_MAX = 65536,
};

typedef int (*parse_fn)(const char *text, size_t len, struct policy_report *report);

static int parse_as_policy(const char *text, size_t len, struct policy_report *report)
{
	struct policy *policy = NULL;
	int r = policy_parse(text, len, &policy, report);

	assert_true((r == 0) == (policy != NULL));
	policy_free(policy);
	return r;
}

static int parse_as_config(const char *text, size_t len, struct policy_report *report)
{
	struct config config;

	return config_parse(text, len, &config, report);
}

/* Parses a file in a block of exactly its size, so that reading on is seen. */
static int parse_file(const char *path, parse_fn parse, struct policy_report *report)
{
	char *room = malloc(FILE_MAX), *text;
	FILE *file = fopen(path, "rb");
	size_t len;
	int r;

	assert_non_null(room);
	assert_non_null(file);
	len = fread(room, 1, FILE_MAX, file);
	fclose(file);
	assert_true(len < FILE_MAX);
	text = malloc(len > 0 ? len : 1);
	assert_non_null(text);
	memcpy(text, room, len);
	free(room);
	r = parse(text, len, report);
	free(text);
	return r;
}

static void walk(const char *folder, parse_fn parse, bool good)
{
	struct policy_report report;
	char path[1024], note[POLICY_REPORT_TEXT];
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	size_t n = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		if (!strstr(entry->d_name, ".json"))
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if ((parse_file(path, parse, &report) == 0) != good) {
			policy_note_format(&report.error, path, note, sizeof(note));
			print_message("%s\n", good ? note : path);
			fail();
		}
		assert_true((report.error.message[0] == '\0') == good);
		assert_true((report.error.line > 0) == !good);
		n++;
	}
	closedir(dir);
	assert_true(n > 10);
}

static void test_policies(void **state)
{
	(void)state;
	walk(TEST_SOURCE_DIR "/tests/unit/policy_files/good", parse_as_policy, true);
	walk(TEST_SOURCE_DIR "/tests/unit/policy_files/bad", parse_as_policy, false);
}

static void test_configs(void **state)
{
	(void)state;
	walk(TEST_SOURCE_DIR "/tests/unit/config_files/good", parse_as_config, true);
	walk(TEST_SOURCE_DIR "/tests/unit/config_files/bad", parse_as_config, false);
}

/* What is installed: no word against it, not even a warning. */
static void test_installed(void **state)
{
	struct policy_report report;

	(void)state;
	assert_int_equal(parse_file(TEST_SOURCE_DIR "/policy/policy.json",
				 parse_as_policy, &report),
		0);
	assert_int_equal(report.n_warnings, 0);
	assert_int_equal(parse_file(TEST_SOURCE_DIR "/init/igdward.json", parse_as_config,
				 &report),
		0);
	assert_int_equal(report.n_warnings, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_configs),
		cmocka_unit_test(test_installed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
