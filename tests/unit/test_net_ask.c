/* Questions to the kernel: who is a neighbour on a link, what is its MAC address, who
 * listens here; in a network namespace of our own. Needs root. */
#include "net.h"

#include <arpa/inet.h>
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
#include <unistd.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { WAIT_MS = 10000, PORT = 8080 };

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

static struct igw_addr addr(const char *text)
{
	struct igw_addr a;

	assert_int_equal(igw_addr_parse(text, &a), 0);
	return a;
}

static bool is_up(const struct net *net, const char *name)
{
	const struct net_iface *iface = net_find(net, name);

	return iface && iface->up;
}

/* v0 (192.168.7.1/24) and v1 (203.0.113.1/24) are two ends of one cable. */
static int setup(void **state)
{
	struct net *net;
	struct pollfd p = { .events = POLLIN };

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	sh("ip link set lo up && ip link add v0 type veth peer name v1 && "
	   "ip link set v0 address 02:00:00:00:00:01 up && ip link set v1 up && "
	   "ip addr add 192.168.7.1/24 brd + dev v0 && ip addr add 203.0.113.1/24 dev v1");
	assert_int_equal(net_open(&net), 0);
	p.fd = net_fd(net);
	while (net_poll(net), !is_up(net, "v0") || !is_up(net, "v1"))
		assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	*state = net;
	return 0;
}

static int teardown(void **state)
{
	net_close(*state);
	return 0;
}

static int on_link(struct net *net, const char *name, const char *text)
{
	const struct igw_addr a = addr(text);
	const int r = net_on_link(net, name, &a);

	assert_int_equal(net_on_link(net, name, &a), r);
	return r;
}

static void test_on_link(void **state)
{
	/* Not the network address: since 5.14 that is a host like any other for the FIB.
	 */
	static const char *const off[] = { "192.168.7.1", "192.168.7.255", "203.0.113.2",
		"203.0.113.1", "127.0.0.1", "0.0.0.0", "224.0.0.1", "239.255.255.250",
		"255.255.255.255", "240.0.0.1", "8.8.8.8", "2001:db8::1",
		"::", "192.168.8.1" };
	struct net *net = *state;

	assert_int_equal(on_link(net, "v0", "192.168.7.2"), 1);
	assert_int_equal(on_link(net, "v0", "192.168.7.254"), 1);
	assert_int_equal(on_link(net, "v1", "203.0.113.2"), 1);
	assert_int_equal(on_link(net, "v1", "192.168.7.2"), 0);
	assert_int_equal(on_link(net, "v9", "192.168.7.2"), -ENODEV);
	assert_int_equal(on_link(net, "", "192.168.7.2"), -ENODEV);
	for (size_t i = 0; i < COUNT(off); i++)
		assert_int_equal(on_link(net, "v0", off[i]), 0);
	/* The same when there is a way to everywhere. */
	sh("ip route add default via 192.168.7.254");
	for (size_t i = 0; i < COUNT(off); i++)
		assert_int_equal(on_link(net, "v0", off[i]), 0);
	assert_int_equal(on_link(net, "v0", "192.168.7.2"), 1);
}

static void test_on_link_routes(void **state)
{
	static const char *const types[] = { "unreachable", "blackhole", "prohibit",
		"throw", "local", "broadcast" };
	struct net *net = *state;

	sh("ip route add 192.168.7.64/26 via 192.168.7.3");
	assert_int_equal(on_link(net, "v0", "192.168.7.65"), 0);
	assert_int_equal(on_link(net, "v0", "192.168.7.63"), 1);
	sh("ip route add 10.0.0.0/8 dev v0 scope link");
	assert_int_equal(on_link(net, "v0", "10.0.0.1"), 1);
	sh("ip route add 10.1.0.0/16 via inet6 fe80::1 dev v0");
	assert_int_equal(on_link(net, "v0", "10.1.0.1"), 0);
	sh("ip route add 10.2.0.0/16 nexthop via 192.168.7.3 nexthop via 192.168.7.4");
	assert_int_equal(on_link(net, "v0", "10.2.0.1"), 0);
	for (size_t i = 0; i < COUNT(types); i++) {
		char text[IGW_ADDR_TEXT];

		snprintf(text, sizeof(text), "10.3.0.%zu", i);
		sh("ip route add %s %s/32 %s", types[i], text, i < 4 ? "" : "dev v0");
		assert_int_equal(on_link(net, "v0", text), 0);
	}
	/* A link that was made anew: as long as we do not know, nobody is on it. */
	sh("ip link del v0 && ip link add v0 type veth peer name v1 && ip link set v0 up && "
	   "ip link set v1 up && ip addr add 192.168.7.1/24 dev v0");
	assert_int_equal(on_link(net, "v0", "192.168.7.2"), 0);
	assert_int_equal(net_poll(net), 1);
	assert_int_equal(on_link(net, "v0", "192.168.7.2"), 1);
}

static int neighbour(struct net *net, const char *name, const char *text)
{
	const struct igw_addr a = addr(text);
	struct igw_mac mac = { { 0xaa } };
	int r = net_neighbour(net, name, &a, &mac);

	if (r < 0) {
		assert_int_equal(mac.b[0], 0xaa);
		return r;
	}
	return mac.b[5];
}

static void test_neighbour(void **state)
{
	struct net *net = *state;

	sh("ip neigh add 192.168.7.2 dev v0 lladdr 02:00:00:00:00:02 nud permanent");
	sh("ip neigh add 192.168.7.3 dev v0 lladdr 02:00:00:00:00:03 nud stale");
	sh("ip neigh add 192.168.7.4 dev v0 nud failed");
	sh("ip neigh add 192.168.7.5 dev v0 lladdr 02:00:00:00:00:01 nud noarp");
	sh("ip neigh add 192.168.7.6 dev v0 lladdr 02:00:00:00:00:06 nud noarp");
	for (int again = 0; again < 2; again++) {
		assert_int_equal(neighbour(net, "v0", "192.168.7.2"), 2);
		assert_int_equal(neighbour(net, "v0", "192.168.7.3"), 3);
		assert_int_equal(neighbour(net, "v0", "192.168.7.4"), -ENOENT);
		assert_int_equal(neighbour(net, "v0", "192.168.7.5"), -ENOENT);
		assert_int_equal(neighbour(net, "v0", "192.168.7.6"), 6);
		assert_int_equal(neighbour(net, "v0", "192.168.7.7"), -ENOENT);
		assert_int_equal(neighbour(net, "v1", "192.168.7.2"), -ENOENT);
		assert_int_equal(neighbour(net, "v9", "192.168.7.2"), -ENODEV);
		assert_int_equal(neighbour(net, "v0", "fe80::1"), -ENOENT);
		assert_int_equal(neighbour(net, "lo", "127.0.0.1"), -ENOENT);
	}
	sh("ip neigh change 192.168.7.2 dev v0 lladdr 02:00:00:00:00:12 nud permanent");
	assert_int_equal(neighbour(net, "v0", "192.168.7.2"), 0x12);
	sh("ip neigh change 192.168.7.2 dev v0 nud failed");
	assert_int_equal(neighbour(net, "v0", "192.168.7.2"), -ENOENT);
}

static void say(const char *to)
{
	struct sockaddr_in end = { .sin_family = AF_INET, .sin_port = htons(9) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char text[1000] = { 0 };

	assert_true(fd >= 0);
	assert_int_equal(inet_pton(AF_INET, to, &end.sin_addr), 1);
	assert_int_equal(sendto(fd, text, sizeof(text), 0, (const struct sockaddr *)&end,
				 sizeof(end)),
		sizeof(text));
	close(fd);
}

static void test_stats(void **state)
{
	struct net *net = *state;
	struct net_iface a, b;

	sh("ip neigh add 192.168.7.2 dev v0 lladdr 02:00:00:00:00:02 nud permanent && "
	   "ip link property add dev v0 altname other");
	assert_int_equal(net_stats(net, "v0", &a), 0);
	for (int i = 0; i < 10; i++)
		say("192.168.7.2");
	assert_int_equal(net_stats(net, "v0", &b), 0);
	assert_true(b.tx_packets >= a.tx_packets + 10);
	assert_true(b.tx_bytes >= a.tx_bytes + 10000);
	assert_true(b.rx_packets >= a.rx_packets && b.rx_bytes >= a.rx_bytes);
	assert_string_equal(b.name, "v0");
	assert_int_equal(b.index, net_find(net, "v0")->index);
	assert_true(b.up);
	assert_int_equal(b.n_addrs, 1);
	assert_int_equal(igw_addr_to_v4(&b.addrs[0].addr), 0xc0a80701);
	assert_int_equal(net_stats(net, "v9", &a), -ENODEV);
	assert_int_equal(net_stats(net, "other", &a), -ENODEV);
	assert_int_equal(net_stats(net, "", &a), -ENODEV);
	assert_int_equal(net_stats(net, "0123456789abcdef", &a), -ENODEV);
	assert_string_equal(a.name, "v0");
	/* The kernel knows better than our reading. */
	sh("ip link set v0 name v7");
	assert_int_equal(net_stats(net, "v0", &a), -ENODEV);
	assert_int_equal(net_stats(net, "v7", &a), 0);
	assert_int_equal(a.n_addrs, 0);
}

static void test_speed(void **state)
{
	struct net *net = *state;

	for (int again = 0; again < 2; again++) {
		assert_true(net_speed(net, "v0") == UINT64_C(10000000000));
		assert_true(net_speed(net, "lo") == 0);
		assert_true(net_speed(net, "v9") == 0);
		assert_true(net_speed(net, "") == 0);
		assert_true(net_speed(net, "0123456789abcdef") == 0);
	}
}

/* Opens a socket that listens on PORT of an address, or owns it. */
static int serve(int family, int type, const char *text, int v6only)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
	int fd = socket(family, type | SOCK_CLOEXEC, 0);
	int r;

	assert_true(fd >= 0);
	if (family == AF_INET) {
		assert_int_equal(inet_pton(family, text, &v4.sin_addr), 1);
		r = bind(fd, (const struct sockaddr *)&v4, sizeof(v4));
	} else {
		assert_int_equal(inet_pton(family, text, &v6.sin6_addr), 1);
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof(v6only));
		r = bind(fd, (const struct sockaddr *)&v6, sizeof(v6));
	}
	assert_int_equal(r, 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static int listens(struct net *net, uint8_t protocol, const char *text)
{
	const struct igw_addr a = addr(text);

	assert_int_equal(net_listens(net, protocol, &a, PORT + 1), 0);
	return net_listens(net, protocol, &a, PORT);
}

static void test_listens(void **state)
{
	static const struct {
		int family;
		const char *bound;
		int v6only;
		int on_v0, on_v1; /* 192.168.7.1, 203.0.113.1 */
	} cases[] = {
		{ AF_INET, "0.0.0.0", 0, 1, 1 },
		{ AF_INET, "192.168.7.1", 0, 1, 0 },
		{ AF_INET, "127.0.0.1", 0, 0, 0 },
		{ AF_INET6, "::", 0, 1, 1 },
		{ AF_INET6, "::", 1, 0, 0 },
		{ AF_INET6, "::1", 0, 0, 0 },
		{ AF_INET6, "::ffff:192.168.7.1", 0, 1, 0 },
		{ AF_INET6, "::ffff:0.0.0.0", 0, 1, 1 },
	};
	struct net *net = *state;

	for (size_t i = 0; i < COUNT(cases); i++) {
		for (int udp = 0; udp < 2; udp++) {
			const uint8_t asked = udp ? IGW_UDP : IGW_TCP;
			const uint8_t other = udp ? IGW_TCP : IGW_UDP;
			int fd = serve(cases[i].family, udp ? SOCK_DGRAM : SOCK_STREAM,
				cases[i].bound, cases[i].v6only);

			assert_int_equal(
				listens(net, asked, "192.168.7.1"), cases[i].on_v0);
			assert_int_equal(
				listens(net, asked, "203.0.113.1"), cases[i].on_v1);
			assert_int_equal(listens(net, other, "192.168.7.1"), 0);
			close(fd);
			assert_int_equal(listens(net, asked, "192.168.7.1"), 0);
		}
	}
}

/* Connections are no servers. */
static void test_listens_not(void **state)
{
	struct net *net = *state;
	struct sockaddr_in end = { .sin_family = AF_INET, .sin_port = htons(9) };
	const struct igw_addr a = addr("192.168.7.1");
	int udp = serve(AF_INET, SOCK_DGRAM, "192.168.7.1", 0);
	int tcp = serve(AF_INET, SOCK_STREAM, "192.168.7.1", 0);
	int near, far;

	assert_int_equal(listens(net, IGW_UDP, "192.168.7.1"), 1);
	end.sin_addr.s_addr = htonl(0xc0a80701);
	assert_int_equal(connect(udp, (const struct sockaddr *)&end, sizeof(end)), 0);
	assert_int_equal(listens(net, IGW_UDP, "192.168.7.1"), 0);
	end.sin_port = htons(PORT);
	near = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(near, (const struct sockaddr *)&end, sizeof(end)), 0);
	far = accept4(tcp, NULL, NULL, SOCK_CLOEXEC);
	assert_int_equal(listens(net, IGW_TCP, "192.168.7.1"), 1);
	close(tcp);
	assert_int_equal(listens(net, IGW_TCP, "192.168.7.1"), 0);
	assert_int_equal(net_listens(net, 1, &a, PORT), -EINVAL);
	assert_int_equal(net_listens(net, IGW_TCP, &a, 0), -EINVAL);
	close(near);
	close(far);
	close(udp);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_on_link),
		T(test_on_link_routes),
		T(test_neighbour),
		T(test_stats),
		T(test_speed),
		T(test_listens),
		T(test_listens_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
