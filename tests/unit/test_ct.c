/* Flows of ended mappings are cut, and no others: real connections in a network namespace
 * of our own. Needs root. */
#include "ct.h"
#include "igdward/types.h"

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
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define WAN    "203.0.113.1"
#define HOST   "192.168.7.2"
#define REMOTE "198.51.100.7"
#define OTHER  "198.51.100.8"

enum {
	WAIT_MS = 10000,
	MANY = 10000,
	SERVICE = 80,
};

/* All ends are addresses of lo: connections to WAN are redirected on their way out. */
static const char rules[] =
	"table ip t {\n"
	" map m { typeof meta l4proto . th dport : ip daddr . th dport\n"
	"  elements = { tcp . 4001 : " HOST " . 80, tcp . 4002 : " HOST " . 80,\n"
	"   tcp . 80 : " HOST " . 80, udp . 4001 : " HOST " . 80,\n"
	"   udp . 4002 : " HOST " . 80 } }\n"
	" chain raw { type filter hook output priority raw\n"
	"  tcp sport 5005 ct zone set 5; tcp dport 5005 ct zone set 5; }\n"
	" chain nat { type nat hook output priority -100\n"
	"  ip daddr " WAN " dnat ip to meta l4proto . th dport map @m; }\n"
	"}\n";

struct flow {
	int near, far;
};

struct lab {
	struct ct *ct;
	int listener; /* TCP, at HOST */
	int service;  /* UDP, at HOST */
};

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

/* How many entries conntrack(8) shows. */
static unsigned shown(const char *filter)
{
	char line[512];
	unsigned n = 0;
	FILE *f;

	snprintf(line, sizeof(line), "conntrack -L %s 2>/dev/null | wc -l", filter);
	f = popen(line, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%u", &n), 1);
	pclose(f);
	return n;
}

static struct sockaddr_in end_of(const char *addr, uint16_t port)
{
	struct sockaddr_in end = { .sin_family = AF_INET, .sin_port = htons(port) };

	assert_int_equal(inet_pton(AF_INET, addr, &end.sin_addr), 1);
	return end;
}

static int bound(int type, const char *addr, uint16_t port)
{
	const struct sockaddr_in end = end_of(addr, port);
	const int on = 1;
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(fd, (const struct sockaddr *)&end, sizeof(end)), 0);
	return fd;
}

static void await(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
}

static struct flow tcp_flow(const struct lab *lab, const char *from, uint16_t from_port,
	const char *to, uint16_t port)
{
	const struct sockaddr_in end = end_of(to, port);
	struct flow flow = { .near = bound(SOCK_STREAM, from, from_port) };

	assert_int_equal(
		connect(flow.near, (const struct sockaddr *)&end, sizeof(end)), 0);
	await(lab->listener);
	flow.far = accept4(lab->listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(flow.far >= 0);
	return flow;
}

/* One request and its answer. */
static void udp_exchange(const struct lab *lab, int fd)
{
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	char c = 'x';

	assert_int_equal(send(fd, &c, 1, 0), 1);
	await(lab->service);
	assert_int_equal(
		recvfrom(lab->service, &c, 1, 0, (struct sockaddr *)&from, &size), 1);
	assert_int_equal(
		sendto(lab->service, &c, 1, 0, (struct sockaddr *)&from, size), 1);
	await(fd);
	assert_int_equal(recv(fd, &c, 1, 0), 1);
}

static int udp_flow(const struct lab *lab, const char *from, uint16_t port)
{
	const struct sockaddr_in end = end_of(WAN, port);
	int fd = bound(SOCK_DGRAM, from, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)&end, sizeof(end)), 0);
	udp_exchange(lab, fd);
	return fd;
}

static void assert_lives(const struct flow *flow)
{
	char c = 'x';

	assert_int_equal(send(flow->near, &c, 1, MSG_NOSIGNAL), 1);
	await(flow->far);
	assert_int_equal(recv(flow->far, &c, 1, 0), 1);
	assert_int_equal(send(flow->far, &c, 1, MSG_NOSIGNAL), 1);
	await(flow->near);
	assert_int_equal(recv(flow->near, &c, 1, 0), 1);
}

static void hang_up(struct flow flow)
{
	close(flow.near);
	close(flow.far);
}

static struct igw_addr addr(const char *text)
{
	struct igw_addr a = { 0 };

	if (text)
		assert_int_equal(igw_addr_parse(text, &a), 0);
	return a;
}

static struct ct_match match(uint8_t protocol, uint16_t port, const char *remote)
{
	return (struct ct_match){
		.protocol = protocol,
		.external_port = port,
		.internal_port = SERVICE,
		.internal_client = addr(HOST),
		.remote_host = addr(remote),
	};
}

static uint32_t count(struct lab *lab, struct ct_match m)
{
	uint32_t n = 77;

	assert_int_equal(ct_count(lab->ct, &m, 1, &n), 0);
	return n;
}

static int cut(struct lab *lab, struct ct_match m)
{
	return ct_cut(lab->ct, &m, 1);
}

static int setup(void **state)
{
	static struct lab lab;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	sh("ip link set lo up && for a in %s %s %s %s; do ip addr add $a/32 dev lo; done",
		WAN, HOST, REMOTE, OTHER);
	sh("echo '%s' | nft -f -", rules);
	lab.listener = bound(SOCK_STREAM, HOST, SERVICE);
	assert_int_equal(listen(lab.listener, 16), 0);
	lab.service = bound(SOCK_DGRAM, HOST, SERVICE);
	assert_int_equal(ct_open(&lab.ct), 0);
	*state = &lab;
	return 0;
}

static int teardown(void **state)
{
	struct lab *lab = *state;

	ct_close(lab->ct);
	close(lab->listener);
	close(lab->service);
	return 0;
}

static void test_nothing(void **state)
{
	static struct ct_match too_many[CT_MATCHES_MAX + 1];
	struct lab *lab = *state;
	struct ct_match m = match(IGW_TCP, 4001, NULL);
	uint32_t n = 77;

	assert_int_equal(ct_cut(lab->ct, NULL, 0), 0);
	assert_int_equal(ct_count(lab->ct, NULL, 0, NULL), 0);
	assert_int_equal(cut(lab, m), 0);
	assert_int_equal(cut(lab, m), 0);
	assert_int_equal(count(lab, m), 0);
	assert_int_equal(ct_cut(lab->ct, too_many, COUNT(too_many)), -E2BIG);
	assert_int_equal(ct_count(lab->ct, too_many, COUNT(too_many), &n), -E2BIG);
	assert_int_equal(n, 77);
	assert_int_equal(ct_cut(lab->ct, too_many, CT_MATCHES_MAX), 0);
	ct_close(NULL);
}

static void test_tcp(void **state)
{
	struct lab *lab = *state;
	struct flow a = tcp_flow(lab, REMOTE, 0, WAN, 4001);
	struct flow b = tcp_flow(lab, REMOTE, 0, WAN, 4002);
	struct flow c = tcp_flow(lab, OTHER, 0, WAN, 4001);
	char byte = 'x';

	assert_int_equal(count(lab, match(IGW_TCP, 4001, NULL)), 2);
	assert_int_equal(count(lab, match(IGW_TCP, 4002, NULL)), 1);
	assert_int_equal(count(lab, match(IGW_UDP, 4001, NULL)), 0);
	/* An open flow does not care that its mapping is gone, until it is cut. */
	sh("nft delete element ip t m '{ tcp . 4001 : " HOST " . 80 }'");
	assert_lives(&a);
	assert_int_equal(cut(lab, match(IGW_TCP, 4001, NULL)), 2);
	assert_int_equal(cut(lab, match(IGW_TCP, 4001, NULL)), 0);
	assert_int_equal(shown("-p tcp --orig-port-dst 4001"), 0);
	assert_int_equal(count(lab, match(IGW_TCP, 4002, NULL)), 1);
	assert_int_equal(send(a.near, &byte, 1, MSG_NOSIGNAL), 1);
	await(a.near);
	assert_int_equal(recv(a.near, &byte, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
	assert_lives(&b);
	hang_up(a);
	hang_up(b);
	hang_up(c);
}

static void test_udp(void **state)
{
	struct lab *lab = *state;
	int a = udp_flow(lab, REMOTE, 4001);
	int b = udp_flow(lab, REMOTE, 4002);

	assert_int_equal(count(lab, match(IGW_UDP, 4001, NULL)), 1);
	assert_int_equal(cut(lab, match(IGW_UDP, 4001, NULL)), 1);
	assert_int_equal(shown("-p udp --orig-port-dst 4001"), 0);
	assert_int_equal(shown("-p udp --orig-port-dst 4002"), 1);
	udp_exchange(lab, b);
	/* The mapping is still there in this test: the next packet begins a new flow. */
	udp_exchange(lab, a);
	assert_int_equal(cut(lab, match(IGW_UDP, 4001, NULL)), 1);
	assert_int_equal(cut(lab, match(IGW_UDP, 4002, NULL)), 1);
	close(a);
	close(b);
}

static void test_remote_host(void **state)
{
	struct lab *lab = *state;
	int a = udp_flow(lab, REMOTE, 4001);
	int b = udp_flow(lab, OTHER, 4001);

	assert_int_equal(count(lab, match(IGW_UDP, 4001, REMOTE)), 1);
	assert_int_equal(count(lab, match(IGW_UDP, 4001, "198.51.100.9")), 0);
	assert_int_equal(count(lab, match(IGW_UDP, 4001, NULL)), 2);
	assert_int_equal(cut(lab, match(IGW_UDP, 4001, "198.51.100.9")), 0);
	assert_int_equal(cut(lab, match(IGW_UDP, 4001, REMOTE)), 1);
	assert_int_equal(shown("-p udp --orig-src " REMOTE), 0);
	assert_int_equal(shown("-p udp --orig-src " OTHER), 1);
	assert_int_equal(cut(lab, match(IGW_UDP, 4001, NULL)), 1);
	close(a);
	close(b);
}

/* Everything must fit: a match that is off by one thing cuts nothing. */
static void test_near_misses(void **state)
{
	struct lab *lab = *state;
	struct flow mapped = tcp_flow(lab, REMOTE, 0, WAN, 80);
	struct flow direct = tcp_flow(lab, REMOTE, 0, HOST, 80);
	struct ct_match m[8];
	uint32_t n[COUNT(m)];

	for (size_t i = 0; i < COUNT(m); i++)
		m[i] = match(IGW_TCP, 80, NULL);
	m[0].protocol = IGW_UDP;
	m[1].external_port = 81;
	m[2].internal_port = 81;
	m[3].internal_client = addr(WAN);
	m[4].internal_client = addr(NULL);
	m[5].remote_host = addr(WAN);
	m[6].internal_client = addr("2001:db8::2");
	m[7].remote_host = addr("2001:db8::2");
	for (size_t i = 0; i < COUNT(m); i++)
		assert_int_equal(cut(lab, m[i]), 0);
	memset(n, 0xff, sizeof(n));
	assert_int_equal(ct_count(lab->ct, m, COUNT(m), n), 0);
	for (size_t i = 0; i < COUNT(m); i++)
		assert_int_equal(n[i], 0);
	assert_int_equal(ct_cut(lab->ct, m, COUNT(m)), 0);
	/* The direct connection has the same ports and hosts but was not redirected. */
	assert_int_equal(shown("-p tcp --orig-port-dst 80"), 2);
	assert_int_equal(cut(lab, match(IGW_TCP, 80, NULL)), 1);
	assert_int_equal(shown("-p tcp --orig-dst " HOST), 1);
	assert_lives(&direct);
	hang_up(mapped);
	hang_up(direct);
}

static void test_several(void **state)
{
	struct lab *lab = *state;
	struct ct_match m[] = { match(IGW_UDP, 4001, NULL), match(IGW_TCP, 9999, NULL),
		match(IGW_TCP, 4001, OTHER), match(IGW_UDP, 4001, NULL),
		match(IGW_TCP, 4001, NULL), match(IGW_UDP, 4002, OTHER) };
	static const uint32_t want[] = { 1, 0, 1, 1, 2, 0 };
	uint32_t n[COUNT(m)];
	struct flow a = tcp_flow(lab, REMOTE, 0, WAN, 4001);
	struct flow b = tcp_flow(lab, OTHER, 0, WAN, 4001);
	struct flow c = tcp_flow(lab, OTHER, 0, WAN, 4002);
	int d = udp_flow(lab, REMOTE, 4001);
	int e = udp_flow(lab, REMOTE, 4002);

	for (int again = 0; again < 2; again++) {
		assert_int_equal(ct_count(lab->ct, m, COUNT(m), n), 0);
		assert_memory_equal(n, want, sizeof(n));
	}
	assert_int_equal(ct_cut(lab->ct, m, COUNT(m)), 3);
	assert_int_equal(ct_cut(lab->ct, m, COUNT(m)), 0);
	assert_lives(&c);
	udp_exchange(lab, e);
	hang_up(a);
	hang_up(b);
	hang_up(c);
	close(d);
	close(e);
}

/* The same flow in several zones, as routers with several uplinks have it. */
static void test_zones(void **state)
{
	static const char entry[] = "conntrack -I -p tcp -s " REMOTE " -d " WAN
				    " --sport 1000 --dport 4001 --dst-nat " HOST
				    ":80 --state ESTABLISHED -t 100";
	struct lab *lab = *state;
	struct flow a = tcp_flow(lab, REMOTE, 5005, WAN, 4001);

	assert_int_equal(shown("-p tcp --zone 5"), 1);
	sh("%s 2>/dev/null", entry);
	sh("%s --zone 5 2>/dev/null", entry);
	sh("%s --orig-zone 6 2>/dev/null", entry);
	sh("%s --reply-zone 7 --sport 1001 2>/dev/null", entry);
	sh("conntrack -I -p tcp -s " REMOTE " -d " WAN
	   " --sport 1000 --dport 4002 --dst-nat " HOST
	   ":80 --state ESTABLISHED -t 100 --zone 5 2>/dev/null");
	assert_int_equal(count(lab, match(IGW_TCP, 4001, NULL)), 5);
	assert_int_equal(count(lab, match(IGW_TCP, 4001, REMOTE)), 5);
	assert_int_equal(cut(lab, match(IGW_TCP, 4001, NULL)), 5);
	assert_int_equal(shown("-p tcp"), 1);
	hang_up(a);
}

static double ms_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) * 1e3 +
	       (double)(now.tv_nsec - start->tv_nsec) / 1e6;
}

static void make_many(void)
{
	const struct sockaddr_in end = end_of(WAN, 4001);

	for (uint16_t i = 0; i < MANY; i++) {
		int fd = bound(SOCK_DGRAM, REMOTE, (uint16_t)(10000 + i));

		assert_int_equal(
			sendto(fd, "x", 1, 0, (const struct sockaddr *)&end, sizeof(end)),
			1);
		close(fd);
	}
}

static void test_many(void **state)
{
	static struct ct_match misses[MANY];
	static uint32_t n[MANY];
	struct lab *lab = *state;
	struct flow b = tcp_flow(lab, REMOTE, 0, WAN, 4002);
	struct timespec start;

	make_many();
	for (uint16_t i = 0; i < MANY; i++)
		misses[i] = match(IGW_UDP, (uint16_t)(20000 + i), NULL);
	clock_gettime(CLOCK_MONOTONIC, &start);
	assert_int_equal(ct_cut(lab->ct, misses, 1), 0);
	print_message(
		"%d flows: %.2f ms to find none of one match", MANY, ms_since(&start));
	clock_gettime(CLOCK_MONOTONIC, &start);
	assert_int_equal(ct_cut(lab->ct, misses, MANY), 0);
	print_message(", %.2f ms of %d", ms_since(&start), MANY);
	misses[MANY / 2] = match(IGW_UDP, 4001, NULL);
	assert_int_equal(ct_count(lab->ct, misses, MANY, n), 0);
	assert_int_equal(n[MANY / 2], MANY);
	assert_int_equal(n[0], 0);
	clock_gettime(CLOCK_MONOTONIC, &start);
	assert_int_equal(cut(lab, match(IGW_UDP, 4001, NULL)), MANY);
	print_message(", %.2f ms to cut all\n", ms_since(&start));
	assert_int_equal(shown("-p udp"), 0);
	assert_lives(&b);
	hang_up(b);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_nothing),
		T(test_tcp),
		T(test_udp),
		T(test_remote_host),
		T(test_near_misses),
		T(test_several),
		T(test_zones),
		T(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
