#include "clients.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	CLIENTS_BUCKETS = 4096,	   /* a power of two */
	CLIENTS_SHARE_MAX = 65536, /* counts of mappings told apart: all there can be */
	TOKEN_PARTS = 60000,	   /* as many as a minute has milliseconds */
};

struct clients {
	uint64_t seed;
	struct client records[CLIENTS_MAX];
	uint32_t buckets[CLIENTS_BUCKETS];
	uint32_t high;		 /* records at or above were never used */
	uint32_t oldest, newest; /* records without mappings, by last use */
	uint32_t holding;
	uint32_t with_count[CLIENTS_SHARE_MAX]; /* holders by their number of mappings */
};

uint64_t clients_hash(uint64_t seed, const struct igw_addr *addr, uint32_t number)
{
	uint64_t hash = seed ^ number;
	uint64_t part;

	/* Multiply and fold after each word, keyed at the start and between the words. */
	for (size_t i = 0; i < sizeof(addr->b); i += sizeof(part)) {
		memcpy(&part, addr->b + i, sizeof(part));
		hash = (hash ^ part) * (seed | 1);
		hash ^= hash >> 29;
		hash *= UINT64_C(0xbf58476d1ce4e5b9);
		hash ^= hash >> 32;
	}
	return hash;
}

int clients_new(uint64_t seed, struct clients **ret)
{
	struct clients *clients = calloc(1, sizeof(*clients));

	if (!clients)
		return -ENOMEM;
	clients->seed = seed;
	clients->oldest = CLIENTS_NONE;
	clients->newest = CLIENTS_NONE;
	for (uint32_t i = 0; i < CLIENTS_BUCKETS; i++)
		clients->buckets[i] = CLIENTS_NONE;
	*ret = clients;
	return 0;
}

void clients_free(struct clients *clients)
{
	free(clients);
}

static uint32_t *clients_bucket(struct clients *clients, const struct igw_addr *addr)
{
	return &clients->buckets[clients_hash(clients->seed, addr, 0) % CLIENTS_BUCKETS];
}

static void idle_take(struct clients *clients, struct client *client)
{
	struct client *all = clients->records;

	if (client->older != CLIENTS_NONE)
		all[client->older].newer = client->newer;
	else
		clients->oldest = client->newer;
	if (client->newer != CLIENTS_NONE)
		all[client->newer].older = client->older;
	else
		clients->newest = client->older;
}

static void idle_put(struct clients *clients, struct client *client)
{
	uint32_t at = (uint32_t)(client - clients->records);

	client->older = clients->newest;
	client->newer = CLIENTS_NONE;
	if (clients->newest != CLIENTS_NONE)
		clients->records[clients->newest].newer = at;
	else
		clients->oldest = at;
	clients->newest = at;
}

struct client *clients_find(struct clients *clients, const struct igw_addr *addr)
{
	uint32_t at = *clients_bucket(clients, addr);

	while (at != CLIENTS_NONE && !igw_addr_equal(&clients->records[at].addr, addr))
		at = clients->records[at].next;
	return at == CLIENTS_NONE ? NULL : &clients->records[at];
}

/* Takes the record that was idle longest out of its chain. */
static struct client *clients_evict(struct clients *clients)
{
	struct client *client;
	uint32_t *link;
	uint32_t at = clients->oldest;

	if (at == CLIENTS_NONE)
		return NULL;
	client = &clients->records[at];
	link = clients_bucket(clients, &client->addr);
	while (*link != at)
		link = &clients->records[*link].next;
	*link = client->next;
	idle_take(clients, client);
	return client;
}

struct client *clients_get(struct clients *clients, const struct igw_addr *addr)
{
	struct client *client = clients_find(clients, addr);
	uint32_t *bucket;

	if (client) {
		if (client->mappings == 0) {
			idle_take(clients, client);
			idle_put(clients, client);
		}
		return client;
	}
	if (clients->high < CLIENTS_MAX) {
		client = &clients->records[clients->high++];
	} else {
		client = clients_evict(clients);
		if (!client)
			return NULL;
	}
	bucket = clients_bucket(clients, addr);
	*client = (struct client){ .addr = *addr,
		.first = CLIENTS_NONE,
		.last = CLIENTS_NONE,
		.cursor = CLIENTS_NONE,
		.next = *bucket };
	*bucket = (uint32_t)(client - clients->records);
	idle_put(clients, client);
	return client;
}

static void clients_tally(struct clients *clients, uint32_t mappings, int by)
{
	if (mappings == 0)
		clients->holding -= (uint32_t)by;
	else if (mappings < CLIENTS_SHARE_MAX)
		clients->with_count[mappings] += (uint32_t)by;
}

void clients_count(struct clients *clients, struct client *client, int by)
{
	if (client->mappings == 0)
		idle_take(clients, client);
	clients_tally(clients, client->mappings, -1);
	client->mappings += (uint32_t)by;
	clients_tally(clients, client->mappings, 1);
	if (client->mappings == 0)
		idle_put(clients, client);
}

uint32_t clients_holding(const struct clients *clients)
{
	return clients->holding;
}

uint32_t clients_lacking(const struct clients *clients, uint32_t share)
{
	uint32_t lacking = 0;

	for (uint32_t n = 1; n < share && n < CLIENTS_SHARE_MAX; n++)
		lacking += clients->with_count[n] * (share - n);
	return lacking;
}

bool bucket_take(struct bucket *bucket, uint32_t per_min, uint32_t burst, int64_t now_ms)
{
	uint64_t full = (uint64_t)burst * TOKEN_PARTS;
	uint64_t passed_ms;

	if (!bucket->used)
		*bucket = (struct bucket){ now_ms, full, true };
	if (now_ms > bucket->filled_ms) {
		passed_ms = (uint64_t)(now_ms - bucket->filled_ms);
		bucket->filled_ms = now_ms;
		/* The question before the product, which could be too large. */
		if (per_min > 0 && passed_ms > full / per_min)
			bucket->parts = full;
		else
			bucket->parts += passed_ms * per_min;
	}
	if (bucket->parts > full)
		bucket->parts = full;
	if (bucket->parts < TOKEN_PARTS)
		return false;
	bucket->parts -= TOKEN_PARTS;
	return true;
}
