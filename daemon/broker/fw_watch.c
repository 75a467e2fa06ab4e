#include "fw_watch.h"

#include "fw_internal.h"

#include <endian.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
	WATCH_BATCH = 1024, /* datagrams taken in at once */

	/* Every nf_tables message but that of a generation has the table's name in its
	 * first attribute (NFTA_TABLE_NAME, NFTA_RULE_TABLE, ...). */
	ATTR_TABLE = 1,
};

struct fw_watch {
	struct nl nl;
	bool touched; /* by the transaction whose end has not come yet */
	struct nl_reply reply;
};

struct watching {
	struct fw_watch *watch;
	const struct fw *fw;
	struct fw_culprit *culprit;
	bool found;
};

int fw_watch_open(struct fw_watch **ret)
{
	struct fw_watch *watch = calloc(1, sizeof(*watch));
	const int group = NFNLGRP_NFTABLES, size = FW_SOCKET_BUFFER;
	int r;

	if (!watch)
		return -ENOMEM;
	watch->nl.fd = -1;
	r = nl_open(NETLINK_NETFILTER, &watch->nl);
	/* A firewall of the usual size overruns the default buffer in one reload. */
	if (r == 0 && setsockopt(watch->nl.fd, SOL_SOCKET, SO_RCVBUFFORCE, &size,
			      sizeof(size)) < 0)
		(void)setsockopt(
			watch->nl.fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (r == 0 && setsockopt(watch->nl.fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP,
			      &group, sizeof(group)) < 0)
		r = -errno;
	if (r < 0) {
		fw_watch_close(watch);
		return r;
	}
	*ret = watch;
	return 0;
}

void fw_watch_close(struct fw_watch *watch)
{
	if (!watch)
		return;
	nl_close(&watch->nl);
	free(watch);
}

int fw_watch_fd(const struct fw_watch *watch)
{
	return watch->nl.fd;
}

static bool is_ours(const struct nlattr *attr)
{
	size_t size;
	const char *name = nl_value(attr, &size);

	return (size == sizeof(FW_TABLE) && memcmp(name, FW_TABLE, size) == 0) ||
	       (size == sizeof(FW_FLOOR) && memcmp(name, FW_FLOOR, size) == 0);
}

static void take_culprit(const struct nlattr *const *tb, struct fw_culprit *ret)
{
	uint32_t pid = 0;
	size_t size = 0;
	const char *name;

	memset(ret, 0, sizeof(*ret));
	if (nl_get(tb[NFTA_GEN_PROC_PID], &pid, sizeof(pid)))
		ret->pid = be32toh(pid);
	if (!tb[NFTA_GEN_PROC_NAME])
		return;
	name = nl_value(tb[NFTA_GEN_PROC_NAME], &size);
	memcpy(ret->name, name,
		strnlen(name, size < FW_CULPRIT_MAX ? size : FW_CULPRIT_MAX));
}

/* A transaction is told message by message, and ends with that of its generation. */
static void take_message(struct watching *watching, const struct nlmsghdr *nlh)
{
	const struct nlattr *tb[NFTA_GEN_MAX + 1];
	struct nfgenmsg header;

	if (NFNL_SUBSYS_ID(nlh->nlmsg_type) != NFNL_SUBSYS_NFTABLES ||
		nlh->nlmsg_pid == watching->fw->wr.portid ||
		!nl_read(nlh, &header, sizeof(header), tb, NFTA_GEN_MAX))
		return;
	if (NFNL_MSG_TYPE(nlh->nlmsg_type) != NFT_MSG_NEWGEN) {
		if (NFNL_MSG_TYPE(nlh->nlmsg_type) != NFT_MSG_TRACE && tb[ATTR_TABLE] &&
			is_ours(tb[ATTR_TABLE]))
			watching->watch->touched = true;
		return;
	}
	if (!watching->watch->touched)
		return;
	watching->watch->touched = false;
	watching->found = true;
	take_culprit(tb, watching->culprit);
}

static void take_datagram(struct watching *watching, size_t size)
{
	const struct nlmsghdr *nlh = (const void *)watching->watch->reply.b;
	int left = (int)size;

	while (mnl_nlmsg_ok(nlh, left)) {
		take_message(watching, nlh);
		nlh = mnl_nlmsg_next(nlh, &left);
	}
}

int fw_watch_poll(struct fw_watch *watch, const struct fw *fw, struct fw_culprit *ret)
{
	struct fw_culprit culprit = { 0 };
	struct watching watching = { watch, fw, &culprit, false };

	for (int i = 0; i < WATCH_BATCH; i++) {
		ssize_t n = nl_receive(&watch->nl, &watch->reply, MSG_DONTWAIT);

		if (n == -EAGAIN)
			break;
		if (n == -ENOBUFS || n == -EMSGSIZE) {
			/* What was lost may have been about us. */
			watch->touched = false;
			watching.found = true;
			memset(&culprit, 0, sizeof(culprit));
			continue;
		}
		if (n < 0)
			return (int)n;
		take_datagram(&watching, (size_t)n);
	}
	if (watching.found)
		*ret = culprit;
	return watching.found;
}
