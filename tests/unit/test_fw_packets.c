/* Mappings and what real packets make of them. Needs root. */
#include "test_fw_net.h"

enum { PORT = 47669, OTHER_PORT = 47670, SERVICE = 8080 };

static void test_mapping(void **state)
{
	const struct net *net = *state;
	struct fw_mapping m = mapping(PORT, LAN1, SERVICE);
	int server = listener(net, HOST1, "0.0.0.0", SERVICE);

	for (int firewall = 0; firewall < 2; firewall++) {
		refused(net, WAN, REMOTE, WAN_ADDR, PORT);
		map(net, &m);
		reaches(net, WAN, REMOTE, WAN_ADDR, PORT, server, REMOTE);
		reaches(net, WAN, REMOTE2, WAN_ADDR, PORT, server, REMOTE2);
		refused(net, WAN, REMOTE, WAN_ADDR, OTHER_PORT);
		refused(net, WAN, REMOTE, WAN_ADDR, SERVICE);
		assert_int_equal(map_del(net->fw, &m), 0);
		refused(net, WAN, REMOTE, WAN_ADDR, PORT);
		run(HOST_FIREWALL);
	}
	close(server);
}

/* A routed packet to a host with a mapped port is not the router's business. */
static void test_routed(void **state)
{
	const struct net *net = *state;
	struct fw_mapping m = mapping(PORT, LAN1, SERVICE);
	int server = listener(net, HOST2, "0.0.0.0", PORT);
	int other = listener(net, HOST1, "0.0.0.0", SERVICE);

	map(net, &m);
	reaches(net, WAN, REMOTE, LAN2, PORT, server, REMOTE);
	reaches(net, HOST1, LAN1, LAN2, PORT, server, LAN1);
	reaches(net, WAN, REMOTE, WAN_ADDR, PORT, other, REMOTE);
	close(server);
	close(other);
}

/* Datagrams before the first answer are all "new", and only the first meets the maps. */
static void test_udp(void **state)
{
	const struct net *net = *state;
	struct fw_mapping m = mapping(PORT, LAN1, SERVICE);
	int server = sock(net, HOST1, SOCK_DGRAM, "0.0.0.0", SERVICE);
	int client = sock(net, WAN, SOCK_DGRAM, REMOTE, 0);

	run(HOST_FIREWALL);
	m.protocol = IGW_UDP;
	map(net, &m);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(say(client, WAN_ADDR, PORT), 0);
		heard(server);
	}
	close(server);
	close(client);
}

static void test_remote_hosts(void **state)
{
	const struct net *net = *state;
	struct fw_mapping m = mapping(PORT, LAN1, SERVICE);
	int first = listener(net, HOST1, "0.0.0.0", SERVICE);
	int second = listener(net, HOST2, "0.0.0.0", SERVICE);

	run(HOST_FIREWALL);
	m.remote_host = v4(REMOTE);
	map(net, &m);
	reaches(net, WAN, REMOTE, WAN_ADDR, PORT, first, REMOTE);
	refused(net, WAN, REMOTE2, WAN_ADDR, PORT);
	m.remote_host = v4(REMOTE2);
	m.internal_client = v4(LAN2);
	map(net, &m);
	reaches(net, WAN, REMOTE, WAN_ADDR, PORT, first, REMOTE);
	reaches(net, WAN, REMOTE2, WAN_ADDR, PORT, second, REMOTE2);
	assert_int_equal(map_del(net->fw, &m), 0);
	refused(net, WAN, REMOTE2, WAN_ADDR, PORT);
	/* One host has a mapping of its own, all others have this one. */
	memset(&m.remote_host, 0, sizeof(m.remote_host));
	map(net, &m);
	reaches(net, WAN, REMOTE, WAN_ADDR, PORT, first, REMOTE);
	reaches(net, WAN, REMOTE2, WAN_ADDR, PORT, second, REMOTE2);
	close(first);
	close(second);
}

static void test_disabled(void **state)
{
	const struct net *net = *state;
	struct fw_mapping m = mapping(PORT, LAN1, SERVICE);
	int server = listener(net, HOST1, "0.0.0.0", SERVICE);

	m.enabled = false;
	map(net, &m);
	refused(net, WAN, REMOTE, WAN_ADDR, PORT);
	m.enabled = true;
	map(net, &m);
	reaches(net, WAN, REMOTE, WAN_ADDR, PORT, server, REMOTE);
	m.enabled = false;
	map(net, &m);
	refused(net, WAN, REMOTE, WAN_ADDR, PORT);
	close(server);
}

/* Nothing outlives its lease, even with every process of ours dead. */
static void test_expiry(void **state)
{
	struct net *net = *state;
	struct fw_mapping m = mapping(PORT, LAN1, SERVICE);
	int server = listener(net, HOST1, "0.0.0.0", SERVICE), fd, err = 0;
	int64_t start = now_ms();

	m.timeout_ms = 1500;
	map(net, &m);
	reaches(net, WAN, REMOTE, WAN_ADDR, PORT, server, REMOTE);
	fw_close(net->fw);
	net->fw = NULL;
	while (err == 0) {
		fd = dial(net, WAN, REMOTE, WAN_ADDR, PORT);
		err = outcome(fd);
		close(fd);
		close(accept(server, NULL, NULL)); /* none at last */
		assert_true(now_ms() - start < LAB_WAIT_MS);
		tick();
	}
	assert_int_equal(err, ECONNREFUSED);
	assert_true(now_ms() - start >= 1400);
	close(server);
}

static void install_hairpin(const struct net *net, bool on)
{
	struct fw_settings settings = lab_settings();
	const struct fw_links links = lab_links();
	struct fw_mapping m = mapping(PORT, LAN1, SERVICE);
	struct fw_endpoint e = endpoint(&m);

	settings.hairpin = on;
	assert_int_equal(fw_install(net->fw, &settings, &links, &m, 1, &e, 1), 0);
}

/* Under the WAN address from another LAN host, the target itself, a guest, the router. */
static void test_hairpin(void **state)
{
	const struct net *net = *state;
	int server = listener(net, HOST1, "0.0.0.0", SERVICE);

	install_hairpin(net, true);
	reaches(net, HOST2, LAN2, WAN_ADDR, PORT, server, "192.168.1.1");
	reaches(net, HOST1, LAN1, WAN_ADDR, PORT, server, "192.168.1.1");
	reaches(net, GUESTS, GUEST, WAN_ADDR, PORT, server, GUEST);
	reaches(net, ROUTER, WAN_ADDR, WAN_ADDR, PORT, server, WAN_ADDR);
	reaches(net, WAN, REMOTE, WAN_ADDR, PORT, server, REMOTE);
	install_hairpin(net, false);
	refused(net, HOST2, LAN2, WAN_ADDR, PORT);
	refused(net, HOST1, LAN1, WAN_ADDR, PORT);
	refused(net, GUESTS, GUEST, WAN_ADDR, PORT);
	refused(net, ROUTER, WAN_ADDR, WAN_ADDR, PORT);
	reaches(net, WAN, REMOTE, WAN_ADDR, PORT, server, REMOTE);
	close(server);
}

/* With br_netfilter on, the bridge hands packets to the firewall itself. Another host
 * gets through, without the masquerade; the target itself does not. */
static void test_hairpin_bridge(void **state)
{
	const struct net *net = *state;
	int server;

	if (!works("echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables"))
		skip();
	server = listener(net, HOST1, "0.0.0.0", SERVICE);
	install_hairpin(net, true);
	reaches(net, HOST2, LAN2, WAN_ADDR, PORT, server, LAN2);
	reaches(net, WAN, REMOTE, WAN_ADDR, PORT, server, REMOTE);
	close(server);
}

/* The sets follow the network. */
static void test_links(void **state)
{
	const struct net *net = *state;
	struct fw_mapping m = mapping(PORT, LAN1, SERVICE);
	struct fw_links links = lab_links(), none = { .n_lan = 0 };
	int server = listener(net, HOST1, "0.0.0.0", SERVICE);

	map(net, &m);
	run("ip addr add 203.0.113.3/24 dev wan");
	refused(net, WAN, REMOTE, "203.0.113.3", PORT);
	links.wan_addrs[0] = v4("203.0.113.3");
	assert_int_equal(fw_set_links(net->fw, &links), 0);
	reaches(net, WAN, REMOTE, "203.0.113.3", PORT, server, REMOTE);
	refused(net, WAN, REMOTE, WAN_ADDR, PORT);
	assert_int_equal(fw_set_links(net->fw, &none), 0);
	refused(net, WAN, REMOTE, "203.0.113.3", PORT);
	close(server);
}

/* The mark is for packets of our mappings to our ends, and leaves other bits alone. */
static void test_mark(void **state)
{
	const struct net *net = *state;
	struct fw_mapping m = mapping(PORT, LAN1, SERVICE);
	int server = listener(net, HOST1, "0.0.0.0", SERVICE);
	int64_t end = now_ms() + LAB_WAIT_MS;
	int fd;

	run("nft -f - <<'E'\n"
	    "table inet host {\n counter good { }\n counter bad { }\n"
	    " chain pre { type filter hook prerouting priority -150; meta mark set 0xff; }\n"
	    " chain forward { type filter hook forward priority filter; policy drop;\n"
	    "  ct state established meta mark != 0xff counter name bad\n"
	    "  ct state established accept\n"
	    "  meta mark 0x400000ff counter name good accept\n"
	    "  meta mark != 0xff counter name bad\n"
	    "  iifname wan ip daddr " LAN1 " counter;\n }\n"
	    " chain input { type filter hook input priority 0;\n"
	    "  meta mark != 0xff counter name bad\n }\n}\nE\n");
	map(net, &m);
	reaches(net, WAN, REMOTE, WAN_ADDR, PORT, server, REMOTE);
	/* By hand, and so without an internal end. */
	run("nft add element inet igdward dnat4 '{ tcp . 47670 : " LAN1 " . 8081 }'");
	fd = dial(net, WAN, REMOTE, WAN_ADDR, OTHER_PORT);
	while (shows("nft list chain inet host forward", "counter packets 0 ")) {
		assert_true(now_ms() < end);
		tick();
	}
	close(fd);
	refused(net, WAN, REMOTE, WAN_ADDR, 47671); /* unmarked on its way in, too */
	assert_true(shows("nft list counter inet host good", "packets 1 "));
	assert_true(shows("nft list counter inet host bad", "packets 0 "));
	close(server);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, net_setup, net_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_mapping),
		TEST(test_routed),
		TEST(test_udp),
		TEST(test_remote_hosts),
		TEST(test_disabled),
		TEST(test_expiry),
		TEST(test_hairpin),
		TEST(test_hairpin_bridge),
		TEST(test_links),
		TEST(test_mark),
	};

	return cmocka_run_group_tests(tests, lab_netns, NULL);
}
