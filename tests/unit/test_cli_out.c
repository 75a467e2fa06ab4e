/* Text of others made safe, and times as people read them. */
#include "out.h"
#include "test_cli.h"

#include <locale.h>
#include <time.h>
#include <wchar.h>

#define ALL SIZE_MAX

static void check(const char *src, size_t columns, bool utf8, const char *shown)
{
	char buf[256];

	assert_string_equal(out_text(buf, sizeof(buf), src, columns, utf8), shown);
}

static void test_text(void **state)
{
	(void)state;
	check("", ALL, false, "");
	check("plain ~ text", ALL, false, "plain ~ text");
	check("\x1b]0;title\a", ALL, true, "\\x1b]0;title\\x07");
	check("a\r\n\tb\x7f", ALL, true, "a\\x0d\\x0a\\x09b\\x7f");
	check("\xc2\x9b"
	      "31m",
		ALL, true, "\\xc2\\x9b31m"); /* C1 in UTF-8 */
	check("\x9b", ALL, true, "\\x9b");
	check("Stra\xc3\x9f"
	      "e",
		ALL, false, "Stra\\xc3\\x9fe");
	check("Stra\xc3\x9f"
	      "e",
		ALL, true,
		"Stra\xc3\x9f"
		"e");
	check("a\xe2\x80\xae"
	      "b",
		ALL, true, "a\\xe2\\x80\\xaeb");      /* right-to-left override */
	check("a\xcc\x88", ALL, true, "a\\xcc\\x88"); /* stacks on the letter */
	check("\xf0\x9f", ALL, true, "\\xf0\\x9f");
	check("\xed\xa0\x80", ALL, true, "\\xed\\xa0\\x80");
}

static void test_text_cut(void **state)
{
	char buf[8];

	(void)state;
	check("12345678", 8, false, "12345678");
	check("123456789", 8, false, "12345...");
	check("1234\x1b", 8, false, "1234\\x1b");
	check("12345\x1b", 8, false, "12345...");
	check("1\x1b\x1b", 8, false, "1\\x1b...");
	check("1234", 3, false, "...");
	/* Two columns each. */
	check("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 6, true,
		"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e");
	check("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 5, true, "\xe6\x97\xa5...");
	/* The buffer is the limit, and never half an escape. */
	assert_string_equal(out_text(buf, sizeof(buf), "1234", ALL, false), "1234");
	assert_string_equal(
		out_text(buf, sizeof(buf), "12345678", ALL, false), "1234...");
	assert_string_equal(out_text(buf, sizeof(buf), "1\x1b\x1b", ALL, false), "1...");
	assert_string_equal(out_text(buf, 4, "1", ALL, false), "...");
}

/* Whatever comes in, with whatever room: it fits, and no control gets through. */
static void test_text_random(void **state)
{
	unsigned seed = (unsigned)time(NULL);
	char src[64], dst[128];

	(void)state;
	printf("seed %u\n", seed);
	srand(seed);
	for (int i = 0; i < 50000; i++) {
		size_t n = (size_t)rand() % sizeof(src), size = 4 + (size_t)rand() % 120;
		size_t columns = 3 + (size_t)rand() % 100;
		bool utf8 = rand() % 2;
		wchar_t wide[128];

		for (size_t b = 0; b < n; b++)
			src[b] = (char)(1 + rand() % 255);
		src[n] = '\0';
		out_text(dst, size, src, columns, utf8);
		assert_true(strlen(dst) < size);
		n = mbstowcs(wide, dst, COUNT(wide));
		assert_true(n != (size_t)-1);
		assert_in_range(wcswidth(wide, n), 0, columns);
		for (size_t b = 0; !utf8 && dst[b]; b++)
			assert_in_range(dst[b], 0x20, 0x7e);
	}
}

static void test_time(void **state)
{
	static const struct {
		int64_t s;
		const char *text;
	} cases[] = {
		{ 0, "" },
		{ -1, "" },
		{ INT64_MIN, "" },
		{ INT64_MAX, "" },
		{ 1, "1970-01-01T00:00:01Z" },
		{ 1709251199, "2024-02-29T23:59:59Z" },
		{ 4294967296, "2106-02-07T06:28:16Z" },
		{ 253402300799, "9999-12-31T23:59:59Z" },
		{ 253402300800, "" },
	};
	char buf[OUT_TIME_TEXT];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_string_equal(out_time(cases[i].s, buf), cases[i].text);
}

static void test_span(void **state)
{
	static const struct {
		uint32_t s;
		const char *text;
	} cases[] = {
		{ 0, "0s" },
		{ 1, "1s" },
		{ 59, "59s" },
		{ 60, "1m" },
		{ 61, "1m 1s" },
		{ 3552, "59m 12s" },
		{ 3599, "59m 59s" },
		{ 3600, "1h" },
		{ 3659, "1h" },
		{ 3660, "1h 1m" },
		{ 86399, "23h 59m" },
		{ 86400, "1d" },
		{ 89999, "1d" },
		{ 90000, "1d 1h" },
		{ 604799, "6d 23h" },
		{ 604800, "7d" },
		{ UINT32_MAX, "49710d 6h" },
	};
	char buf[OUT_SPAN_TEXT];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_string_equal(out_span(cases[i].s, buf), cases[i].text);
}

static void test_colour(void **state)
{
	struct cli cli = { .colour = false };

	(void)state;
	assert_string_equal(out_colour_on(&cli, OUT_RED), "");
	assert_string_equal(out_colour_off(&cli), "");
	cli.colour = true;
	assert_string_equal(out_colour_on(&cli, OUT_RED), "\x1b[31m");
	assert_string_equal(out_colour_off(&cli), "\x1b[0m");
}

/* jansson takes valid UTF-8 only; no text of others may make a document fail. */
static void test_json_text(void **state)
{
	json_t *text = out_json_text("Stra\xc3\x9f"
				     "e \xff\x1b\n");

	(void)state;
	assert_string_equal(json_string_value(text), "Stra\xc3\x9f"
						     "e \\xff\\x1b\\x0a");
	json_decref(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_text_cut),
		cmocka_unit_test(test_text_random),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_span),
		cmocka_unit_test(test_colour),
		cmocka_unit_test(test_json_text),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
