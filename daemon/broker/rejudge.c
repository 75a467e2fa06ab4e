#include "rejudge.h"

#include "kernel.h"
#include "log.h"
#include "mapping.h"
#include "record.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

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
	struct mapping_ending ending = { broker->batch.ended, 0 };
	struct judge_verdict verdict;
	struct mapping *mapping;
	uint32_t at = 0;

	while ((mapping = table_next(broker->table, &at))) {
		uint32_t left_s = table_left_s(mapping, re->now_ms);

		if (re->only && strcmp(re->only->name, mapping->interface) != 0)
			continue;
		judge_mapping(broker, re->policy, mapping, left_s, &verdict);
		if (verdict.reason != IGW_OK)
			ending.mappings[ending.n++] = mapping;
		else if (verdict.lease_s < left_s)
			collect_shorter(broker, mapping, verdict.lease_s, re->now_ms);
	}
	mapping_collect_ending(broker, &ending);
	re->ended = ending.n;
}

static void note_judged(struct broker *broker, const struct rejudging *re)
{
	struct judge_verdict verdict;
	struct mapping *mapping;
	uint32_t at = 0;

	while ((mapping = table_next(broker->table, &at))) {
		struct mapping to = *mapping;
		uint32_t left_s = table_left_s(mapping, re->now_ms);

		if (re->only && strcmp(re->only->name, mapping->interface) != 0)
			continue;
		judge_mapping(broker, re->policy, mapping, left_s, &verdict);
		memcpy(to.rule, verdict.rule, sizeof(to.rule));
		if (verdict.lease_s < left_s)
			to.expires_ms = re->now_ms + (int64_t)verdict.lease_s * 1000;
		table_change(broker->table, mapping, &to);
	}
}

int rejudge_all(struct broker *broker, const struct policy *policy,
	const struct link *only, int64_t now_ms)
{
	struct rejudging re = { .policy = policy, .only = only, .now_ms = now_ms };
	int r = kernel_apply(broker, collect_rejudging, &re, now_ms);

	if (r < 0) {
		for (size_t i = 0; i < re.ended; i++)
			table_stay(broker->table, broker->batch.ended[i]);
		return r;
	}
	kernel_cut_flows(broker);
	for (size_t i = 0; i < re.ended; i++) {
		mapping_log("map-removed", broker->batch.ended[i],
			mapping_end_word(MAPPING_REVOKED));
		table_remove(broker->table, broker->batch.ended[i]);
	}
	note_judged(broker, &re);
	if (re.ended > 0)
		mapping_changed(broker);
	return (int)re.ended;
}

struct restoring {
	struct broker *broker;
	int64_t now_ms;
	size_t dropped;
};

/* A dump that was disturbed can name an element twice. */
static bool is_listed(struct table *table, const struct mapping *mapping)
{
	const struct mapping *same = table_find(
		table, mapping->protocol, mapping->external_port, &mapping->remote_host);

	return same && same->id == mapping->id;
}

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
			table_left_s(&mapping, restoring->now_ms), &verdict);
	if (verdict.reason == IGW_OK) {
		memcpy(mapping.rule, verdict.rule, sizeof(mapping.rule));
		if (is_listed(broker->table, &mapping) ||
			table_add(broker->table, &mapping))
			return 0;
		verdict.reason = IGW_CONFLICT;
	}
	mapping_log("restore-rejected", &mapping, igw_reason_word(verdict.reason));
	/* Root can have put more elements there than the batch has room for. */
	if (broker->batch.n_matches < TABLE_MAPPINGS_MAX)
		batch_cut(&broker->batch, &mapping);
	restoring->dropped++;
	return 0;
}

int rejudge_restore(struct broker *broker, int64_t now_ms)
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
	kernel_cut_flows(broker); /* of what was rejected */
	log_info("event=restored mappings=%" PRIu32 " rejected=%zu",
		table_count(broker->table), restoring.dropped);
	/* A shorter lease than the one in the kernel may be in force now. */
	return rejudge_all(broker, broker->policy, NULL, now_ms) < 0 ? -EIO : 0;
}
