/* The questions of net that are put to the kernel each time. */
#include "net.h"

#include "net_parse.h"
#include "net_state.h"
#include "nl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/inet_diag.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum {
	/* include/net/tcp_states.h; an unconnected UDP socket counts as closed. */
	STATE_UDP_UNCONNECTED = 7,
	STATE_TCP_LISTEN = 10,
	/* Behind the settings come three sets of link modes of up to 127 words. */
	MODE_BYTES_MAX = 3 * INT8_MAX * 4,
	SPEED_UNIT = 1000000, /* ethtool speaks of Mbit/s */
};

/* Where an answer goes. */
struct question {
	int index;
	const char *name;
	const struct igw_addr *addr;
	uint16_t port;
	bool yes;
	int r;
	struct igw_mac mac;
	struct net_iface iface;
};

static void take_on_link(const struct nlmsghdr *nlh, void *data)
{
	struct question *q = data;

	q->yes = net_parse_on_link(nlh, q->index);
}

int net_on_link(struct net *net, const char *name, const struct igw_addr *addr)
{
	const struct net_iface *iface = net_find(net, name);
	struct question q = { 0 };
	struct nl_ask ask;
	struct nlmsghdr *nlh;
	struct rtmsg *info;
	int r;

	if (!iface)
		return -ENODEV;
	if (!igw_addr_is_v4(addr))
		return 0;
	q.index = iface->index;
	/* No RTA_OIF: with it the kernel takes anything for on-link that has no route. */
	nlh = nl_begin(&ask, RTM_GETROUTE, NLM_F_ACK);
	info = mnl_nlmsg_put_extra_header(nlh, sizeof(*info));
	info->rtm_family = AF_INET;
	info->rtm_dst_len = 32;
	mnl_attr_put_u32(nlh, RTA_DST, htonl(igw_addr_to_v4(addr)));
	r = nl_talk(&net->ask, nlh, &net->reply, take_on_link, &q);
	switch (r) {
	case 0:
		return q.yes;
	case -ENETUNREACH:  /* no route, or type throw */
	case -EHOSTUNREACH: /* type unreachable */
	case -EACCES:	    /* type prohibit */
	case -EINVAL:	    /* type blackhole, or no address that packets can go to */
		return 0;
	default:
		return r;
	}
}

static void take_neighbour(const struct nlmsghdr *nlh, void *data)
{
	struct question *q = data;

	q->r = net_parse_neighbour(nlh, q->index, igw_addr_to_v4(q->addr), &q->mac);
}

int net_neighbour(struct net *net, const char *name, const struct igw_addr *addr,
	struct igw_mac *ret)
{
	const struct net_iface *iface = net_find(net, name);
	struct question q = { .addr = addr, .r = -ENOENT };
	struct nl_ask ask;
	struct nlmsghdr *nlh;
	struct ndmsg *info;
	int r;

	if (!iface)
		return -ENODEV;
	if (!igw_addr_is_v4(addr))
		return -ENOENT;
	q.index = iface->index;
	nlh = nl_begin(&ask, RTM_GETNEIGH, NLM_F_ACK);
	info = mnl_nlmsg_put_extra_header(nlh, sizeof(*info));
	info->ndm_family = AF_INET;
	info->ndm_ifindex = iface->index;
	mnl_attr_put_u32(nlh, NDA_DST, htonl(igw_addr_to_v4(addr)));
	r = nl_talk(&net->ask, nlh, &net->reply, take_neighbour, &q);
	if (r == 0)
		r = q.r;
	/* On a link without ARP the kernel notes our own address for everybody. */
	if (r == 0 && igw_mac_equal(&q.mac, &iface->mac))
		r = -ENOENT;
	if (r < 0)
		return r;
	*ret = q.mac;
	return 0;
}

static void take_stats(const struct nlmsghdr *nlh, void *data)
{
	struct question *q = data;

	/* The kernel also looks among alternative names, which are not ours. */
	if (net_parse_link(nlh, &q->iface) == 0 && strcmp(q->iface.name, q->name) == 0)
		q->r = 0;
}

int net_stats(struct net *net, const char *name, struct net_iface *ret)
{
	const struct net_iface *known;
	struct question q = { .name = name, .r = -ENODEV };
	struct nl_ask ask;
	struct nlmsghdr *nlh;
	int r;

	if (name[0] == '\0' || strlen(name) > IGW_IFNAME_MAX)
		return -ENODEV;
	nlh = nl_begin(&ask, RTM_GETLINK, NLM_F_ACK);
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	r = nl_talk(&net->ask, nlh, &net->reply, take_stats, &q);
	if (r == 0)
		r = q.r;
	if (r < 0)
		return r;
	known = net_find(net, name);
	if (known && known->index == q.iface.index) {
		memcpy(q.iface.addrs, known->addrs, sizeof(q.iface.addrs));
		q.iface.n_addrs = known->n_addrs;
	}
	*ret = q.iface;
	return 0;
}

uint64_t net_speed(struct net *net, const char *name)
{
	union {
		struct ethtool_link_settings head;
		uint8_t room[sizeof(struct ethtool_link_settings) + MODE_BYTES_MAX];
	} set = { .head = { .cmd = ETHTOOL_GLINKSETTINGS } };
	struct ifreq request = { 0 };
	const int8_t *words = &set.head.link_mode_masks_nwords;

	if (name[0] == '\0' || strlen(name) >= sizeof(request.ifr_name))
		return 0;
	memcpy(request.ifr_name, name, strlen(name) + 1);
	request.ifr_data = (char *)&set;
	/* Device ioctls work on every socket. The first says, negated, how many words a
	 * set of link modes has in this kernel; the second, asked so, fills them. */
	if (ioctl(net->ask.fd, SIOCETHTOOL, &request) < 0 || *words >= 0 ||
		*words < -INT8_MAX)
		return 0;
	set.head = (struct ethtool_link_settings){
		.cmd = ETHTOOL_GLINKSETTINGS,
		.link_mode_masks_nwords = (int8_t)(0 - *words),
	};
	if (ioctl(net->ask.fd, SIOCETHTOOL, &request) < 0 || *words <= 0)
		return 0;
	if (set.head.speed == 0 || set.head.speed == (uint32_t)SPEED_UNKNOWN)
		return 0;
	return (uint64_t)set.head.speed * SPEED_UNIT;
}

static void take_socket(const struct nlmsghdr *nlh, void *data)
{
	struct question *q = data;

	if (nlh->nlmsg_type == SOCK_DIAG_BY_FAMILY &&
		net_parse_listens(nlh, q->addr, q->port))
		q->yes = true;
}

/* One family's sockets; the kernel sorts out states and port. Having seen a changing
 * table only in part is good enough when the socket was in it. */
static int listens_in(
	struct net *net, uint8_t family, uint8_t protocol, struct question *q)
{
	const int state = protocol == IGW_TCP ? STATE_TCP_LISTEN : STATE_UDP_UNCONNECTED;
	struct inet_diag_req_v2 *request;
	struct nl_ask ask;
	struct nlmsghdr *nlh;
	int r = -EINTR;

	for (int i = 0; i < NL_TRIES && r == -EINTR && !q->yes; i++) {
		nlh = nl_begin(&ask, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
		request = mnl_nlmsg_put_extra_header(nlh, sizeof(*request));
		request->sdiag_family = family;
		request->sdiag_protocol = protocol;
		request->idiag_states = UINT32_C(1) << state;
		request->id.idiag_sport = htons(q->port);
		r = nl_talk(&net->diag, nlh, &net->reply, take_socket, q);
	}
	if (q->yes)
		return 1;
	return r == -EINTR ? -EAGAIN : r;
}

int net_listens(
	struct net *net, uint8_t protocol, const struct igw_addr *addr, uint16_t port)
{
	struct question q = { .addr = addr, .port = port };
	int r;

	if (net->diag.fd < 0)
		return -EPROTONOSUPPORT;
	if ((protocol != IGW_TCP && protocol != IGW_UDP) || port == 0)
		return -EINVAL;
	r = listens_in(net, AF_INET, protocol, &q);
	if (r != 0)
		return r;
	r = listens_in(net, AF_INET6, protocol, &q);
	return r == -ENOENT ? 0 : r; /* a kernel without IPv6 */
}
