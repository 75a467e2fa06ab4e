/*
 * The two tables without their mappings: chains, rules, sets and counters, as data.
 * The functions put messages into the batch of `fw`; nothing is sent.
 */
#ifndef IGDWARD_BROKER_FW_SKELETON_H
#define IGDWARD_BROKER_FW_SKELETON_H

#include "fw_internal.h"

/*
 * A number that changes with the structure of the floor (not with its rules, which are
 * always written anew). It is kept in the table's userdata: a floor of the same structure
 * keeps its counters and dynamic sets when a new run takes it over.
 */
uint32_t fw_floor_stamp(const struct fw *fw);

/* The table itself, created or, when it is there, adopted. `own`: OWNER|PERSIST. */
void fw_put_table(struct fw *fw, const char *table, bool own);

/* Deletes a table; it need not be there. */
void fw_put_no_table(struct fw *fw, const char *table);

/* Chains, sets and counters of a table, as far as they are not there yet. */
void fw_put_frame(struct fw *fw, const char *table, const struct fw_settings *settings);

/* Removes every rule of a table, whoever made it. */
void fw_put_no_rules(struct fw *fw, const char *table);

void fw_put_rules(struct fw *fw, const char *table, const struct fw_settings *settings);

/* The constant sets of the floor. */
void fw_put_floor_ports(struct fw *fw);

/* Returns 0 or -EINVAL. */
int fw_links_check(const struct fw_links *links);

/* Makes the sets that follow the network, of both tables, hold exactly `links`. */
void fw_put_links(struct fw *fw, const struct fw_links *links);

#endif
