#include "mapping.h"

#include "log.h"
#include "record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum {
	RETRY_MS = 1000, /* after the kernel refused to end a mapping */
	REFUSAL_LINES_PER_MIN = 300,
	REFUSAL_LINES_BURST = 100,
};

static const char *const end_words[] = {
	[MAPPING_DELETED] = "deleted",
	[MAPPING_BY_ADMIN] = "admin",
	[MAPPING_EXPIRED] = "expired",
	[MAPPING_REVOKED] = "policy-revoked",
	[MAPPING_FLUSHED] = "flushed",
};

static void log_mapping(const char *event, const struct mapping *mapping, const char *why)
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

/* Everything of the table in the kernel's form, then both tables anew. */
static int kernel_install(struct broker *broker, int64_t now_ms)
{
	struct batch *batch = &broker->batch;
	struct mapping *mapping;
	uint32_t at = 0;
	int64_t expires_ms = 0;

	batch_clear_ops(batch);
	while ((mapping = table_next(broker->table, &at))) {
		batch_fw_mapping(mapping, now_ms, &batch->mappings[batch->n_mappings++]);
		if (!mapping->enabled)
			continue;
		table_endpoint(broker->table, mapping->protocol,
			&mapping->internal_client, mapping->internal_port, &expires_ms);
		batch_end(batch, FW_END_SET, mapping->protocol, &mapping->internal_client,
			mapping->internal_port, expires_ms, now_ms);
	}
	return fw_install(broker->fw, &broker->fw_settings, &broker->fw_links,
		batch->mappings, batch->n_mappings, batch->endpoints, batch->n_endpoints);
}

/*
 * The batch as one transaction. When the tables turn out to be gone, they are put back
 * from the mapping table first, which the batch's memory is needed for: so the operations
 * are collected again by `collect`.
 */
static int kernel_apply(struct broker *broker, void (*collect)(struct broker *, void *),
	void *arg, int64_t now_ms)
{
	int r;

	batch_clear(&broker->batch);
	collect(broker, arg);
	if (broker->batch.n_ops == 0)
		return 0;
	r = fw_apply(broker->fw, broker->batch.ops, broker->batch.n_ops);
	if (r != -ENOENT)
		return r;
	log_warning(
		"event=tables-lost text=\"our nftables table is gone, putting it back\"");
	r = kernel_install(broker, now_ms);
	if (r < 0)
		return r;
	batch_clear(&broker->batch);
	collect(broker, arg);
	return fw_apply(broker->fw, broker->batch.ops, broker->batch.n_ops);
}

static void cut_flows(struct broker *broker)
{
	int n;

	if (broker->batch.n_matches == 0)
		return;
	n = ct_cut(broker->ct, broker->batch.matches, broker->batch.n_matches);
	if (n < 0)
		log_error("event=flows-not-cut text=\"conntrack: %s\"", strerror(-n));
	else
		log_debug("event=flows-cut count=%d", n);
}

static void table_changed(struct broker *broker)
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
	cut_flows(broker);
	table_changed(broker);
	return 0;
}

void mapping_add(struct broker *broker, const struct judge_request *request, bool enabled,
	const char *description, int64_t now_ms, struct igw_map_result *ret)
{
	struct mapping mapping = { .enabled = enabled };
	struct judge_verdict verdict;
	int r;

	judge_request(broker, request, &verdict);
	if (verdict.reason == IGW_OK && !verdict.existing &&
		!table_has_room(broker, request))
		verdict.reason = IGW_QUOTA_TOTAL;
	if (verdict.reason == IGW_OK) {
		fill_mapping(broker, request, &verdict, now_ms, &mapping);
		igw_text_clean(
			mapping.description, sizeof(mapping.description), description);
		r = commit_adding(broker, &mapping, verdict.existing, now_ms);
		if (r < 0) {
			log_error("event=kernel-refused text=\"nf_tables: %s\"",
				strerror(-r));
			verdict.reason = IGW_KERNEL;
		}
	}
	ret->reason = verdict.reason;
	if (verdict.reason != IGW_OK) {
		note_request_refused(broker, request, &verdict, description, now_ms);
		return;
	}
	ret->lease_s = mapping.lease_s;
	ret->external_port = mapping.external_port;
	broker->granted++;
	log_mapping(verdict.existing ? "map-renewed" : "map-added", &mapping, "request");
}

struct ending {
	struct mapping **mappings;
	size_t n;
};

static void collect_ending(struct broker *broker, void *arg)
{
	const struct ending *ending = arg;

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

int mapping_end(
	struct broker *broker, struct mapping **mappings, size_t n, enum mapping_end why)
{
	struct ending ending = { mappings, n };
	int r;

	if (n == 0)
		return 0;
	r = kernel_apply(broker, collect_ending, &ending, ev_now_ms());
	if (r < 0) {
		log_error("event=kernel-refused text=\"nf_tables: %s\"", strerror(-r));
		for (size_t i = 0; i < n; i++)
			table_stay(broker->table, mappings[i]);
		return r;
	}
	cut_flows(broker);
	for (size_t i = 0; i < n; i++) {
		log_mapping("map-removed", mappings[i], end_words[why]);
		table_remove(broker->table, mappings[i]);
	}
	table_changed(broker);
	return 0;
}

void mapping_expire(struct broker *broker, int64_t now_ms)
{
	struct mapping *due[TABLE_DUE_MAX];
	size_t n;

	if (now_ms < broker->retry_at_ms)
		return;
	n = table_due(broker->table, now_ms, due, TABLE_DUE_MAX);
	if (mapping_end(broker, due, n, MAPPING_EXPIRED) < 0)
		broker->retry_at_ms = now_ms + RETRY_MS;
}

static uint32_t lease_left_s(const struct mapping *mapping, int64_t now_ms)
{
	int64_t left_ms = mapping->expires_ms - now_ms;

	return left_ms > 0 ? (uint32_t)((left_ms + 999) / 1000) : 1;
}

struct rejudging {
	const struct policy *policy;
	const struct link *only;
	int64_t now_ms;
	size_t ended;
};

/* A shorter lease for a mapping that stays, in the kernel. */
static void collect_shorter(struct broker *broker, const struct mapping *mapping,
	uint32_t lease_s, int64_t now_ms)
{
	struct mapping shorter = *mapping;
	int64_t expires_ms = 0;

	shorter.expires_ms = now_ms + (int64_t)lease_s * 1000;
	batch_map(&broker->batch, FW_MAP_SET, &shorter, now_ms);
	if (mapping->enabled && table_endpoint(broker->table, mapping->protocol,
					&mapping->internal_client, mapping->internal_port,
					&expires_ms) == 1)
		batch_end(&broker->batch, FW_END_SET, mapping->protocol,
			&mapping->internal_client, mapping->internal_port,
			shorter.expires_ms, now_ms);
}

static void collect_rejudging(struct broker *broker, void *arg)
{
	struct rejudging *re = arg;
	struct ending ending = { broker->batch.ended, 0 };
	struct judge_verdict verdict;
	struct mapping *mapping;
	uint32_t at = 0;

	while ((mapping = table_next(broker->table, &at))) {
		uint32_t left_s = lease_left_s(mapping, re->now_ms);

		if (re->only && strcmp(re->only->name, mapping->interface) != 0)
			continue;
		judge_mapping(broker, re->policy, mapping, left_s, &verdict);
		if (verdict.reason != IGW_OK)
			ending.mappings[ending.n++] = mapping;
		else if (verdict.lease_s < left_s)
			collect_shorter(broker, mapping, verdict.lease_s, re->now_ms);
	}
	collect_ending(broker, &ending);
	re->ended = ending.n;
}

static void note_judged(struct broker *broker, const struct rejudging *re)
{
	struct judge_verdict verdict;
	struct mapping *mapping;
	uint32_t at = 0;

	while ((mapping = table_next(broker->table, &at))) {
		struct mapping to = *mapping;
		uint32_t left_s = lease_left_s(mapping, re->now_ms);

		if (re->only && strcmp(re->only->name, mapping->interface) != 0)
			continue;
		judge_mapping(broker, re->policy, mapping, left_s, &verdict);
		memcpy(to.rule, verdict.rule, sizeof(to.rule));
		if (verdict.lease_s < left_s)
			to.expires_ms = re->now_ms + (int64_t)verdict.lease_s * 1000;
		table_change(broker->table, mapping, &to);
	}
}

int mapping_rejudge(struct broker *broker, const struct policy *policy,
	const struct link *only, int64_t now_ms)
{
	struct rejudging re = { .policy = policy, .only = only, .now_ms = now_ms };
	int r = kernel_apply(broker, collect_rejudging, &re, now_ms);

	if (r < 0) {
		log_error("event=kernel-refused text=\"nf_tables: %s\"", strerror(-r));
		for (size_t i = 0; i < re.ended; i++)
			table_stay(broker->table, broker->batch.ended[i]);
		return r;
	}
	cut_flows(broker);
	for (size_t i = 0; i < re.ended; i++) {
		log_mapping("map-removed", broker->batch.ended[i],
			end_words[MAPPING_REVOKED]);
		table_remove(broker->table, broker->batch.ended[i]);
	}
	note_judged(broker, &re);
	if (re.ended > 0)
		table_changed(broker);
	return (int)re.ended;
}

struct restoring {
	struct broker *broker;
	int64_t now_ms;
	size_t dropped;
};

static int restore_one(const struct fw_mapping *found, void *arg)
{
	struct restoring *restoring = arg;
	struct broker *broker = restoring->broker;
	struct judge_verdict verdict = { .reason = IGW_BAD_ARGUMENT };
	struct mapping mapping = {
		.protocol = found->protocol,
		.enabled = found->enabled,
		.external_port = found->external_port,
		.internal_port = found->internal_port,
		.remote_host = found->remote_host,
		.internal_client = found->internal_client,
	};
	uint64_t timeout_ms = found->timeout_ms;
	int r = record_read(found->record, found->record_len, &mapping);

	if (timeout_ms > (uint64_t)IGW_LEASE_MAX_S * 1000)
		timeout_ms = (uint64_t)IGW_LEASE_MAX_S * 1000;
	mapping.expires_ms = restoring->now_ms + (int64_t)timeout_ms;
	if (r == 0)
		judge_mapping(broker, broker->policy, &mapping,
			lease_left_s(&mapping, restoring->now_ms), &verdict);
	if (verdict.reason == IGW_OK) {
		memcpy(mapping.rule, verdict.rule, sizeof(mapping.rule));
		if (table_count(broker->table) < TABLE_MAPPINGS_MAX &&
			table_add(broker->table, &mapping))
			return 0;
		verdict.reason = IGW_CONFLICT;
	}
	log_mapping("restore-rejected", &mapping, igw_reason_word(verdict.reason));
	/* Root can have put more elements there than the batch has room for. */
	if (broker->batch.n_matches < TABLE_MAPPINGS_MAX)
		batch_cut(&broker->batch, &mapping);
	restoring->dropped++;
	return 0;
}

int mapping_restore(struct broker *broker, int64_t now_ms)
{
	struct restoring restoring = { .broker = broker, .now_ms = now_ms };
	int r;

	batch_clear(&broker->batch);
	r = fw_load(broker->fw, restore_one, &restoring);
	if (r < 0) {
		log_error("cannot read the mappings in the kernel: %s", strerror(-r));
		return r;
	}
	r = kernel_install(broker, now_ms);
	if (r < 0) {
		log_error("cannot install the nftables tables: %s", strerror(-r));
		return r;
	}
	cut_flows(broker); /* of what was rejected */
	log_info("event=restored mappings=%" PRIu32 " rejected=%zu",
		table_count(broker->table), restoring.dropped);
	/* A shorter lease than the one in the kernel may be in force now. */
	return mapping_rejudge(broker, broker->policy, NULL, now_ms) < 0 ? -EIO : 0;
}

int mapping_flush(struct broker *broker)
{
	struct mapping **all = broker->batch.ended;
	struct mapping *mapping;
	uint32_t at = 0;
	size_t n = 0;

	while ((mapping = table_next(broker->table, &at)))
		all[n++] = mapping;
	return mapping_end(broker, all, n, MAPPING_FLUSHED);
}
