/* Messages of rtnetlink and sock_diag of any shape are read without harm, and mean what
 * they should. */
#include "net_parse.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/inet_diag.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum {
	BUFFER = 1024,
	ROUNDS = 100000,
	NET = 0x0a080700, /* 10.8.7.0 */
};

typedef struct nlmsghdr *make_message(void *buf);

static void *begin(void *buf, uint16_t type, size_t size, struct nlmsghdr **ret)
{
	*ret = mnl_nlmsg_put_header(buf);
	(*ret)->nlmsg_type = type;
	return mnl_nlmsg_put_extra_header(*ret, size);
}

static struct nlmsghdr *make_link(void *buf)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 7 };
	static const uint64_t stats[24] = { 1, 2, UINT64_C(1) << 40, 4 };
	struct nlmsghdr *nlh;
	struct ifinfomsg *info = begin(buf, RTM_NEWLINK, sizeof(*info), &nlh);

	info->ifi_index = 5;
	info->ifi_flags = IFF_UP | IFF_RUNNING;
	mnl_attr_put_strz(nlh, IFLA_IFNAME, "br-lan");
	mnl_attr_put(nlh, IFLA_ADDRESS, sizeof(mac), mac);
	mnl_attr_put(nlh, IFLA_STATS64, sizeof(stats), stats);
	return nlh;
}

static struct nlmsghdr *make_addr(void *buf)
{
	struct nlmsghdr *nlh;
	struct ifaddrmsg *info = begin(buf, RTM_NEWADDR, sizeof(*info), &nlh);

	info->ifa_family = AF_INET;
	info->ifa_prefixlen = 24;
	info->ifa_index = 5;
	mnl_attr_put_u32(nlh, IFA_LOCAL, htonl(NET + 1));
	mnl_attr_put_u32(nlh, IFA_ADDRESS, htonl(NET + 2));
	mnl_attr_put_u32(nlh, IFA_BROADCAST, htonl(NET + 255));
	return nlh;
}

static struct nlmsghdr *make_route(void *buf)
{
	struct nlmsghdr *nlh;
	struct rtmsg *info = begin(buf, RTM_NEWROUTE, sizeof(*info), &nlh);

	info->rtm_family = AF_INET;
	info->rtm_table = RT_TABLE_MAIN;
	info->rtm_type = RTN_UNICAST;
	mnl_attr_put_u32(nlh, RTA_OIF, 5);
	mnl_attr_put_u32(nlh, RTA_PRIORITY, 100);
	return nlh;
}

static struct nlmsghdr *make_multipath(void *buf)
{
	const struct rtnexthop hops[] = {
		{ .rtnh_len = sizeof(hops[0]),
			.rtnh_ifindex = 6,
			.rtnh_flags = RTNH_F_DEAD },
		{ .rtnh_len = sizeof(hops[0]),
			.rtnh_ifindex = 7,
			.rtnh_flags = RTNH_F_LINKDOWN },
		{ .rtnh_len = sizeof(hops[0]), .rtnh_ifindex = 8 },
		{ .rtnh_len = sizeof(hops[0]), .rtnh_ifindex = 9 },
	};
	struct nlmsghdr *nlh;
	struct rtmsg *info = begin(buf, RTM_NEWROUTE, sizeof(*info), &nlh);

	info->rtm_family = AF_INET;
	info->rtm_type = RTN_UNICAST;
	mnl_attr_put_u32(nlh, RTA_TABLE, RT_TABLE_MAIN);
	mnl_attr_put(nlh, RTA_MULTIPATH, sizeof(hops), hops);
	return nlh;
}

static struct nlmsghdr *make_neigh(void *buf)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 9 };
	struct nlmsghdr *nlh;
	struct ndmsg *info = begin(buf, RTM_NEWNEIGH, sizeof(*info), &nlh);

	info->ndm_family = AF_INET;
	info->ndm_ifindex = 5;
	info->ndm_state = NUD_STALE;
	mnl_attr_put_u32(nlh, NDA_DST, htonl(NET + 9));
	mnl_attr_put(nlh, NDA_LLADDR, sizeof(mac), mac);
	return nlh;
}

static struct nlmsghdr *make_socket(void *buf)
{
	struct nlmsghdr *nlh;
	struct inet_diag_msg *info = begin(buf, 20, sizeof(*info), &nlh);

	info->idiag_family = AF_INET6;
	info->id.idiag_sport = htons(8080);
	mnl_attr_put_u8(nlh, INET_DIAG_SKV6ONLY, 1);
	return nlh;
}

static make_message *const makers[] = { make_link, make_addr, make_route, make_multipath,
	make_neigh, make_socket };

/* Every reader gets a copy that ends where the message says, so that reading on is
 * caught. */
static void parse_copy(const void *message, uint32_t size)
{
	const struct igw_addr any = igw_addr_from_v4(0);
	struct nlmsghdr *nlh = malloc(size);
	struct net_iface iface;
	struct net_own own;
	struct net_route route;
	struct igw_mac mac;

	assert_non_null(nlh);
	memcpy(nlh, message, size);
	nlh->nlmsg_len = size;
	if (net_parse_link(nlh, &iface) == 0) {
		assert_in_range(strlen(iface.name), 1, IGW_IFNAME_MAX);
		assert_in_range(iface.index, 1, INT32_MAX);
		assert_int_equal(iface.n_addrs, 0);
	}
	if (net_parse_addr(nlh, &own) == 0)
		assert_in_range(own.len, 0, 32);
	if (net_parse_default(nlh, &route) == 0)
		assert_in_range(route.index, 0, INT32_MAX);
	(void)net_parse_on_link(nlh, 5);
	(void)net_parse_neighbour(nlh, 5, NET + 9, &mac);
	(void)net_parse_listens(nlh, &any, 8080);
	free(nlh);
}

static void test_cut_short(void **state)
{
	_Alignas(8) uint8_t buf[BUFFER];

	(void)state;
	for (size_t i = 0; i < COUNT(makers); i++) {
		const struct nlmsghdr *nlh = makers[i](buf);

		for (uint32_t size = sizeof(*nlh); size <= nlh->nlmsg_len; size++)
			parse_copy(nlh, size);
	}
}

static void test_mangled(void **state)
{
	_Alignas(8) uint8_t buf[BUFFER];

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		const struct nlmsghdr *nlh = makers[(size_t)rand() % COUNT(makers)](buf);
		const uint32_t size = nlh->nlmsg_len;

		for (int j = rand() % 4; j >= 0; j--)
			buf[sizeof(*nlh) + (size_t)rand() % (size - sizeof(*nlh))] =
				(uint8_t)rand();
		parse_copy(buf, size);
	}
}

static void test_link(void **state)
{
	static const char *const bad[] = { "", "0123456789abcdef" };
	_Alignas(8) uint8_t buf[BUFFER];
	struct nlmsghdr *nlh = make_link(buf);
	struct ifinfomsg *info = mnl_nlmsg_get_payload(nlh);
	struct net_iface iface;

	(void)state;
	for (int again = 0; again < 2; again++) {
		assert_int_equal(net_parse_link(nlh, &iface), 0);
		assert_int_equal(iface.index, 5);
		assert_string_equal(iface.name, "br-lan");
		assert_true(iface.up);
		assert_false(iface.loopback);
		assert_int_equal(iface.mac.b[5], 7);
		assert_int_equal(iface.rx_packets, 1);
		assert_int_equal(iface.tx_packets, 2);
		assert_true(iface.rx_bytes == UINT64_C(1) << 40);
		assert_int_equal(iface.tx_bytes, 4);
	}
	info->ifi_flags = IFF_UP | IFF_LOOPBACK; /* no carrier */
	assert_int_equal(net_parse_link(nlh, &iface), 0);
	assert_false(iface.up);
	assert_true(iface.loopback);
	info->ifi_family = AF_BRIDGE;
	assert_int_equal(net_parse_link(nlh, &iface), -ENOMSG);
	info->ifi_family = AF_UNSPEC;
	info->ifi_index = 0;
	assert_int_equal(net_parse_link(nlh, &iface), -EBADMSG);
	info->ifi_index = 6;
	for (size_t i = 0; i < COUNT(bad); i++) {
		mnl_attr_put_strz(nlh, IFLA_IFNAME, bad[i]);
		assert_int_equal(net_parse_link(nlh, &iface), -EBADMSG);
	}
	mnl_attr_put(nlh, IFLA_IFNAME, 4, "eth0"); /* no NUL */
	assert_int_equal(net_parse_link(nlh, &iface), -EBADMSG);
	mnl_attr_put(nlh, IFLA_IFNAME, 6, "et\0h0"); /* too many */
	assert_int_equal(net_parse_link(nlh, &iface), -EBADMSG);
	assert_int_equal(iface.index, 5);
	mnl_attr_put_strz(nlh, IFLA_IFNAME, "0123456789abcde");
	mnl_attr_put_u32(nlh, IFLA_ADDRESS, 1); /* an IP tunnel's */
	assert_int_equal(net_parse_link(nlh, &iface), 0);
	assert_true(igw_mac_is_none(&iface.mac));
}

static void test_addr(void **state)
{
	_Alignas(8) uint8_t buf[BUFFER];
	struct nlmsghdr *nlh = make_addr(buf);
	struct ifaddrmsg *info = mnl_nlmsg_get_payload(nlh);
	struct net_own own;

	(void)state;
	assert_int_equal(net_parse_addr(nlh, &own), 0);
	assert_int_equal(own.index, 5);
	assert_int_equal(own.local, NET + 1);
	assert_int_equal(own.base, NET + 2);
	assert_int_equal(own.broadcast, NET + 255);
	assert_int_equal(own.len, 24);
	info->ifa_prefixlen = 33;
	assert_int_equal(net_parse_addr(nlh, &own), -EBADMSG);
	info->ifa_prefixlen = 0;
	assert_int_equal(net_parse_addr(nlh, &own), 0);
	info->ifa_index = 0x80000000;
	assert_int_equal(net_parse_addr(nlh, &own), -EBADMSG);
	info->ifa_family = AF_INET6;
	assert_int_equal(net_parse_addr(nlh, &own), -ENOMSG);
	assert_int_equal(own.index, 5);
}

static void test_route(void **state)
{
	_Alignas(8) uint8_t buf[BUFFER];
	struct nlmsghdr *nlh = make_route(buf);
	struct rtmsg *info = mnl_nlmsg_get_payload(nlh);
	struct net_route route;

	(void)state;
	assert_int_equal(net_parse_default(nlh, &route), 0);
	assert_int_equal(route.index, 5);
	assert_int_equal(route.metric, 100);
	info->rtm_flags = RTNH_F_LINKDOWN;
	assert_int_equal(net_parse_default(nlh, &route), 0);
	assert_int_equal(route.index, 0);
	info->rtm_flags = 0;
	info->rtm_type = RTN_UNREACHABLE;
	assert_int_equal(net_parse_default(nlh, &route), 0);
	assert_int_equal(route.index, 0);
	info->rtm_type = RTN_UNICAST;
	info->rtm_tos = 4;
	assert_int_equal(net_parse_default(nlh, &route), -ENOMSG);
	info->rtm_tos = 0;
	info->rtm_dst_len = 1; /* half the world, as VPNs do it */
	assert_int_equal(net_parse_default(nlh, &route), -ENOMSG);
	info->rtm_dst_len = 0;
	mnl_attr_put_u32(nlh, RTA_TABLE, 300); /* the byte in the header is too small */
	assert_int_equal(net_parse_default(nlh, &route), -ENOMSG);
	nlh = make_multipath(buf);
	assert_int_equal(net_parse_default(nlh, &route), 0);
	assert_int_equal(route.index, 8);
}

static void test_on_link(void **state)
{
	static const uint16_t forbidden[] = { RTA_GATEWAY, RTA_VIA, RTA_MULTIPATH,
		RTA_ENCAP };
	_Alignas(8) uint8_t buf[BUFFER];
	struct nlmsghdr *nlh;

	(void)state;
	nlh = make_route(buf);
	assert_true(net_parse_on_link(nlh, 5));
	assert_false(net_parse_on_link(nlh, 6));
	for (size_t i = 0; i < COUNT(forbidden); i++) {
		nlh = make_route(buf);
		mnl_attr_put_u32(nlh, forbidden[i], 1);
		assert_false(net_parse_on_link(nlh, 5));
	}
	for (uint8_t type = 0; type < 16; type++) {
		nlh = make_route(buf);
		((struct rtmsg *)mnl_nlmsg_get_payload(nlh))->rtm_type = type;
		assert_int_equal(net_parse_on_link(nlh, 5), type == RTN_UNICAST);
	}
}

static void test_neighbour(void **state)
{
	static const struct {
		uint16_t nud;
		int r;
	} cases[] = {
		{ NUD_NONE, -ENOENT },
		{ NUD_INCOMPLETE, -ENOENT },
		{ NUD_FAILED, -ENOENT },
		{ NUD_REACHABLE, 0 },
		{ NUD_STALE, 0 },
		{ NUD_DELAY, 0 },
		{ NUD_PROBE, 0 },
		{ NUD_PERMANENT, 0 },
		{ NUD_NOARP, 0 },
	};
	_Alignas(8) uint8_t buf[BUFFER];
	struct nlmsghdr *nlh = make_neigh(buf);
	struct ndmsg *info = mnl_nlmsg_get_payload(nlh);
	struct igw_mac mac = { { 1 } };

	(void)state;
	assert_int_equal(net_parse_neighbour(nlh, 6, NET + 9, &mac), -ENOENT);
	assert_int_equal(net_parse_neighbour(nlh, 5, NET + 8, &mac), -ENOENT);
	assert_int_equal(mac.b[0], 1);
	for (size_t i = 0; i < COUNT(cases); i++) {
		info->ndm_state = cases[i].nud;
		assert_int_equal(net_parse_neighbour(nlh, 5, NET + 9, &mac), cases[i].r);
	}
	assert_int_equal(mac.b[5], 9);
	mnl_attr_put(nlh, NDA_LLADDR, 6, "\0\0\0\0\0\0");
	assert_int_equal(net_parse_neighbour(nlh, 5, NET + 9, &mac), -ENOENT);
	mnl_attr_put_u32(nlh, NDA_LLADDR, 7);
	assert_int_equal(net_parse_neighbour(nlh, 5, NET + 9, &mac), -ENOENT);
}

static bool listens(uint8_t family, const char *bound, int v6only, const char *asked)
{
	_Alignas(8) uint8_t buf[BUFFER];
	struct nlmsghdr *nlh;
	struct inet_diag_msg *info = begin(buf, 20, sizeof(*info), &nlh);
	struct igw_addr addr = { .b = { 0 } };

	info->idiag_family = family;
	info->id.idiag_sport = htons(8080);
	assert_int_equal(inet_pton(family, bound, info->id.idiag_src), 1);
	if (v6only >= 0)
		mnl_attr_put_u8(nlh, INET_DIAG_SKV6ONLY, (uint8_t)v6only);
	if (asked)
		assert_int_equal(igw_addr_parse(asked, &addr), 0);
	assert_false(net_parse_listens(nlh, &addr, 8081));
	return net_parse_listens(nlh, &addr, 8080);
}

static void test_listens(void **state)
{
	(void)state;
	assert_true(listens(AF_INET, "0.0.0.0", -1, "192.0.2.1"));
	assert_true(listens(AF_INET, "192.0.2.1", -1, "192.0.2.1"));
	assert_false(listens(AF_INET, "192.0.2.2", -1, "192.0.2.1"));
	assert_false(listens(AF_INET, "0.0.0.0", -1, "2001:db8::1"));
	assert_true(listens(AF_INET6, "::", 0, "192.0.2.1"));
	assert_true(listens(AF_INET6, "::", -1, "192.0.2.1"));
	assert_false(listens(AF_INET6, "::", 1, "192.0.2.1"));
	assert_true(listens(AF_INET6, "::", 1, "2001:db8::1"));
	assert_true(listens(AF_INET6, "2001:db8::1", 0, "2001:db8::1"));
	assert_false(listens(AF_INET6, "2001:db8::1", 0, "192.0.2.1"));
	assert_true(listens(AF_INET6, "::ffff:0.0.0.0", 0, "192.0.2.1"));
	assert_true(listens(AF_INET6, "::ffff:192.0.2.1", 0, "192.0.2.1"));
	assert_false(listens(AF_INET6, "::ffff:192.0.2.2", 0, "192.0.2.1"));
	/* No address given: only who listens on all of them. */
	assert_true(listens(AF_INET, "0.0.0.0", -1, NULL));
	assert_true(listens(AF_INET6, "::", 1, NULL));
	assert_false(listens(AF_INET, "192.0.2.1", -1, NULL));
	assert_false(listens(AF_INET6, "2001:db8::1", 0, NULL));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_mangled),
		cmocka_unit_test(test_link),
		cmocka_unit_test(test_addr),
		cmocka_unit_test(test_route),
		cmocka_unit_test(test_on_link),
		cmocka_unit_test(test_neighbour),
		cmocka_unit_test(test_listens),
	};
	const unsigned seed = argc > 1 ? (unsigned)atoi(argv[1]) : (unsigned)time(NULL);

	print_message("seed %u\n", seed);
	srand(seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
