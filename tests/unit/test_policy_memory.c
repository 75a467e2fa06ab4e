/*
 * Memory that runs out anywhere while a policy is read: the file is refused, nothing is
 * lost, and the next reading works. Needs -Wl,--wrap=malloc,--wrap=calloc.
 */
#include "config.h"
#include "policy.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char text[] =
	"{\"version\":1,\"limits\":{\"total\":9},\"rules\":[{\"name\":\"\\u0061\","
	"\"action\":\"allow\",\"clients\":[\"192.168.1.7\"],\"interfaces\":[\"lan\"],"
	"\"external_ports\":[\"2000-3000\"],\"internal_ports\":[22],\"reason\":\"x\"},"
	"{\"name\":\"b\",\"action\":\"deny\",\"external_ports\":[80]}]}";

static long left = -1; /* allocations until one fails; -1: none does */

static bool runs_out(void)
{
	return left >= 0 && left-- == 0;
}

void *__real_malloc(size_t size) __attribute__((weak));
void *__real_calloc(size_t n, size_t size) __attribute__((weak));
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);

void *__wrap_malloc(size_t size)
{
	return runs_out() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return runs_out() ? NULL : __real_calloc(n, size);
}

static void expect_failed(int r, const struct policy_report *report)
{
	assert_int_equal(r, -ENOMEM);
	assert_string_equal(report->error.message, "not enough memory");
	assert_int_equal(report->error.line, 0);
}

static void test_policy(void **state)
{
	struct policy_report report;
	struct policy *policy = NULL;
	int r = -ENOMEM;
	long n = 0;

	(void)state;
	for (; r < 0 && n < 10000; n++) {
		left = n;
		r = policy_parse(text, sizeof(text) - 1, &policy, &report);
		left = -1;
		if (r < 0) {
			expect_failed(r, &report);
			assert_null(policy);
		}
	}
	assert_int_equal(r, 0);
	assert_true(n > 8);
	assert_int_equal(policy_rule_count(policy), 2);
	policy_free(policy);
	print_message("%ld allocations\n", n - 1);
}

/* The place of an error is searched for with a little memory: without it the error stays
 * and only its place is off. */
static void test_error(void **state)
{
	static const char bad[] = "{\"versi\\u006fn\":1,\"mo\\u0064e\":\"x\"}";
	struct policy_report report;
	struct policy *policy = NULL;

	(void)state;
	for (long n = 0; n < 10; n++) {
		int r;

		left = n;
		r = policy_parse(bad, sizeof(bad) - 1, &policy, &report);
		left = -1;
		if (r == -EINVAL)
			assert_string_equal(report.error.pointer, "/mode");
		else
			expect_failed(r, &report);
	}
	assert_int_equal(report.error.column, 31);
}

static void test_config(void **state)
{
	static const char good[] = "{\"external\":\"wan\",\"internal\":[\"lan\"]}";
	struct policy_report report;
	struct config config;
	int r = -ENOMEM;

	(void)state;
	for (long n = 0; r < 0 && n < 1000; n++) {
		left = n;
		r = config_parse(good, sizeof(good) - 1, &config, &report);
		left = -1;
		if (r < 0)
			expect_failed(r, &report);
	}
	assert_int_equal(r, 0);
	assert_string_equal(config.internal[0], "lan");
}

static void test_deny_all(void **state)
{
	struct policy *policy = NULL;

	(void)state;
	left = 0;
	assert_int_equal(policy_deny_all(&policy), -ENOMEM);
	left = -1;
	assert_null(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_deny_all),
	};

	if (!__real_malloc || !__real_calloc) {
		print_message("skipped: linked without --wrap=malloc --wrap=calloc\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
