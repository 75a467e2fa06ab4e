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
	bool stamped;
	uint32_t stamp; /* of the floor, see fw_floor_stamp() */
};

/* Returns 0, -ENOENT when there is no such table, or another -errno. */
int fw_dump_table(struct fw *fw, const char *table, struct fw_table_info *ret);

/* The mappings of one map, malloc()ed. No table or no map is an empty list. Elements that
 * are not ours in every respect are left out. Returns 0 or -errno. */
int fw_dump_map(struct fw *fw, enum fw_map map, struct fw_mapping **ret, size_t *ret_n);

/* Looks up one element of a set of ours. Returns 0, -ENOENT, or another -errno. */
int fw_dump_element(struct fw *fw, const char *set, const void *key, size_t len);

/* The floor's counters. Returns 0 or -errno (-ENOENT: one of them is missing). */
int fw_dump_counters(struct fw *fw, struct fw_counters *ret);

#endif
