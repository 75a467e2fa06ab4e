#include "mapping.h"

#include "kernel.h"
#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum {
	REFUSAL_LINES_PER_MIN = 300,
	REFUSAL_LINES_BURST = 100,
};

const char *mapping_end_word(enum mapping_end why)
{
	switch (why) {
	case MAPPING_DELETED:
		return "deleted";
	case MAPPING_BY_ADMIN:
		return "admin";
	case MAPPING_EXPIRED:
		return "expired";
	case MAPPING_REVOKED:
		return "policy-revoked";
	case MAPPING_OWNER_CHANGED:
		return "owner-changed";
	case MAPPING_FLUSHED:
		return "flushed";
	}
	return "?";
}

void mapping_log(const char *event, const struct mapping *mapping, const char *why)
{
	char client[IGW_ADDR_TEXT], internal[IGW_ADDR_TEXT], remote[IGW_ADDR_TEXT];
	char mac[IGW_MAC_TEXT];
	char description[IGW_DESCRIPTION_MAX * IGW_QUOTE_MAX + 3];

	log_info("event=%s id=%08" PRIx32 " why=%s client=%s mac=%s interface=%s via=%s "
		 "protocol=%s external_port=%u internal_client=%s internal_port=%u "
		 "remote_host=%s enabled=%d lease_s=%" PRIu32 " rule=%s description=%s",
		event, mapping->id, why, igw_addr_format(&mapping->client, client),
		igw_mac_format(&mapping->mac, mac), mapping->interface,
		igw_via_word(mapping->via), igw_protocol_word(mapping->protocol),
		mapping->external_port,
		igw_addr_format(&mapping->internal_client, internal),
		mapping->internal_port, igw_addr_format(&mapping->remote_host, remote),
		mapping->enabled, mapping->lease_s, mapping->rule,
		igw_text_quote(description, sizeof(description), mapping->description));
}

void mapping_note_refusal(struct broker *broker, const struct link *link,
	const struct igw_addr *client, enum igw_reason reason, const char *rule,
	const char *what, int64_t now_ms)
{
	char addr[IGW_ADDR_TEXT];
	const char *word = igw_reason_word(reason);
	const char *colon = reason == IGW_RULE ? ":" : "";
	const char *name = reason == IGW_RULE ? rule : "";

	broker->refused[reason]++;
	snprintf(broker->last_refusal, sizeof(broker->last_refusal),
		"%s%s%s client=%s %s", word, colon, name, igw_addr_format(client, addr),
		what);
	if (!bucket_take(&broker->refusal_log, REFUSAL_LINES_PER_MIN, REFUSAL_LINES_BURST,
		    now_ms)) {
		broker->refusals_unlogged++;
		return;
	}
	if (broker->refusals_unlogged > 0)
		log_warning("event=refusals-unlogged count=%" PRIu32,
			broker->refusals_unlogged);
	broker->refusals_unlogged = 0;
	log_info("event=refused reason=%s%s%s client=%s interface=%s %s", word, colon,
		name, addr, link->name, what);
}

static void note_request_refused(struct broker *broker,
	const struct judge_request *request, const struct judge_verdict *verdict,
	const char *description, int64_t now_ms)
{
	char internal[IGW_ADDR_TEXT], mac[IGW_MAC_TEXT];
	char quoted[IGW_DESCRIPTION_MAX * IGW_QUOTE_MAX + 3];
	char what[512];

	snprintf(what, sizeof(what),
		"mac=%s via=%s protocol=%s external_port=%u internal_client=%s "
		"internal_port=%u description=%s",
		igw_mac_format(&verdict->mac, mac), igw_via_word(request->via),
		igw_protocol_word(request->protocol), request->external_port,
		igw_addr_format(&request->internal_client, internal),
		request->internal_port,
		igw_text_quote(quoted, sizeof(quoted), description));
	mapping_note_refusal(broker, request->link, &request->client, verdict->reason,
		verdict->rule, what, now_ms);
}

void mapping_changed(struct broker *broker)
{
	broker->update_id++;
	broker->changed = true;
}

struct adding {
	const struct mapping *mapping;
	const struct mapping *existing;
	int64_t now_ms;
};

static bool same_end(const struct mapping *a, const struct mapping *b)
{
	return a->protocol == b->protocol && a->internal_port == b->internal_port &&
	       igw_addr_equal(&a->internal_client, &b->internal_client);
}

static void collect_adding(struct broker *broker, void *arg)
{
	const struct adding *adding = arg;
	const struct mapping *to = adding->mapping, *old = adding->existing;
	int64_t expires_ms = 0;
	uint32_t others;

	batch_map(&broker->batch, FW_MAP_SET, to, adding->now_ms);
	if (old && old->enabled && (!to->enabled || !same_end(old, to)) &&
		table_endpoint(broker->table, old->protocol, &old->internal_client,
			old->internal_port, &expires_ms) == 1)
		batch_end(&broker->batch, FW_END_DEL, old->protocol,
			&old->internal_client, old->internal_port, 0, adding->now_ms);
	if (!to->enabled)
		return;
	others = table_endpoint(broker->table, to->protocol, &to->internal_client,
		to->internal_port, &expires_ms);
	if (old && old->enabled && same_end(old, to))
		others--;
	/* The end stays as long as any mapping needs it. */
	if (others == 0 || expires_ms < to->expires_ms)
		expires_ms = to->expires_ms;
	batch_end(&broker->batch, FW_END_SET, to->protocol, &to->internal_client,
		to->internal_port, expires_ms, adding->now_ms);
}

static uint32_t new_id(const struct broker *broker)
{
	uint32_t id = 0;

	do {
		if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id))
			id++;
	} while (id == 0 || table_find_id(broker->table, id));
	return id;
}

static void fill_mapping(const struct broker *broker, const struct judge_request *request,
	const struct judge_verdict *verdict, int64_t now_ms, struct mapping *ret)
{
	const struct mapping *existing = verdict->existing;

	ret->id = existing ? existing->id : new_id(broker);
	ret->created_s = existing ? existing->created_s : broker_wall_s();
	ret->lease_s = verdict->lease_s;
	ret->expires_ms = now_ms + (int64_t)verdict->lease_s * 1000;
	ret->client = request->client;
	ret->internal_client = request->internal_client;
	ret->remote_host = request->remote_host;
	ret->mac = verdict->mac;
	ret->external_port = request->external_port;
	ret->internal_port = request->internal_port;
	ret->protocol = request->protocol;
	ret->via = request->via;
	memcpy(ret->interface, request->link->name, sizeof(ret->interface));
	memcpy(ret->rule, verdict->rule, sizeof(ret->rule));
}

/* Room is made sure of before the kernel is changed. */
static bool table_has_room(struct broker *broker, const struct judge_request *request)
{
	return table_count(broker->table) < TABLE_MAPPINGS_MAX &&
	       clients_get(table_clients(broker->table), &request->client);
}

static int commit_adding(struct broker *broker, const struct mapping *mapping,
	struct mapping *existing, int64_t now_ms)
{
	struct adding adding = { mapping, existing, now_ms };
	bool moved = existing && existing->enabled &&
		     (!mapping->enabled || !same_end(existing, mapping));
	int r = kernel_apply(broker, collect_adding, &adding, now_ms);

	if (r < 0)
		return r;
	batch_clear(&broker->batch);
	if (moved)
		batch_cut(&broker->batch, existing);
	if (existing)
		table_change(broker->table, existing, mapping);
	else
		table_add(broker->table, mapping);
	kernel_cut_flows(broker);
	mapping_changed(broker);
	return 0;
}

void mapping_add(struct broker *broker, const struct judge_request *request, bool enabled,
	const char *description, int64_t now_ms, struct igw_map_result *ret)
{
	struct mapping mapping = { .enabled = enabled };
	struct judge_verdict verdict;
	int r;

	judge_request(broker, request, &verdict);
	if (verdict.reason == IGW_OK && kernel_behind(broker))
		verdict.reason = IGW_KERNEL;
	if (verdict.reason == IGW_OK && !verdict.existing &&
		!table_has_room(broker, request))
		verdict.reason = IGW_QUOTA_TOTAL;
	if (verdict.reason == IGW_OK) {
		fill_mapping(broker, request, &verdict, now_ms, &mapping);
		igw_text_clean(
			mapping.description, sizeof(mapping.description), description);
		r = commit_adding(broker, &mapping, verdict.existing, now_ms);
		if (r < 0)
			verdict.reason = IGW_KERNEL;
	}
	ret->reason = verdict.reason;
	if (verdict.reason != IGW_OK) {
		note_request_refused(broker, request, &verdict, description, now_ms);
		return;
	}
	ret->lease_s = mapping.lease_s;
	ret->external_port = mapping.external_port;
	broker->granted++;
	mapping_log(verdict.existing ? "map-renewed" : "map-added", &mapping, "request");
}

void mapping_collect_ending(struct broker *broker, void *arg)
{
	const struct mapping_ending *ending = arg;

	/* Marks of a first try, whose tables turned out to be gone. */
	for (size_t i = 0; i < ending->n; i++)
		table_stay(broker->table, ending->mappings[i]);
	for (size_t i = 0; i < ending->n; i++) {
		const struct mapping *mapping = ending->mappings[i];

		batch_map(&broker->batch, FW_MAP_DEL, mapping, 0);
		batch_cut(&broker->batch, mapping);
		if (table_leave(broker->table, mapping))
			batch_end(&broker->batch, FW_END_DEL, mapping->protocol,
				&mapping->internal_client, mapping->internal_port, 0, 0);
	}
}

int mapping_end(struct broker *broker, struct mapping **mappings, size_t n,
	enum mapping_end why, int64_t now_ms)
{
	struct mapping_ending ending = { mappings, n };
	int r;

	if (n == 0)
		return 0;
	r = kernel_apply(broker, mapping_collect_ending, &ending, now_ms);
	if (r < 0) {
		for (size_t i = 0; i < n; i++)
			table_stay(broker->table, mappings[i]);
		return r;
	}
	kernel_cut_flows(broker);
	for (size_t i = 0; i < n; i++) {
		mapping_log("map-removed", mappings[i], mapping_end_word(why));
		table_remove(broker->table, mappings[i]);
	}
	mapping_changed(broker);
	return 0;
}

void mapping_expire(struct broker *broker, int64_t now_ms)
{
	struct mapping *due[TABLE_DUE_MAX];
	size_t n;

	n = table_due(broker->table, now_ms, due, TABLE_DUE_MAX);
	if (mapping_end(broker, due, n, MAPPING_EXPIRED, now_ms) < 0)
		broker_retry(broker, now_ms);
}

int mapping_flush(struct broker *broker, int64_t now_ms)
{
	struct mapping **all = broker->batch.ended;
	struct mapping *mapping;
	uint32_t at = 0;
	size_t n = 0;

	while ((mapping = table_next(broker->table, &at)))
		all[n++] = mapping;
	return mapping_end(broker, all, n, MAPPING_FLUSHED, now_ms);
}
