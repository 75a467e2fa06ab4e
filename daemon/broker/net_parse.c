#include "net_parse.h"

#include "nl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/inet_diag.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

/* linux/if_link.h: the first four members of struct rtnl_link_stats64. */
enum { RX_PACKETS, TX_PACKETS, RX_BYTES, TX_BYTES, COUNTERS };

/* Copies a link's name if it is a proper string of fitting length. */
static bool get_name(const struct nlattr *attr, char ret[IGW_IFNAME_MAX + 1])
{
	const char *name;
	size_t size;

	if (!attr)
		return false;
	name = nl_value(attr, &size);
	if (size < 2 || size > IGW_IFNAME_MAX + 1 || strnlen(name, size) != size - 1)
		return false;
	memcpy(ret, name, size);
	return true;
}

int net_parse_link(const struct nlmsghdr *nlh, struct net_iface *ret)
{
	const struct nlattr *tb[IFLA_STATS64 + 1];
	struct net_iface iface = { 0 };
	struct ifinfomsg info;
	uint64_t counters[COUNTERS] = { 0 };

	if (!nl_read(nlh, &info, sizeof(info), tb, IFLA_STATS64))
		return -EBADMSG;
	/* A port that leaves a bridge is told as RTM_DELLINK, too, with AF_BRIDGE. */
	if (info.ifi_family != AF_UNSPEC)
		return -ENOMSG;
	if (info.ifi_index <= 0 || !get_name(tb[IFLA_IFNAME], iface.name))
		return -EBADMSG;
	iface.index = info.ifi_index;
	iface.up = (info.ifi_flags & IFF_UP) && (info.ifi_flags & IFF_RUNNING);
	iface.loopback = info.ifi_flags & IFF_LOOPBACK;
	/* Links without Ethernet (ppp, tun, ip tunnels) have no address, or others. */
	(void)nl_get(tb[IFLA_ADDRESS], iface.mac.b, sizeof(iface.mac.b));
	(void)nl_get_head(tb[IFLA_STATS64], counters, sizeof(counters));
	iface.rx_packets = counters[RX_PACKETS];
	iface.tx_packets = counters[TX_PACKETS];
	iface.rx_bytes = counters[RX_BYTES];
	iface.tx_bytes = counters[TX_BYTES];
	*ret = iface;
	return 0;
}

int net_parse_addr(const struct nlmsghdr *nlh, struct net_own *ret)
{
	const struct nlattr *tb[IFA_BROADCAST + 1];
	struct ifaddrmsg info;
	uint32_t local, base, broadcast = 0;

	if (!nl_read(nlh, &info, sizeof(info), tb, IFA_BROADCAST))
		return -EBADMSG;
	if (info.ifa_family != AF_INET)
		return -ENOMSG;
	if (info.ifa_prefixlen > 32 || info.ifa_index == 0 || info.ifa_index > INT32_MAX)
		return -EBADMSG;
	if (!nl_get(tb[IFA_LOCAL], &local, sizeof(local)))
		return -EBADMSG;
	/* On point-to-point links the prefix is of the peer's address. */
	if (!nl_get(tb[IFA_ADDRESS], &base, sizeof(base)))
		base = local;
	(void)nl_get(tb[IFA_BROADCAST], &broadcast, sizeof(broadcast));
	*ret = (struct net_own){
		.index = (int)info.ifa_index,
		.local = ntohl(local),
		.base = ntohl(base),
		.broadcast = ntohl(broadcast),
		.len = info.ifa_prefixlen,
	};
	return 0;
}

static bool nexthop_lives(unsigned flags, int index)
{
	return !(flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)) && index > 0;
}

/* The link of the first nexthop that lives, or 0. */
static int first_nexthop(const struct nlattr *attr)
{
	struct rtnexthop hop;
	size_t size;
	const uint8_t *from = nl_value(attr, &size);

	/* Each is a multiple of four bytes long. */
	for (size_t at = 0; at < size && size - at >= sizeof(hop); at += hop.rtnh_len) {
		memcpy(&hop, from + at, sizeof(hop));
		if (hop.rtnh_len < sizeof(hop) || hop.rtnh_len > size - at)
			return 0;
		if (nexthop_lives(hop.rtnh_flags, hop.rtnh_ifindex))
			return hop.rtnh_ifindex;
	}
	return 0;
}

int net_parse_default(const struct nlmsghdr *nlh, struct net_route *ret)
{
	const struct nlattr *tb[RTA_TABLE + 1];
	struct net_route route = { 0 };
	struct rtmsg info;
	uint32_t table;

	if (!nl_read(nlh, &info, sizeof(info), tb, RTA_TABLE))
		return -EBADMSG;
	if (info.rtm_family != AF_INET || info.rtm_dst_len != 0 ||
		info.rtm_src_len != 0 || info.rtm_tos != 0 ||
		(info.rtm_flags & RTM_F_CLONED))
		return -ENOMSG;
	if (!nl_get(tb[RTA_TABLE], &table, sizeof(table)))
		table = info.rtm_table;
	if (table != RT_TABLE_MAIN)
		return -ENOMSG;
	(void)nl_get(tb[RTA_PRIORITY], &route.metric, sizeof(route.metric));
	if (info.rtm_type == RTN_UNICAST && tb[RTA_MULTIPATH])
		route.index = first_nexthop(tb[RTA_MULTIPATH]);
	else if (info.rtm_type == RTN_UNICAST)
		(void)nl_get(tb[RTA_OIF], &route.index, sizeof(route.index));
	if (!nexthop_lives(info.rtm_flags, route.index))
		route.index = 0;
	*ret = route;
	return 0;
}

bool net_parse_on_link(const struct nlmsghdr *nlh, int index)
{
	const struct nlattr *tb[RTA_ENCAP + 1];
	struct rtmsg info;
	int out;

	if (nlh->nlmsg_type != RTM_NEWROUTE ||
		!nl_read(nlh, &info, sizeof(info), tb, RTA_ENCAP))
		return false;
	if (info.rtm_family != AF_INET || info.rtm_type != RTN_UNICAST)
		return false;
	if (tb[RTA_GATEWAY] || tb[RTA_VIA] || tb[RTA_MULTIPATH] || tb[RTA_ENCAP])
		return false;
	return nl_get(tb[RTA_OIF], &out, sizeof(out)) && out == index;
}

int net_parse_neighbour(
	const struct nlmsghdr *nlh, int index, uint32_t addr, struct igw_mac *ret)
{
	const uint16_t known = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE |
			       NUD_PERMANENT | NUD_NOARP;
	const struct nlattr *tb[NDA_LLADDR + 1];
	struct igw_mac mac;
	struct ndmsg info;
	uint32_t dst;

	if (!nl_read(nlh, &info, sizeof(info), tb, NDA_LLADDR))
		return -EBADMSG;
	if (nlh->nlmsg_type != RTM_NEWNEIGH || info.ndm_family != AF_INET ||
		info.ndm_ifindex != index || !nl_get(tb[NDA_DST], &dst, sizeof(dst)) ||
		ntohl(dst) != addr)
		return -ENOENT;
	if (!(info.ndm_state & known))
		return -ENOENT;
	if (!nl_get(tb[NDA_LLADDR], mac.b, sizeof(mac.b)) || igw_mac_is_none(&mac))
		return -ENOENT;
	*ret = mac;
	return 0;
}

/* Does a packet to any IPv4 address reach this socket? It does when bound to 0.0.0.0, or
 * to :: without IPV6_V6ONLY. A kernel that does not tell about that option counts so. */
static bool takes_any_v4(const struct igw_addr *bound, const struct nlattr *v6only)
{
	uint8_t only = 0;

	if (igw_addr_is_v4(bound))
		return igw_addr_to_v4(bound) == INADDR_ANY;
	(void)nl_get(v6only, &only, sizeof(only));
	return igw_addr_is_none(bound) && !only;
}

bool net_parse_listens(
	const struct nlmsghdr *nlh, const struct igw_addr *addr, uint16_t port)
{
	const struct nlattr *tb[INET_DIAG_SKV6ONLY + 1];
	struct inet_diag_msg info;
	struct igw_addr bound;

	if (!nl_read(nlh, &info, sizeof(info), tb, INET_DIAG_SKV6ONLY))
		return false;
	if (ntohs(info.id.idiag_sport) != port)
		return false;
	if (info.idiag_family == AF_INET)
		bound = igw_addr_from_v4(ntohl(info.id.idiag_src[0]));
	else if (info.idiag_family == AF_INET6)
		memcpy(bound.b, info.id.idiag_src, sizeof(bound.b));
	else
		return false;
	if (igw_addr_equal(&bound, addr))
		return true;
	if (igw_addr_is_none(addr) || igw_addr_is_v4(addr))
		return takes_any_v4(&bound, tb[INET_DIAG_SKV6ONLY]);
	return igw_addr_is_none(&bound);
}
