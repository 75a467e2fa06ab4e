/*
 * The two tables without their mappings: chains, rules, sets and counters, as data.
 * The functions put messages into the batch of `fw`; nothing is sent.
 */
#ifndef IGDWARD_BROKER_FW_SKELETON_H
#define IGDWARD_BROKER_FW_SKELETON_H

#include "fw_internal.h"

/*
 * What a table of ours is made of. The stamp is a number that changes with its structure
 * (not with its rules, which are always written anew); it is kept in the table's
 * userdata. A table of the same structure is brought up to date, not replaced: the floor
 * keeps its counters, and no packet on its way through the rules is left without them.
 */
struct fw_frame {
	uint32_t stamp;
	uint32_t parts; /* chains, sets and counters */
};

struct fw_frame fw_frame_of(
	const struct fw *fw, const char *table, const struct fw_settings *settings);

/* The table itself, created or, when it is there, adopted. `own`: OWNER|PERSIST. */
void fw_put_table(struct fw *fw, const char *table, uint32_t stamp, bool own);

/* Deletes a table; it need not be there. */
void fw_put_no_table(struct fw *fw, const char *table);

/* Chains, sets and counters of a table, as far as they are not there yet. */
void fw_put_frame(struct fw *fw, const char *table, const struct fw_settings *settings);

/* Removes every rule of a table, whoever made it. */
void fw_put_no_rules(struct fw *fw, const char *table);

void fw_put_rules(struct fw *fw, const char *table, const struct fw_settings *settings);

/* The constant set of the floor. `fresh`: the table is made anew in this batch. */
void fw_put_floor_ports(struct fw *fw, bool fresh);

/* Returns 0 or -EINVAL. */
int fw_links_check(const struct fw_links *links);

/* Makes those sets of a table that follow the network hold exactly `links`. */
void fw_put_links(
	struct fw *fw, const char *table, const struct fw_links *links, bool fresh);

#endif
