/*
 * What rtnetlink and sock_diag messages say, as plain structs.
 *
 * Pure functions over one message each, with every length checked: no I/O, no state, so
 * that tests can feed them anything. Used by net only.
 */
#ifndef IGDWARD_BROKER_NET_PARSE_H
#define IGDWARD_BROKER_NET_PARSE_H

#include "net.h"

#include <linux/netlink.h>
#include <stdbool.h>
#include <stdint.h>

/* One IPv4 address of ours, host order. No padding: compared with memcmp(). */
struct net_own {
	int index; /* its link */
	uint32_t local;
	uint32_t base;	    /* in its network: the peer on point-to-point links */
	uint32_t broadcast; /* as configured, 0 = none */
	uint32_t len;	    /* 0-32 */
};

/* A default route; index 0 when its link is down or it leads nowhere. */
struct net_route {
	int index;
	uint32_t metric;
};

/* RTM_NEWLINK, RTM_DELLINK, without addresses. Returns 0, -ENOMSG when it is about
 * something else (a bridge port), or -EBADMSG. */
int net_parse_link(const struct nlmsghdr *nlh, struct net_iface *ret);

/* RTM_NEWADDR, RTM_DELADDR. Returns 0, -ENOMSG when not IPv4, or -EBADMSG. */
int net_parse_addr(const struct nlmsghdr *nlh, struct net_own *ret);

/* RTM_NEWROUTE, RTM_DELROUTE. Returns 0 for an IPv4 default route of the main table,
 * -ENOMSG for any other, or -EBADMSG. */
int net_parse_default(const struct nlmsghdr *nlh, struct net_route *ret);

/* An answer to RTM_GETROUTE: unicast, out of link `index`, without a gateway? */
bool net_parse_on_link(const struct nlmsghdr *nlh, int index);

/* An answer to RTM_GETNEIGH: the MAC address of `addr` on link `index`. Returns 0,
 * -ENOENT when the entry has none that is valid or is about another neighbour, or
 * -EBADMSG. */
int net_parse_neighbour(
	const struct nlmsghdr *nlh, int index, uint32_t addr, struct igw_mac *ret);

/* An answer of sock_diag: a socket on this port that receives what is sent to `addr`? */
bool net_parse_listens(
	const struct nlmsghdr *nlh, const struct igw_addr *addr, uint16_t port);

#endif
