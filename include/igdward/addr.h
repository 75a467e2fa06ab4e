/*
 * Addresses of hosts, networks and network cards.
 *
 * One type holds IPv4 and IPv6, so that the policy and the mapping table need no second
 * set of rules for IPv6: an IPv4 address is kept in its mapped form ::ffff:a.b.c.d. The
 * all-zero address means "none", or, as a remote host, "any".
 * Text is read strictly: what inet_aton() would be generous about (octal, hexadecimal,
 * short forms, blanks) is refused, because two readers that disagree are a way past a
 * check. No function here allocates, resolves a name or does I/O.
 */
#ifndef IGDWARD_ADDR_H
#define IGDWARD_ADDR_H

#include <stdbool.h>
#include <stdint.h>

enum {
	IGW_ADDR_TEXT = 46,   /* bytes for any address as text, with its NUL */
	IGW_PREFIX_TEXT = 50, /* the same with "/128" behind it */
	IGW_MAC_TEXT = 18,    /* "aa:bb:cc:dd:ee:ff" and its NUL */
};

struct igw_addr {
	uint8_t b[16];
};

struct igw_mac {
	uint8_t b[6];
};

/* A network: `len` counts bits of the 16 bytes, so an IPv4 /24 has 96 + 24. */
struct igw_prefix {
	struct igw_addr addr;
	uint8_t len;
};

/* The IPv4 address whose 32 bits are `v4`, in host order. */
struct igw_addr igw_addr_from_v4(uint32_t v4);

/* The 32 bits of an IPv4 address in host order; 0 for any other address. */
uint32_t igw_addr_to_v4(const struct igw_addr *addr);

bool igw_addr_is_v4(const struct igw_addr *addr);

/* True for the all-zero address: none, or as a remote host: any. */
bool igw_addr_is_none(const struct igw_addr *addr);

bool igw_addr_equal(const struct igw_addr *a, const struct igw_addr *b);

/*
 * Reads an IPv4 address: exactly four decimal numbers 0-255 without leading zeros, dots
 * between them, nothing before or behind. Returns 0 or -EINVAL; *ret is set only on 0.
 */
int igw_addr_parse_v4(const char *text, struct igw_addr *ret);

/* As above, or an IPv6 address as inet_pton() reads it; refuses ::ffff:a.b.c.d and zones.
 */
int igw_addr_parse(const char *text, struct igw_addr *ret);

/* Writes the address as canonical text into `buf` and returns it; "" for none. */
const char *igw_addr_format(const struct igw_addr *addr, char buf[IGW_ADDR_TEXT]);

/*
 * Reads ADDRESS or ADDRESS/LENGTH; a bare address is a prefix of full length. Returns
 * -EINVAL for anything else, and for bits set behind the length (192.168.1.7/24), which
 * is more often a slip than a wish.
 */
int igw_prefix_parse(const char *text, struct igw_prefix *ret);

bool igw_prefix_contains(const struct igw_prefix *prefix, const struct igw_addr *addr);

/* True when the prefix holds one address only. */
bool igw_prefix_is_host(const struct igw_prefix *prefix);

const char *igw_prefix_format(const struct igw_prefix *prefix, char buf[IGW_PREFIX_TEXT]);

/* Reads "aa:bb:cc:dd:ee:ff", either case. Returns 0 or -EINVAL. */
int igw_mac_parse(const char *text, struct igw_mac *ret);

bool igw_mac_equal(const struct igw_mac *a, const struct igw_mac *b);

/* True for 00:00:00:00:00:00: not known. */
bool igw_mac_is_none(const struct igw_mac *mac);

const char *igw_mac_format(const struct igw_mac *mac, char buf[IGW_MAC_TEXT]);

#endif
