#include "net.h"

#include "net_parse.h"
#include "net_state.h"
#include "nl.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
	EVENTS_BUFFER = 1 << 20, /* bytes of waiting notifications before any is lost */
	EVENTS_BATCH = 1024,	 /* datagrams taken in one go: a flood cannot hold us */
};

static struct net_iface *find_index(struct net_reading *reading, int index)
{
	for (size_t i = 0; i < reading->n_ifaces; i++) {
		if (reading->ifaces[i].index == index)
			return &reading->ifaces[i];
	}
	return NULL;
}

static void take_link(const struct nlmsghdr *nlh, void *data)
{
	struct net_reading *reading = data;
	struct net_iface iface;

	if (nlh->nlmsg_type != RTM_NEWLINK || net_parse_link(nlh, &iface) < 0)
		return;
	if (reading->n_ifaces < NET_IFACES_MAX)
		reading->ifaces[reading->n_ifaces++] = iface;
}

static void take_addr(const struct nlmsghdr *nlh, void *data)
{
	struct net_reading *reading = data;
	struct net_iface *iface;
	struct net_own own;

	if (nlh->nlmsg_type != RTM_NEWADDR || net_parse_addr(nlh, &own) < 0)
		return;
	if (reading->n_own < NET_OWN_MAX)
		reading->own[reading->n_own++] = own;
	iface = find_index(reading, own.index);
	if (!iface || iface->n_addrs == NET_ADDRS_MAX)
		return;
	iface->addrs[iface->n_addrs++] = (struct net_addr){
		.addr = igw_addr_from_v4(own.local),
		.len = (uint8_t)own.len,
	};
}

static void take_route(const struct nlmsghdr *nlh, void *data)
{
	struct net_reading *reading = data;
	struct net_route route;

	if (nlh->nlmsg_type != RTM_NEWROUTE || net_parse_default(nlh, &route) < 0 ||
		route.index == 0)
		return;
	if (reading->uplink.index == 0 || route.metric < reading->uplink.metric)
		reading->uplink = route;
}

static int dump(struct net *net, uint16_t type, const void *header, size_t size,
	nl_take *take, void *data)
{
	struct nl_ask ask;
	struct nlmsghdr *nlh = nl_begin(&ask, type, NLM_F_DUMP);

	memcpy(mnl_nlmsg_put_extra_header(nlh, size), header, size);
	return nl_talk(&net->ask, nlh, &net->reply, take, data);
}

static int read_once(struct net *net, struct net_reading *reading)
{
	const struct ifinfomsg links = { .ifi_family = AF_UNSPEC };
	const struct ifaddrmsg addrs = { .ifa_family = AF_INET };
	const struct rtmsg routes = { .rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN };
	const struct net_iface *uplink;
	int r;

	reading->n_ifaces = 0;
	reading->n_own = 0;
	reading->uplink = (struct net_route){ 0 };
	memset(reading->uplink_name, 0, sizeof(reading->uplink_name));
	r = dump(net, RTM_GETLINK, &links, sizeof(links), take_link, reading);
	if (r < 0)
		return r;
	r = dump(net, RTM_GETADDR, &addrs, sizeof(addrs), take_addr, reading);
	if (r < 0)
		return r;
	r = dump(net, RTM_GETROUTE, &routes, sizeof(routes), take_route, reading);
	if (r < 0 && r != -ENOENT) /* a table that never had a route does not exist */
		return r;
	uplink = find_index(reading, reading->uplink.index);
	if (uplink)
		memcpy(reading->uplink_name, uplink->name, sizeof(uplink->name));
	return 0;
}

static int read_all(struct net *net, struct net_reading *reading)
{
	for (int i = 0; i < NL_TRIES; i++) {
		int r = read_once(net, reading);

		if (r != -EINTR)
			return r;
	}
	return -EAGAIN;
}

static bool iface_same(const struct net_iface *a, const struct net_iface *b)
{
	return a->index == b->index && strcmp(a->name, b->name) == 0 && a->up == b->up &&
	       a->loopback == b->loopback && igw_mac_equal(&a->mac, &b->mac);
}

static bool own_same(const struct net_own *a, const struct net_own *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* The same but for counters? The metric is not ours to tell. */
static bool reading_same(const struct net_reading *a, const struct net_reading *b)
{
	if (a->n_ifaces != b->n_ifaces || a->n_own != b->n_own ||
		strcmp(a->uplink_name, b->uplink_name) != 0)
		return false;
	for (size_t i = 0; i < a->n_ifaces; i++) {
		if (!iface_same(&a->ifaces[i], &b->ifaces[i]))
			return false;
	}
	for (size_t i = 0; i < a->n_own; i++) {
		if (!own_same(&a->own[i], &b->own[i]))
			return false;
	}
	return true;
}

/* Would this notification change our reading? Drivers repeat RTM_NEWLINK for wireless
 * scans and the like, DHCP repeats RTM_NEWADDR for each renewal: neither is news. A
 * message that we cannot read may be news. */
static bool is_news_link(const struct net *net, const struct nlmsghdr *nlh)
{
	const struct net_iface *known;
	struct net_iface iface;
	int r = net_parse_link(nlh, &iface);

	if (r < 0)
		return r != -ENOMSG;
	known = find_index(net->now, iface.index);
	if (nlh->nlmsg_type == RTM_DELLINK)
		return known != NULL;
	return !known || !iface_same(known, &iface);
}

static bool is_news_addr(const struct net *net, const struct nlmsghdr *nlh)
{
	struct net_own own;
	int r = net_parse_addr(nlh, &own);

	if (r < 0)
		return r != -ENOMSG;
	for (size_t i = 0; i < net->now->n_own; i++) {
		if (own_same(&net->now->own[i], &own))
			return nlh->nlmsg_type == RTM_DELADDR;
	}
	return true;
}

static bool is_news(const struct net *net, const struct nlmsghdr *nlh)
{
	struct net_route route;

	switch (nlh->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return is_news_link(net, nlh);
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return is_news_addr(net, nlh);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return net_parse_default(nlh, &route) != -ENOMSG;
	default:
		return false;
	}
}

static void take_events(struct net *net, size_t size)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)(const void *)net->reply.b;
	int left = (int)size;

	while (!net->stale && mnl_nlmsg_ok(nlh, left)) {
		net->stale = is_news(net, nlh);
		nlh = mnl_nlmsg_next(nlh, &left);
	}
}

/* Returns 1 when every waiting notification was read, 0 when more wait, or -errno. */
static int drain_events(struct net *net)
{
	for (int i = 0; i < EVENTS_BATCH; i++) {
		ssize_t n = nl_receive(&net->events, &net->reply, MSG_DONTWAIT);

		if (n >= 0)
			take_events(net, (size_t)n);
		else if (n == -EAGAIN)
			return 1;
		else if (n == -ENOBUFS || n == -EMSGSIZE)
			net->stale = true;
		else
			return (int)n;
	}
	return 0;
}

int net_poll(struct net *net)
{
	struct net_reading *old = net->now;
	struct net_reading *new = &net->readings[old == &net->readings[0]];
	int drained, r;

	drained = drain_events(net);
	if (drained < 0)
		return drained;
	if (!net->stale)
		return 0;
	/* Links that go down take their routes along without a word, so all is read. */
	r = read_all(net, new);
	if (r < 0)
		return r;
	net->now = new;
	/* Until its queue has run empty, a socket that lost notifications loses more of
	 * them without saying so again. */
	net->stale = !drained;
	return !reading_same(old, new);
}

static int join_groups(const struct nl *nl)
{
	static const int groups[] = { RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR,
		RTNLGRP_IPV4_ROUTE };
	const int size = EVENTS_BUFFER;

	/* Without CAP_NET_ADMIN the system's limit (net.core.rmem_max) applies. */
	if (setsockopt(nl->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(nl->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		if (setsockopt(nl->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i],
			    sizeof(groups[i])) < 0)
			return -errno;
	}
	return 0;
}

static int open_sockets(struct net *net)
{
	const int on = 1;
	int r;

	r = nl_open(NETLINK_ROUTE, &net->events);
	if (r < 0)
		return r;
	r = join_groups(&net->events);
	if (r < 0)
		return r;
	r = nl_open(NETLINK_ROUTE, &net->ask);
	if (r < 0)
		return r;
	/* From 4.20 on the kernel then dumps only the table we ask for. */
	(void)setsockopt(
		net->ask.fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	/* Without sock_diag only net_listens() does not work. */
	r = nl_open(NETLINK_SOCK_DIAG, &net->diag);
	return r == -EPROTONOSUPPORT ? 0 : r;
}

int net_open(struct net **ret)
{
	struct net *net = calloc(1, sizeof(*net));
	int r;

	if (!net)
		return -ENOMEM;
	net->events.fd = -1;
	net->ask.fd = -1;
	net->diag.fd = -1;
	net->now = &net->readings[0];
	r = open_sockets(net);
	if (r == 0)
		r = read_all(net, net->now);
	if (r < 0) {
		net_close(net);
		return r;
	}
	*ret = net;
	return 0;
}

void net_close(struct net *net)
{
	if (!net)
		return;
	nl_close(&net->events);
	nl_close(&net->ask);
	nl_close(&net->diag);
	free(net);
}

int net_fd(const struct net *net)
{
	return net->events.fd;
}

size_t net_ifaces(const struct net *net, const struct net_iface **ret)
{
	*ret = net->now->ifaces;
	return net->now->n_ifaces;
}

const struct net_iface *net_find(const struct net *net, const char *name)
{
	for (size_t i = 0; i < net->now->n_ifaces; i++) {
		if (strcmp(net->now->ifaces[i].name, name) == 0)
			return &net->now->ifaces[i];
	}
	return NULL;
}

const char *net_default(const struct net *net)
{
	return net->now->uplink_name;
}

bool net_is_own(const struct net *net, const struct igw_addr *addr)
{
	const uint32_t v4 = igw_addr_to_v4(addr);

	if (!igw_addr_is_v4(addr))
		return false;
	for (size_t i = 0; i < net->now->n_own; i++) {
		if (net->now->own[i].local == v4)
			return true;
	}
	return false;
}

static bool is_special(const struct net_own *own, uint32_t v4)
{
	const uint32_t host = own->len < 31 ? UINT32_MAX >> own->len : 0;

	if (host == 0)
		return false;
	return v4 == (own->base & ~host) || v4 == (own->base | host) ||
	       (own->broadcast != 0 && v4 == own->broadcast);
}

bool net_is_special(const struct net *net, const struct igw_addr *addr)
{
	const uint32_t v4 = igw_addr_to_v4(addr);

	if (!igw_addr_is_v4(addr))
		return false;
	for (size_t i = 0; i < net->now->n_own; i++) {
		if (is_special(&net->now->own[i], v4))
			return true;
	}
	return false;
}
