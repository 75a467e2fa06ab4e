/* The small parts of the policy library: sets of ports, dates, near words. */
#include "nearest.h"
#include "ports.h"
#include "test_random.h"
#include "until.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void test_range(void **state)
{
	static const char *const bad[] = { "", "-", "80", "80-", "-80", "445-440", "0-80",
		"0-70000", "80-70000", "80 - 90", " 80-90", "80-90 ", "080-90", "80-090",
		"80-90-95", "80--90", "+80-90", "0x50-90", "123456-123457",
		"999999999999999999999-9", "80\342\200\22390" };
	struct port_range range = { 7, 8 };

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(ports_parse_range(bad[i], &range), -EINVAL);
	assert_true(range.first == 7 && range.last == 8);
	assert_int_equal(ports_parse_range("1-65535", &range), 0);
	assert_true(range.first == 1 && range.last == 65535);
	assert_int_equal(ports_parse_range("80-80", &range), 0);
	assert_true(range.first == 80 && range.last == 80);
}

static void test_builtin(void **state)
{
	static const struct port_set *const sets[] = { &ports_smb, &ports_control,
		&ports_sensitive_internal, &ports_sensitive_external };

	(void)state;
	/* Sorted, not overlapping, not touching, or the search goes astray. */
	for (size_t i = 0; i < COUNT(sets); i++) {
		for (size_t j = 0; j < sets[i]->n; j++) {
			assert_true(sets[i]->ranges[j].first <= sets[i]->ranges[j].last);
			assert_true(j == 0 || sets[i]->ranges[j].first >
						      sets[i]->ranges[j - 1].last + 1);
		}
	}
	assert_true(ports_hold_set(&ports_sensitive_internal, &ports_smb));
	assert_true(ports_hold_set(&ports_sensitive_internal, &ports_sensitive_external));
	assert_false(
		ports_hold_set(&ports_sensitive_external, &ports_sensitive_internal));
	assert_true(ports_meet(&ports_smb, &ports_sensitive_external));
	assert_false(ports_meet(&ports_smb, &ports_control));
}

static void test_empty_set(void **state)
{
	struct port_set none = { 0 };

	(void)state;
	ports_normalise(&none);
	assert_int_equal(none.n, 0);
	assert_false(ports_hold(&none, 80));
	assert_true(ports_hold_set(&none, &none));
	assert_false(ports_meet(&none, &ports_smb));
	assert_false(ports_meet(&ports_smb, &none));
}

/* Sets against a plain table of all ports. */
static void test_random_sets(void **state)
{
	static bool table[65536];
	struct port_range ranges[24];

	(void)state;
	random_begin();
	for (int round = 0; round < 200; round++) {
		struct port_set set = { .ranges = ranges,
			.n = 1 + (size_t)rand() % COUNT(ranges) };
		int span = round % 2 ? 65535 : 100;
		bool all = true, some = false;
		struct port_range probe;
		struct port_set probes = { .ranges = &probe, .n = 1 };

		memset(table, 0, sizeof(table));
		for (size_t i = 0; i < set.n; i++) {
			int a = 1 + rand() % span, b = 1 + rand() % span;

			ranges[i].first = (uint16_t)(a < b ? a : b);
			ranges[i].last = (uint16_t)(rand() % 3 ? ranges[i].first
							       : (a < b ? b : a));
			for (unsigned p = ranges[i].first; p <= ranges[i].last; p++)
				table[p] = true;
		}
		ports_normalise(&set);
		for (unsigned p = 0; p < 65536; p++)
			assert_true(ports_hold(&set, (uint16_t)p) == table[p]);
		for (size_t i = 1; i < set.n; i++)
			assert_true(ranges[i].first > ranges[i - 1].last + 1);
		probe.first = (uint16_t)(1 + rand() % span);
		probe.last = (uint16_t)(probe.first + rand() % 9);
		if (probe.last < probe.first)
			continue;
		for (unsigned p = probe.first; p <= probe.last; p++) {
			all = all && table[p];
			some = some || table[p];
		}
		assert_true(ports_hold_range(&set, probe) == all);
		assert_true(ports_hold_set(&set, &probes) == all);
		assert_true(ports_meet(&set, &probes) == some);
		assert_true(ports_meet(&probes, &set) == some);
	}
}

static void test_until(void **state)
{
	static const struct {
		const char *text;
		int64_t s;
	} good[] = {
		{ "1970-01-01", 86400 },
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2000-02-29", 951868800 },
		{ "2027-01-31", 1801440000 },
		{ "2027-01-31T18:00:00Z", 1801418400 },
		{ "2027-01-31T18:00:00+01:00", 1801414800 },
		{ "2027-01-31T18:00:00-01:30", 1801423800 },
		{ "2027-01-31T23:59:59-00:00", 1801439999 },
		{ "2028-02-29T00:00:00Z", 1835395200 },
		{ "2100-03-01T00:00:00Z", 4107542400 },
		{ "9999-12-31T23:59:59Z", 253402300799 },
	};
	static const char *const bad[] = { "", "2027", "2027-01", "2027-1-31", "27-01-31",
		"1969-12-31", "02027-01-31", "2027-00-01", "2027-13-01", "2027-01-00",
		"2027-01-32", "2027-04-31", "2027-02-29", "2100-02-29", "2027/01/31",
		"2027-01-31 ", " 2027-01-31", "2027-01-31T", "2027-01-31Z",
		"2027-01-31T18", "2027-01-31T18:00Z", "2027-01-31T18:00:00",
		"2027-01-31t18:00:00Z", "2027-01-31T18:00:00z", "2027-01-31T24:00:00Z",
		"2027-01-31T18:60:00Z", "2027-01-31T18:00:60Z", "2027-01-31T18:00:00.0Z",
		"2027-01-31T18:00:00ZZ", "2027-01-31T18:00:00+24:00",
		"2027-01-31T18:00:00+01:60", "2027-01-31T18:00:00+1:00",
		"2027-01-31T18:00:00+0100", "2027-01-31T18:00:00+01:00x",
		"2027-01-31T18:00:00*01:00",
		/* Characters beside the digits, with a value in range. */
		"20:7-01-31", "2027-0:-31", "2027-01-3/", "2027-01-31T1:00:00Z", "now" };
	int64_t s = 7;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(until_parse(bad[i], &s), -EINVAL);
	assert_int_equal(s, 7);
	for (size_t i = 0; i < COUNT(good); i++) {
		assert_int_equal(until_parse(good[i].text, &s), 0);
		assert_int_equal(s, good[i].s);
	}
}

/* Every day of 140 years, against the C library. */
static void test_until_calendar(void **state)
{
	char text[32];
	int64_t s;

	(void)state;
	for (time_t day = 0; day < (time_t)365 * 140; day++) {
		time_t noon = day * 86400 + 12 * 3600;
		struct tm tm;

		assert_non_null(gmtime_r(&noon, &tm));
		strftime(text, sizeof(text), "%Y-%m-%d", &tm);
		assert_int_equal(until_parse(text, &s), 0);
		assert_int_equal(s, (int64_t)(day + 1) * 86400);
	}
}

static void test_nearest(void **state)
{
	static const char *const words[] = { "external_ports", "internal_ports", "min_s",
		"via" };
	char longest[64];

	(void)state;
	assert_string_equal(nearest_word("extrenal_ports", words, 4), "external_ports");
	assert_string_equal(nearest_word("internal_port", words, 4), "internal_ports");
	assert_null(nearest_word("ports", words, 4));
	assert_string_equal(nearest_word("min", words, 4), "min_s");
	assert_string_equal(nearest_word("Via", words, 4), "via");
	assert_null(nearest_word("clients", words, 4));
	assert_null(nearest_word("", words, 4));
	assert_null(nearest_word("via", words, 0));
	memset(longest, 'x', sizeof(longest));
	longest[33] = '\0';
	assert_null(nearest_word(longest, words, 4));
	longest[32] = '\0';
	assert_null(nearest_word(longest, words, 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_range),
		cmocka_unit_test(test_builtin),
		cmocka_unit_test(test_empty_set),
		cmocka_unit_test(test_random_sets),
		cmocka_unit_test(test_until),
		cmocka_unit_test(test_until_calendar),
		cmocka_unit_test(test_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
