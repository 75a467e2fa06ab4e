/*
 * The mapping table: what the broker knows of every live mapping, with an index for each
 * way of asking. It does no I/O and asks no clock; the kernel is changed first, the table
 * after it.
 *
 * All memory is reserved at start (address space only: a page counts once it is used), so
 * that adding never fails for lack of it. A mapping is found by protocol and external
 * port in an array, by its owner through a client record, and the next one to expire on a
 * heap. Keys that a client can choose go through a hash with a random seed.
 */
#ifndef IGDWARD_BROKER_TABLE_H
#define IGDWARD_BROKER_TABLE_H

#include "clients.h"
#include "igdward/addr.h"
#include "igdward/text.h"
#include "igdward/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TABLE_MAPPINGS_MAX = 65535, /* most that a policy's limit can say */
	TABLE_DUE_MAX = 1024,	    /* mappings ended in one go */
	TABLE_NONE = UINT32_MAX,
};

struct mapping {
	uint32_t id; /* random, never 0, kept across restarts */
	uint32_t lease_s;
	int64_t expires_ms;	/* monotonic */
	int64_t created_s;	/* wall clock */
	struct igw_addr client; /* the owner: who asked */
	struct igw_addr internal_client;
	struct igw_addr remote_host; /* none = any */
	struct igw_mac mac;	     /* the owner's when it asked, none = not known */
	uint16_t external_port;
	uint16_t internal_port;
	uint8_t protocol;
	uint8_t via;
	bool enabled;
	char interface[IGW_IFNAME_MAX + 1]; /* LAN link of the owner */
	char rule[IGW_RULE_NAME_MAX + 1];
	char description[IGW_DESCRIPTION_MAX + 1];
};

struct table;

/* Seconds that are left of a mapping's lease, rounded up; at least 1, as long as it is
 * listed. */
uint32_t table_left_s(const struct mapping *mapping, int64_t now_ms);

/* `seed` must be random: it keys the hashes. Returns 0 or -ENOMEM. */
int table_new(uint64_t seed, struct table **ret);
void table_free(struct table *table);

/* The client records, which the table keeps. */
struct clients *table_clients(struct table *table);

/* Number of mappings. */
uint32_t table_count(const struct table *table);

/* The mapping of exactly that key, or NULL. */
struct mapping *table_find(struct table *table, uint8_t protocol, uint16_t external_port,
	const struct igw_addr *remote_host);

/* Any mapping of that protocol and port, whatever its remote host, or NULL. All mappings
 * of one protocol and port belong to one client. */
struct mapping *table_find_port(
	struct table *table, uint8_t protocol, uint16_t external_port);

/* By id, or NULL. */
struct mapping *table_find_id(struct table *table, uint32_t id);

/* The owner's mapping of that index (from 0, oldest first), or NULL. Walking upwards
 * costs the same for each step. */
struct mapping *table_find_index(
	struct table *table, const struct igw_addr *client, uint32_t index);

/* The next live mapping at or after position *at, which is moved behind it; NULL at the
 * end. Start with 0. Mappings may be added and removed between two calls. */
struct mapping *table_next(struct table *table, uint32_t *at);

/* The position of a mapping, below TABLE_MAPPINGS_MAX; stays while it lives. */
uint32_t table_position(const struct table *table, const struct mapping *mapping);

/* When the next mapping expires; INT64_MAX when there is none. */
int64_t table_next_due_ms(const struct table *table);

/* Lists up to `max` mappings that have expired by `now_ms`; returns how many. `max` is at
 * most TABLE_DUE_MAX. */
size_t table_due(
	const struct table *table, int64_t now_ms, struct mapping **ret, size_t max);

/*
 * Adds a copy. Returns it, or NULL when the table or the client records are full, or when
 * the key or the id is taken, or the protocol is neither TCP nor UDP.
 */
struct mapping *table_add(struct table *table, const struct mapping *mapping);

/* Changes what a renewal or a new target may change: all but key, id, owner and link. */
void table_change(struct table *table, struct mapping *mapping, const struct mapping *to);

void table_remove(struct table *table, struct mapping *mapping);

/* How many enabled mappings lead to this internal end; if any, *ret_expires_ms is a time
 * at which none of them is left (not before the last one's end). */
uint32_t table_endpoint(const struct table *table, uint8_t protocol,
	const struct igw_addr *addr, uint16_t port, int64_t *ret_expires_ms);

/* One internal end that enabled mappings lead to. */
struct table_end {
	uint8_t protocol;
	uint16_t port;
	struct igw_addr addr;
	int64_t expires_ms; /* as of table_endpoint() */
};

/* The next internal end at or after position *at, which is moved behind it; false at the
 * end. Start with 0; the table must not change meanwhile. */
bool table_next_end(const struct table *table, uint32_t *at, struct table_end *ret);

/*
 * Two steps for closing many mappings in one transaction: each is marked as leaving, and
 * the answer says whether it is the last enabled one that leads to its internal end (so
 * that the end can go as well). table_remove() ends the mark, table_stay() takes it back.
 */
bool table_leave(struct table *table, const struct mapping *mapping);
void table_stay(struct table *table, const struct mapping *mapping);

#endif
