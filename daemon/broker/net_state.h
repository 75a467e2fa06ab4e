/*
 * What the files of net share: the sockets, and one complete reading of the network.
 *
 * A reading is never changed piecemeal: notifications only tell that it is out of date,
 * then all is read into the other of two readings. Used by net.c and net_ask.c only.
 */
#ifndef IGDWARD_BROKER_NET_STATE_H
#define IGDWARD_BROKER_NET_STATE_H

#include "net.h"
#include "net_parse.h"
#include "nl.h"

enum {
	NET_OWN_MAX = 1024, /* IPv4 addresses of all links; more only the FIB knows */
};

struct net_reading {
	struct net_iface ifaces[NET_IFACES_MAX];
	size_t n_ifaces;
	struct net_own own[NET_OWN_MAX];
	size_t n_own;
	struct net_route uplink; /* the best default route; index 0 = none */
	char uplink_name[IGW_IFNAME_MAX + 1];
};

struct net {
	struct nl ask;	  /* rtnetlink, questions */
	struct nl diag;	  /* sock_diag; fd -1 when the kernel has none */
	struct nl events; /* rtnetlink, listens */
	bool stale;	  /* the reading may be out of date */
	struct net_reading *now;
	struct net_reading readings[2];
	struct nl_reply reply;
};

#endif
