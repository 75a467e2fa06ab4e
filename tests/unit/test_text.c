/* Numbers that cannot be bent, and hostile text made harmless. */
#include "igdward/text.h"

#include "test_random.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void test_number_bad(void **state)
{
	static const char *const bad[] = { "", " ", "0445", "00", " 445", "445 ", "\t445",
		"\302\240445", "445.0", "4.45e2", "+445", "-445", "-1", "-0", "0x1bd",
		"01bd", "0b1", "445abc", "445;", "445,80", "445\n",
		"99999999999999999999x", "\xd9\xa4", "a" };
	uint32_t n = 7;
	uint16_t p = 7;

	(void)state;
	assert_int_equal(igw_u32_parse(NULL, 0, UINT32_MAX, &n), -EINVAL);
	assert_int_equal(igw_u16_parse(NULL, 0, UINT16_MAX, &p), -EINVAL);
	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_int_equal(igw_u32_parse(bad[i], 0, UINT32_MAX, &n), -EINVAL);
		assert_int_equal(igw_u16_parse(bad[i], 0, UINT16_MAX, &p), -EINVAL);
	}
	assert_int_equal(n, 7);
	assert_int_equal(p, 7);
}

static void test_number_range(void **state)
{
	static const char *const big[] = { "65981", "65536", "131517", "4294967741",
		"4294967295", "99999999999", "18446744073709551616",
		"1111111111111111111111111111111111111111" };
	uint32_t n = 7;
	uint16_t p = 7;

	(void)state;
	for (size_t i = 0; i < COUNT(big); i++)
		assert_int_equal(igw_u16_parse(big[i], 0, UINT16_MAX, &p), -ERANGE);
	assert_int_equal(igw_u16_parse("0", 1, UINT16_MAX, &p), -ERANGE);
	assert_int_equal(igw_u16_parse("11", 1, 10, &p), -ERANGE);
	assert_int_equal(p, 7);
	assert_int_equal(igw_u16_parse("0", 0, UINT16_MAX, &p), 0);
	assert_int_equal(p, 0);
	assert_int_equal(igw_u16_parse("65535", 1, UINT16_MAX, &p), 0);
	assert_int_equal(p, 65535);
	assert_int_equal(igw_u16_parse("1", 1, 1, &p), 0);
	assert_int_equal(p, 1);
	assert_int_equal(igw_u32_parse("4294967296", 0, UINT32_MAX, &n), -ERANGE);
	assert_int_equal(igw_u32_parse("42949672950", 0, UINT32_MAX, &n), -ERANGE);
	assert_int_equal(n, 7);
	assert_int_equal(igw_u32_parse("4294967295", 0, UINT32_MAX, &n), 0);
	assert_int_equal(n, UINT32_MAX);
}

static const struct {
	const char *text, *clean;
} cleaned[] = {
	{ "", "" },
	{ "Skype UDP 3074", "Skype UDP 3074" },
	{ "Stra\xc3\x9f"
	  "e \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x8e\xae",
		"Stra\xc3\x9f"
		"e \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x8e\xae" },
	{ "a\nb", "a" },
	{ "\r\nfake log line", "" },
	{ "a\tb", "a" },
	{ "x\x1b[2J", "x" },
	{ "x\x7fy", "x" },
	{ "x\xc2\x85y", "x" },			/* C1 next line */
	{ "x\xc2\xa0y", "x\xc2\xa0y" },		/* just behind C1 */
	{ "x\xc2\xady", "x" },			/* soft hyphen */
	{ "x\xe2\x80\xaey", "x" },		/* override */
	{ "x\xe2\x80\x8by", "x" },		/* zero width space */
	{ "x\xe2\x80\xa8y", "x" },		/* line separator */
	{ "x\xe2\x81\xa6y", "x" },		/* isolate */
	{ "x\xef\xbb\xbfy", "x" },		/* byte order mark */
	{ "x\xef\xbf\xbfy", "x" },		/* U+FFFF */
	{ "x\xf0\x9f\xbf\xbey", "x" },		/* U+1FFFE */
	{ "x\xf3\xa0\x81\x81y", "x" },		/* tag */
	{ "x\xef\xbf\xbdy", "x\xef\xbf\xbdy" }, /* U+FFFD */
	{ "x\xc0\xafy", "x" },			/* overlong, 2 */
	{ "x\xc1\xbfy", "x" },
	{ "x\xe0\x9f\xbfy", "x" },     /* overlong, 3 */
	{ "x\xf0\x8f\xbf\xbfy", "x" }, /* overlong, 4 */
	{ "x\xed\xa0\x80y", "x" },     /* surrogate */
	{ "x\xed\xbf\xbfy", "x" },
	{ "x\xee\x80\x80y", "x\xee\x80\x80y" }, /* just behind them */
	{ "x\xf4\x90\x80\x80y", "x" },		/* above U+10FFFF */
	{ "x\xf4\x8f\xbf\xbdy", "x\xf4\x8f\xbf\xbdy" },
	{ "x\xf5\x80\x80\x80y", "x" },
	{ "x\x80y", "x" }, /* stray continuation */
	{ "x\xc3", "x" },  /* cut off by the end */
	{ "x\xe6\x97", "x" },
	{ "x\xf0\x9f\x8e", "x" },
	{ "x\xc3(", "x" },
	{ "x\xff", "x" },
};

static void test_clean(void **state)
{
	char buf[IGW_DESCRIPTION_MAX + 1];

	(void)state;
	for (size_t i = 0; i < COUNT(cleaned); i++) {
		memset(buf, 'z', sizeof(buf));
		igw_text_clean(buf, sizeof(buf), cleaned[i].text);
		assert_string_equal(buf, cleaned[i].clean);
		for (size_t at = strlen(buf); at < sizeof(buf); at++)
			assert_int_equal(buf[at], 0);
	}
}

static void test_clean_cut(void **state)
{
	char buf[5] = "zzzz";

	(void)state;
	igw_text_clean(buf, sizeof(buf), "abcd");
	assert_string_equal(buf, "abcd");
	igw_text_clean(buf, sizeof(buf), "abcde");
	assert_string_equal(buf, "abcd");
	igw_text_clean(buf, sizeof(buf), "abc\xc3\x9f");
	assert_memory_equal(buf, "abc\0", 5);
	igw_text_clean(buf, sizeof(buf), "ab\xc3\x9f");
	assert_string_equal(buf, "ab\xc3\x9f");
	igw_text_clean(buf, 1, "abc");
	assert_string_equal(buf, "");
	buf[0] = 'q';
	igw_text_clean(buf, 0, "abc");
	assert_int_equal(buf[0], 'q');
}

static void test_quote(void **state)
{
	char buf[16];

	(void)state;
	assert_string_equal(igw_text_quote(buf, sizeof(buf), ""), "\"\"");
	assert_string_equal(igw_text_quote(buf, sizeof(buf), "a b~"), "\"a b~\"");
	assert_string_equal(igw_text_quote(buf, sizeof(buf), "a\"\\b"), "\"a\\\"\\\\b\"");
	assert_string_equal(
		igw_text_quote(buf, sizeof(buf), "\n\x1b\xff"), "\"\\x0a\\x1b\\xff\"");
	assert_string_equal(igw_text_quote(buf, sizeof(buf), "\x7f"), "\"\\x7f\"");
	assert_string_equal(igw_text_quote(buf, 3, "abc"), "\"\"");
	assert_string_equal(igw_text_quote(buf, 4, "abc"), "\"a\"");
	/* Never half an escape. */
	assert_string_equal(igw_text_quote(buf, 4, "\\b"), "\"\"");
	assert_string_equal(igw_text_quote(buf, 5, "\\b"), "\"\\\\\"");
	assert_string_equal(igw_text_quote(buf, 6, "\n"), "\"\"");
	assert_string_equal(igw_text_quote(buf, 7, "\n"), "\"\\x0a\"");
}

static void test_copy(void **state)
{
	char buf[5] = "zzzz";

	(void)state;
	assert_int_equal(igw_text_copy(buf, sizeof(buf), "ab"), 0);
	assert_memory_equal(buf, "ab\0\0", 5);
	assert_int_equal(igw_text_copy(buf, sizeof(buf), "abcd"), 0);
	assert_string_equal(buf, "abcd");
	assert_int_equal(igw_text_copy(buf, sizeof(buf), "abcde"), -ENAMETOOLONG);
	assert_memory_equal(buf, "\0\0\0\0", 5);
	assert_int_equal(igw_text_copy(buf, 0, ""), -ENAMETOOLONG);
}

/* Whatever comes in: what goes out ends in time, is printable, and is clean already. */
static void test_random(void **state)
{
	char src[40], dst[32], again[32], quoted[64];

	(void)state;
	random_begin();
	for (int i = 0; i < 50000; i++) {
		size_t n = (size_t)rand() % sizeof(src), size = 1 + (size_t)rand() % 31;

		for (size_t b = 0; b < n; b++)
			src[b] = (char)(1 + rand() % 255);
		src[n] = '\0';
		igw_text_clean(dst, size, src);
		assert_true(strlen(dst) < size);
		assert_memory_equal(dst, src, strlen(dst));
		igw_text_clean(again, sizeof(again), dst);
		assert_string_equal(again, dst);
		size = 3 + (size_t)rand() % 61;
		igw_text_quote(quoted, size, src);
		n = strlen(quoted);
		assert_true(n >= 2 && n < size && quoted[n - 1] == '"');
		for (size_t b = 0; b < n; b++)
			assert_in_range(quoted[b], 0x20, 0x7e);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_number_bad),
		cmocka_unit_test(test_number_range),
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_clean_cut),
		cmocka_unit_test(test_quote),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
