/* What the floor never lets pass, whoever made the rules and whatever the maps hold; with
 * a listener behind each, so that only the drop can be the reason. Needs root. */
#include "test_fw_net.h"

enum { PORT = 47669, SERVICE = 8080 };

static const uint16_t smb[] = { 135, 137, 138, 139, 445 };

/* Past every check of ours, as a bug or an intruder would. */
static void by_hand(const char *element)
{
	run("nft flush map inet igdward dnat4; "
	    "nft add element inet igdward dnat4 '{ %s }'",
		element);
}

/* Other software's port forward, before ours, and its consent. */
static void by_others(const char *target)
{
	run("nft -f - <<'E'\n"
	    "table inet other {}\ndelete table inet other\ntable inet other {\n"
	    " chain pre { type nat hook prerouting priority -150;\n"
	    "  meta nfproto ipv4 tcp dport 47669 dnat ip to %s\n }\n"
	    " chain forward { type filter hook forward priority -100; accept;\n }\n}\nE\n",
		target);
}

/* A datagram's way into the drop. */
static void drops_udp(const struct net *net, enum node node, const char *from,
	const char *to, uint16_t port, size_t counter)
{
	struct fw_counters before;
	int fd = sock(net, node, SOCK_DGRAM, from, 0);

	assert_int_equal(fw_counters(net->fw, &before), 0);
	assert_int_equal(say(fd, to, port), 0);
	await_drop(net, counter, &before);
	close(fd);
}

static void test_smb_by_hand(void **state)
{
	const struct net *net = *state;
	char element[128];

	for (size_t i = 0; i < COUNT(smb); i++) {
		int server = listener(net, HOST1, "0.0.0.0", smb[i]);

		snprintf(element, sizeof(element),
			"tcp . 47669 : " LAN1 " . %u, udp . 47669 : " LAN1 " . %u",
			smb[i], smb[i]);
		by_hand(element);
		drops(net, WAN, REMOTE, WAN_ADDR, PORT, AT(smb_dnat), server);
		drops(net, HOST2, LAN2, WAN_ADDR, PORT, AT(smb_dnat),
			server); /* hairpin */
		drops(net, HOST1, LAN1, WAN_ADDR, PORT, AT(smb_dnat), server);
		drops(net, GUESTS, GUEST, WAN_ADDR, PORT, AT(smb_dnat), server);
		drops_udp(net, WAN, REMOTE, WAN_ADDR, PORT, AT(smb_dnat));
		close(server);
	}
}

/* Also when it came the proper way: the broker may be wrong. */
static void test_smb_by_us(void **state)
{
	const struct net *net = *state;
	struct fw_mapping m = mapping(PORT, LAN1, 445);
	int server = listener(net, HOST1, "0.0.0.0", 445);

	map(net, &m);
	drops(net, WAN, REMOTE, WAN_ADDR, PORT, AT(smb_dnat), server);
	m.remote_host = v4(REMOTE2);
	map(net, &m);
	drops(net, WAN, REMOTE2, WAN_ADDR, PORT, AT(smb_dnat), server);
	close(server);
}

static void test_smb_by_others(void **state)
{
	const struct net *net = *state;
	int server = listener(net, HOST1, "0.0.0.0", 445);
	int other = listener(net, HOST1, "0.0.0.0", SERVICE);
	int guest = listener(net, GUESTS, "0.0.0.0", 445);

	by_others(LAN1 ":8080");
	reaches(net, WAN, REMOTE, WAN_ADDR, PORT, other, REMOTE); /* so it is a forward */
	by_others(LAN1 ":445");
	drops(net, WAN, REMOTE, WAN_ADDR, PORT, AT(smb_dnat), server);
	by_others(GUEST ":445");
	drops(net, WAN, REMOTE, WAN_ADDR, PORT, AT(smb_dnat), guest);
	by_others(LAN1 ":445");
	/* With us gone, it stays. */
	assert_int_equal(fw_remove_mappings(net->fw), 0);
	drops(net, WAN, REMOTE, WAN_ADDR, PORT, AT(smb_dnat), server);
	assert_int_equal(fw_teardown(net->fw), 0);
	reaches(net, WAN, REMOTE, WAN_ADDR, PORT, server, REMOTE);
	close(server);
	close(other);
	close(guest);
}

static void test_smb_routed(void **state)
{
	const struct net *net = *state;
	int server = listener(net, HOST1, "::", 445);
	int other = listener(net, HOST1, "::", SERVICE);

	reaches(net, WAN, REMOTE, LAN1, SERVICE, other, "::ffff:" REMOTE);
	reaches(net, WAN, "2001:db8:f::9", "2001:db8:1::10", SERVICE, other,
		"2001:db8:f::9");
	reaches(net, HOST2, LAN2, LAN1, 445, server,
		"::ffff:" LAN2); /* not our business */
	drops(net, WAN, REMOTE, LAN1, 445, AT(smb_routed), server);
	drops(net, WAN, "2001:db8:f::9", "2001:db8:1::10", 445, AT(smb_routed), server);
	drops_udp(net, WAN, REMOTE, LAN1, 137, AT(smb_routed));
	drops_udp(net, WAN, "2001:db8:f::9", "2001:db8:1::10", 138, AT(smb_routed));
	close(server);
	close(other);
}

static void test_smb_egress(void **state)
{
	const struct net *net = *state;
	struct fw_settings settings = lab_settings();
	const struct fw_links links = lab_links();
	int server = listener(net, WAN, "::", 445), other = listener(net, WAN, "::", 80);

	reaches(net, HOST1, LAN1, INTERNET, 80, other, "::ffff:" LAN1);
	drops(net, HOST1, LAN1, INTERNET, 445, AT(smb_egress), server);
	drops(net, HOST1, LAN1, REMOTE, 139, AT(smb_egress), -1);
	drops(net, HOST2, "2001:db8:1::20", "2001:db8:f::9", 445, AT(smb_egress), server);
	drops_udp(net, HOST1, LAN1, INTERNET, 138, AT(smb_egress));
	assert_true(shows(LAB_RULESET, "elements = { " LAN1 " counter packets 3"));
	assert_true(shows(LAB_RULESET, "elements = { 2001:db8:1::20 counter packets 1"));
	assert_true(
		shows("nft list set inet igdward_floor smb_fast", LAN1 " . " INTERNET));
	assert_true(shows("nft list set inet igdward_floor smb_slow", LAN1 " . " REMOTE));
	assert_true(shows("nft list set inet igdward_floor smb_fast6",
		"2001:db8:1::20 . 2001:db8:f::9"));
	assert_true(shows("nft list set inet igdward_floor smb_slow6",
		"2001:db8:1::20 . 2001:db8:f::9"));
	settings.block_smb_egress = false;
	assert_int_equal(fw_install(net->fw, &settings, &links, NULL, 0, NULL, 0), 0);
	reaches(net, HOST1, LAN1, INTERNET, 445, server, "::ffff:" LAN1);
	assert_true(shows(LAB_RULESET, LAN1 " counter packets 3")); /* from before */
	close(server);
	close(other);
}

/* A host that fills the sets with forged sources does not get through. */
static void test_smb_egress_full(void **state)
{
	const struct net *net = *state;
	int server = listener(net, WAN, "0.0.0.0", 445);

	run("( for s in smb_fast smb_slow; do\n"
	    "echo \"add element inet igdward_floor $s {\"; for i in $(seq 4096); do "
	    "echo \"10.1.$((i / 256)).$((i %% 256)) . 10.0.0.1,\"; done; echo '}'; done\n"
	    "echo 'add element inet igdward_floor smb_sources {'; for i in $(seq 4096); do "
	    "echo \"10.1.$((i / 256)).$((i %% 256)),\"; done; echo '}' ) | nft -f -");
	assert_false(
		works("nft add element inet igdward_floor smb_sources '{ 10.2.0.1 }'"));
	drops(net, HOST1, LAN1, INTERNET, 445, AT(smb_egress), server);
	close(server);
}

/* One line from one end of a connection to the other. */
static void tell(int from, int to, const char *line)
{
	char buf[128];
	size_t len = strlen(line);

	assert_int_equal(send(from, line, len, 0), len);
	assert_true(ready(to, POLLIN, LAB_WAIT_MS));
	assert_int_equal(recv(to, buf, sizeof(buf), 0), len);
}

/* A LAN host that plays FTP server can have the helper expect a connection to its SMB
 * port: "related", and not forwarded for it. */
static void test_smb_related(void **state)
{
	const struct net *net = *state;
	int server = listener(net, HOST1, "0.0.0.0", 445);
	int ftp = listener(net, HOST1, "0.0.0.0", 2121), far, near;

	if (!works("echo 'table inet other {\n counter related { }\n"
		   " ct helper ftp { type \"ftp\" protocol tcp;\n }\n"
		   " chain pre { type filter hook prerouting priority -90;\n"
		   "  tcp dport 2121 ct helper set \"ftp\"\n"
		   "  ct state related counter name related\n }\n}' | nft -f -")) {
		close(ftp);
		close(server);
		skip(); /* a kernel without that helper */
	}
	near = dial(net, WAN, REMOTE, LAN1, 2121);
	assert_int_equal(outcome(near), 0);
	far = accept(ftp, NULL, NULL);
	assert_true(far >= 0);
	tell(far, near, "220 hello\r\n");
	tell(far, near, "227 Entering Passive Mode (192,168,1,10,1,189)\r\n");
	drops(net, WAN, REMOTE, LAN1, 445, AT(smb_routed), server);
	assert_false(shows("nft list counter inet other related", "packets 0 "));
	close(near);
	close(far);
	close(ftp);
	close(server);
}

/* The rules look at beginnings; what began before is for the broker to cut. */
static void test_established(void **state)
{
	const struct net *net = *state;
	int server = listener(net, HOST1, "0.0.0.0", 445), near, far;

	by_others(LAN1 ":445");
	assert_int_equal(fw_teardown(net->fw), 0);
	near = dial(net, WAN, REMOTE, WAN_ADDR, PORT);
	assert_int_equal(outcome(near), 0);
	far = accept(server, NULL, NULL);
	assert_true(far >= 0);
	install(net->fw);
	tell(near, far, "there");
	tell(far, near, "and back");
	assert_int_equal(dropped(net, AT(smb_dnat)), 0);
	drops(net, WAN, REMOTE, WAN_ADDR, PORT, AT(smb_dnat), server);
	close(near);
	close(far);
	close(server);
}

/* The proxy of UPnProxy: a mapping to a host on the internet. */
static void test_proxy(void **state)
{
	const struct net *net = *state;
	int server = listener(net, WAN, "0.0.0.0", 80);
	int guest = listener(net, GUESTS, "0.0.0.0", 80);

	by_hand("tcp . 47669 : " INTERNET " . 80");
	drops(net, WAN, REMOTE, WAN_ADDR, PORT, AT(proxy), server);
	drops(net, HOST1, LAN1, WAN_ADDR, PORT, AT(off_lan), server);
	drops(net, GUESTS, GUEST, WAN_ADDR, PORT, AT(off_lan), server);
	by_others(INTERNET ":80");
	drops(net, WAN, REMOTE, WAN_ADDR, PORT, AT(proxy), server);
	close(server);
	close(guest);
}

/* A link that is not one of ours: the admin may forward there, we may not. */
static void test_off_lan(void **state)
{
	const struct net *net = *state;
	struct fw_mapping m = mapping(PORT, GUEST, SERVICE);
	int server = listener(net, GUESTS, "0.0.0.0", SERVICE);

	for (int firewall = 0; firewall < 2; firewall++) {
		by_hand("tcp . 47669 : " GUEST " . 8080");
		drops(net, WAN, REMOTE, WAN_ADDR, PORT, AT(off_lan), server);
		drops(net, HOST1, LAN1, WAN_ADDR, PORT, AT(off_lan), server);
		map(net, &m); /* with its internal end and all */
		drops(net, WAN, REMOTE, WAN_ADDR, PORT, AT(off_lan), server);
		by_others(GUEST ":8080");
		if (!firewall)
			reaches(net, WAN, REMOTE, WAN_ADDR, PORT, server, REMOTE);
		run("nft delete table inet other");
		run(HOST_FIREWALL);
	}
	close(server);
}

static void test_router(void **state)
{
	const struct net *net = *state;
	int server = listener(net, ROUTER, "192.168.1.1", 80);
	const char *const targets[] = { "192.168.1.1 . 80", WAN_ADDR " . 80",
		"192.168.50.1 . 80" };
	char element[128];

	for (size_t i = 0; i < COUNT(targets); i++) {
		snprintf(element, sizeof(element), "tcp . 47669 : %s", targets[i]);
		by_hand(element);
		drops(net, WAN, REMOTE, WAN_ADDR, PORT, AT(router), server);
		drops(net, HOST1, LAN1, WAN_ADDR, PORT, AT(router), server);
		drops(net, GUESTS, GUEST, WAN_ADDR, PORT, AT(router), server);
	}
	by_others("192.168.1.1:80");
	drops(net, WAN, REMOTE, WAN_ADDR, PORT, AT(router), server);
	reaches(net, HOST1, LAN1, WAN_ADDR, PORT, server, LAN1); /* theirs, from inside */
	close(server);
}

static void test_control(void **state)
{
	const struct net *net = *state;
	const uint16_t ports[] = { 5000, 1900, 5350, 5351 };
	int fd, server;

	for (size_t i = 0; i < COUNT(ports); i++) {
		server = listener(net, ROUTER, "::", ports[i]);
		drops(net, WAN, REMOTE, WAN_ADDR, ports[i], AT(control), server);
		drops(net, WAN, REMOTE, "192.168.1.1", ports[i], AT(control), server);
		drops(net, WAN, "2001:db8:f::9", "2001:db8:1::1", ports[i], AT(control),
			server);
		reaches(net, HOST1, LAN1, "192.168.1.1", ports[i], server,
			"::ffff:" LAN1);
		close(server);
		if (i > 0)
			drops_udp(net, WAN, REMOTE, "192.168.1.1", ports[i], AT(control));
	}
	/* A resolver may happen to ask from such a port; its answer arrives. */
	fd = sock(net, ROUTER, SOCK_DGRAM, WAN_ADDR, 5351);
	server = sock(net, WAN, SOCK_DGRAM, REMOTE, 53);
	assert_int_equal(say(fd, REMOTE, 53), 0);
	heard(server);
	assert_int_equal(say(server, WAN_ADDR, 5351), 0);
	heard(fd);
	close(fd);
	close(server);
}

/* Answers to what an admin's rules translate on the router itself are no attack. */
static void test_router_answers(void **state)
{
	const struct net *net = *state;
	int server = listener(net, WAN, "0.0.0.0", 8053);

	run("nft -f - <<'E'\n"
	    "table inet other { chain out { type nat hook output priority -100;\n"
	    "  meta nfproto ipv4 tcp dport 53 dnat ip to " INTERNET ":8053\n }\n}\nE\n");
	reaches(net, ROUTER, WAN_ADDR, "198.51.100.99", 53, server, WAN_ADDR);
	close(server);
}

/* A socket of the worker's user, which is what counts, not the process that uses it. */
static int worker_sock(int type, const char *addr, uint16_t port)
{
	struct end e = end_of(addr, port);
	int fd;

	assert_int_equal(seteuid(LAB_WORKER), 0);
	fd = socket(e.ss.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(seteuid(0), 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&e.ss, e.len), 0);
	return fd;
}

static void test_worker(void **state)
{
	const struct net *net = *state;
	struct fw_counters before;
	const struct fw_links none = { .n_lan = 0 };
	int fd = worker_sock(SOCK_DGRAM, "0.0.0.0", 0);
	int fd6 = worker_sock(SOCK_DGRAM, "::", 0);
	int lan = sock(net, HOST1, SOCK_DGRAM, "::", SERVICE), us;

	assert_int_equal(say(fd, LAN1, SERVICE), 0);
	heard(lan);
	assert_int_equal(say(fd6, "2001:db8:1::10", SERVICE), 0);
	heard(lan);
	assert_int_equal(say(fd, "127.0.0.1", SERVICE), 0);
	assert_int_equal(say(fd6, "::1", SERVICE), 0);
	assert_int_equal(dropped(net, AT(worker)), 0);
	assert_int_equal(say(fd, REMOTE, SERVICE), EPERM);
	assert_int_equal(say(fd, GUEST, SERVICE), EPERM);
	assert_int_equal(say(fd, INTERNET, 53), EPERM);
	assert_int_equal(say(fd6, "2001:db8:f::9", SERVICE), EPERM);
	assert_int_equal(dropped(net, AT(worker)), 4);
	us = sock(net, ROUTER, SOCK_DGRAM, "0.0.0.0", 0);
	assert_int_equal(say(us, INTERNET, SERVICE), 0); /* others are free */
	assert_int_equal(fw_remove_mappings(net->fw), 0);
	assert_int_equal(say(fd, REMOTE, SERVICE), EPERM);
	install(net->fw);
	assert_int_equal(dropped(net, AT(worker)), 5); /* counted across runs */
	assert_int_equal(fw_counters(net->fw, &before), 0);
	assert_int_equal(fw_set_links(net->fw, &none), 0);
	assert_int_equal(say(fd, LAN1, SERVICE), EPERM);
	await_drop(net, AT(worker), &before);
	close(fd);
	close(fd6);
	close(lan);
	close(us);
}

/* A worker that accepts a connection from outside cannot answer it. */
static void test_worker_answers(void **state)
{
	const struct net *net = *state;
	struct fw_counters before;
	int server = worker_sock(SOCK_STREAM, "0.0.0.0", SERVICE), fd;

	assert_int_equal(listen(server, 8), 0);
	reaches(net, HOST1, LAN1, "192.168.1.1", SERVICE, server, LAN1);
	assert_int_equal(fw_counters(net->fw, &before), 0);
	fd = dial(net, WAN, REMOTE, WAN_ADDR, SERVICE);
	await_drop(net, AT(worker), &before);
	assert_false(ready(fd, POLLOUT, 0));
	close(fd);
	close(server);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, net_setup, net_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_smb_by_hand),
		TEST(test_smb_by_us),
		TEST(test_smb_by_others),
		TEST(test_smb_routed),
		TEST(test_smb_egress),
		TEST(test_smb_egress_full),
		TEST(test_smb_related),
		TEST(test_established),
		TEST(test_proxy),
		TEST(test_off_lan),
		TEST(test_router),
		TEST(test_control),
		TEST(test_router_answers),
		TEST(test_worker),
		TEST(test_worker_answers),
	};

	return cmocka_run_group_tests(tests, lab_netns, NULL);
}
