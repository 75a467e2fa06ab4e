/*
 * Questions to the kernel. Only reads, through the second socket.
 */
#ifndef IGDWARD_BROKER_FW_DUMP_H
#define IGDWARD_BROKER_FW_DUMP_H

#include "fw_elem.h"
#include "fw_internal.h"

/* What is there under the name of a table of ours. */
struct fw_table_info {
	uint32_t flags; /* NFT_TABLE_F_* */
	uint32_t parts; /* chains, sets, counters and what else is in it */
	bool stamped;
	uint32_t stamp; /* see struct fw_frame */
};

/* Returns 0, -ENOENT when there is no such table, or another -errno. */
int fw_dump_table(struct fw *fw, const char *table, struct fw_table_info *ret);

/* The elements of a small set that has keys only. */
enum { FW_KEYS_MAX = 24, FW_KEYS_LEN = 16 };

struct fw_keys {
	size_t len; /* of each key */
	size_t n;   /* may be more than FW_KEYS_MAX when read: then not all are here */
	uint8_t v[FW_KEYS_MAX][FW_KEYS_LEN];
};

/* Adds a key of `keys->len` bytes unless it is there. */
void fw_keys_add(struct fw_keys *keys, const void *key);

/* Whether a set holds these keys and no others, as far as can be told. */
bool fw_dump_same(
	struct fw *fw, const char *table, const char *set, const struct fw_keys *keys);

/* The mappings of one map, malloc()ed. No table or no map is an empty list. Elements that
 * are not ours in every respect are left out. Returns 0 or -errno. */
int fw_dump_map(struct fw *fw, enum fw_map map, struct fw_mapping **ret, size_t *ret_n);

/* Looks up one element of a set of ours. Returns 0, -ENOENT, or another -errno. */
int fw_dump_element(struct fw *fw, const char *set, const void *key, size_t len);

/* The floor's counters. Returns 0 or -errno (-ENOENT: one of them is missing). */
int fw_dump_counters(struct fw *fw, struct fw_counters *ret);

#endif
