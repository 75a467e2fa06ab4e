/* Addresses: what is read, what is refused, and that text and value agree. */
#include "igdward/addr.h"

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

static void test_v4_good(void **state)
{
	static const struct {
		const char *text;
		uint32_t v4;
	} good[] = {
		{ "0.0.0.0", 0 },
		{ "192.168.1.10", 0xc0a8010a },
		{ "255.255.255.255", 0xffffffff },
		{ "1.2.3.4", 0x01020304 },
		{ "10.0.0.1", 0x0a000001 },
	};
	struct igw_addr addr, other;
	char buf[IGW_ADDR_TEXT];

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		assert_int_equal(igw_addr_parse_v4(good[i].text, &addr), 0);
		assert_true(igw_addr_is_v4(&addr));
		assert_false(igw_addr_is_none(&addr));
		assert_int_equal(igw_addr_to_v4(&addr), good[i].v4);
		other = igw_addr_from_v4(good[i].v4);
		assert_true(igw_addr_equal(&addr, &other));
		assert_string_equal(igw_addr_format(&addr, buf), good[i].text);
		assert_int_equal(igw_addr_parse(good[i].text, &other), 0);
		assert_true(igw_addr_equal(&addr, &other));
	}
}

/* Refused by both readers. threats.md D24, B16, B18, B19. */
static const char *const bad_addrs[] = {
	"",
	" ",
	"3232235786",
	"0xc0a8010a",
	"0300.0250.1.10",
	"192.168.1.010",
	"192.168.1.00",
	"192.168.10",
	"192.168.1.10.",
	".192.168.1.10",
	"192..168.1.10",
	"192.168.1.10 ",
	" 192.168.1.10",
	"192.168.1.256",
	"192.168.1.1000",
	"192.168.1.-1",
	"192.168.1.+1",
	"192.168.1.a",
	"192.168.1.10\n",
	"192.168.1.10/24",
	"192.168.1.10:80",
	"1.2.3.4.5",
	"lan1.lan",
	"localhost",
	"::ffff:192.168.1.10",
	"::ffff:c0a8:10a",
	"::FFFF:0:0",
	"0:0:0:0:0:ffff:1:1",
	"fe80::1%br-lan",
	"fe80::1%1",
	"[fe80::1]",
	"fe80::1 ",
	" fe80::1",
	"1::2::3",
	"12345::",
	":::",
	":",
	"1:2:3:4:5:6:7",
	"1:2:3:4:5:6:7:8:9",
	"g::",
	"2001:db8::1/64",
};

static void test_bad(void **state)
{
	struct igw_addr addr, before;
	char longest[301];

	(void)state;
	memset(&before, 0x5a, sizeof(before));
	addr = before;
	for (size_t i = 0; i < COUNT(bad_addrs); i++) {
		assert_int_equal(igw_addr_parse_v4(bad_addrs[i], &addr), -EINVAL);
		assert_int_equal(igw_addr_parse(bad_addrs[i], &addr), -EINVAL);
	}
	memset(longest, '1', sizeof(longest) - 1);
	longest[300] = '\0';
	assert_int_equal(igw_addr_parse(longest, &addr), -EINVAL);
	longest[0] = ':';
	assert_int_equal(igw_addr_parse(longest, &addr), -EINVAL);
	assert_int_equal(igw_addr_parse_v4("2001:db8::1", &addr), -EINVAL);
	assert_true(igw_addr_equal(&addr, &before));
}

static void test_v6(void **state)
{
	static const struct {
		const char *text, *canonical;
	} good[] = {
		{ "2001:db8::1", "2001:db8::1" },
		{ "2001:DB8:0:0:0:0:0:1", "2001:db8::1" },
		{ "fe80::1", "fe80::1" },
		{ "::1", "::1" },
		{ "64:ff9b::192.0.2.1", "64:ff9b::c000:201" },
		{ "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
			"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
	};
	struct igw_addr addr;
	char buf[IGW_ADDR_TEXT];

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		assert_int_equal(igw_addr_parse(good[i].text, &addr), 0);
		assert_false(igw_addr_is_v4(&addr));
		assert_int_equal(igw_addr_to_v4(&addr), 0);
		assert_string_equal(igw_addr_format(&addr, buf), good[i].canonical);
	}
	assert_int_equal(igw_addr_parse("::", &addr), 0);
	assert_true(igw_addr_is_none(&addr));
	assert_string_equal(igw_addr_format(&addr, buf), "");
}

static void test_prefix_good(void **state)
{
	static const struct {
		const char *text, *canonical;
		uint8_t len;
	} good[] = {
		{ "192.168.1.0/24", "192.168.1.0/24", 120 },
		{ "192.168.1.7", "192.168.1.7/32", 128 },
		{ "192.168.1.7/32", "192.168.1.7/32", 128 },
		{ "0.0.0.0/0", "0.0.0.0/0", 96 },
		{ "128.0.0.0/1", "128.0.0.0/1", 97 },
		{ "::/0", "::/0", 0 },
		{ "2001:db8::/32", "2001:db8::/32", 32 },
		{ "2001:db8::1", "2001:db8::1/128", 128 },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128",
			"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", 128 },
	};
	struct igw_prefix prefix;
	char buf[IGW_PREFIX_TEXT];

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		assert_int_equal(igw_prefix_parse(good[i].text, &prefix), 0);
		assert_int_equal(prefix.len, good[i].len);
		assert_true(igw_prefix_is_host(&prefix) == (good[i].len == 128));
		assert_string_equal(igw_prefix_format(&prefix, buf), good[i].canonical);
	}
}

static void test_prefix_bad(void **state)
{
	static const char *const bad[] = {
		"192.168.1.7/24",
		"192.168.1.0/",
		"192.168.1.0/33",
		"192.168.1.0/024",
		"192.168.1.0/-1",
		"192.168.1.0/+8",
		"192.168.1.0/24 ",
		"192.168.1.0 /24",
		"192.168.1.0/24/24",
		"192.168.1.0/255.255.255.0",
		"192.168.1.0/1000",
		"/24",
		"2001:db8::/129",
		"2001:db8::1/64",
		"::1/0",
		"128.0.0.0/0",
		"192.168/16",
		"::ffff:0:0/96",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128",
	};
	struct igw_prefix prefix = { .len = 77 };

	(void)state;
	for (size_t i = 0; i < COUNT(bad_addrs); i++) {
		if (!strchr(bad_addrs[i], '/'))
			assert_int_equal(
				igw_prefix_parse(bad_addrs[i], &prefix), -EINVAL);
	}
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(igw_prefix_parse(bad[i], &prefix), -EINVAL);
	assert_int_equal(prefix.len, 77);
}

static bool contains(const char *prefix_text, const char *addr_text)
{
	struct igw_prefix prefix;
	struct igw_addr addr;

	assert_int_equal(igw_prefix_parse(prefix_text, &prefix), 0);
	assert_int_equal(igw_addr_parse(addr_text, &addr), 0);
	return igw_prefix_contains(&prefix, &addr);
}

static void test_contains(void **state)
{
	struct igw_prefix broken = { .len = 129 };
	struct igw_addr none = { 0 };

	(void)state;
	assert_true(contains("192.168.1.0/24", "192.168.1.0"));
	assert_true(contains("192.168.1.0/24", "192.168.1.255"));
	assert_false(contains("192.168.1.0/24", "192.168.2.0"));
	assert_false(contains("192.168.1.0/24", "192.168.0.255"));
	assert_true(contains("192.168.1.128/25", "192.168.1.128"));
	assert_false(contains("192.168.1.128/25", "192.168.1.127"));
	assert_true(contains("10.0.0.7", "10.0.0.7"));
	assert_false(contains("10.0.0.7", "10.0.0.6"));
	assert_true(contains("0.0.0.0/0", "255.255.255.255"));
	assert_false(contains("0.0.0.0/0", "2001:db8::1"));
	assert_true(contains("::/0", "2001:db8::1"));
	assert_true(contains("::/0", "::"));
	assert_false(contains("::/0", "192.168.1.1"));
	assert_false(contains("::/80", "192.168.1.1"));
	assert_true(contains("fe80::/10", "febf::1"));
	assert_false(contains("fe80::/10", "fec0::1"));
	assert_false(igw_prefix_contains(&broken, &none));
}

static void test_mac(void **state)
{
	static const char *const bad[] = {
		"",
		"02:00:00:00:00",
		"02:00:00:00:00:1",
		"02:00:00:00:00:100",
		"02-00-00-00-00-10",
		"0200.0000.0010",
		"02:00:00:00:00:1g",
		"02:00:00:00:00:g1",
		" 2:00:00:00:00:10",
		"02:00:00:00:00:10:",
		"02:00:00:00:00 10",
		"020:00:00:00:00:1",
	};
	struct igw_mac mac, other, none = { 0 };
	char buf[IGW_MAC_TEXT];

	(void)state;
	assert_int_equal(igw_mac_parse("02:aB:Cd:09:fF:10", &mac), 0);
	assert_string_equal(igw_mac_format(&mac, buf), "02:ab:cd:09:ff:10");
	assert_false(igw_mac_is_none(&mac));
	other = mac;
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(igw_mac_parse(bad[i], &other), -EINVAL);
	assert_true(igw_mac_equal(&mac, &other));
	other.b[5] ^= 1;
	assert_false(igw_mac_equal(&mac, &other));
	assert_int_equal(igw_mac_parse("00:00:00:00:00:00", &other), 0);
	assert_true(igw_mac_is_none(&other));
	assert_true(igw_mac_equal(&none, &other));
}

/* Any prefix holds its own addresses, loses them when a bit inside its length is turned,
 * and reads back as it was written. */
static void test_random(void **state)
{
	struct igw_prefix prefix, again;
	struct igw_addr addr;
	char buf[IGW_PREFIX_TEXT];

	(void)state;
	random_begin();
	for (int i = 0; i < 20000; i++) {
		bool v4 = rand() % 2;
		int base = v4 ? 96 : 0, len = base + rand() % (129 - base);

		for (size_t b = 0; b < sizeof(addr.b); b++)
			addr.b[b] = (uint8_t)(rand() >> 7);
		if (v4)
			addr = igw_addr_from_v4((uint32_t)rand() << 1);
		prefix = (struct igw_prefix){ .addr = addr, .len = (uint8_t)len };
		for (int bit = len; bit < 128; bit++)
			prefix.addr.b[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
		assert_true(igw_prefix_contains(&prefix, &addr));
		igw_prefix_format(&prefix, buf);
		assert_int_equal(igw_prefix_parse(buf, &again), 0);
		assert_memory_equal(&again, &prefix, sizeof(again));
		if (len > base) {
			int bit = base + rand() % (len - base);

			addr.b[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
			assert_false(igw_prefix_contains(&prefix, &addr));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v4_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_v6),
		cmocka_unit_test(test_prefix_good),
		cmocka_unit_test(test_prefix_bad),
		cmocka_unit_test(test_contains),
		cmocka_unit_test(test_mac),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
