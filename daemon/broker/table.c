#include "table.h"

#include "heap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	TABLE_PORTS = 65536,
	TABLE_BUCKETS = 65536, /* of ids and of endpoints; a power of two */
};

struct slot {
	struct mapping mapping;
	bool used;
	uint32_t next_port; /* same protocol and external port, or next free slot */
	uint32_t next_id;
	uint32_t prev, next; /* of the same owner, by age */
	uint32_t endpoint;   /* TABLE_NONE for a disabled mapping */
	bool leaving;
};

/* An internal end and the enabled mappings that lead to it. */
struct endpoint {
	struct igw_addr addr;
	uint16_t port;
	uint8_t protocol;
	uint32_t refs;
	uint32_t leaving; /* of the refs, see table_leave() */
	int64_t expires_ms;
	uint32_t next; /* in its chain, or of the free ones */
};

struct table {
	uint64_t seed;
	struct clients *clients;
	struct heap due;
	struct slot *slots;
	uint32_t n;
	uint32_t high; /* slots at or above were never used */
	uint32_t free;
	uint32_t *ports[2]; /* chains by external port: TCP, UDP */
	uint32_t *ids;
	struct endpoint *endpoints;
	uint32_t endpoints_high;
	uint32_t endpoints_free;
	uint32_t *ends; /* chains of endpoints */
};

/* Chains hold position + 1, so that zeroed memory is empty and stays untouched. */
static uint32_t *chains_new(size_t n)
{
	return calloc(n, sizeof(uint32_t));
}

int table_new(uint64_t seed, struct table **ret)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table)
		return -ENOMEM;
	table->seed = seed;
	table->free = TABLE_NONE;
	table->endpoints_free = TABLE_NONE;
	table->slots = calloc(TABLE_MAPPINGS_MAX, sizeof(*table->slots));
	table->endpoints = calloc(TABLE_MAPPINGS_MAX, sizeof(*table->endpoints));
	table->ports[0] = chains_new(TABLE_PORTS);
	table->ports[1] = chains_new(TABLE_PORTS);
	table->ids = chains_new(TABLE_BUCKETS);
	table->ends = chains_new(TABLE_BUCKETS);
	if (!table->slots || !table->endpoints || !table->ports[0] || !table->ports[1] ||
		!table->ids || !table->ends || clients_new(seed, &table->clients) < 0 ||
		heap_init(&table->due, TABLE_MAPPINGS_MAX) < 0) {
		table_free(table);
		return -ENOMEM;
	}
	*ret = table;
	return 0;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	clients_free(table->clients);
	heap_free(&table->due);
	free(table->slots);
	free(table->endpoints);
	free(table->ports[0]);
	free(table->ports[1]);
	free(table->ids);
	free(table->ends);
	free(table);
}

uint32_t table_left_s(const struct mapping *mapping, int64_t now_ms)
{
	int64_t left_ms = mapping->expires_ms - now_ms;

	return left_ms > 0 ? (uint32_t)((left_ms + 999) / 1000) : 1;
}

struct clients *table_clients(struct table *table)
{
	return table->clients;
}

uint32_t table_count(const struct table *table)
{
	return table->n;
}

static uint32_t *port_chain(struct table *table, uint8_t protocol, uint16_t port)
{
	return &table->ports[protocol == IGW_UDP][port];
}

struct mapping *table_find(struct table *table, uint8_t protocol, uint16_t external_port,
	const struct igw_addr *remote_host)
{
	uint32_t at = *port_chain(table, protocol, external_port);

	while (at != 0) {
		struct slot *slot = &table->slots[at - 1];

		if (slot->mapping.protocol == protocol &&
			igw_addr_equal(&slot->mapping.remote_host, remote_host))
			return &slot->mapping;
		at = slot->next_port;
	}
	return NULL;
}

struct mapping *table_find_port(
	struct table *table, uint8_t protocol, uint16_t external_port)
{
	uint32_t at = *port_chain(table, protocol, external_port);

	if (at == 0 || table->slots[at - 1].mapping.protocol != protocol)
		return NULL;
	return &table->slots[at - 1].mapping;
}

struct mapping *table_find_id(struct table *table, uint32_t id)
{
	uint32_t at = table->ids[id % TABLE_BUCKETS];

	while (at != 0 && table->slots[at - 1].mapping.id != id)
		at = table->slots[at - 1].next_id;
	return at == 0 ? NULL : &table->slots[at - 1].mapping;
}

struct mapping *table_find_index(
	struct table *table, const struct igw_addr *addr, uint32_t index)
{
	struct client *client = clients_find(table->clients, addr);
	uint32_t at, i;

	if (!client || index >= client->mappings)
		return NULL;
	if (client->cursor != CLIENTS_NONE && client->cursor_index <= index) {
		at = client->cursor;
		i = client->cursor_index;
	} else {
		at = client->first;
		i = 0;
	}
	for (; i < index; i++)
		at = table->slots[at].next;
	client->cursor = at;
	client->cursor_index = index;
	return &table->slots[at].mapping;
}

struct mapping *table_next(struct table *table, uint32_t *at)
{
	while (*at < table->high) {
		struct slot *slot = &table->slots[(*at)++];

		if (slot->used)
			return &slot->mapping;
	}
	return NULL;
}

uint32_t table_position(const struct table *table, const struct mapping *mapping)
{
	return (uint32_t)((const struct slot *)(const void *)mapping - table->slots);
}

int64_t table_next_due_ms(const struct table *table)
{
	uint32_t at = heap_first(&table->due);

	return at == HEAP_NONE ? INT64_MAX : table->slots[at].mapping.expires_ms;
}

size_t table_due(
	const struct table *table, int64_t now_ms, struct mapping **ret, size_t max)
{
	uint32_t positions[TABLE_DUE_MAX];
	size_t n = heap_until(&table->due, now_ms, positions,
		max < TABLE_DUE_MAX ? max : TABLE_DUE_MAX);

	for (size_t i = 0; i < n; i++)
		ret[i] = &table->slots[positions[i]].mapping;
	return n;
}

static uint32_t *end_chain(const struct table *table, uint8_t protocol,
	const struct igw_addr *addr, uint16_t port)
{
	uint32_t number = (uint32_t)protocol << 16 | port;

	return &table->ends[clients_hash(table->seed, addr, number) % TABLE_BUCKETS];
}

/* The link in the chain that points to the endpoint, or to its end. */
static uint32_t *end_link(const struct table *table, uint8_t protocol,
	const struct igw_addr *addr, uint16_t port)
{
	uint32_t *link = end_chain(table, protocol, addr, port);

	while (*link != 0) {
		struct endpoint *end = &table->endpoints[*link - 1];

		if (end->protocol == protocol && end->port == port &&
			igw_addr_equal(&end->addr, addr))
			break;
		link = &end->next;
	}
	return link;
}

uint32_t table_endpoint(const struct table *table, uint8_t protocol,
	const struct igw_addr *addr, uint16_t port, int64_t *ret_expires_ms)
{
	uint32_t at = *end_link(table, protocol, addr, port);

	if (at == 0)
		return 0;
	*ret_expires_ms = table->endpoints[at - 1].expires_ms;
	return table->endpoints[at - 1].refs;
}

bool table_next_end(const struct table *table, uint32_t *at, struct table_end *ret)
{
	while (*at < table->endpoints_high) {
		const struct endpoint *end = &table->endpoints[(*at)++];

		if (end->refs == 0)
			continue;
		*ret = (struct table_end){ .protocol = end->protocol,
			.port = end->port,
			.addr = end->addr,
			.expires_ms = end->expires_ms };
		return true;
	}
	return false;
}

/* There are as many endpoints as slots, so a free one is always found. */
static uint32_t end_take(struct table *table, const struct mapping *mapping)
{
	uint32_t *link = end_link(table, mapping->protocol, &mapping->internal_client,
		mapping->internal_port);
	struct endpoint *end;
	uint32_t at;

	if (*link != 0) {
		at = *link - 1;
		end = &table->endpoints[at];
		end->refs++;
		if (mapping->expires_ms > end->expires_ms)
			end->expires_ms = mapping->expires_ms;
		return at;
	}
	if (table->endpoints_free != TABLE_NONE) {
		at = table->endpoints_free;
		table->endpoints_free = table->endpoints[at].next;
	} else {
		at = table->endpoints_high++;
	}
	table->endpoints[at] = (struct endpoint){ .addr = mapping->internal_client,
		.port = mapping->internal_port,
		.protocol = mapping->protocol,
		.refs = 1,
		.expires_ms = mapping->expires_ms };
	*link = at + 1;
	return at;
}

static void end_drop(struct table *table, uint32_t at)
{
	struct endpoint *end = &table->endpoints[at];
	uint32_t *link;

	if (--end->refs > 0)
		return;
	link = end_link(table, end->protocol, &end->addr, end->port);
	*link = end->next;
	end->next = table->endpoints_free;
	table->endpoints_free = at;
}

static void owner_append(struct table *table, struct client *client, uint32_t at)
{
	struct slot *slot = &table->slots[at];

	slot->prev = client->last;
	slot->next = CLIENTS_NONE;
	if (client->last != CLIENTS_NONE)
		table->slots[client->last].next = at;
	else
		client->first = at;
	client->last = at;
	clients_count(table->clients, client, 1);
}

static void owner_remove(struct table *table, struct client *client, uint32_t at)
{
	struct slot *slot = &table->slots[at];

	if (slot->prev != CLIENTS_NONE)
		table->slots[slot->prev].next = slot->next;
	else
		client->first = slot->next;
	if (slot->next != CLIENTS_NONE)
		table->slots[slot->next].prev = slot->prev;
	else
		client->last = slot->prev;
	client->cursor = CLIENTS_NONE;
	clients_count(table->clients, client, -1);
}

static uint32_t slot_take(struct table *table)
{
	uint32_t at = table->free;

	if (at != TABLE_NONE)
		table->free = table->slots[at].next_port;
	else if (table->high < TABLE_MAPPINGS_MAX)
		at = table->high++;
	return at;
}

struct mapping *table_add(struct table *table, const struct mapping *mapping)
{
	struct client *client;
	struct slot *slot;
	uint32_t *chain;
	uint32_t at;

	if ((mapping->protocol != IGW_TCP && mapping->protocol != IGW_UDP) ||
		mapping->id == 0 || table_find_id(table, mapping->id) ||
		table_find(table, mapping->protocol, mapping->external_port,
			&mapping->remote_host))
		return NULL;
	client = clients_get(table->clients, &mapping->client);
	at = client ? slot_take(table) : TABLE_NONE;
	if (at == TABLE_NONE)
		return NULL;
	slot = &table->slots[at];
	*slot = (struct slot){
		.mapping = *mapping, .used = true, .endpoint = TABLE_NONE
	};
	chain = port_chain(table, mapping->protocol, mapping->external_port);
	slot->next_port = *chain;
	*chain = at + 1;
	slot->next_id = table->ids[mapping->id % TABLE_BUCKETS];
	table->ids[mapping->id % TABLE_BUCKETS] = at + 1;
	owner_append(table, client, at);
	heap_add(&table->due, at, mapping->expires_ms);
	if (mapping->enabled)
		slot->endpoint = end_take(table, mapping);
	table->n++;
	return &slot->mapping;
}

void table_change(struct table *table, struct mapping *mapping, const struct mapping *to)
{
	uint32_t at = table_position(table, mapping);
	struct slot *slot = &table->slots[at];

	/* The old end goes first: a renewal of the only mapping sets the end's time anew
	 * instead of keeping a longer one. */
	if (slot->endpoint != TABLE_NONE)
		end_drop(table, slot->endpoint);
	slot->endpoint = TABLE_NONE;
	mapping->lease_s = to->lease_s;
	mapping->expires_ms = to->expires_ms;
	mapping->internal_client = to->internal_client;
	mapping->internal_port = to->internal_port;
	mapping->mac = to->mac;
	mapping->via = to->via;
	mapping->enabled = to->enabled;
	memcpy(mapping->rule, to->rule, sizeof(mapping->rule));
	memcpy(mapping->description, to->description, sizeof(mapping->description));
	if (mapping->enabled)
		slot->endpoint = end_take(table, mapping);
	heap_move(&table->due, at, mapping->expires_ms);
}

static void chain_remove_port(struct table *table, uint32_t at)
{
	struct slot *slot = &table->slots[at];
	uint32_t *link =
		port_chain(table, slot->mapping.protocol, slot->mapping.external_port);

	while (*link != at + 1)
		link = &table->slots[*link - 1].next_port;
	*link = slot->next_port;
}

static void chain_remove_id(struct table *table, uint32_t at)
{
	struct slot *slot = &table->slots[at];
	uint32_t *link = &table->ids[slot->mapping.id % TABLE_BUCKETS];

	while (*link != at + 1)
		link = &table->slots[*link - 1].next_id;
	*link = slot->next_id;
}

bool table_leave(struct table *table, const struct mapping *mapping)
{
	struct slot *slot = &table->slots[table_position(table, mapping)];
	struct endpoint *end;

	if (slot->endpoint == TABLE_NONE || slot->leaving)
		return false;
	end = &table->endpoints[slot->endpoint];
	slot->leaving = true;
	end->leaving++;
	return end->leaving == end->refs;
}

void table_stay(struct table *table, const struct mapping *mapping)
{
	struct slot *slot = &table->slots[table_position(table, mapping)];

	if (!slot->leaving)
		return;
	slot->leaving = false;
	table->endpoints[slot->endpoint].leaving--;
}

void table_remove(struct table *table, struct mapping *mapping)
{
	uint32_t at = table_position(table, mapping);
	struct slot *slot = &table->slots[at];
	struct client *client = clients_find(table->clients, &mapping->client);

	table_stay(table, mapping);
	chain_remove_port(table, at);
	chain_remove_id(table, at);
	if (client)
		owner_remove(table, client, at);
	heap_remove(&table->due, at);
	if (slot->endpoint != TABLE_NONE)
		end_drop(table, slot->endpoint);
	slot->used = false;
	slot->next_port = table->free;
	table->free = at;
	table->n--;
}
