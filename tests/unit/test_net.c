/* The router's network is known as it is, and changes are noticed: links, addresses and
 * default routes in a network namespace of our own. Needs root. */
#include "net.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { WAIT_MS = 10000 };

__attribute__((format(printf, 1, 2))) static void sh(const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (system(line) != 0)
		fail_msg("failed: %s", line);
}

static void await_event(const struct net *net)
{
	struct pollfd p = { .fd = net_fd(net), .events = POLLIN };

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
}

/* Takes in changes until the condition holds; carriers follow a little later. */
#define UNTIL(net, condition)                                                            \
	while (net_poll(net), !(condition))                                              \
	await_event(net)

static bool is_up(const struct net *net, const char *name)
{
	const struct net_iface *iface = net_find(net, name);

	return iface && iface->up;
}

static struct igw_addr addr(const char *text)
{
	struct igw_addr a;

	assert_int_equal(igw_addr_parse(text, &a), 0);
	return a;
}

static bool own(const struct net *net, const char *text)
{
	const struct igw_addr a = addr(text);

	return net_is_own(net, &a);
}

static bool special(const struct net *net, const char *text)
{
	const struct igw_addr a = addr(text);

	return net_is_special(net, &a);
}

/* v0 and v1 are two ends of one cable, both up. */
static int setup(void **state)
{
	struct net *net;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	sh("ip link set lo up && ip link add v0 type veth peer name v1 && "
	   "ip link set v0 address 02:00:00:00:00:01 up && ip link set v1 up");
	assert_int_equal(net_open(&net), 0);
	UNTIL(net, is_up(net, "v0") && is_up(net, "v1") && is_up(net, "lo"));
	*state = net;
	return 0;
}

static int teardown(void **state)
{
	net_close(*state);
	return 0;
}

static void test_open(void **state)
{
	struct net *net = *state, *second;
	const struct net_iface *ifaces, *iface;

	assert_int_equal(net_ifaces(net, &ifaces), 3);
	iface = net_find(net, "lo");
	assert_non_null(iface);
	assert_true(iface->loopback);
	assert_int_equal(iface->n_addrs, 1);
	assert_int_equal(igw_addr_to_v4(&iface->addrs[0].addr), 0x7f000001);
	assert_int_equal(iface->addrs[0].len, 8);
	iface = net_find(net, "v0");
	assert_false(iface->loopback);
	assert_int_equal(iface->mac.b[0], 2);
	assert_int_equal(iface->mac.b[5], 1);
	assert_int_equal(iface->n_addrs, 0);
	assert_null(net_find(net, "v2"));
	assert_null(net_find(net, ""));
	assert_string_equal(net_default(net), "");
	assert_int_equal(net_poll(net), 0);
	assert_int_equal(net_poll(net), 0);
	assert_int_equal(net_open(&second), 0);
	assert_int_equal(net_ifaces(second, &ifaces), 3);
	net_close(second);
	net_close(NULL);
}

static void test_addrs(void **state)
{
	struct net *net = *state;
	const struct net_iface *iface;

	sh("ip addr add 192.168.7.1/24 brd + dev v0 && ip addr add 192.168.7.9/24 dev v0 && "
	   "ip addr add 10.1.2.3/30 dev v0 && ip addr add fd00::1/64 dev v0");
	assert_int_equal(net_poll(net), 1);
	assert_int_equal(net_poll(net), 0);
	iface = net_find(net, "v0");
	assert_int_equal(iface->n_addrs, 3);
	assert_int_equal(igw_addr_to_v4(&iface->addrs[0].addr), 0xc0a80701);
	assert_int_equal(iface->addrs[0].len, 24);
	assert_int_equal(igw_addr_to_v4(&iface->addrs[1].addr), 0x0a010203);
	assert_int_equal(igw_addr_to_v4(&iface->addrs[2].addr), 0xc0a80709);
	assert_true(own(net, "192.168.7.1") && own(net, "192.168.7.9") &&
		    own(net, "10.1.2.3"));
	assert_true(own(net, "127.0.0.1"));
	assert_false(
		own(net, "192.168.7.2") || own(net, "0.0.0.0") || own(net, "fd00::1"));
	sh("ip addr del 192.168.7.1/24 dev v0");
	assert_int_equal(net_poll(net), 1);
	assert_false(own(net, "192.168.7.1"));
	sh("ip addr add 192.168.7.1/24 dev v1 && ip addr del 192.168.7.1/24 dev v1");
	assert_int_equal(net_poll(net), 0); /* as if it had not been */
	sh("ip addr flush dev v0");
	assert_int_equal(net_poll(net), 1);
	assert_int_equal(net_find(net, "v0")->n_addrs, 0);
}

static void test_special(void **state)
{
	struct net *net = *state;

	sh("ip addr add 192.168.7.1/24 dev v0 && ip addr add 10.1.2.3/29 brd 10.1.2.6 dev v0");
	sh("ip addr add 10.2.0.0/31 dev v0 && ip addr add 10.3.0.1/32 dev v0");
	sh("ip addr add 10.4.0.1 peer 10.5.0.9/24 dev v1");
	assert_int_equal(net_poll(net), 1);
	assert_true(special(net, "192.168.7.0") && special(net, "192.168.7.255"));
	assert_false(special(net, "192.168.7.1") || special(net, "192.168.7.128"));
	assert_true(special(net, "10.1.2.0") && special(net, "10.1.2.7"));
	assert_true(special(net, "10.1.2.6")); /* configured */
	assert_false(special(net, "10.1.2.5"));
	assert_false(special(net, "10.2.0.0") || special(net, "10.2.0.1"));
	assert_false(special(net, "10.3.0.1"));
	assert_true(special(net, "10.5.0.0") && special(net, "10.5.0.255"));
	assert_false(special(net, "10.4.0.0") || special(net, "10.4.0.255"));
	assert_true(special(net, "127.255.255.255"));
	assert_false(special(net, "2001:db8::"));
	sh("ip addr add 1.2.3.4/0 dev v1");
	assert_int_equal(net_poll(net), 1);
	assert_true(special(net, "0.0.0.0") && special(net, "255.255.255.255"));
	assert_false(special(net, "8.8.8.8"));
}

static void test_links(void **state)
{
	struct net *net = *state;
	const struct net_iface *ifaces;
	int index = net_find(net, "v0")->index;

	sh("ip link set v1 down"); /* pulls the plug of v0, too */
	UNTIL(net, !is_up(net, "v0") && !is_up(net, "v1"));
	sh("ip link set v1 up");
	UNTIL(net, is_up(net, "v0") && is_up(net, "v1"));
	sh("ip addr add 192.168.7.1/24 dev v0 && ip link set v0 name wan0");
	UNTIL(net, net_find(net, "wan0"));
	assert_null(net_find(net, "v0"));
	assert_int_equal(net_find(net, "wan0")->index, index);
	assert_int_equal(net_find(net, "wan0")->n_addrs, 1);
	sh("ip link set wan0 name x0 && ip link set v1 name wan0 && ip link set x0 name v1");
	assert_int_equal(net_poll(net), 1);
	assert_int_equal(net_find(net, "v1")->index, index);
	sh("ip link set v1 address 02:00:00:00:00:07");
	assert_int_equal(net_poll(net), 1);
	assert_int_equal(net_find(net, "v1")->mac.b[5], 7);
	sh("ip link del v1");
	UNTIL(net, !net_find(net, "v1") && !net_find(net, "wan0"));
	assert_int_equal(net_ifaces(net, &ifaces), 1);
	assert_false(own(net, "192.168.7.1"));
	sh("ip link add v0 type veth peer name v1");
	assert_int_equal(net_poll(net), 1);
	assert_non_null(net_find(net, "v0"));
	assert_int_not_equal(net_find(net, "v0")->index, index);
	/* Gone and back between two looks. */
	index = net_find(net, "v0")->index;
	sh("ip link del v0 && ip link add v0 type veth peer name v1");
	assert_int_equal(net_poll(net), 1);
	assert_int_not_equal(net_find(net, "v0")->index, index);
}

/* Most of what the kernel tells changes nothing for us. */
static void test_no_news(void **state)
{
	struct net *net = *state;
	const struct net_iface *before, *after;

	sh("ip addr add 192.168.7.1/24 dev v0 && ip link add br0 address 02:00:00:00:00:09 type bridge && "
	   "ip link set v1 master br0 && ip route add default via 192.168.7.254");
	UNTIL(net, is_up(net, "v1") && net_find(net, "br0") && *net_default(net));
	sh("ip neigh add 192.168.7.2 dev v0 lladdr 02:00:00:00:00:02 nud permanent");
	sh("ip addr change 192.168.7.1/24 dev v0 valid_lft 3600 preferred_lft 3600");
	sh("ip link set v0 txqueuelen 77 && ip link set v0 alias hello");
	sh("ip link set v1 nomaster"); /* told as RTM_DELLINK of v1, with AF_BRIDGE */
	sh("ip route add 10.0.0.0/8 via 192.168.7.254 && ip route del 10.0.0.0/8");
	sh("ip route add default via 192.168.7.253 table 100");
	await_event(net);
	net_ifaces(net, &before);
	assert_int_equal(net_poll(net), 0);
	net_ifaces(net, &after);
	assert_ptr_equal(before, after); /* it was not even worth a look */
	assert_non_null(net_find(net, "v1"));
	sh("ip route append default via 192.168.7.253 metric 7");
	assert_int_equal(net_poll(net), 0); /* the same link */
	assert_int_equal(net_poll(net), 0);
}

static void test_default(void **state)
{
	struct net *net = *state;

	sh("ip addr add 192.168.7.1/24 dev v0 && ip addr add 192.168.8.1/24 dev v1 && "
	   "ip link add v2 type veth peer name v3 && ip link set v2 up");
	sh("ip route add default via 192.168.7.254 metric 200");
	UNTIL(net, strcmp(net_default(net), "v0") == 0);
	sh("ip route add default dev v1 metric 100"); /* as for ppp0 */
	assert_int_equal(net_poll(net), 1);
	assert_string_equal(net_default(net), "v1");
	sh("ip route add default via 192.168.7.254 metric 50 table 100 && "
	   "ip route add 0.0.0.0/1 via 192.168.7.254 && "
	   "ip route add unreachable default metric 10");
	assert_int_equal(net_poll(net), 0);
	sh("ip route add default via 192.168.7.254 metric 0");
	assert_int_equal(net_poll(net), 1);
	assert_string_equal(net_default(net), "v0");
	sh("ip route del default via 192.168.7.254 metric 0");
	assert_int_equal(net_poll(net), 1);
	assert_string_equal(net_default(net), "v1");
	/* v2 has no carrier: its peer is down. */
	sh("ip route add default dev v2 metric 5");
	net_poll(net);
	assert_string_equal(net_default(net), "v1");
	sh("ip route add default metric 4 nexthop dev v2 nexthop via 192.168.7.254");
	assert_int_equal(net_poll(net), 1);
	assert_string_equal(net_default(net), "v0");
	sh("ip route del default metric 4 && ip link set v3 up");
	UNTIL(net, strcmp(net_default(net), "v2") == 0);
	/* The kernel drops the route along with the link, and does not tell. */
	sh("ip link set v2 down");
	UNTIL(net, strcmp(net_default(net), "v1") == 0);
	sh("ip link del v2 && ip route del default metric 100 && "
	   "ip addr del 192.168.7.1/24 dev v0");
	UNTIL(net, strcmp(net_default(net), "") == 0);
}

static void test_rename_default(void **state)
{
	struct net *net = *state;

	sh("ip route add default dev v0");
	assert_int_equal(net_poll(net), 1);
	assert_string_equal(net_default(net), "v0");
	sh("ip link set v0 name ppp0");
	UNTIL(net, strcmp(net_default(net), "ppp0") == 0);
}

/* Notifications that this socket lost, as the kernel counts them. */
static unsigned long lost(const struct net *net)
{
	unsigned long drops = 0, inode, n;
	struct stat st;
	char line[256];
	FILE *f = fopen("/proc/net/netlink", "r");

	assert_non_null(f);
	assert_int_equal(fstat(net_fd(net), &st), 0);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*s %*s %*s %*s %*s %*s %*s %*s %lu %lu", &n, &inode) ==
				2 &&
			inode == st.st_ino)
			drops = n;
	}
	fclose(f);
	return drops;
}

static void test_flood(void **state)
{
	struct net *net = *state;
	const int tiny = 1;

	sh("ip link add v2 type veth peer name v3");
	assert_int_equal(net_poll(net), 1);
	assert_int_equal(
		setsockopt(net_fd(net), SOL_SOCKET, SO_RCVBUFFORCE, &tiny, sizeof(tiny)),
		0);
	for (int again = 0; again < 2; again++) {
		unsigned long before = lost(net);

		sh("for i in 1 2 3 4 5 6 7 8; do for j in 1 2 3 4 5 6 7 8; do "
		   "echo addr add 10.$i.$j.%d/24 dev v0; done; done | ip -batch -",
			again + 1);
		sh("ip link del v2 && ip link add v2 type veth peer name v3 && "
		   "ip route replace default dev v%d",
			again);
		assert_true(lost(net) > before);
		assert_int_equal(net_poll(net), 1);
		assert_int_equal(net_find(net, "v0")->n_addrs, NET_ADDRS_MAX);
		assert_true(own(net, again ? "10.8.8.2" : "10.8.8.1"));
		assert_true(special(net, "10.8.8.255"));
		assert_string_equal(net_default(net), again ? "v1" : "v0");
		assert_int_equal(net_poll(net), 0);
	}
	sh("ip addr flush dev v0");
	assert_int_equal(net_poll(net), 1);
	assert_int_equal(net_find(net, "v0")->n_addrs, 0);
}

static void test_caps(void **state)
{
	struct net *net = *state, *second;
	const struct net_iface *ifaces;

	sh("seq 3 %d | sed 's/.*/link add w& type bridge/' | ip -batch -",
		NET_IFACES_MAX + 20);
	assert_int_equal(net_poll(net), 1);
	assert_int_equal(net_ifaces(net, &ifaces), NET_IFACES_MAX);
	sh("seq 1 1500 | awk '{ print \"addr add 10.\" int($1/200) \".\" $1%%200 \".1/16 dev "
	   "v0\" }' | ip -batch -");
	assert_int_equal(net_poll(net), 1);
	assert_int_equal(net_find(net, "v0")->n_addrs, NET_ADDRS_MAX);
	assert_true(own(net, "10.0.100.1"));
	assert_int_equal(net_open(&second), 0);
	assert_int_equal(net_ifaces(second, &ifaces), NET_IFACES_MAX);
	net_close(second);
}

/* No privilege is needed; the broker keeps one all the same. */
static void test_unprivileged(void **state)
{
	const struct igw_addr any = addr("0.0.0.0");
	int status = -1;
	pid_t child = fork();

	(void)state;
	assert_true(child >= 0);
	if (child == 0) {
		struct net *net;

		if (setresuid(65534, 65534, 65534) < 0 || net_open(&net) < 0)
			_exit(1);
		if (!net_find(net, "v0") || net_listens(net, IGW_TCP, &any, 9) != 0)
			_exit(2);
		net_close(net);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_open),
		T(test_addrs),
		T(test_special),
		T(test_links),
		T(test_no_news),
		T(test_default),
		T(test_rename_default),
		T(test_flood),
		T(test_caps),
		T(test_unprivileged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
