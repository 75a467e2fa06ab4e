#include "dispatch.h"

#include "judge.h"
#include "kernel.h"
#include "log.h"
#include "mapping.h"
#include "owners.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	LINES_PER_S = 50,    /* log lines taken from one worker */
	REFUSALS_PER_S = 50, /* syntax refusals taken from one worker */
	MS_PER_S = 1000,
	LATE_MS = 1500, /* a worker waits 2 s for an answer, and this one has to arrive */
	UNPRIVILEGED_PORT = 1024, /* a worker cannot listen below it */
};

static int answer(
	struct link *link, const struct chan_msg *msg, uint32_t id, const void *payload)
{
	int r = chan_send(link->channel.fd, id, msg->seq, payload, NULL);

	/* A worker that asks but does not read loses answers, not the broker's time. */
	return r == -EAGAIN ? 0 : r;
}

/* What one worker may write into the log and the statistics in a second. */
static void refill_budget(struct link *link, int64_t now_ms)
{
	if (now_ms - link->budget_ms < MS_PER_S)
		return;
	link->budget_ms = now_ms;
	link->log_left = LINES_PER_S;
	link->refused_left = REFUSALS_PER_S;
}

static bool take_token(
	struct link *link, const struct igw_addr *addr, bool change, int64_t now_ms)
{
	struct broker *broker = link->broker;
	const struct policy_rates *rates = policy_rates(broker->policy);
	struct client *client = clients_get(table_clients(broker->table), addr);

	if (!client)
		return false;
	if (change)
		return bucket_take(
			&client->changes, rates->changes_per_min, rates->burst, now_ms);
	return bucket_take(
		&client->reads, rates->reads_per_min, rates->reads_per_min, now_ms);
}

/* A host behind this worker's link? Records and tokens are only for those, so that a
 * worker cannot fill the client table with addresses it made up. */
static bool is_served(struct link *link, const struct igw_addr *client)
{
	return judge_is_neighbour(link->broker, link, client);
}

static int on_serving(struct link *link, const struct chan_msg *msg, int64_t now_ms)
{
	struct broker *broker = link->broker;
	struct igw_serving serving;
	bool all = true;

	memcpy(&serving, msg->payload, sizeof(serving));
	/* Once per worker: each changes the kernel's sets and is a line of the log. */
	if (serving.http_port < UNPRIVILEGED_PORT || !link->told ||
		link->http_port != 0 ||
		(broker->config.http_port != 0 &&
			serving.http_port != broker->config.http_port))
		return -EBADMSG;
	link->http_port = serving.http_port;
	log_info("event=serving interface=%s http_port=%u", link->name, link->http_port);
	kernel_set_links(broker, now_ms);
	broker->changed = true;
	link->was_served = true;
	for (size_t i = 0; i < broker->n_links; i++)
		all = all && broker->links[i].was_served;
	if (all && !broker->ready) {
		broker->ready = true;
		return chan_send(
			broker->parent.fd, IGW_READY, 0, &(struct igw_empty){ 0 }, NULL);
	}
	return 0;
}

/* The loop's time is not enough: a process can be held up between reading the clock and
 * reading the message. */
static bool is_late(uint64_t asked_ms, int64_t now_ms)
{
	int64_t clock_ms = broker_now_ms();
	uint64_t latest_ms = (uint64_t)(clock_ms > now_ms ? clock_ms : now_ms);

	/* The worker's number can be anything: subtracted only where it cannot overflow.
	 */
	return asked_ms < latest_ms && latest_ms - asked_ms > LATE_MS;
}

static int on_map_add(struct link *link, const struct chan_msg *msg, int64_t now_ms)
{
	struct igw_map_add add;
	struct igw_map_result result = { 0 };
	struct judge_request request = { .link = link };

	memcpy(&add, msg->payload, sizeof(add));
	if (!igw_msg_text_ok(add.description, sizeof(add.description)) ||
		add.via != IGW_VIA_UPNP || add.enabled > 1)
		return -EBADMSG;
	if (is_late(add.asked_ms, now_ms)) {
		result.reason = IGW_KERNEL;
		mapping_note_refusal(link->broker, link, &add.client, IGW_KERNEL, "",
			"action=add text=\"the request waited too long\"", now_ms);
		return answer(link, msg, IGW_MAP_RESULT, &result);
	}
	owners_check(link->broker, link, &add.client, now_ms);
	request.client = add.client;
	request.internal_client = add.internal_client;
	request.remote_host = add.remote_host;
	request.protocol = add.protocol;
	request.via = add.via;
	request.external_port = add.external_port;
	request.internal_port = add.internal_port;
	request.lease_s = add.lease_s;
	request.over_rate = is_served(link, &add.client) &&
			    !take_token(link, &add.client, true, now_ms);
	mapping_add(link->broker, &request, add.enabled == 1, add.description, now_ms,
		&result);
	return answer(link, msg, IGW_MAP_RESULT, &result);
}

static enum igw_reason delete_own(
	struct link *link, const struct igw_map_key *key, int64_t now_ms)
{
	struct broker *broker = link->broker;
	struct mapping *mapping;

	if (!is_served(link, &key->client))
		return IGW_NOT_SERVED;
	if (!take_token(link, &key->client, true, now_ms))
		return IGW_RATE;
	owners_check(broker, link, &key->client, now_ms);
	mapping = table_find(
		broker->table, key->protocol, key->external_port, &key->remote_host);
	if (!mapping)
		return IGW_NO_ENTRY;
	if (!igw_addr_equal(&mapping->client, &key->client))
		return IGW_NOT_OWNER;
	return mapping_end(broker, &mapping, 1, MAPPING_DELETED, now_ms) < 0 ? IGW_KERNEL
									     : IGW_OK;
}

static int on_map_delete(struct link *link, const struct chan_msg *msg, int64_t now_ms)
{
	struct igw_map_key key;
	struct igw_map_result result = { 0 };
	char what[IGW_LOG_TEXT_MAX + 1];

	memcpy(&key, msg->payload, sizeof(key));
	if (key.via != IGW_VIA_UPNP)
		return -EBADMSG;
	result.reason = delete_own(link, &key, now_ms);
	result.external_port = key.external_port;
	if (result.reason == IGW_OK) {
		link->broker->granted++;
	} else {
		snprintf(what, sizeof(what), "action=delete protocol=%s external_port=%u",
			igw_protocol_word(key.protocol), key.external_port);
		mapping_note_refusal(
			link->broker, link, &key.client, result.reason, "", what, now_ms);
	}
	return answer(link, msg, IGW_MAP_RESULT, &result);
}

static void fill_entry(
	const struct mapping *mapping, int64_t now_ms, struct igw_map_entry *ret)
{
	ret->reason = IGW_OK;
	ret->lease_s = table_left_s(mapping, now_ms);
	ret->remote_host = mapping->remote_host;
	ret->internal_client = mapping->internal_client;
	ret->external_port = mapping->external_port;
	ret->internal_port = mapping->internal_port;
	ret->protocol = mapping->protocol;
	ret->enabled = mapping->enabled;
	memcpy(ret->description, mapping->description, sizeof(ret->description));
}

/* Is the client to be answered at all? Says so to log and statistics if not. */
static enum igw_reason admit_read(
	struct link *link, const struct igw_addr *client, int64_t now_ms)
{
	enum igw_reason reason = IGW_OK;

	if (!is_served(link, client))
		reason = IGW_NOT_SERVED;
	else if (!take_token(link, client, false, now_ms))
		reason = IGW_RATE;
	if (reason != IGW_OK)
		mapping_note_refusal(
			link->broker, link, client, reason, "", "action=read", now_ms);
	return reason;
}

/* A client is shown its own mappings only, and for another's the same as for none. */
static int on_map_get(struct link *link, const struct chan_msg *msg, int64_t now_ms)
{
	struct igw_map_key key;
	struct igw_map_entry entry = { 0 };
	const struct mapping *mapping;

	memcpy(&key, msg->payload, sizeof(key));
	entry.reason = admit_read(link, &key.client, now_ms);
	if (entry.reason != IGW_OK)
		return answer(link, msg, IGW_MAP_ENTRY, &entry);
	mapping = table_find(
		link->broker->table, key.protocol, key.external_port, &key.remote_host);
	if (mapping && igw_addr_equal(&mapping->client, &key.client))
		fill_entry(mapping, now_ms, &entry);
	else
		entry.reason = IGW_NO_ENTRY;
	return answer(link, msg, IGW_MAP_ENTRY, &entry);
}

static int on_map_index(struct link *link, const struct chan_msg *msg, int64_t now_ms)
{
	struct igw_map_index index;
	struct igw_map_entry entry = { 0 };
	const struct mapping *mapping;

	memcpy(&index, msg->payload, sizeof(index));
	entry.reason = admit_read(link, &index.client, now_ms);
	if (entry.reason != IGW_OK)
		return answer(link, msg, IGW_MAP_ENTRY, &entry);
	mapping = table_find_index(link->broker->table, &index.client, index.index);
	if (mapping)
		fill_entry(mapping, now_ms, &entry);
	else
		entry.reason = IGW_BAD_INDEX;
	return answer(link, msg, IGW_MAP_ENTRY, &entry);
}

static int on_wan_get(struct link *link, const struct chan_msg *msg, int64_t now_ms)
{
	struct broker *broker = link->broker;
	struct igw_wan wan = { .addr = broker->wan_addr };
	struct net_iface iface;

	if (!igw_addr_is_none(&wan.addr))
		wan.uptime_s = (uint32_t)((now_ms - broker->wan_since_ms) / MS_PER_S);
	if (net_stats(broker->net, broker->wan, &iface) == 0) {
		wan.link_up = iface.up;
		wan.rx_bytes = iface.rx_bytes;
		wan.tx_bytes = iface.tx_bytes;
		wan.rx_packets = iface.rx_packets;
		wan.tx_packets = iface.tx_packets;
		wan.bits_per_s = net_speed(broker->net, broker->wan);
	}
	return answer(link, msg, IGW_WAN, &wan);
}

static int on_refused(struct link *link, const struct chan_msg *msg, int64_t now_ms)
{
	struct igw_refused refused;
	char what[IGW_LOG_TEXT_MAX + 1];
	char quoted[2 * IGW_LOG_TEXT_MAX];
	char text[sizeof(quoted) + sizeof("request=")];

	memcpy(&refused, msg->payload, sizeof(refused));
	if (!igw_msg_text_ok(refused.what, sizeof(refused.what)) ||
		refused.reason == IGW_OK || refused.reason >= IGW_REASON_COUNT)
		return -EBADMSG;
	if (link->refused_left == 0)
		return 0;
	link->refused_left--;
	igw_text_clean(what, sizeof(what), refused.what);
	snprintf(text, sizeof(text), "request=%s",
		igw_text_quote(quoted, sizeof(quoted), what));
	mapping_note_refusal(link->broker, link, &refused.client,
		(enum igw_reason)refused.reason, "", text, now_ms);
	return 0;
}

static int on_log(struct link *link, const struct chan_msg *msg)
{
	struct igw_log_line line;
	char quoted[2 * IGW_LOG_TEXT_MAX];

	memcpy(&line, msg->payload, sizeof(line));
	if (!igw_msg_text_ok(line.text, sizeof(line.text)) ||
		line.level > (uint32_t)LOG_LEVEL_DEBUG)
		return -EBADMSG;
	if (link->log_left == 0)
		return 0;
	link->log_left--;
	log_at((enum log_level)line.level, "worker=%s text=%s", link->name,
		igw_text_quote(quoted, sizeof(quoted), line.text));
	return 0;
}

int dispatch(struct link *link, const struct chan_msg *msg, int64_t now_ms)
{
	refill_budget(link, now_ms);
	switch (msg->id) {
	case IGW_SERVING:
		return on_serving(link, msg, now_ms);
	case IGW_MAP_ADD:
		return on_map_add(link, msg, now_ms);
	case IGW_MAP_DELETE:
		return on_map_delete(link, msg, now_ms);
	case IGW_MAP_GET:
		return on_map_get(link, msg, now_ms);
	case IGW_MAP_INDEX:
		return on_map_index(link, msg, now_ms);
	case IGW_WAN_GET:
		return on_wan_get(link, msg, now_ms);
	case IGW_REFUSED:
		return on_refused(link, msg, now_ms);
	case IGW_LOG:
		return on_log(link, msg);
	default: /* the message table lets no other id through */
		return -EBADMSG;
	}
}
