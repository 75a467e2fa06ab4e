/* What a worker may say: every request's answer, and what follows when the worker has
 * been taken over and says what it should not. */
#include "fakes_broker.h"
#include "log.h"

#include <errno.h>
#include <unistd.h>

static struct lab *lab;
static unsigned log_lines;
static char log_last[1024];

static void count_line(enum log_level level, const char *line)
{
	(void)level;
	log_lines++;
	snprintf(log_last, sizeof(log_last), "%s", line);
}

static int setup(void **state)
{
	(void)state;
	lab = lab_open(NULL);
	log_lines = 0;
	log_last[0] = '\0';
	log_set_sink(count_line);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lab_close(lab);
	return 0;
}

/* Ends the worker; nothing has changed by it. */
static void breach(uint32_t id, const void *payload)
{
	struct chan_msg msg;

	assert_int_equal(lab_tell(lab, 0, id, payload), -EBADMSG);
	assert_false(lab_heard(lab->worker[0], &msg));
	assert_int_equal(fake.applies, 0);
	assert_int_equal(table_count(lab->broker.table), 0);
	assert_int_equal(lab->broker.granted, 0);
}

static void test_add_breaches(void **state)
{
	struct igw_map_add add = add_of(10, 40001, 50001);

	(void)state;
	memset(add.description, 'x', sizeof(add.description));
	breach(IGW_MAP_ADD, &add);
	add = add_of(10, 40001, 50001);
	for (unsigned enabled = 2; enabled <= 255; enabled += 11) {
		add.enabled = (uint8_t)enabled;
		breach(IGW_MAP_ADD, &add);
	}
	add = add_of(10, 40001, 50001);
	for (unsigned via = 1; via <= 255; via++) {
		add.via = (uint8_t)via;
		breach(IGW_MAP_ADD, &add);
	}
}

static void test_other_breaches(void **state)
{
	struct igw_map_key key = { .client = host_of(10), .protocol = IGW_TCP, .via = 1 };
	struct igw_refused refused = { .client = host_of(10),
		.reason = IGW_BAD_ARGUMENT };
	struct igw_log_line line = { .level = LOG_LEVEL_INFO };

	(void)state;
	breach(IGW_MAP_DELETE, &key);
	key.via = 255;
	breach(IGW_MAP_DELETE, &key);
	refused.reason = IGW_REASON_COUNT;
	breach(IGW_REFUSED, &refused);
	refused.reason = UINT32_MAX;
	breach(IGW_REFUSED, &refused);
	refused.reason = IGW_OK;
	breach(IGW_REFUSED, &refused);
	refused.reason = IGW_BAD_ARGUMENT;
	memset(refused.what, 'x', sizeof(refused.what));
	breach(IGW_REFUSED, &refused);
	line.level = LOG_LEVEL_DEBUG + 1;
	breach(IGW_LOG, &line);
	line.level = UINT32_MAX;
	breach(IGW_LOG, &line);
	line.level = LOG_LEVEL_INFO;
	memset(line.text, 'x', sizeof(line.text));
	breach(IGW_LOG, &line);
	/* What no worker may send is refused by the channel, and here again. */
	for (uint32_t id = 0; id < IGW_MSG_COUNT + 2; id++) {
		struct chan_msg msg = { .id = id };
		struct igw_hdr hdr = { .id = id };
		uint8_t buf[IGW_MSG_MAX] = { 0 };

		memcpy(buf, &hdr, sizeof(hdr));
		if (igw_msg_check(buf, sizeof(hdr) + igw_msg_size(id), igw_msg_fds(id),
			    IGW_UPNP) < 0)
			assert_int_equal(
				dispatch(&lab->broker.links[0], &msg, lab->now_ms),
				-EBADMSG);
	}
	assert_int_equal(log_lines, 0);
}

/* The worker's word on who asks counts only for hosts behind its own link. */
static void test_clients_not_on_the_link(void **state)
{
	static const char *const others[] = { "192.168.2.10", "192.168.1.1",
		"192.168.1.0", "192.168.1.255", "203.0.113.1", "203.0.113.9",
		"198.51.100.7", "127.0.0.1", "0.0.0.0", "255.255.255.255", "2001:db8::1",
		"fe80::1", "::1" };
	struct clients *clients = table_clients(lab->broker.table);
	struct igw_map_index index = { .index = 0 };
	struct igw_map_entry entry;
	struct igw_map_key key;
	struct chan_msg msg;

	(void)state;
	for (size_t i = 0; i <= COUNT(others); i++) {
		struct igw_map_add add = add_of(10, 40001, 50001);

		/* The last one: all zero, no address at all. */
		add.client =
			i < COUNT(others) ? addr_of(others[i]) : (struct igw_addr){ 0 };
		add.internal_client = add.client;
		assert_int_equal(lab_add(lab, &add).reason, IGW_NOT_SERVED);
		add.internal_client = host_of(10);
		assert_int_equal(lab_add(lab, &add).reason, IGW_NOT_SERVED);
		key = (struct igw_map_key){
			.client = add.client, .external_port = 40001, .protocol = IGW_TCP
		};
		lab_ask(lab, 0, IGW_MAP_GET, &key, IGW_MAP_ENTRY, &entry, sizeof(entry));
		assert_int_equal(entry.reason, IGW_NOT_SERVED);
		assert_int_equal(lab_tell(lab, 0, IGW_MAP_DELETE, &key), 0);
		assert_true(lab_heard(lab->worker[0], &msg));
		assert_int_equal(
			((struct igw_map_result *)msg.payload)->reason, IGW_NOT_SERVED);
		index.client = add.client;
		lab_ask(lab, 0, IGW_MAP_INDEX, &index, IGW_MAP_ENTRY, &entry,
			sizeof(entry));
		assert_int_equal(entry.reason, IGW_NOT_SERVED);
		assert_null(clients_find(clients, &add.client));
	}
	assert_int_equal(fake.applies, 0);
}

/* The client is on the link, what it asks for is rubbish. */
static void test_garbage(void **state)
{
	static const uint8_t protocols[] = { 0, 1, 2, 5, 7, 16, 18, 58, 132, 255 };
	struct igw_map_add add;

	(void)state;
	lab_set_policy(lab, "{'version':1,'rules':[{'name':'open','action':'allow',"
			    "'external_ports':['1024-65535'],"
			    "'internal_ports':['1024-65535']}],"
			    "'rates':{'changes_per_min':6000,'burst':6000}}");
	for (size_t i = 0; i < COUNT(protocols); i++) {
		add = add_of(10, 40001, 50001);
		add.protocol = protocols[i];
		assert_int_equal(lab_add(lab, &add).reason, IGW_BAD_ARGUMENT);
		assert_int_equal(lab_delete(lab, 10, protocols[i], 40001), IGW_NO_ENTRY);
	}
	add = add_of(10, 0, 50001);
	assert_int_equal(lab_add(lab, &add).reason, IGW_BAD_ARGUMENT);
	add = add_of(10, 40001, 0);
	assert_int_equal(lab_add(lab, &add).reason, IGW_BAD_ARGUMENT);
	add = add_of(10, 40001, 50001);
	for (unsigned i = 0; i < 256; i++) {
		memset(add.internal_client.b, (int)i, sizeof(add.internal_client.b));
		assert_int_not_equal(lab_add(lab, &add).reason, IGW_OK);
	}
	assert_int_equal(fake.applies, 0);
	/* A mapping of the same number must not be found under another protocol. */
	add = add_of(10, 40001, 50001);
	lab_added(lab, &add);
	for (size_t i = 0; i < COUNT(protocols); i++)
		assert_int_equal(lab_delete(lab, 10, protocols[i], 40001), IGW_NO_ENTRY);
	lab_check(lab);
}

static void test_net_cannot_tell(void **state)
{
	struct igw_map_add add = add_of(10, 40001, 50001);

	(void)state;
	fake.on_link_error = -ENETUNREACH;
	assert_int_equal(lab_add(lab, &add).reason, IGW_NOT_SERVED);
	fake.on_link_error = 0;
	fake.no_neighbours = true;
	assert_true(igw_mac_is_none(&lab_added(lab, &add)->mac));
}

static void ask_get(unsigned host, uint16_t port, struct igw_map_entry *ret)
{
	struct igw_map_key key = {
		.client = host_of(host), .external_port = port, .protocol = IGW_TCP
	};

	lab_ask(lab, 0, IGW_MAP_GET, &key, IGW_MAP_ENTRY, ret, sizeof(*ret));
}

/* A refusal says nothing but its reason. */
static void expect_nothing(const struct igw_map_entry *entry, enum igw_reason reason)
{
	struct igw_map_entry none = { .reason = reason };

	assert_memory_equal(entry, &none, sizeof(none));
}

static void test_get(void **state)
{
	struct igw_map_add add = add_of(10, 40001, 50001);
	struct igw_map_entry entry;

	(void)state;
	add.lease_s = 60;
	lab_added(lab, &add);
	lab->now_ms += 1001;
	ask_get(10, 40001, &entry);
	assert_int_equal(entry.reason, IGW_OK);
	assert_int_equal(entry.lease_s, 59);
	assert_int_equal(entry.internal_port, 50001);
	assert_int_equal(entry.external_port, 40001);
	assert_int_equal(entry.enabled, 1);
	assert_true(igw_addr_equal(&entry.internal_client, &add.internal_client));
	assert_string_equal(entry.description, "test");
	/* Another's mapping looks as none does. */
	ask_get(11, 40001, &entry);
	expect_nothing(&entry, IGW_NO_ENTRY);
	ask_get(11, 40002, &entry);
	expect_nothing(&entry, IGW_NO_ENTRY);
	lab->now_ms += 58999;
	ask_get(10, 40001, &entry);
	assert_int_equal(entry.lease_s, 1);
	lab->now_ms += 5000; /* expired, and the kernel does not let go */
	ask_get(10, 40001, &entry);
	assert_int_equal(entry.lease_s, 1);
}

static void ask_index(unsigned host, uint32_t at, struct igw_map_entry *ret)
{
	struct igw_map_index index = { .client = host_of(host), .index = at };

	lab_ask(lab, 0, IGW_MAP_INDEX, &index, IGW_MAP_ENTRY, ret, sizeof(*ret));
}

static void test_index(void **state)
{
	struct igw_map_entry entry;
	struct igw_map_add add;

	(void)state;
	for (uint16_t i = 0; i < 3; i++) {
		add = add_of(10, (uint16_t)(40003 - i), 50001);
		lab_added(lab, &add);
		add = add_of(11, (uint16_t)(41000 + i), 50001);
		lab_added(lab, &add);
	}
	for (uint16_t i = 0; i < 3; i++) {
		ask_index(10, i, &entry);
		assert_int_equal(entry.reason, IGW_OK);
		assert_int_equal(entry.external_port, 40003 - i);
	}
	ask_index(10, 3, &entry);
	expect_nothing(&entry, IGW_BAD_INDEX);
	ask_index(10, UINT32_MAX, &entry);
	expect_nothing(&entry, IGW_BAD_INDEX);
	ask_index(12, 0, &entry);
	expect_nothing(&entry, IGW_BAD_INDEX);
}

static void test_reads_are_rated(void **state)
{
	struct igw_map_add add = add_of(10, 40001, 50001);
	struct igw_map_entry entry;

	(void)state;
	lab_added(lab, &add);
	for (unsigned i = 0; i < 300; i++) {
		ask_get(10, 40001, &entry);
		assert_int_equal(entry.reason, IGW_OK);
		ask_index(10, 0, &entry);
		assert_int_equal(entry.reason, IGW_OK);
	}
	ask_get(10, 40001, &entry);
	expect_nothing(&entry, IGW_RATE);
	ask_index(10, 0, &entry);
	expect_nothing(&entry, IGW_RATE);
	lab_added(lab, &add); /* changes have a bucket of their own */
	ask_index(11, 0, &entry);
	expect_nothing(&entry, IGW_BAD_INDEX);
}

static void test_wan(void **state)
{
	struct igw_empty empty = { 0 };
	struct igw_wan wan;

	(void)state;
	lab_ask(lab, 0, IGW_WAN_GET, &empty, IGW_WAN, &wan, sizeof(wan));
	assert_true(igw_addr_equal(&wan.addr, &fake.ifaces[0].addrs[0].addr));
	assert_int_equal(wan.uptime_s, 5);
	assert_int_equal(wan.link_up, 1);
	assert_int_equal(wan.rx_bytes, 10);
	assert_int_equal(wan.tx_bytes, 20);
	assert_int_equal(wan.rx_packets, 30);
	assert_int_equal(wan.tx_packets, 40);
	assert_int_equal(wan.bits_per_s, 1000000000);
	lab->broker.wan_addr = (struct igw_addr){ 0 };
	strcpy(lab->broker.wan, "gone0");
	lab_ask(lab, 0, IGW_WAN_GET, &empty, IGW_WAN, &wan, sizeof(wan));
	assert_memory_equal(&wan, &(struct igw_wan){ 0 }, sizeof(wan));
}

static bool parent_heard(uint32_t id)
{
	struct chan_msg msg;

	return lab_heard(lab->parent, &msg) && msg.id == id;
}

static void test_serving(void **state)
{
	struct igw_serving serving = { .http_port = 5000 };

	(void)state;
	assert_int_equal(lab_tell(lab, 0, IGW_SERVING, &serving), 0);
	assert_int_equal(lab->broker.links[0].http_port, 5000);
	assert_int_equal(fake.links.n_http_ports, 1);
	assert_int_equal(fake.links.http_ports[0], 5000);
	assert_int_equal(fake.links.n_lan, 2);
	assert_false(parent_heard(IGW_READY)); /* the other one does not serve */
	assert_int_equal(lab_tell(lab, 1, IGW_SERVING, &serving), 0);
	assert_true(parent_heard(IGW_READY));
	assert_true(lab->broker.ready);
	/* A restarted worker: once ready is enough. */
	lab->broker.links[1].http_port = 0;
	assert_int_equal(lab_tell(lab, 1, IGW_SERVING, &serving), 0);
	assert_false(parent_heard(IGW_READY));
}

static void test_serving_breaches(void **state)
{
	struct igw_serving serving = { .http_port = 0 };

	(void)state;
	breach(IGW_SERVING, &serving);
	serving.http_port = 5001; /* the config says 5000 */
	breach(IGW_SERVING, &serving);
	serving.http_port = 5000;
	lab->broker.links[0].told = false;
	breach(IGW_SERVING, &serving);
	lab->broker.config.http_port = 0;
	breach(IGW_SERVING, &serving);
	assert_int_equal(lab->broker.links[0].http_port, 0);
	assert_int_equal(fake.set_links, 0);
	lab->broker.links[0].told = true;
	serving.http_port = 32000;
	assert_int_equal(lab_tell(lab, 0, IGW_SERVING, &serving), 0);
	assert_int_equal(lab->broker.links[0].http_port, 32000);
}

/* Said once: else a hostile worker changes the kernel's sets and fills the log at will.
 */
static void test_serving_twice(void **state)
{
	struct igw_serving serving = { .http_port = 32000 };
	unsigned lines;

	(void)state;
	lab->broker.config.http_port = 0;
	assert_int_equal(lab_tell(lab, 0, IGW_SERVING, &serving), 0);
	assert_int_equal(fake.set_links, 1);
	lines = log_lines;
	assert_int_equal(lab_tell(lab, 0, IGW_SERVING, &serving), -EBADMSG);
	serving.http_port = 32001;
	assert_int_equal(lab_tell(lab, 0, IGW_SERVING, &serving), -EBADMSG);
	assert_int_equal(lab->broker.links[0].http_port, 32000);
	assert_int_equal(fake.set_links, 1);
	assert_int_equal(log_lines, lines);
}

static void test_refused(void **state)
{
	struct igw_refused refused = { .client = host_of(10),
		.reason = IGW_BAD_ARGUMENT,
		.what = "AddPortMapping \"x\" NewExternalPort\nevent=map-added" };

	(void)state;
	assert_int_equal(lab_tell(lab, 0, IGW_REFUSED, &refused), 0);
	assert_int_equal(lab->broker.refused[IGW_BAD_ARGUMENT], 1);
	assert_int_equal(log_lines, 1);
	/* Cut at the newline, quoted, no second field to be made of it. */
	assert_non_null(
		strstr(log_last, "request=\"AddPortMapping \\\"x\\\" NewExternalPort\""));
	assert_null(strstr(log_last, "map-added"));
	assert_non_null(strstr(log_last, "reason=bad-argument client=192.168.1.10"));
	assert_non_null(strstr(lab->broker.last_refusal, "bad-argument"));
	/* Any address, also one that is none of the link's, is text only. */
	memset(&refused.client, 0xff, sizeof(refused.client));
	memset(refused.what, '"', sizeof(refused.what) - 1);
	assert_int_equal(lab_tell(lab, 0, IGW_REFUSED, &refused), 0);
	assert_null(clients_find(table_clients(lab->broker.table), &refused.client));
}

static void test_log_line(void **state)
{
	struct igw_log_line line = { .level = LOG_LEVEL_ERROR,
		.text = "a \"b\"\nevent=map-added \x1b[2J \xe2\x80\xae" };

	(void)state;
	assert_int_equal(lab_tell(lab, 0, IGW_LOG, &line), 0);
	assert_int_equal(log_lines, 1);
	assert_string_equal(log_last,
		"worker=" LAN " text=\"a \\\"b\\\"\\x0aevent=map-added "
		"\\x1b[2J \\xe2\\x80\\xae\"");
}

/* A minute of a worker that says as much as it can. */
static void test_floods_are_bounded(void **state)
{
	struct igw_refused refused = { .client = host_of(10),
		.reason = IGW_BAD_ARGUMENT };
	struct igw_log_line line = { .level = LOG_LEVEL_ERROR };
	struct igw_map_add add = add_of(10, 445, 445);
	int64_t end_ms = lab->now_ms + 60000;

	(void)state;
	for (; lab->now_ms < end_ms; lab->now_ms += 10) {
		for (unsigned i = 0; i < 5; i++) {
			assert_int_equal(lab_tell(lab, 0, IGW_REFUSED, &refused), 0);
			assert_int_equal(lab_tell(lab, 0, IGW_LOG, &line), 0);
			assert_int_equal(lab_add(lab, &add).lease_s, 0);
		}
	}
	/* 50 lines a second, and 300 a minute and 100 at once about refusals, each with
	 * one about those left out. */
	assert_true(log_lines <= 60 * 50 + 50 + 2 * 400);
	assert_true(log_lines >= 60 * 50);
	assert_in_range(lab->broker.refused[IGW_BAD_ARGUMENT], 3000, 3050);
	assert_int_equal(
		lab->broker.refused[IGW_SMB_PORT] + lab->broker.refused[IGW_RATE], 30000);
	/* The other worker's lines are not in the same budget. */
	log_lines = 0;
	assert_int_equal(lab_tell(lab, 1, IGW_LOG, &line), 0);
	assert_int_equal(log_lines, 1);
}

/* A worker that asks and does not read: its own answers are lost, nothing else. */
static void test_worker_does_not_read(void **state)
{
	struct igw_empty empty = { 0 };
	struct chan_msg msg;
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < 2000; i++)
		assert_int_equal(lab_tell(lab, 0, IGW_WAN_GET, &empty), 0);
	while (lab_heard(lab->worker[0], &msg))
		n++;
	assert_in_range(n, 1, 1999);
	close(lab->worker[0]);
	lab->worker[0] = -1;
	assert_int_equal(lab_tell(lab, 0, IGW_WAN_GET, &empty), -EPIPE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_add_breaches),
		TEST(test_other_breaches),
		TEST(test_clients_not_on_the_link),
		TEST(test_garbage),
		TEST(test_net_cannot_tell),
		TEST(test_get),
		TEST(test_index),
		TEST(test_reads_are_rated),
		TEST(test_wan),
		TEST(test_serving),
		TEST(test_serving_breaches),
		TEST(test_serving_twice),
		TEST(test_refused),
		TEST(test_log_line),
		TEST(test_floods_are_bounded),
		TEST(test_worker_does_not_read),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
