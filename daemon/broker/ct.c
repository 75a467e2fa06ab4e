#include "ct.h"

#include "ct_parse.h"
#include "nl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdlib.h>

/* The kernel's net/netfilter/nf_internals.h: which parts of CTA_TUPLE_ORIG a dump is
 * filtered by (5.8). These numbers are part of its interface, but in no header. */
enum {
	FILTER_IP_SRC = 1 << 0,
	FILTER_PROTO_NUM = 1 << 3,
	FILTER_PROTO_DST_PORT = 1 << 5,
};

struct ct {
	struct nl list;
	struct nl kill; /* a second one, so that we can delete in the middle of a dump */
	struct nl_reply list_reply;
	struct nl_reply kill_reply;
	struct ct_key keys[CT_MATCHES_MAX];
};

/* One pass over the table. */
struct pass {
	struct ct *ct;
	size_t n_keys;
	bool cut;
	int deleted;
	int err; /* the first */
};

static struct nlmsghdr *begin(struct nl_ask *ask, unsigned type, uint16_t flags)
{
	struct nlmsghdr *nlh =
		nl_begin(ask, (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type), flags);
	struct nfgenmsg *info;

	info = mnl_nlmsg_put_extra_header(nlh, sizeof(*info));
	info->nfgen_family = AF_INET;
	info->version = NFNETLINK_V0;
	return nlh;
}

static void take_nothing(const struct nlmsghdr *nlh, void *data)
{
	(void)nlh;
	(void)data;
}

/* Copies an attribute as it is, with all that is nested in it. */
static bool put_copy(struct nlmsghdr *nlh, uint16_t type, const struct nlattr *attr)
{
	return mnl_attr_put_check(nlh, NL_ASK_MAX, type, mnl_attr_get_payload_len(attr),
		mnl_attr_get_payload(attr));
}

/*
 * Deletes one entry. IPCTNL_MSG_CT_DELETE without CTA_TUPLE_ORIG would flush the whole
 * table, so it is never sent without. The tuple goes back as it came, since it may hold a
 * zone of its own; the id makes sure that it is still the same flow.
 */
static int kill_flow(struct ct *ct, const struct ct_flow *flow)
{
	struct nl_ask ask;
	struct nlmsghdr *nlh = begin(&ask, IPCTNL_MSG_CT_DELETE, NLM_F_ACK);

	if (!put_copy(nlh, CTA_TUPLE_ORIG | NLA_F_NESTED, flow->orig))
		return -EMSGSIZE;
	if (flow->zone && !put_copy(nlh, CTA_ZONE, flow->zone))
		return -EMSGSIZE;
	if (!mnl_attr_put_u32_check(nlh, NL_ASK_MAX, CTA_ID, flow->id))
		return -EMSGSIZE;
	return nl_talk(&ct->kill, nlh, &ct->kill_reply, take_nothing, NULL);
}

static void take_flow(const struct nlmsghdr *nlh, void *data)
{
	struct pass *pass = data;
	struct ct_flow flow;
	int r;

	if (ct_parse_flow(nlh, &flow) < 0)
		return;
	/* Whatever the kernel filtered or not: only what fits here is touched. */
	if (!ct_keys_hit(pass->ct->keys, pass->n_keys, &flow) || !pass->cut)
		return;
	r = kill_flow(pass->ct, &flow);
	if (r == 0 && pass->deleted < INT32_MAX)
		pass->deleted++;
	else if (r != 0 && r != -ENOENT && pass->err == 0)
		pass->err = r;
}

/*
 * Lets the kernel leave out what cannot fit. A kernel that does not know an attribute
 * ignores it and dumps more. Only the original direction is filtered: kernels have read
 * the parts of the answering one by the original's flags, and then found nothing.
 */
static void put_filter(struct nlmsghdr *nlh, const struct ct_key *key)
{
	uint32_t flags = FILTER_PROTO_NUM | FILTER_PROTO_DST_PORT;
	struct nlattr *tuple, *part;

	tuple = mnl_attr_nest_start(nlh, CTA_TUPLE_ORIG);
	if (key->remote != INADDR_ANY) {
		flags |= FILTER_IP_SRC;
		part = mnl_attr_nest_start(nlh, CTA_TUPLE_IP);
		mnl_attr_put_u32(nlh, CTA_IP_V4_SRC, htonl(key->remote));
		mnl_attr_nest_end(nlh, part);
	}
	part = mnl_attr_nest_start(nlh, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(nlh, CTA_PROTO_NUM, key->protocol);
	mnl_attr_put_u16(nlh, CTA_PROTO_DST_PORT, htons((uint16_t)(key->ports >> 16)));
	mnl_attr_nest_end(nlh, part);
	mnl_attr_nest_end(nlh, tuple);
	part = mnl_attr_nest_start(nlh, CTA_FILTER);
	mnl_attr_put_u32(nlh, CTA_FILTER_ORIG_FLAGS, flags);
	mnl_attr_nest_end(nlh, part);
}

static int list_flows(struct pass *pass, bool filter)
{
	struct ct *ct = pass->ct;
	struct nl_ask ask;
	struct nlmsghdr *nlh = begin(&ask, IPCTNL_MSG_CT_GET, NLM_F_DUMP);

	for (size_t i = 0; i < pass->n_keys; i++)
		ct->keys[i].hits = 0;
	if (filter) {
		mnl_attr_put_u32(nlh, CTA_STATUS, htonl(IPS_DST_NAT)); /* from 5.15 on */
		if (pass->n_keys == 1)
			put_filter(nlh, &ct->keys[0]);
	}
	return nl_talk(&ct->list, nlh, &ct->list_reply, take_flow, pass);
}

static int run(struct pass *pass)
{
	bool filter = true;
	int r = -EINTR;

	if (pass->n_keys == 0)
		return 0;
	for (int i = 0; i < NL_TRIES && r == -EINTR; i++) {
		r = list_flows(pass, filter);
		if (filter && (r == -EOPNOTSUPP || r == -EINVAL)) {
			filter = false;
			r = list_flows(pass, filter);
		}
	}
	if (r == 0)
		r = pass->err;
	return r == -EINTR ? -EAGAIN : r;
}

int ct_cut(struct ct *ct, const struct ct_match *matches, size_t n)
{
	struct pass pass = { .ct = ct, .cut = true };
	int r;

	if (n > CT_MATCHES_MAX)
		return -E2BIG;
	pass.n_keys = ct_keys_make(matches, n, ct->keys);
	r = run(&pass);
	return r < 0 ? r : pass.deleted;
}

int ct_count(struct ct *ct, const struct ct_match *matches, size_t n, uint32_t *counts)
{
	struct pass pass = { .ct = ct };
	struct ct_key *keys = ct->keys;
	int r;

	if (n > CT_MATCHES_MAX)
		return -E2BIG;
	pass.n_keys = ct_keys_make(matches, n, keys);
	r = run(&pass);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		counts[i] = 0;
	for (size_t i = 0; i < pass.n_keys; i++) {
		/* Flows were counted at the first of equal keys. */
		if (i > 0 && ct_key_same(&keys[i - 1], &keys[i]))
			keys[i].hits = keys[i - 1].hits;
		counts[keys[i].index] = keys[i].hits;
	}
	return 0;
}

/* Is there a ctnetlink at all? The kernel loads it as a module when it can. */
static int probe(struct ct *ct)
{
	struct nl_ask ask;
	struct nlmsghdr *nlh = begin(&ask, IPCTNL_MSG_CT_GET_STATS, NLM_F_ACK);
	int r = nl_talk(&ct->list, nlh, &ct->list_reply, take_nothing, NULL);

	return r == -EINVAL || r == -EOPNOTSUPP ? -EPROTONOSUPPORT : r;
}

int ct_open(struct ct **ret)
{
	struct ct *ct = calloc(1, sizeof(*ct));
	int r;

	if (!ct)
		return -ENOMEM;
	ct->kill.fd = -1;
	r = nl_open(NETLINK_NETFILTER, &ct->list);
	if (r < 0)
		ct->list.fd = -1;
	if (r == 0)
		r = nl_open(NETLINK_NETFILTER, &ct->kill);
	if (r == 0)
		r = probe(ct);
	if (r < 0) {
		ct_close(ct);
		return r;
	}
	*ret = ct;
	return 0;
}

void ct_close(struct ct *ct)
{
	if (!ct)
		return;
	nl_close(&ct->list);
	nl_close(&ct->kill);
	free(ct);
}
