#include "control.h"

#include "chan.h"
#include "judge.h"
#include "kernel.h"
#include "links.h"
#include "log.h"
#include "mapping.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	CONTROL_CLIENTS_MAX = 8,   /* at once; people, not programs */
	CONTROL_FOR_ROOT = 2,	   /* of these, which nobody else can occupy */
	CONTROL_SILENT_MS = 10000, /* a silent client gives way to a new one after this */
	MS_PER_S = 1000,
};

struct control_client {
	struct ev_source source; /* fd -1 = free */
	struct control *control;
	uid_t uid;
	int64_t heard_ms; /* when it last asked or read something */
	uint32_t seq;	  /* of the request being answered */
	bool listing;	  /* an answer to list is under way ... */
	uint32_t at;	  /* ... and stands at this position of the table */
	bool awaits_reload;
	uint32_t reload_seq; /* which of the broker's wishes is this client's */
};

struct control {
	struct broker *broker;
	struct ev_source listener;
	struct control_client clients[CONTROL_CLIENTS_MAX];
	uint32_t *connections; /* of each position of the table, as of the last count */
};

static void client_drop(struct control_client *client)
{
	ev_del(client->control->broker->ev, &client->source);
	close(client->source.fd);
	*client = (struct control_client){ .source.fd = -1, .control = client->control };
}

/* Returns 0, -EAGAIN when the client has to read first, or another -errno. */
static int client_send(struct control_client *client, uint32_t id, const void *payload)
{
	return chan_send(client->source.fd, id, client->seq, payload, NULL);
}

static int client_done(
	struct control_client *client, enum igw_ctl_code code, const char *text)
{
	struct igw_ctl_done done = { .code = code };

	igw_text_clean(done.text, sizeof(done.text), text);
	return client_send(client, IGW_CTL_DONE, &done);
}

/* Flows through every mapping, in one pass over the kernel's table. */
static void count_connections(struct control *control)
{
	struct broker *broker = control->broker;
	struct mapping *mapping;
	uint32_t at = 0;
	uint32_t *counts = control->connections;
	size_t n = 0;

	batch_clear(&broker->batch);
	while ((mapping = table_next(broker->table, &at))) {
		broker->batch.ended[n++] = mapping;
		batch_cut(&broker->batch, mapping);
	}
	if (ct_count(broker->ct, broker->batch.matches, n, counts) < 0)
		memset(counts, 0, n * sizeof(*counts));
	/* From the order of the matches to positions: upwards ones never collide, as a
	 * position is not below its place in the order. */
	while (n > 0) {
		uint32_t count = counts[--n];
		uint32_t position = table_position(broker->table, broker->batch.ended[n]);

		counts[position] = count;
	}
}

static void fill_mapping(const struct control *control, const struct mapping *mapping,
	int64_t now_ms, struct igw_ctl_mapping *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->mapping = mapping->id;
	ret->lease_remaining_s = table_left_s(mapping, now_ms);
	ret->connections =
		control->connections[table_position(control->broker->table, mapping)];
	ret->lease_s = mapping->lease_s;
	ret->created_s = mapping->created_s;
	ret->client = mapping->client;
	ret->internal_client = mapping->internal_client;
	ret->remote_host = mapping->remote_host;
	ret->mac = mapping->mac;
	ret->external_port = mapping->external_port;
	ret->internal_port = mapping->internal_port;
	ret->protocol = mapping->protocol;
	ret->via = mapping->via;
	ret->enabled = mapping->enabled;
	memcpy(ret->interface, mapping->interface, sizeof(ret->interface));
	memcpy(ret->rule, mapping->rule, sizeof(ret->rule));
	memcpy(ret->description, mapping->description, sizeof(ret->description));
}

/* Sends on until the end or until the client has to read first. */
static int list_on(struct control_client *client, int64_t now_ms)
{
	struct broker *broker = client->control->broker;
	struct igw_ctl_mapping out;
	struct mapping *mapping;
	uint32_t at = client->at;
	int r;

	while ((mapping = table_next(broker->table, &at))) {
		fill_mapping(client->control, mapping, now_ms, &out);
		r = client_send(client, IGW_CTL_MAPPING_IS, &out);
		if (r < 0)
			return r;
		client->at = at;
	}
	r = client_done(client, IGW_CTL_OK, "");
	if (r == 0)
		client->listing = false;
	return r;
}

static void fill_status(struct broker *broker, int64_t now_ms, struct igw_ctl_status *ret)
{
	const struct policy_limits *limits = policy_limits(broker->policy);
	struct fw_counters floor = { 0 };

	ret->started_s = broker->started_s;
	ret->policy_loaded_s = broker->policy_loaded_s;
	ret->uptime_s = (uint32_t)((now_ms - broker->started_ms) / MS_PER_S);
	ret->mappings = table_count(broker->table);
	ret->clients = clients_holding(table_clients(broker->table));
	ret->limit_total = limits->total;
	ret->limit_per_client = limits->per_client;
	ret->rules = (uint32_t)policy_rule_count(broker->policy);
	for (size_t i = 0; i < broker->n_links; i++)
		ret->restarts +=
			broker->links[i].workers > 0 ? broker->links[i].workers - 1 : 0;
	ret->granted = broker->granted;
	memcpy(ret->refused, broker->refused, sizeof(ret->refused));
	ret->tables_missing = kernel_counters(broker, &floor, now_ms) < 0;
	ret->floor_smb = floor.smb_dnat + floor.smb_routed;
	ret->floor_egress = floor.smb_egress;
	ret->floor_proxy = floor.proxy + floor.off_lan;
	ret->floor_router = floor.router;
	ret->floor_control = floor.control;
	ret->wan_addr = broker->wan_addr;
	ret->wan_up = !igw_addr_is_none(&broker->wan_addr);
	if (ret->wan_up)
		ret->wan_uptime_s =
			(uint32_t)((now_ms - broker->wan_since_ms) / MS_PER_S);
	ret->kernel_behind = kernel_behind(broker) || links_behind(broker);
	ret->tables_owned = fw_owned(broker->fw);
	ret->policy_stale = broker->policy_stale;
	igw_text_copy(ret->wan, sizeof(ret->wan), broker->wan);
	igw_text_copy(ret->contested_by, sizeof(ret->contested_by), broker->contested_by);
	memcpy(ret->policy_path, broker->start.policy_path, sizeof(ret->policy_path));
	memcpy(ret->last_refusal, broker->last_refusal, sizeof(ret->last_refusal));
	igw_text_copy(ret->version, sizeof(ret->version), IGDWARD_VERSION);
}

static int on_status(struct control_client *client, int64_t now_ms)
{
	struct broker *broker = client->control->broker;
	struct igw_ctl_status status = { 0 };
	int r;

	fill_status(broker, now_ms, &status);
	r = client_send(client, IGW_CTL_STATUS_IS, &status);
	for (size_t i = 0; r == 0 && i < broker->n_links; i++) {
		const struct link *link = &broker->links[i];
		struct igw_ctl_link out = { .http_port = link->http_port };

		igw_text_copy(out.interface, sizeof(out.interface), link->name);
		out.restarts = link->workers > 0 ? link->workers - 1 : 0;
		if (link->n_addrs > 0) {
			out.addr = link->addrs[0].addr;
			out.prefix_len = link->addrs[0].len;
		}
		r = client_send(client, IGW_CTL_LINK_IS, &out);
	}
	return r < 0 ? r : client_done(client, IGW_CTL_OK, "");
}

static struct mapping *find_id(struct control_client *client, const struct chan_msg *msg)
{
	struct igw_ctl_id id;

	memcpy(&id, msg->payload, sizeof(id));
	return table_find_id(client->control->broker->table, id.mapping);
}

static int client_not_found(struct control_client *client, const struct chan_msg *msg)
{
	struct igw_ctl_id id;
	char text[64];

	memcpy(&id, msg->payload, sizeof(id));
	snprintf(text, sizeof(text), "there is no mapping %08" PRIx32, id.mapping);
	return client_done(client, IGW_CTL_NOT_FOUND, text);
}

static int on_show(
	struct control_client *client, const struct chan_msg *msg, int64_t now_ms)
{
	struct mapping *mapping = find_id(client, msg);
	struct igw_ctl_mapping out;
	int r;

	if (!mapping)
		return client_not_found(client, msg);
	count_connections(client->control);
	fill_mapping(client->control, mapping, now_ms, &out);
	r = client_send(client, IGW_CTL_MAPPING_IS, &out);
	return r < 0 ? r : client_done(client, IGW_CTL_OK, "");
}

static int on_delete(
	struct control_client *client, const struct chan_msg *msg, int64_t now_ms)
{
	struct mapping *mapping = find_id(client, msg);
	int r;

	if (client->uid != 0)
		return client_done(
			client, IGW_CTL_DENIED, "only root may delete a mapping");
	if (!mapping)
		return client_not_found(client, msg);
	r = mapping_end(client->control->broker, &mapping, 1, MAPPING_BY_ADMIN, now_ms);
	if (r < 0)
		return client_done(client, IGW_CTL_FAILED, strerror(-r));
	return client_done(client, IGW_CTL_OK, "");
}

static int on_explain(struct control_client *client, const struct chan_msg *msg)
{
	struct broker *broker = client->control->broker;
	struct igw_ctl_explain ask;
	struct igw_ctl_verdict out = { .reason = IGW_NOT_SERVED };
	struct judge_request request = { 0 };
	struct judge_verdict verdict;
	int r;

	memcpy(&ask, msg->payload, sizeof(ask));
	if (ask.via > IGW_VIA_PCP)
		return -EBADMSG;
	for (size_t i = 0; !request.link && i < broker->n_links; i++) {
		if (judge_is_neighbour(broker, &broker->links[i], &ask.client))
			request.link = &broker->links[i];
	}
	if (request.link) {
		request.client = ask.client;
		request.internal_client = igw_addr_is_none(&ask.internal_client)
						  ? ask.client
						  : ask.internal_client;
		request.remote_host = ask.remote_host;
		request.protocol = ask.protocol;
		request.via = ask.via;
		request.external_port = ask.external_port;
		request.internal_port = ask.internal_port;
		request.lease_s = ask.lease_s;
		judge_request(broker, &request, &verdict);
		out.reason = verdict.reason;
		out.lease_s = verdict.lease_s;
		out.mac = verdict.mac;
		memcpy(out.rule, verdict.rule, sizeof(out.rule));
		memcpy(out.interface, request.link->name, sizeof(out.interface));
	}
	r = client_send(client, IGW_CTL_VERDICT_IS, &out);
	return r < 0 ? r : client_done(client, IGW_CTL_OK, "");
}

static int on_reload(struct control_client *client)
{
	struct broker *broker = client->control->broker;

	if (client->uid != 0)
		return client_done(
			client, IGW_CTL_DENIED, "only root may reload the policy");
	if (chan_send(broker->parent.fd, IGW_POLICY_WANTED, ++broker->reloads_wanted,
		    &(struct igw_empty){ 0 }, NULL) < 0)
		return client_done(client, IGW_CTL_FAILED, "the parent does not answer");
	client->awaits_reload = true;
	client->reload_seq = broker->reloads_wanted;
	return 0;
}

static int client_request(
	struct control_client *client, const struct chan_msg *msg, int64_t now_ms)
{
	/* One request at a time: the next one waits for the answer's end. */
	if (client->listing || client->awaits_reload)
		return -EBADMSG;
	client->seq = msg->seq;
	switch (msg->id) {
	case IGW_CTL_STATUS:
		return on_status(client, now_ms);
	case IGW_CTL_LIST:
		count_connections(client->control);
		client->listing = true;
		client->at = 0;
		return 0;
	case IGW_CTL_SHOW:
		return on_show(client, msg, now_ms);
	case IGW_CTL_DELETE:
		return on_delete(client, msg, now_ms);
	case IGW_CTL_EXPLAIN:
		return on_explain(client, msg);
	case IGW_CTL_RELOAD:
		return on_reload(client);
	default:
		return -EBADMSG;
	}
}

static void on_client(struct ev_source *source, uint32_t events, int64_t now_ms)
{
	struct control_client *client =
		ev_container(source, struct control_client, source);
	struct broker *broker = client->control->broker;
	struct chan_msg msg;
	int r = 0;

	client->heard_ms = now_ms;
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
		r = chan_recv(source->fd, IGW_CTL, &msg);
		if (r == -EAGAIN)
			r = 0;
		else if (r == 1)
			r = client_request(client, &msg, now_ms);
		else if (r == 0)
			r = -EPIPE;
	}
	if (r == 0 && client->listing)
		r = list_on(client, now_ms);
	/* A list goes on when the client has read. Other answers are so short that only a
	 * client which reads none has no room for one, and half an answer helps nobody.
	 */
	if (r == -EAGAIN && client->listing)
		r = ev_change(broker->ev, source, EPOLLIN | EPOLLOUT);
	else if (r == 0)
		r = ev_change(broker->ev, source, EPOLLIN);
	if (r < 0)
		client_drop(client);
	broker_schedule(broker);
}

/* A place for a new client: a free one, or that of the client which has been silent
 * longest, if that is long enough. NULL when there is none. */
static struct control_client *control_place(
	struct control *control, size_t places, int64_t now_ms)
{
	struct control_client *silent = NULL;

	for (size_t i = 0; i < places; i++) {
		struct control_client *client = &control->clients[i];

		if (client->source.fd < 0)
			return client;
		if (!silent || client->heard_ms < silent->heard_ms)
			silent = client;
	}
	if (!silent || now_ms - silent->heard_ms < CONTROL_SILENT_MS)
		return NULL;
	client_drop(silent);
	return silent;
}

static int control_admit(struct control *control, int fd, int64_t now_ms)
{
	struct control_client *client;
	struct ucred peer;
	socklen_t size = sizeof(peer);
	size_t places;
	int r;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return -errno;
	places = peer.uid == 0 ? CONTROL_CLIENTS_MAX
			       : CONTROL_CLIENTS_MAX - CONTROL_FOR_ROOT;
	client = control_place(control, places, now_ms);
	if (!client)
		return -EBUSY;
	client->source = (struct ev_source){ .fd = fd, .ready = on_client };
	client->uid = peer.uid;
	client->heard_ms = now_ms;
	r = ev_add(control->broker->ev, &client->source, EPOLLIN);
	if (r < 0)
		client->source.fd = -1;
	return r;
}

static void on_connect(struct ev_source *source, uint32_t events, int64_t now_ms)
{
	struct control *control = ev_container(source, struct control, listener);
	int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd >= 0 && control_admit(control, fd, now_ms) < 0)
		close(fd);
}

int control_start(struct broker *broker, int fd)
{
	struct control *control = calloc(1, sizeof(*control));

	if (!control)
		return -ENOMEM;
	control->broker = broker;
	control->connections = calloc(TABLE_MAPPINGS_MAX, sizeof(*control->connections));
	control->listener = (struct ev_source){ .fd = fd, .ready = on_connect };
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		control->clients[i].source.fd = -1;
		control->clients[i].control = control;
	}
	broker->control = control;
	if (!control->connections)
		return -ENOMEM;
	return ev_add(broker->ev, &control->listener, EPOLLIN);
}

void control_reloaded(struct broker *broker, uint32_t wanted_seq,
	const struct igw_policy_result *result)
{
	enum igw_ctl_code code = IGW_CTL_OK;

	if (result->error == EIO)
		code = IGW_CTL_FAILED; /* the kernel's fault, not the file's */
	else if (result->error != 0)
		code = IGW_CTL_INVALID;
	for (size_t i = 0; broker->control && i < CONTROL_CLIENTS_MAX; i++) {
		struct control_client *client = &broker->control->clients[i];

		if (client->source.fd < 0 || !client->awaits_reload ||
			(int32_t)(client->reload_seq - wanted_seq) > 0)
			continue;
		client->awaits_reload = false;
		if (client_done(client, code, result->text) < 0)
			client_drop(client);
	}
}

void control_stop(struct broker *broker)
{
	struct control *control = broker->control;

	if (!control)
		return;
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		if (control->clients[i].source.fd >= 0)
			client_drop(&control->clients[i]);
	}
	ev_del(broker->ev, &control->listener);
	close(control->listener.fd);
	free(control->connections);
	free(control);
	broker->control = NULL;
}
