/*
 * Elements of the sets and maps: how keys, data and our lease record are laid out in the
 * kernel, written and read in one place.
 *
 * A concatenation is its parts one behind the other, each padded with zeroes to four
 * bytes, in network order:
 *   dnat4   protocol . port              -> address . port
 *   dnat4s  protocol . port . remote     -> address . port
 *   off4    as dnat4s; 0.0.0.0 for "any remote host"
 *   in4     address . protocol . port
 * The record is userdata, a TLV of a private type: type 0 would be a comment, which
 * `nft list` prints, and a client's text has no place in a ruleset that may be loaded
 * again.
 */
#ifndef IGDWARD_BROKER_FW_ELEM_H
#define IGDWARD_BROKER_FW_ELEM_H

#include "fw_internal.h"

enum {
	FW_KEY_MAX = 12,
	FW_UDATA_TYPE = 0x49, /* nft's own types count from 0 */
	/* Kernels before the end of 2024 round a timeout down to whole ticks, and take
	 * none as "never". The slowest clock (HZ=100) has a tick every 10 ms. */
	FW_TIMEOUT_MIN_MS = 20,
};

enum fw_map { FW_DNAT4, FW_DNAT4S, FW_OFF4, FW_MAPS };

/* The name of the map in the kernel. */
const char *fw_map_name(enum fw_map map);

/* The map that a mapping belongs into. */
enum fw_map fw_map_of(const struct fw_mapping *mapping);

/* Whether it may be put into the kernel; the key alone is enough to delete by. */
bool fw_mapping_ok(const struct fw_mapping *mapping);
bool fw_mapping_key_ok(const struct fw_mapping *mapping);
bool fw_endpoint_ok(const struct fw_endpoint *endpoint);
bool fw_endpoint_key_ok(const struct fw_endpoint *endpoint);

/* Write the key of a mapping in one of the maps, or of an internal end in in4, and return
 * its length. */
size_t fw_mapping_key(
	enum fw_map map, const struct fw_mapping *mapping, uint8_t key[FW_KEY_MAX]);
size_t fw_endpoint_key(const struct fw_endpoint *endpoint, uint8_t key[FW_KEY_MAX]);

/* Parts of any message about elements: whose they are, and one element that is a key, in
 * a list (NFTA_SET_ELEM_LIST_ELEMENTS). */
void fw_elems_begin(struct nlmsghdr *nlh, const char *table, const char *set);
void fw_elem_key(struct nlmsghdr *nlh, const void *key, size_t len);

/* Removes all elements of a set. */
void fw_elems_flush(struct fw *fw, const char *table, const char *set);

/* Adds no element to a set: fails the transaction with -ENOENT when it is not there. */
void fw_elems_expect(struct fw *fw, const char *table, const char *set);

/* A list of elements under construction; messages are split where they get too long. */
struct fw_elems {
	struct fw *fw;
	const char *table;
	const char *set;
	unsigned type; /* NFT_MSG_* */
	unsigned flags;
	struct nlmsghdr *nlh; /* NULL: no message begun */
	struct nlattr *list;
};

/* Add one element, with its data, timeout and record, or one that is a key only. */
void fw_elems_mapping(
	struct fw_elems *e, enum fw_map map, const struct fw_mapping *mapping);
void fw_elems_endpoint(struct fw_elems *e, const struct fw_endpoint *endpoint);
void fw_elems_key(struct fw_elems *e, const void *key, size_t len);

/* Ends the list. Nothing is sent when no element was added. */
void fw_elems_end(struct fw_elems *e);

/*
 * Reads one element (an attribute NFTA_LIST_ELEM) of a map. Returns 0, or -EINVAL for
 * one that is not ours in every respect; *ret is set only on 0.
 */
int fw_elem_read(enum fw_map map, const struct nlattr *elem, struct fw_mapping *ret);

#endif
