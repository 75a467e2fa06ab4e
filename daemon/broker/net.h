/*
 * The router's own network, from rtnetlink: links, IPv4 addresses, the default route,
 * neighbours, and routes looked up one by one.
 *
 * Links are known by name: an interface that is re-created (a PPP redial) is the same
 * link with another index. Addresses are igw_addr. Through libmnl. Used by the broker
 * and, for choosing interfaces once at start, by the parent.
 */
#ifndef IGDWARD_BROKER_NET_H
#define IGDWARD_BROKER_NET_H

#include "igdward/addr.h"
#include "igdward/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	NET_IFACES_MAX = 256, /* interfaces looked at */
	NET_ADDRS_MAX = 16,   /* IPv4 addresses kept of one interface */
};

struct net_addr {
	struct igw_addr addr;
	uint8_t len; /* prefix length in IPv4 bits, 0-32 */
};

struct net_iface {
	int index;
	char name[IGW_IFNAME_MAX + 1];
	bool up; /* administratively up and with a carrier (IFF_UP and IFF_RUNNING) */
	bool loopback;
	struct igw_mac mac;
	struct net_addr addrs[NET_ADDRS_MAX]; /* in the kernel's order, secondary last */
	size_t n_addrs;
	uint64_t rx_bytes, tx_bytes, rx_packets, tx_packets; /* as of the last read */
};

struct net;

/*
 * Opens the sockets (one for questions, one that listens to changes) and reads everything
 * once. Returns 0 or -errno.
 */
int net_open(struct net **ret);
void net_close(struct net *net);

/* The descriptor to watch for EPOLLIN; then call net_poll(). */
int net_fd(const struct net *net);

/*
 * Takes in all waiting notifications. Returns 1 when a link, an address or the default
 * route changed, 0 when nothing that matters did, or -errno. After lost notifications
 * (ENOBUFS) everything is read anew. After an error all is as before, and the next call
 * reads anew. In a flood, part of the notifications is left for the next call.
 */
int net_poll(struct net *net);

/* The interfaces, in the kernel's order; valid until the next net_poll(). */
size_t net_ifaces(const struct net *net, const struct net_iface **ret);

/* By name; NULL when there is none at present. Valid until the next net_poll(). */
const struct net_iface *net_find(const struct net *net, const char *name);

/* Name of the interface of the IPv4 default route with the lowest metric in the main
 * table; "" when there is none. */
const char *net_default(const struct net *net);

/* Is this an address of any interface of this router? */
bool net_is_own(const struct net *net, const struct igw_addr *addr);

/* Is this the network or the broadcast address of a network on an interface of ours?
 * (/31 and /32 have neither.) */
bool net_is_special(const struct net *net, const struct igw_addr *addr);

/*
 * Asks the kernel's routing (FIB) whether packets to `addr` leave by interface `name`
 * without a gateway, that is, whether it is a unicast neighbour on that link. The network
 * address is one for kernels from 5.14 on: see net_is_special(). Returns 1, 0, -ENODEV or
 * another -errno.
 */
int net_on_link(struct net *net, const char *name, const struct igw_addr *addr);

/* The MAC address that the neighbour table has for `addr` on that link. Returns 0,
 * -ENOENT when it is not known (or failed), -ENODEV, or another -errno. */
int net_neighbour(struct net *net, const char *name, const struct igw_addr *addr,
	struct igw_mac *ret);

/* Fresh packet and byte counters of one interface, 64 bit, and all else but addresses,
 * which are as of the last net_poll(). Returns 0, -ENODEV or -errno. */
int net_stats(struct net *net, const char *name, struct net_iface *ret);

/* Link speed in bit/s as the driver tells it (ethtool); 0 when it does not. */
uint64_t net_speed(struct net *net, const char *name);

/* Does a socket of this machine listen on (TCP) or own (UDP, unconnected) that port on
 * the wildcard or the given address? From sock_diag, both families. Returns 1, 0 or
 * -errno: -ENOENT or -EPROTONOSUPPORT when the kernel lacks it (a module on OpenWrt). */
int net_listens(
	struct net *net, uint8_t protocol, const struct igw_addr *addr, uint16_t port);

#endif
