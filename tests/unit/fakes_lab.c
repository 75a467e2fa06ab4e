#include "fakes_broker.h"

#include "igdward/text.h"
#include "log.h"
#include "record.h"

#include <errno.h>
#include <unistd.h>

enum {
	SEED = 42,
};

struct igw_addr addr_of(const char *text)
{
	struct igw_addr addr;

	assert_int_equal(igw_addr_parse(text, &addr), 0);
	return addr;
}

struct igw_addr host_of(unsigned host)
{
	return igw_addr_from_v4(0xc0a80100 + host);
}

struct policy *lab_policy(const char *text)
{
	struct policy *policy = NULL;
	struct policy_report report;
	char *json = strdup(text);
	char buf[POLICY_REPORT_TEXT];

	assert_non_null(json);
	for (char *c = json; *c; c++) {
		if (*c == '\'')
			*c = '"';
	}
	if (policy_parse(json, strlen(json), &policy, &report) < 0)
		fail_msg("%s",
			policy_note_format(&report.error, "test", buf, sizeof(buf)));
	free(json);
	return policy;
}

void lab_set_policy(struct lab *lab, const char *text)
{
	policy_free(lab->broker.policy);
	lab->broker.policy = lab_policy(text);
}

static void iface_add(const char *name, const char *addr, uint8_t len)
{
	struct net_iface *iface = &fake.ifaces[fake.n_ifaces++];

	*iface = (struct net_iface){
		.index = (int)fake.n_ifaces, .up = true, .n_addrs = 1
	};
	igw_text_copy(iface->name, sizeof(iface->name), name);
	iface->addrs[0] = (struct net_addr){ addr_of(addr), len };
}

static void link_add(struct lab *lab, const char *name)
{
	struct link *link = &lab->broker.links[lab->broker.n_links];
	const struct net_iface *iface = net_find(lab->broker.net, name);
	int pair[2];

	assert_int_equal(chan_pair(pair), 0);
	lab->worker[lab->broker.n_links++] = pair[1];
	*link = (struct link){
		.broker = &lab->broker, .channel.fd = pair[0], .told = true, .workers = 1
	};
	igw_text_copy(link->name, sizeof(link->name), name);
	link->n_addrs = iface->n_addrs;
	memcpy(link->addrs, iface->addrs, sizeof(link->addrs));
}

/* Log lines would only be in the way; the tests that want them set a sink of their own.
 */
static void log_nowhere(enum log_level level, const char *line)
{
	(void)level;
	(void)line;
}

struct lab *lab_open(const char *policy)
{
	struct lab *lab = calloc(1, sizeof(*lab));
	struct broker *broker = &lab->broker;
	int pair[2];

	assert_non_null(lab);
	memset(&fake, 0, sizeof(fake));
	log_set_sink(log_nowhere);
	lab->now_ms = ev_now_ms();
	fake.now_ms = lab->now_ms;
	fake.wall_s = WALL;
	fake.default_name = WAN;
	fake.there = true;
	iface_add(WAN, "203.0.113.1", 24);
	iface_add(LAN, "192.168.1.1", 24);
	iface_add(GUEST, "192.168.2.1", 24);
	assert_int_equal(ev_open(&broker->ev), 0);
	assert_int_equal(net_open(&broker->net), 0);
	assert_int_equal(fw_open(&broker->fw), 0);
	assert_int_equal(ct_open(&broker->ct), 0);
	assert_int_equal(table_new(SEED, &broker->table), 0);
	assert_int_equal(batch_init(&broker->batch), 0);
	broker->policy = lab_policy(policy ? policy : policy_open);
	config_init(&broker->config);
	assert_int_equal(chan_pair(pair), 0);
	broker->parent.fd = pair[0];
	lab->parent = pair[1];
	igw_text_copy(broker->wan, sizeof(broker->wan), WAN);
	broker->wan_addr = addr_of("203.0.113.1");
	broker->wan_since_ms = lab->now_ms - 5000;
	broker->started_ms = lab->now_ms - 10000;
	broker->started_s = WALL - 10;
	link_add(lab, LAN);
	link_add(lab, GUEST);
	return lab;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void lab_close(struct lab *lab)
{
	struct broker *broker = &lab->broker;

	for (size_t i = 0; i < broker->n_links; i++) {
		close_fd(broker->links[i].channel.fd);
		close_fd(lab->worker[i]);
	}
	close_fd(broker->parent.fd);
	close_fd(lab->parent);
	policy_free(broker->policy);
	batch_free(&broker->batch);
	table_free(broker->table);
	ct_close(broker->ct);
	fw_close(broker->fw);
	net_close(broker->net);
	ev_close(broker->ev);
	log_set_sink(NULL);
	free(lab);
}

struct chan_msg msg_of(uint32_t id, const void *payload)
{
	struct chan_msg msg = { .id = id, .seq = id * 1000 + 7, .fds = { -1, -1, -1 } };

	memcpy(msg.payload, payload, igw_msg_size(id));
	return msg;
}

int lab_tell(struct lab *lab, size_t i, uint32_t id, const void *payload)
{
	struct chan_msg msg = msg_of(id, payload);

	fake.now_ms = lab->now_ms;
	return dispatch(&lab->broker.links[i], &msg, lab->now_ms);
}

bool lab_heard(int fd, struct chan_msg *ret)
{
	return chan_recv(fd, IGW_BROKER, ret) == 1;
}

void lab_ask(struct lab *lab, size_t i, uint32_t id, const void *payload, uint32_t reply,
	void *ret, size_t size)
{
	struct chan_msg msg;

	assert_int_equal(lab_tell(lab, i, id, payload), 0);
	assert_true(lab_heard(lab->worker[i], &msg));
	assert_int_equal(msg.id, reply);
	assert_int_equal(msg.seq, id * 1000 + 7);
	assert_int_equal(igw_msg_size(reply), size);
	memcpy(ret, msg.payload, size);
	assert_false(lab_heard(lab->worker[i], &msg));
}

struct igw_map_add add_of(unsigned host, uint16_t external_port, uint16_t internal_port)
{
	return (struct igw_map_add){ .client = host_of(host),
		.internal_client = host_of(host),
		.asked_ms = INT64_MAX, /* never too late */
		.lease_s = 3600,
		.external_port = external_port,
		.internal_port = internal_port,
		.protocol = IGW_TCP,
		.enabled = 1,
		.via = IGW_VIA_UPNP,
		.description = "test" };
}

struct igw_map_result lab_add(struct lab *lab, const struct igw_map_add *add)
{
	struct igw_map_result result;

	lab_ask(lab, 0, IGW_MAP_ADD, add, IGW_MAP_RESULT, &result, sizeof(result));
	return result;
}

struct mapping *lab_added(struct lab *lab, const struct igw_map_add *add)
{
	struct igw_map_result result = lab_add(lab, add);
	struct mapping *mapping;

	if (result.reason != IGW_OK)
		fail_msg("port %u: %s", add->external_port,
			igw_reason_word((enum igw_reason)result.reason));
	mapping = table_find(
		lab->broker.table, add->protocol, add->external_port, &add->remote_host);
	assert_non_null(mapping);
	lab_check(lab);
	return mapping;
}

enum igw_reason lab_delete(
	struct lab *lab, unsigned host, uint8_t protocol, uint16_t external_port)
{
	struct igw_map_key key = { .client = host_of(host),
		.external_port = external_port,
		.protocol = protocol,
		.via = IGW_VIA_UPNP };
	struct igw_map_result result;

	lab_ask(lab, 0, IGW_MAP_DELETE, &key, IGW_MAP_RESULT, &result, sizeof(result));
	assert_int_equal(result.external_port, external_port);
	assert_int_equal(result.lease_s, 0);
	return (enum igw_reason)result.reason;
}

static void check_time(int64_t kernel_ms, int64_t table_ms)
{
	if (kernel_ms - table_ms > fake.slack_ms || table_ms - kernel_ms > fake.slack_ms)
		fail_msg("%lld ms in the kernel, %lld ms in the table",
			(long long)kernel_ms, (long long)table_ms);
}

static void check_map(const struct fake_map *map, struct table *table)
{
	const struct fw_mapping *fw = &map->mapping;
	const struct mapping *mapping =
		table_find(table, fw->protocol, fw->external_port, &fw->remote_host);
	struct mapping record = { 0 };

	assert_non_null(mapping);
	assert_int_equal(fw->enabled, mapping->enabled);
	assert_int_equal(fw->internal_port, mapping->internal_port);
	assert_true(igw_addr_equal(&fw->internal_client, &mapping->internal_client));
	check_time(map->expires_ms, mapping->expires_ms);
	assert_int_equal(record_read(fw->record, fw->record_len, &record), 0);
	assert_int_equal(record.id, mapping->id);
	assert_int_equal(record.created_s, mapping->created_s);
	assert_true(igw_addr_equal(&record.client, &mapping->client));
	assert_string_equal(record.interface, mapping->interface);
	assert_string_equal(record.description, mapping->description);
}

void lab_check(struct lab *lab)
{
	struct table *table = lab->broker.table;
	const struct mapping *mapping;
	int64_t expires_ms = 0;
	uint32_t at = 0;

	assert_int_equal(fake.n_maps, table_count(table));
	for (size_t i = 0; i < fake.n_maps; i++)
		check_map(&fake.maps[i], table);
	for (size_t i = 0; i < fake.n_ends; i++) {
		const struct fw_endpoint *end = &fake.ends[i].end;

		/* An end without a mapping would be a hole in the host's firewall. */
		assert_int_not_equal(table_endpoint(table, end->protocol, &end->addr,
					     end->port, &expires_ms),
			0);
		check_time(fake.ends[i].expires_ms, expires_ms);
	}
	while ((mapping = table_next(table, &at))) {
		const struct fake_end *end;
		char text[IGW_ADDR_TEXT];

		if (!mapping->enabled)
			continue;
		end = fake_find_end(mapping->protocol,
			igw_addr_format(&mapping->internal_client, text),
			mapping->internal_port);
		assert_non_null(end);
		assert_true(end->expires_ms + fake.slack_ms >= mapping->expires_ms);
	}
}

size_t fake_count(enum fw_op_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < fake.n_ops; i++)
		n += fake.ops[i].kind == kind;
	return n;
}

const struct fake_op *fake_op(enum fw_op_kind kind)
{
	for (size_t i = 0; i < fake.n_ops; i++) {
		if (fake.ops[i].kind == kind)
			return &fake.ops[i];
	}
	return NULL;
}

const struct fake_end *fake_find_end(uint8_t protocol, const char *addr, uint16_t port)
{
	struct fw_endpoint end = {
		.protocol = protocol, .port = port, .addr = addr_of(addr)
	};

	for (size_t i = 0; i < fake.n_ends; i++) {
		const struct fw_endpoint *at = &fake.ends[i].end;

		if (at->protocol == end.protocol && at->port == end.port &&
			igw_addr_equal(&at->addr, &end.addr))
			return &fake.ends[i];
	}
	return NULL;
}
