#include "ct_parse.h"

#include "igdward/types.h"
#include "nl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

/* One direction of a flow. */
struct tuple {
	uint32_t src;
	uint8_t protocol;
	uint16_t src_port, dst_port;
};

static int parse_tuple(const struct nlattr *nest, struct tuple *ret)
{
	const struct nlattr *parts[CTA_TUPLE_PROTO + 1];
	const struct nlattr *ip[CTA_IP_V4_SRC + 1];
	const struct nlattr *proto[CTA_PROTO_DST_PORT + 1];
	struct tuple tuple;

	nl_read_nested(nest, parts, CTA_TUPLE_PROTO);
	nl_read_nested(parts[CTA_TUPLE_IP], ip, CTA_IP_V4_SRC);
	nl_read_nested(parts[CTA_TUPLE_PROTO], proto, CTA_PROTO_DST_PORT);
	if (!nl_get(proto[CTA_PROTO_NUM], &tuple.protocol, sizeof(tuple.protocol)))
		return -EBADMSG;
	if (tuple.protocol != IGW_TCP && tuple.protocol != IGW_UDP)
		return -ENOMSG;
	if (!nl_get(ip[CTA_IP_V4_SRC], &tuple.src, sizeof(tuple.src)) ||
		!nl_get(proto[CTA_PROTO_SRC_PORT], &tuple.src_port,
			sizeof(tuple.src_port)) ||
		!nl_get(proto[CTA_PROTO_DST_PORT], &tuple.dst_port,
			sizeof(tuple.dst_port)))
		return -EBADMSG;
	tuple.src = ntohl(tuple.src);
	tuple.src_port = ntohs(tuple.src_port);
	tuple.dst_port = ntohs(tuple.dst_port);
	*ret = tuple;
	return 0;
}

int ct_parse_flow(const struct nlmsghdr *nlh, struct ct_flow *ret)
{
	const struct nlattr *tb[CTA_ZONE + 1];
	struct tuple orig, reply;
	struct ct_flow flow;
	struct nfgenmsg info;
	uint32_t status;
	int r;

	if (nlh->nlmsg_type != (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW))
		return -ENOMSG;
	if (!nl_read(nlh, &info, sizeof(info), tb, CTA_ZONE))
		return -EBADMSG;
	if (info.nfgen_family != AF_INET)
		return -ENOMSG;
	r = parse_tuple(tb[CTA_TUPLE_ORIG], &orig);
	if (r < 0)
		return r;
	r = parse_tuple(tb[CTA_TUPLE_REPLY], &reply);
	if (r < 0)
		return r;
	if (!nl_get(tb[CTA_STATUS], &status, sizeof(status)) ||
		!nl_get(tb[CTA_ID], &flow.id, sizeof(flow.id)))
		return -EBADMSG;
	flow.protocol = orig.protocol;
	flow.dnat = ntohl(status) & IPS_DST_NAT;
	flow.remote = orig.src;
	flow.external_port = orig.dst_port;
	flow.client = reply.src;
	flow.internal_port = reply.src_port;
	flow.orig = tb[CTA_TUPLE_ORIG];
	flow.zone = tb[CTA_ZONE];
	*ret = flow;
	return 0;
}

static int compare_u32(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

static int compare(const struct ct_key *a, const struct ct_key *b)
{
	int r = compare_u32(a->protocol, b->protocol);

	if (r == 0)
		r = compare_u32(a->ports, b->ports);
	if (r == 0)
		r = compare_u32(a->client, b->client);
	if (r == 0)
		r = compare_u32(a->remote, b->remote);
	return r;
}

bool ct_key_same(const struct ct_key *a, const struct ct_key *b)
{
	return compare(a, b) == 0;
}

static void sift_down(struct ct_key *keys, size_t from, size_t n)
{
	while (2 * from + 1 < n) {
		size_t child = 2 * from + 1;
		struct ct_key key = keys[from];

		if (child + 1 < n && compare(&keys[child], &keys[child + 1]) < 0)
			child++;
		if (compare(&key, &keys[child]) >= 0)
			return;
		keys[from] = keys[child];
		keys[child] = key;
		from = child;
	}
}

/* Heap sort: glibc's qsort() allocates, and the broker does not after its start. */
static void sort(struct ct_key *keys, size_t n)
{
	for (size_t i = n / 2; i > 0; i--)
		sift_down(keys, i - 1, n);
	for (size_t i = n; i > 1; i--) {
		struct ct_key key = keys[0];

		keys[0] = keys[i - 1];
		keys[i - 1] = key;
		sift_down(keys, 0, i - 1);
	}
}

static uint32_t join_ports(uint16_t external, uint16_t internal)
{
	return (uint32_t)external << 16 | internal;
}

size_t ct_keys_make(const struct ct_match *matches, size_t n, struct ct_key *keys)
{
	size_t made = 0;

	for (size_t i = 0; i < n; i++) {
		const struct ct_match *match = &matches[i];

		/* A match without its internal end, or of another family, fits no flow:
		 * it must not turn into one that fits every flow. */
		if (!igw_addr_is_v4(&match->internal_client))
			continue;
		if (!igw_addr_is_none(&match->remote_host) &&
			igw_addr_to_v4(&match->remote_host) == INADDR_ANY)
			continue;
		keys[made++] = (struct ct_key){
			.protocol = match->protocol,
			.ports = join_ports(match->external_port, match->internal_port),
			.client = igw_addr_to_v4(&match->internal_client),
			.remote = igw_addr_to_v4(&match->remote_host),
			.index = (uint32_t)i,
		};
	}
	sort(keys, made);
	return made;
}

/* The first key that is not smaller. */
static size_t lower_bound(const struct ct_key *keys, size_t n, const struct ct_key *key)
{
	size_t from = 0;

	while (n > 0) {
		size_t half = n / 2;

		if (compare(&keys[from + half], key) < 0) {
			from += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return from;
}

bool ct_keys_hit(struct ct_key *keys, size_t n, const struct ct_flow *flow)
{
	const uint32_t remotes[] = { INADDR_ANY, flow->remote };
	struct ct_key key = {
		.protocol = flow->protocol,
		.ports = join_ports(flow->external_port, flow->internal_port),
		.client = flow->client,
	};
	bool hit = false;

	if (!flow->dnat)
		return false;
	for (size_t i = 0; i < (flow->remote == INADDR_ANY ? 1u : 2u); i++) {
		size_t at;

		key.remote = remotes[i];
		at = lower_bound(keys, n, &key);
		if (at == n || compare(&keys[at], &key) != 0)
			continue;
		keys[at].hits++;
		hit = true;
	}
	return hit;
}
