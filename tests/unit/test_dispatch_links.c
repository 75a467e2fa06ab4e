/* Which interfaces are chosen, and what follows a change of the network. */
#include "fakes_broker.h"
#include "igdward/text.h"
#include "kernel.h"
#include "links.h"
#include "log.h"

#include <errno.h>

static struct lab *lab;
static char last_error[1024];

static void keep_errors(enum log_level level, const char *line)
{
	if (level == LOG_LEVEL_ERROR)
		snprintf(last_error, sizeof(last_error), "%s", line);
}

static int setup(void **state)
{
	(void)state;
	lab = lab_open(NULL);
	last_error[0] = '\0';
	log_set_sink(keep_errors);
	links_fill(&lab->broker, &lab->broker.fw_links);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lab_close(lab);
	return 0;
}

static void iface(size_t i, const char *name, const char *addr, uint8_t len)
{
	fake.ifaces[i] = (struct net_iface){ .up = true, .n_addrs = addr ? 1 : 0 };
	igw_text_copy(fake.ifaces[i].name, sizeof(fake.ifaces[i].name), name);
	if (addr)
		fake.ifaces[i].addrs[0] = (struct net_addr){ addr_of(addr), len };
}

/* Chooses anew; the lab's links are put away meanwhile. Returns their number or -errno,
 * and the names in `chosen`. */
static char chosen[IGW_LINKS_MAX][IGW_IFNAME_MAX + 1];

static int choose(void)
{
	struct broker *broker = &lab->broker;
	struct link saved[IGW_LINKS_MAX];
	size_t n = broker->n_links;
	int r;

	memcpy(saved, broker->links, sizeof(saved));
	broker->n_links = 0;
	last_error[0] = '\0';
	r = links_choose(broker);
	assert_int_equal(r == 0, last_error[0] == '\0');
	if (r == 0)
		r = (int)broker->n_links;
	for (size_t i = 0; i < broker->n_links; i++) {
		assert_int_equal(broker->links[i].channel.fd, -1);
		memcpy(chosen[i], broker->links[i].name, sizeof(chosen[i]));
	}
	memcpy(broker->links, saved, sizeof(saved));
	broker->n_links = n;
	return r;
}

static void test_choose_by_the_network(void **state)
{
	(void)state;
	iface(3, "lo", "127.0.0.1", 8);
	fake.ifaces[3].loopback = true;
	fake.n_ifaces = 4;
	assert_int_equal(choose(), 2);
	assert_string_equal(lab->broker.wan, WAN);
	assert_true(igw_addr_equal(&lab->broker.wan_addr, &fake.ifaces[0].addrs[0].addr));
	assert_string_equal(chosen[0], LAN);
	assert_string_equal(chosen[1], GUEST);
	/* What the admin names is taken as named, and nothing else. */
	strcpy(lab->broker.config.internal[0], GUEST);
	lab->broker.config.n_internal = 1;
	assert_int_equal(choose(), 1);
	assert_string_equal(chosen[0], GUEST);
}

/* Private is what RFC 1918 says, to the bit. */
static void test_private(void **state)
{
	static const struct {
		const char *addr;
		bool is_private;
	} cases[] = {
		{ "10.0.0.1", true },
		{ "10.255.255.254", true },
		{ "9.255.255.255", false },
		{ "11.0.0.1", false },
		{ "172.16.0.1", true },
		{ "172.31.255.254", true },
		{ "172.15.255.254", false },
		{ "172.32.0.1", false },
		{ "192.168.0.1", true },
		{ "192.168.255.254", true },
		{ "192.167.255.254", false },
		{ "192.169.0.1", false },
		{ "100.64.0.1", false },
		{ "169.254.1.1", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		iface(1, "x0", cases[i].addr, 24);
		fake.n_ifaces = 2;
		assert_int_equal(choose(), cases[i].is_private ? 1 : -EINVAL);
	}
}

static void expect_choice_fails(const char *text)
{
	assert_int_equal(choose(), -EINVAL);
	if (!strstr(last_error, text))
		fail_msg("%s", last_error);
}

static void test_choose_fails(void **state)
{
	struct config *config = &lab->broker.config;

	(void)state;
	fake.default_name = "";
	expect_choice_fails("no default route");
	strcpy(config->external, "gone0");
	expect_choice_fails("external interface gone0 does not exist");
	strcpy(config->external, WAN);
	config->n_internal = 1;
	strcpy(config->internal[0], "gone1");
	expect_choice_fails("internal interface gone1 does not exist");
	strcpy(config->internal[0], WAN);
	expect_choice_fails("external and internal at once");
}

static void test_fill(void **state)
{
	struct fw_links links;

	(void)state;
	lab->broker.links[0].http_port = 5000; /* as configured: said once */
	lab->broker.links[1].http_port = 5001;
	links_fill(&lab->broker, &links);
	assert_string_equal(links.wan, WAN);
	assert_int_equal(links.n_wan_addrs, 1);
	assert_int_equal(links.n_lan, 2);
	assert_string_equal(links.lan[1], GUEST);
	assert_int_equal(links.n_http_ports, 2);
	assert_int_equal(links.http_ports[0], 5000);
	assert_int_equal(links.http_ports[1], 5001);
	strcpy(lab->broker.wan, "gone0");
	links_fill(&lab->broker, &links);
	assert_int_equal(links.n_wan_addrs, 0);
}

/* What the kernel does not take is not forgotten, and until it does, nothing is mapped:
 * it would not work. */
static void test_set_links(void **state)
{
	struct igw_map_add add = add_of(10, 40001, 50001);
	struct broker *broker = &lab->broker;

	(void)state;
	kernel_set_links(broker, lab->now_ms);
	assert_int_equal(fake.set_links, 0); /* nothing has changed */
	broker->links[0].http_port = 6000;
	fake.links_error = -EBUSY;
	kernel_set_links(broker, lab->now_ms);
	assert_true(kernel_behind(broker));
	assert_int_equal(broker->retry_at_ms, lab->now_ms + 1000);
	assert_int_equal(lab_add(lab, &add).reason, IGW_KERNEL);
	kernel_set_links(broker, lab->now_ms + 1000);
	assert_true(kernel_behind(broker));
	/* Back to what it was: whether the kernel has that is not known. */
	broker->links[0].http_port = 0;
	fake.links_error = 0;
	kernel_set_links(broker, lab->now_ms + 2000);
	assert_int_equal(fake.set_links, 3);
	assert_false(kernel_behind(broker));
	kernel_set_links(broker, lab->now_ms + 3000);
	assert_int_equal(fake.set_links, 3);
	lab_added(lab, &add);
}

/* The tables are gone: they come back with the new sets. */
static void test_set_links_tables_gone(void **state)
{
	struct igw_map_add add = add_of(10, 40001, 50001);

	(void)state;
	lab_added(lab, &add);
	fake.n_maps = fake.n_ends = 0;
	fake.links_error = -ENOENT;
	lab->broker.links[0].http_port = 6000;
	kernel_set_links(&lab->broker, lab->now_ms);
	assert_false(kernel_behind(&lab->broker));
	assert_int_equal(fake.installs, 1);
	assert_int_equal(fake.links.http_ports[1], 6000);
	lab_check(lab);
}

/* Another WAN address: one element of a set, and no mapping ends. */
static void test_wan_changes(void **state)
{
	struct igw_map_add add = add_of(10, 40001, 50001);

	(void)state;
	lab_added(lab, &add);
	lab->broker.changed = false;
	links_update(&lab->broker, lab->now_ms);
	assert_false(lab->broker.changed);
	fake.ifaces[0].addrs[0].addr = addr_of("203.0.113.77");
	links_update(&lab->broker, lab->now_ms + 9);
	assert_true(lab->broker.changed);
	assert_int_equal(lab->broker.wan_since_ms, lab->now_ms + 9);
	assert_int_equal(fake.set_links, 1);
	assert_true(
		igw_addr_equal(&fake.links.wan_addrs[0], &fake.ifaces[0].addrs[0].addr));
	assert_int_equal(fake.applies, 1);
	/* Down, and gone with its default route: kept for its return. */
	fake.ifaces[0].up = false;
	links_update(&lab->broker, lab->now_ms);
	assert_true(igw_addr_is_none(&lab->broker.wan_addr));
	fake.default_name = "";
	links_update(&lab->broker, lab->now_ms);
	assert_string_equal(lab->broker.wan, WAN); /* the floor's rules keep the name */
	assert_int_equal(table_count(lab->broker.table), 1);
	/* Named by the admin it is not looked for. */
	strcpy(lab->broker.config.external, WAN);
	fake.default_name = GUEST;
	fake.ifaces[0].up = true;
	links_update(&lab->broker, lab->now_ms);
	assert_string_equal(lab->broker.wan, WAN);
	assert_false(igw_addr_is_none(&lab->broker.wan_addr));
	lab_check(lab);
}

/* Another LAN prefix: mappings outside it end, the link's worker is replaced. */
static void test_lan_changes(void **state)
{
	struct igw_map_add add = add_of(10, 40001, 50001);
	struct igw_map_result result;
	struct chan_msg msg;

	(void)state;
	lab_added(lab, &add);
	add.client = add.internal_client = addr_of("192.168.2.10");
	add.external_port = 40002;
	lab_ask(lab, 1, IGW_MAP_ADD, &add, IGW_MAP_RESULT, &result, sizeof(result));
	/* Down for a moment: nothing can be judged, so nothing ends. */
	fake.ifaces[1].n_addrs = 0;
	lab->broker.links[0].told = false;
	links_update(&lab->broker, lab->now_ms);
	assert_int_equal(table_count(lab->broker.table), 2);
	fake.ifaces[1].n_addrs = 1;
	lab->broker.links[0].told = true;
	links_update(&lab->broker, lab->now_ms);
	assert_true(lab_heard(lab->parent, &msg));
	assert_int_equal(table_count(lab->broker.table), 2);
	fake.ifaces[1].addrs[0].addr = addr_of("192.168.7.1");
	links_update(&lab->broker, lab->now_ms);
	assert_int_equal(table_count(lab->broker.table), 1);
	assert_null(table_find_port(lab->broker.table, IGW_TCP, 40001));
	assert_int_equal(fake.n_matches, 1);
	lab_check(lab);
}

/* The kernel refuses to end them: tried again. */
static void test_lan_change_refused(void **state)
{
	struct igw_map_add add = add_of(10, 40001, 50001);

	(void)state;
	lab_added(lab, &add);
	fake.apply_error = -EBUSY;
	fake.apply_errors = 2;
	fake.ifaces[1].addrs[0].addr = addr_of("192.168.7.1");
	links_update(&lab->broker, lab->now_ms);
	assert_int_equal(table_count(lab->broker.table), 1);
	assert_true(links_behind(&lab->broker));
	assert_int_equal(lab->broker.retry_at_ms, lab->now_ms + 1000);
	links_retry(&lab->broker, lab->now_ms + 1000);
	assert_true(links_behind(&lab->broker));
	links_retry(&lab->broker, lab->now_ms + 2000);
	assert_false(links_behind(&lab->broker));
	assert_int_equal(table_count(lab->broker.table), 0);
	lab_check(lab);
	links_retry(&lab->broker, lab->now_ms + 3000);
	assert_int_equal(fake.applies, 4);
}

/* A LAN link never becomes the internet, whatever the routes say. */
static void test_default_route_to_the_lan(void **state)
{
	struct igw_map_add add = add_of(10, 40001, 50001);

	(void)state;
	fake.default_name = LAN;
	links_update(&lab->broker, lab->now_ms);
	assert_string_equal(lab->broker.wan, WAN); /* the floor's rules keep the name */
	assert_true(igw_addr_is_none(&lab->broker.wan_addr));
	assert_int_equal(lab_add(lab, &add).reason, IGW_WAN_DOWN);
	assert_non_null(strstr(last_error, LAN));
	/* Nor does the loopback interface. */
	iface(3, "lo", "127.0.0.1", 8);
	fake.ifaces[3].loopback = true;
	fake.n_ifaces = 4;
	fake.default_name = "lo";
	links_update(&lab->broker, lab->now_ms);
	assert_true(igw_addr_is_none(&lab->broker.wan_addr));
	/* Said once. */
	last_error[0] = '\0';
	links_update(&lab->broker, lab->now_ms);
	assert_string_equal(last_error, "");
	fake.default_name = WAN;
	links_update(&lab->broker, lab->now_ms);
	assert_string_equal(lab->broker.wan, WAN);
	lab_added(lab, &add);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_choose_by_the_network),
		TEST(test_private),
		TEST(test_choose_fails),
		TEST(test_fill),
		TEST(test_set_links),
		TEST(test_set_links_tables_gone),
		TEST(test_wan_changes),
		TEST(test_lan_changes),
		TEST(test_lan_change_refused),
		TEST(test_default_route_to_the_lan),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
