/*
 * A router and its neighbours, each in a network namespace of its own, within one
 * process: a socket stays in the namespace it was made in.
 *
 *   internet host 203.0.113.9, .10, 198.51.100.7 --- wan 203.0.113.2 [router]
 *   [router] br-lan 192.168.1.1 --- lan1 192.168.1.10, lan2 192.168.1.20
 *   [router] gst 192.168.50.1 --- guest 192.168.50.10
 *
 * and the same in IPv6. The test runs in the router. A refused connection and the counter
 * of a drop are the events to wait for where nothing is to arrive.
 */
#ifndef IGDWARD_TEST_FW_NET_H
#define IGDWARD_TEST_FW_NET_H

#include "test_fw_lab.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define WAN_ADDR "203.0.113.2"
#define REMOTE	 "203.0.113.9"
#define REMOTE2	 "203.0.113.10"
#define INTERNET "198.51.100.7"
#define LAN1	 "192.168.1.10"
#define LAN2	 "192.168.1.20"
#define GUEST	 "192.168.50.10"

enum node { ROUTER, WAN, HOST1, HOST2, GUESTS, NODES };

struct net {
	int ns[NODES];
	struct fw *fw;
};

UNUSED static void enter(const struct net *net, enum node node)
{
	assert_int_equal(setns(net->ns[node], CLONE_NEWNET), 0);
}

UNUSED static int new_netns(void)
{
	int fd;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	run("ip link set lo up; echo 0 > /proc/sys/net/ipv6/conf/all/accept_dad; "
	    "echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad");
	return fd;
}

/* One cable from the router to a node, whose end is called eth0. */
UNUSED static void cable(const struct net *net, const char *name, enum node node)
{
	run("ip link add %s type veth peer name eth0 netns /proc/%d/fd/%d && "
	    "ip link set %s up",
		name, getpid(), net->ns[node], name);
}

UNUSED static void host(
	const struct net *net, enum node node, const char *addrs, const char *via)
{
	enter(net, node);
	run("ip link set eth0 up; for a in %s; do ip addr add $a dev eth0; done; "
	    "for r in %s; do ip route add default via $r; done",
		addrs, via);
	enter(net, ROUTER);
}

UNUSED static void router_links(const struct net *net)
{
	cable(net, "wan", WAN);
	cable(net, "port1", HOST1);
	cable(net, "port2", HOST2);
	cable(net, "gst", GUESTS);
	run("ip link add br-lan type bridge && ip link set br-lan up && "
	    "ip link set port1 master br-lan && ip link set port2 master br-lan");
	run("ip addr add " WAN_ADDR "/24 dev wan; ip addr add 192.168.1.1/24 dev br-lan; "
	    "ip addr add 192.168.50.1/24 dev gst; "
	    "ip addr add 2001:db8:f::2/64 dev wan; "
	    "ip addr add 2001:db8:1::1/64 dev br-lan; "
	    "ip route add default via " REMOTE
	    "; ip route add default via 2001:db8:f::9");
	run("echo 1 > /proc/sys/net/ipv4/ip_forward; "
	    "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding; "
	    "for f in /proc/sys/net/bridge/bridge-nf-call-*; do "
	    "if [ -e $f ]; then echo 0 > $f; fi; done");
}

UNUSED static int net_setup(void **state)
{
	struct net *net = calloc(1, sizeof(*net));

	assert_non_null(net);
	for (enum node n = 0; n < NODES; n++)
		net->ns[n] = new_netns();
	enter(net, ROUTER);
	router_links(net);
	host(net, WAN, REMOTE "/24 " REMOTE2 "/24 " INTERNET "/32 2001:db8:f::9/64",
		WAN_ADDR " 2001:db8:f::2");
	host(net, HOST1, LAN1 "/24 2001:db8:1::10/64", "192.168.1.1 2001:db8:1::1");
	host(net, HOST2, LAN2 "/24 2001:db8:1::20/64", "192.168.1.1 2001:db8:1::1");
	host(net, GUESTS, GUEST "/24", "192.168.50.1");
	assert_int_equal(fw_open(&net->fw), 0);
	install(net->fw);
	*state = net;
	return 0;
}

UNUSED static int net_teardown(void **state)
{
	struct net *net = *state;

	fw_close(net->fw);
	for (enum node n = 0; n < NODES; n++)
		close(net->ns[n]);
	free(net);
	*state = NULL;
	return 0;
}

/* An address and port of either family. */
struct end {
	struct sockaddr_storage ss;
	socklen_t len;
};

UNUSED static struct end end_of(const char *addr, uint16_t port)
{
	struct end e = { .len = sizeof(struct sockaddr_in) };
	struct sockaddr_in *in = (struct sockaddr_in *)&e.ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&e.ss;

	if (inet_pton(AF_INET, addr, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		return e;
	}
	assert_int_equal(inet_pton(AF_INET6, addr, &in6->sin6_addr), 1);
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	e.len = sizeof(*in6);
	return e;
}

/* A socket of a node, bound; addr may be "0.0.0.0" or "::". */
UNUSED static int sock(
	const struct net *net, enum node node, int type, const char *addr, uint16_t port)
{
	struct end e = end_of(addr, port);
	const int on = 1;
	int fd;

	enter(net, node);
	fd = socket(e.ss.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	enter(net, ROUTER);
	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(fd, (struct sockaddr *)&e.ss, e.len), 0);
	return fd;
}

UNUSED static int listener(
	const struct net *net, enum node node, const char *addr, uint16_t port)
{
	int fd = sock(net, node, SOCK_STREAM, addr, port);

	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

/* A connection on its way. */
UNUSED static int dial(const struct net *net, enum node node, const char *from,
	const char *to, uint16_t port)
{
	int fd = sock(net, node, SOCK_STREAM, from, 0);
	struct end e = end_of(to, port);

	if (connect(fd, (struct sockaddr *)&e.ss, e.len) < 0 && errno != EINPROGRESS &&
		errno != ECONNREFUSED)
		fail_msg("connect: %s", strerror(errno));
	return fd;
}

UNUSED static bool ready(int fd, short events, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, timeout_ms) == 1;
}

/* What became of it: 0, ECONNREFUSED, ... */
UNUSED static int outcome(int fd)
{
	int err = 0;
	socklen_t len = sizeof(err);

	assert_true(ready(fd, POLLOUT, LAB_WAIT_MS));
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len), 0);
	return err;
}

/* A connection from `from` reaches the listener, from the address `seen`. */
UNUSED static void reaches(const struct net *net, enum node node, const char *from,
	const char *to, uint16_t port, int server, const char *seen)
{
	int fd = dial(net, node, from, to, port), got;
	struct end peer = { .len = sizeof(peer.ss) };
	char text[INET6_ADDRSTRLEN] = "";

	assert_int_equal(outcome(fd), 0);
	assert_true(ready(server, POLLIN, LAB_WAIT_MS));
	got = accept(server, (struct sockaddr *)&peer.ss, &peer.len);
	assert_true(got >= 0);
	if (peer.ss.ss_family == AF_INET)
		inet_ntop(AF_INET, &((struct sockaddr_in *)&peer.ss)->sin_addr, text,
			sizeof(text));
	else
		inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&peer.ss)->sin6_addr, text,
			sizeof(text));
	assert_string_equal(text, seen);
	close(fd);
	close(got);
}

UNUSED static void refused(const struct net *net, enum node node, const char *from,
	const char *to, uint16_t port)
{
	int fd = dial(net, node, from, to, port);

	assert_int_equal(outcome(fd), ECONNREFUSED);
	close(fd);
}

UNUSED static uint64_t dropped(const struct net *net, size_t counter)
{
	struct fw_counters c;
	uint64_t n;

	assert_int_equal(fw_counters(net->fw, &c), 0);
	memcpy(&n, (const uint8_t *)&c + counter, sizeof(n));
	return n;
}

/* Waits until one counter has moved, and no other one. */
UNUSED static void await_drop(
	const struct net *net, size_t counter, const struct fw_counters *before)
{
	int64_t end = now_ms() + LAB_WAIT_MS;
	struct fw_counters now, was = *before;
	uint64_t n;

	memcpy(&n, (const uint8_t *)&was + counter, sizeof(n));
	while (dropped(net, counter) == n) {
		assert_true(now_ms() < end);
		tick();
	}
	assert_int_equal(fw_counters(net->fw, &now), 0);
	memset((uint8_t *)&now + counter, 0, sizeof(n));
	memset((uint8_t *)&was + counter, 0, sizeof(n));
	assert_memory_equal(&now, &was, sizeof(now));
}

/* A connection attempt is dropped by the rule of this counter; nobody hears of it. */
UNUSED static void drops(const struct net *net, enum node node, const char *from,
	const char *to, uint16_t port, size_t counter, int server)
{
	struct fw_counters before;
	int fd;

	assert_int_equal(fw_counters(net->fw, &before), 0);
	fd = dial(net, node, from, to, port);
	await_drop(net, counter, &before);
	assert_false(ready(fd, POLLOUT, 0));
	if (server >= 0)
		assert_false(ready(server, POLLIN, 0));
	close(fd);
}

#define AT(counter) offsetof(struct fw_counters, counter)

/* One datagram. Returns 0 or the errno of sending it. */
UNUSED static int say(int fd, const char *to, uint16_t port)
{
	struct end e = end_of(to, port);

	return sendto(fd, "x", 1, 0, (struct sockaddr *)&e.ss, e.len) == 1 ? 0 : errno;
}

UNUSED static void heard(int fd)
{
	char c;

	assert_true(ready(fd, POLLIN, LAB_WAIT_MS));
	assert_int_equal(recv(fd, &c, 1, 0), 1);
}

/* A mapping and its internal end, as the broker sets them. */
UNUSED static void map(const struct net *net, const struct fw_mapping *m)
{
	struct fw_endpoint e = endpoint(m);
	const struct fw_op ops[] = { { FW_MAP_SET, m, NULL }, { FW_END_SET, NULL, &e } };

	assert_int_equal(fw_apply(net->fw, ops, COUNT(ops)), 0);
}

/* A firewall of the router's own that drops what does not have the mark. */
#define HOST_FIREWALL                                                                    \
	"nft -f - <<'E'\n"                                                               \
	"table inet host { chain forward { type filter hook forward priority filter;\n"  \
	" policy drop; ct state established,related accept; iifname br-lan accept;\n"    \
	" meta mark & 0x40000000 == 0x40000000 accept; }\n }\n"                          \
	"E\n"

#endif
