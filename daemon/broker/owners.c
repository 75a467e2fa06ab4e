#include "owners.h"

#include "mapping.h"

#include <string.h>

enum {
	CHECK_EVERY_MS = 10000, /* a changed owner is noticed within this time */
};

static const struct link *link_of(const struct broker *broker, const char *name)
{
	for (size_t i = 0; i < broker->n_links; i++) {
		if (strcmp(broker->links[i].name, name) == 0)
			return &broker->links[i];
	}
	return NULL;
}

static bool is_changed(const struct mapping *mapping, const struct igw_mac *mac)
{
	return !igw_mac_is_none(&mapping->mac) && !igw_mac_equal(&mapping->mac, mac);
}

void owners_check(struct broker *broker, const struct link *link,
	const struct igw_addr *addr, int64_t now_ms)
{
	struct client *client = clients_find(table_clients(broker->table), addr);
	struct mapping **changed = broker->batch.ended;
	struct mapping *mapping;
	struct igw_mac mac;
	size_t n = 0;

	/* The usual case is done here, whatever the number of its mappings. */
	if (!client || client->mappings == 0 ||
		net_neighbour(broker->net, link->name, addr, &mac) < 0 ||
		igw_mac_equal(&client->mac, &mac))
		return;
	for (uint32_t i = 0; (mapping = table_find_index(broker->table, addr, i)); i++) {
		if (is_changed(mapping, &mac) &&
			strcmp(mapping->interface, link->name) == 0)
			changed[n++] = mapping;
	}
	if (mapping_end(broker, changed, n, MAPPING_OWNER_CHANGED, now_ms) < 0)
		broker_retry(broker, now_ms);
	else
		client->mac = mac;
}

/* Each owner is asked about once, by its oldest mapping. */
void owners_check_all(struct broker *broker, int64_t now_ms)
{
	struct mapping *mapping;
	uint32_t at = 0;

	if (now_ms < owners_due_ms(broker))
		return;
	broker->owners_checked_ms = now_ms;
	while ((mapping = table_next(broker->table, &at))) {
		const struct link *link = link_of(broker, mapping->interface);
		struct igw_addr client = mapping->client;

		if (link && table_find_index(broker->table, &client, 0) == mapping)
			owners_check(broker, link, &client, now_ms);
	}
}

int64_t owners_due_ms(const struct broker *broker)
{
	if (table_count(broker->table) == 0)
		return INT64_MAX;
	return broker->owners_checked_ms + CHECK_EVERY_MS;
}
