/*
 * What the broker remembers of each host that asks: its mappings in order of age, and its
 * rates. A fixed number of records; hosts without mappings give way, the one that was
 * quiet longest first, so that a flood of forged addresses costs nobody a mapping.
 */
#ifndef IGDWARD_BROKER_CLIENTS_H
#define IGDWARD_BROKER_CLIENTS_H

#include "igdward/addr.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	CLIENTS_MAX = 4096,
	CLIENTS_NONE = UINT32_MAX,
};

/* Tokens of one kind of request, in parts of which a token has 60,000: then a millisecond
 * is worth as many as there are tokens a minute, and nothing is ever rounded. */
struct bucket {
	int64_t filled_ms;
	uint64_t parts;
	bool used; /* false: full, as of a host never seen */
};

struct client {
	struct igw_addr addr;
	uint32_t mappings;
	struct igw_mac mac; /* that all its mappings agree with, none = not looked at */
	struct bucket changes;
	struct bucket reads;

	/* For the mapping table: its list of positions, and where a walk stands. */
	uint32_t first, last;
	uint32_t cursor, cursor_index;

	/* For this module. */
	uint32_t next;	       /* in the chain of the hash */
	uint32_t older, newer; /* among those without mappings */
};

struct clients;

/* `seed` must be random: it keys the hash. Returns 0 or -ENOMEM. */
int clients_new(uint64_t seed, struct clients **ret);
void clients_free(struct clients *clients);

/* The record of a host, or NULL. */
struct client *clients_find(struct clients *clients, const struct igw_addr *addr);

/* The same, made if need be. NULL only when every record holds mappings. */
struct client *clients_get(struct clients *clients, const struct igw_addr *addr);

/* Counts a mapping more (`by` = 1) or less (-1). */
void clients_count(struct clients *clients, struct client *client, int by);

/* Hosts that hold at least one mapping. */
uint32_t clients_holding(const struct clients *clients);

/* Sum of what the holders lack up to `share` mappings each. */
uint32_t clients_lacking(const struct clients *clients, uint32_t share);

/*
 * Takes one token. A bucket holds `burst` tokens at most and gains `per_min` a minute.
 * Returns false when there is none.
 */
bool bucket_take(struct bucket *bucket, uint32_t per_min, uint32_t burst, int64_t now_ms);

/* A keyed hash of an address and a number, for tables whose keys a client can choose. */
uint64_t clients_hash(uint64_t seed, const struct igw_addr *addr, uint32_t number);

#endif
