/* The bounded reader and writer at every edge. */
#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_numbers(void **state)
{
	uint8_t buf[15];
	struct wr wr = { .at = buf, .left = sizeof(buf) };
	struct rd rd = { .at = buf, .left = sizeof(buf) };

	(void)state;
	wr_u8(&wr, 0x12);
	wr_u16(&wr, 0x3456);
	wr_u32(&wr, 0x789abcde);
	wr_u64(&wr, UINT64_C(0xf0fedcba98765432));
	assert_false(wr.bad);
	assert_int_equal(wr.left, 0);
	assert_memory_equal(
		buf, "\x12\x34\x56\x78\x9a\xbc\xde\xf0\xfe\xdc\xba\x98\x76\x54\x32", 15);
	assert_int_equal(rd_u8(&rd), 0x12);
	assert_int_equal(rd_u16(&rd), 0x3456);
	assert_int_equal(rd_u32(&rd), 0x789abcde);
	assert_true(rd_u64(&rd) == UINT64_C(0xf0fedcba98765432));
	assert_false(rd.bad);
	assert_int_equal(rd.left, 0);
}

/* One byte short: nothing of it is read, and all that follows is zero too. */
static void test_short_read_sticks(void **state)
{
	static const uint8_t bytes[] = { 1, 2, 3, 4, 5, 6, 7 };
	struct rd rd = { .at = bytes, .left = sizeof(bytes) };
	char text[4] = "xyz";

	(void)state;
	assert_true(rd_u64(&rd) == 0);
	assert_true(rd.bad);
	assert_int_equal(rd_u8(&rd), 0);
	assert_int_equal(rd_u16(&rd), 0);
	rd_text(&rd, text, sizeof(text));
	assert_memory_equal(text, "\0\0\0", 4);
	assert_int_equal(rd.left, sizeof(bytes));
	rd = (struct rd){ .at = bytes, .left = 3 };
	assert_int_equal(rd_u16(&rd), 0x0102);
	assert_int_equal(rd_u16(&rd), 0);
	assert_int_equal(rd_u8(&rd), 0); /* the third byte is there, but too late */
	assert_true(rd.bad);
}

static void test_nothing_to_read(void **state)
{
	struct rd rd = { 0 };
	char text[8] = "1234567";

	(void)state;
	rd_text(&rd, text, sizeof(text));
	assert_true(rd.bad);
	assert_memory_equal(text, "\0\0\0\0\0\0\0", 8);
	rd = (struct rd){ 0 };
	assert_int_equal(rd_u8(&rd), 0);
	assert_true(rd.bad);
}

static void test_short_write_sticks(void **state)
{
	uint8_t buf[4] = { 9, 9, 9, 9 };
	struct wr wr = { .at = buf, .left = 3 };

	(void)state;
	wr_u16(&wr, 1);
	wr_u16(&wr, 2);
	assert_true(wr.bad);
	wr_u8(&wr, 3); /* would fit */
	wr_text(&wr, "");
	assert_memory_equal(buf, "\0\1\x09\x09", 4);
	assert_int_equal(wr.left, 1);
}

/* Reads `len` bytes in a block of their own into a field of `size`. */
static bool read_text(const char *bytes, size_t len, char *field, size_t size)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	struct rd rd = { .at = copy, .left = len };
	bool ok;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	memset(field, 'z', size);
	rd_text(&rd, field, size);
	ok = !rd.bad;
	if (!ok) {
		for (size_t i = 0; i < size; i++)
			assert_int_equal(field[i], 0);
	}
	free(copy);
	return ok;
}

static void test_text(void **state)
{
	char field[4];

	(void)state;
	assert_true(read_text("\0", 1, field, 4));
	assert_string_equal(field, "");
	assert_true(read_text("\3abc", 4, field, 4));
	assert_string_equal(field, "abc");
	assert_true(read_text("\2abc", 4, field, 4));
	assert_memory_equal(field, "ab\0", 4);
	assert_false(read_text("\4abcd", 5, field, 4)); /* no room for its NUL */
	assert_false(read_text("\3ab", 3, field, 4));
	assert_false(read_text("\3a\0c", 4, field, 4));
	assert_false(read_text("\377", 1, field, 4));
	assert_false(read_text("", 0, field, 4));
	assert_false(read_text("\1a", 2, field, 1));
	assert_true(read_text("\0", 1, field, 1));
}

static void test_text_round_trip(void **state)
{
	char in[258], out[256];
	uint8_t buf[300];

	(void)state;
	for (size_t len = 0; len <= 257; len++) {
		struct wr wr = { .at = buf, .left = sizeof(buf) };
		struct rd rd = { .at = buf, .left = sizeof(buf) };

		memset(in, 'a', len);
		in[len] = '\0';
		wr_text(&wr, in);
		assert_int_equal(wr.bad, len > 255);
		if (wr.bad)
			continue;
		rd_text(&rd, out, sizeof(out));
		assert_false(rd.bad);
		assert_string_equal(out, in);
		assert_int_equal(rd.left, wr.left);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_short_read_sticks),
		cmocka_unit_test(test_nothing_to_read),
		cmocka_unit_test(test_short_write_sticks),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_text_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
