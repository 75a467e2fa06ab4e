#include "igdward/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	V4_AT = 12,   /* first of the four bytes of an IPv4 address */
	V4_BITS = 96, /* bits before them */
	ADDR_BITS = 128,
};

static const uint8_t mapped[V4_AT] = { [10] = 0xff, [11] = 0xff };

struct igw_addr igw_addr_from_v4(uint32_t v4)
{
	struct igw_addr addr = { .b = { [10] = 0xff, [11] = 0xff } };

	addr.b[12] = (uint8_t)(v4 >> 24);
	addr.b[13] = (uint8_t)(v4 >> 16);
	addr.b[14] = (uint8_t)(v4 >> 8);
	addr.b[15] = (uint8_t)v4;
	return addr;
}

uint32_t igw_addr_to_v4(const struct igw_addr *addr)
{
	const uint8_t *b = addr->b + V4_AT;

	if (!igw_addr_is_v4(addr))
		return 0;
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

bool igw_addr_is_v4(const struct igw_addr *addr)
{
	return memcmp(addr->b, mapped, sizeof(mapped)) == 0;
}

bool igw_addr_is_none(const struct igw_addr *addr)
{
	static const struct igw_addr none;

	return igw_addr_equal(addr, &none);
}

bool igw_addr_equal(const struct igw_addr *a, const struct igw_addr *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

/* One number 0-255 without leading zeros. Returns what follows it, or NULL. */
static const char *octet_parse(const char *text, uint8_t *ret)
{
	unsigned n = 0, digits = 0;

	while (text[digits] >= '0' && text[digits] <= '9' && digits < 4)
		n = n * 10 + (unsigned)(text[digits++] - '0');
	if (digits == 0 || (digits > 1 && text[0] == '0') || n > 255)
		return NULL;
	*ret = (uint8_t)n;
	return text + digits;
}

int igw_addr_parse_v4(const char *text, struct igw_addr *ret)
{
	struct igw_addr addr = igw_addr_from_v4(0);

	for (int i = 0; i < 4; i++) {
		if (i > 0 && *text++ != '.')
			return -EINVAL;
		text = octet_parse(text, &addr.b[V4_AT + i]);
		if (!text)
			return -EINVAL;
	}
	if (*text != '\0')
		return -EINVAL;
	*ret = addr;
	return 0;
}

int igw_addr_parse(const char *text, struct igw_addr *ret)
{
	struct igw_addr addr;

	if (!strchr(text, ':'))
		return igw_addr_parse_v4(text, ret);
	/* The mapped form would be a second spelling of every IPv4 address. */
	if (inet_pton(AF_INET6, text, addr.b) != 1 || igw_addr_is_v4(&addr))
		return -EINVAL;
	*ret = addr;
	return 0;
}

const char *igw_addr_format(const struct igw_addr *addr, char buf[IGW_ADDR_TEXT])
{
	buf[0] = '\0';
	if (igw_addr_is_none(addr))
		return buf;
	if (igw_addr_is_v4(addr))
		inet_ntop(AF_INET, addr->b + V4_AT, buf, IGW_ADDR_TEXT);
	else
		inet_ntop(AF_INET6, addr->b, buf, IGW_ADDR_TEXT);
	return buf;
}

/* The length behind the slash: 0 to `max`, no leading zeros. Returns it or -EINVAL. */
static int length_parse(const char *text, int max)
{
	uint8_t len;
	const char *end = octet_parse(text, &len);

	return end && *end == '\0' && len <= max ? len : -EINVAL;
}

/* True when no bit at or behind position `len` is set. */
static bool tail_is_zero(const struct igw_addr *addr, int len)
{
	for (int bit = len; bit < ADDR_BITS; bit++) {
		if (addr->b[bit / 8] & 0x80 >> bit % 8)
			return false;
	}
	return true;
}

int igw_prefix_parse(const char *text, struct igw_prefix *ret)
{
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	char host[IGW_ADDR_TEXT];
	struct igw_addr addr;
	int len = ADDR_BITS, base;

	if (n >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, n);
	host[n] = '\0';
	if (igw_addr_parse(host, &addr) < 0)
		return -EINVAL;
	if (slash) {
		base = igw_addr_is_v4(&addr) ? V4_BITS : 0;
		len = length_parse(slash + 1, ADDR_BITS - base);
		if (len < 0 || !tail_is_zero(&addr, base + len))
			return -EINVAL;
		len += base;
	}
	*ret = (struct igw_prefix){ .addr = addr, .len = (uint8_t)len };
	return 0;
}

/* Families are kept apart: ::/0 is every IPv6 address and not, through the mapped form,
 * every IPv4 address as well. */
bool igw_prefix_contains(const struct igw_prefix *prefix, const struct igw_addr *addr)
{
	const uint8_t *a = prefix->addr.b, *b = addr->b;
	size_t whole = prefix->len / 8;
	unsigned rest = prefix->len % 8;

	if (prefix->len > ADDR_BITS ||
		igw_addr_is_v4(&prefix->addr) != igw_addr_is_v4(addr) ||
		memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

bool igw_prefix_is_host(const struct igw_prefix *prefix)
{
	return prefix->len == ADDR_BITS;
}

const char *igw_prefix_format(const struct igw_prefix *prefix, char buf[IGW_PREFIX_TEXT])
{
	char host[IGW_ADDR_TEXT];
	int len = prefix->len;

	igw_addr_format(&prefix->addr, host);
	if (igw_addr_is_v4(&prefix->addr))
		len -= V4_BITS;
	/* The bound on the number is for the compiler, which cannot know len's range. */
	snprintf(buf, IGW_PREFIX_TEXT, "%s/%u",
		host[0] ? host : "::", (unsigned)len & 0xff);
	return buf;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int igw_mac_parse(const char *text, struct igw_mac *ret)
{
	struct igw_mac mac;
	int high, low;

	if (strlen(text) != IGW_MAC_TEXT - 1)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(mac.b); i++, text += 3) {
		high = hex_value(text[0]);
		low = hex_value(text[1]);
		if (high < 0 || low < 0 || text[2] != (i < 5 ? ':' : '\0'))
			return -EINVAL;
		mac.b[i] = (uint8_t)(high << 4 | low);
	}
	*ret = mac;
	return 0;
}

bool igw_mac_equal(const struct igw_mac *a, const struct igw_mac *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

bool igw_mac_is_none(const struct igw_mac *mac)
{
	static const struct igw_mac none;

	return igw_mac_equal(mac, &none);
}

const char *igw_mac_format(const struct igw_mac *mac, char buf[IGW_MAC_TEXT])
{
	const uint8_t *b = mac->b;

	snprintf(buf, IGW_MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2],
		b[3], b[4], b[5]);
	return buf;
}
