#include "fw_skeleton.h"

#include "fw_batch.h"
#include "fw_elem.h"
#include "fw_rule.h"

#include <endian.h>
#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/expr.h>
#include <libnftnl/set.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

/* nft's numbers of data types, which tell `nft list` how to print a key. A concatenation
 * has six bits for each part. */
enum {
	T_IPV4 = 7,
	T_IPV6 = 8,
	T_PROTO = 12,
	T_PORT = 13,
	T_IFNAME = 41,
	T_PROTO_PORT = T_PROTO << 6 | T_PORT,
	T_PROTO_PORT_IPV4 = T_PROTO_PORT << 6 | T_IPV4,
	T_IPV4_PROTO_PORT = (T_IPV4 << 6 | T_PROTO) << 6 | T_PORT,
	T_IPV4_PORT = T_IPV4 << 6 | T_PORT,
	T_IPV4_PAIR = T_IPV4 << 6 | T_IPV4,
	T_IPV6_PAIR = T_IPV6 << 6 | T_IPV6,
};

/* nft's enum byteorder, kept in a set's userdata. */
enum { ORDER_MIXED, ORDER_HOST, ORDER_BIG };

enum {
	/* A dynamic set must be bounded: any LAN host can fill it with forged sources. */
	SMB_SET_SIZE = 4096,
	DAY_MS = 24 * 60 * 60 * 1000,
	FAST_MS = 60 * 1000,
	SLOW_MS = 10 * 60 * 1000,
	MAP_FLAGS = NFT_SET_MAP | NFT_SET_TIMEOUT,
	DYN_FLAGS = NFT_SET_EVAL | NFT_SET_TIMEOUT,
};

/* When a chain or rule is there. */
enum when { ALWAYS, HAIRPIN, NO_HAIRPIN, SMB_EGRESS };

struct set_def {
	const char *table;
	const char *name;
	uint32_t flags;
	uint32_t type, len;
	uint32_t data_type, data_len;
	uint32_t timeout_ms, size; /* of a dynamic set */
	uint32_t order;
	bool counter;
};

static const struct set_def sets[] = {
	{ FW_TABLE, "wan4", 0, T_IPV4, 4, 0, 0, 0, 0, ORDER_BIG, false },
	{ FW_TABLE, "wan", 0, T_IFNAME, 16, 0, 0, 0, 0, ORDER_HOST, false },
	{ FW_TABLE, "lan", 0, T_IFNAME, 16, 0, 0, 0, 0, ORDER_HOST, false },
	{ FW_TABLE, "dnat4", MAP_FLAGS, T_PROTO_PORT, 8, T_IPV4_PORT, 8, 0, 0, 0, true },
	{ FW_TABLE, "dnat4s", MAP_FLAGS, T_PROTO_PORT_IPV4, 12, T_IPV4_PORT, 8, 0, 0, 0,
		true },
	{ FW_TABLE, "off4", MAP_FLAGS, T_PROTO_PORT_IPV4, 12, T_IPV4_PORT, 8, 0, 0, 0,
		false },
	{ FW_TABLE, "in4", NFT_SET_TIMEOUT, T_IPV4_PROTO_PORT, 12, 0, 0, 0, 0, 0, false },

	{ FW_FLOOR, "wan4", 0, T_IPV4, 4, 0, 0, 0, 0, ORDER_BIG, false },
	{ FW_FLOOR, "wan", 0, T_IFNAME, 16, 0, 0, 0, 0, ORDER_HOST, false },
	{ FW_FLOOR, "lan", 0, T_IFNAME, 16, 0, 0, 0, 0, ORDER_HOST, false },
	{ FW_FLOOR, "smb", 0, T_PROTO_PORT, 8, 0, 0, 0, 0, 0, false },
	{ FW_FLOOR, "control", 0, T_PROTO_PORT, 8, 0, 0, 0, 0, 0, false },
	/* LAN hosts that talk SMB to the WAN, and how many different hosts each of them
	 * has tried in the last minute and the last ten. */
	{ FW_FLOOR, "smb_sources", DYN_FLAGS, T_IPV4, 4, 0, 0, DAY_MS, SMB_SET_SIZE,
		ORDER_BIG, true },
	{ FW_FLOOR, "smb_sources6", DYN_FLAGS, T_IPV6, 16, 0, 0, DAY_MS, SMB_SET_SIZE,
		ORDER_BIG, true },
	{ FW_FLOOR, "smb_fast", DYN_FLAGS, T_IPV4_PAIR, 8, 0, 0, FAST_MS, SMB_SET_SIZE, 0,
		false },
	{ FW_FLOOR, "smb_fast6", DYN_FLAGS, T_IPV6_PAIR, 32, 0, 0, FAST_MS, SMB_SET_SIZE,
		0, false },
	{ FW_FLOOR, "smb_slow", DYN_FLAGS, T_IPV4_PAIR, 8, 0, 0, SLOW_MS, SMB_SET_SIZE, 0,
		false },
	{ FW_FLOOR, "smb_slow6", DYN_FLAGS, T_IPV6_PAIR, 32, 0, 0, SLOW_MS, SMB_SET_SIZE,
		0, false },
};

struct chain_def {
	const char *table;
	const char *name;
	const char *type; /* NULL: no base chain */
	uint32_t hook;
	int32_t prio;
	enum when when;
};

/* No name here may be a keyword of nft, or a saved ruleset would not load again. */
static const struct chain_def chains[] = {
	{ FW_TABLE, "mapped", NULL, 0, 0, ALWAYS },
	/* Behind the usual -100: an admin's own forward wins. */
	{ FW_TABLE, "prerouting", "nat", NF_INET_PRE_ROUTING, -80, ALWAYS },
	{ FW_TABLE, "output", "nat", NF_INET_LOCAL_OUT, -80, HAIRPIN },
	/* Before the usual 0, so that every other firewall sees the mark. */
	{ FW_TABLE, "forward", "filter", NF_INET_FORWARD, -5, ALWAYS },
	{ FW_TABLE, "postrouting", "nat", NF_INET_POST_ROUTING, 95, HAIRPIN },

	{ FW_FLOOR, "smb_out", NULL, 0, 0, ALWAYS },
	{ FW_FLOOR, "confined", NULL, 0, 0, ALWAYS },
	{ FW_FLOOR, "forward", "filter", NF_INET_FORWARD, -20, ALWAYS },
	{ FW_FLOOR, "input", "filter", NF_INET_LOCAL_IN, -20, ALWAYS },
	{ FW_FLOOR, "egress", "filter", NF_INET_LOCAL_OUT, 0, ALWAYS },
};

static const char *const counters[] = { "smb_dnat", "smb_routed", "smb_egress", "proxy",
	"off_lan", "router", "control", "worker" };

struct rule_def {
	const char *table;
	const char *chain;
	enum when when;
	struct fw_step steps[FW_STEPS_MAX];
};

static const struct rule_def rules[] = {
	/*
	 * The mark is set before the translation, because only here is it known that the
	 * packet is one of our mappings and not of an admin's own forward; the floor
	 * needs to tell them apart. It is taken back when no mapping fits, and in the
	 * forward chain when the internal end is none of ours.
	 */
	{ FW_TABLE, "mapped", ALWAYS, { { FW_MARK, NULL } } },
	{ FW_TABLE, "mapped", ALWAYS,
		{ { FW_IPV4, NULL }, { FW_NAT_TO_FROM, "dnat4s" } } },
	{ FW_TABLE, "mapped", ALWAYS, { { FW_NAT_TO, "dnat4" } } },
	{ FW_TABLE, "mapped", ALWAYS, { { FW_UNMARK, NULL } } },
	{ FW_TABLE, "prerouting", HAIRPIN,
		{ { FW_IPV4, NULL }, { FW_TO, "wan4" }, { FW_JUMP, "mapped" } } },
	{ FW_TABLE, "prerouting", NO_HAIRPIN,
		{ { FW_IIF, "wan" }, { FW_IPV4, NULL }, { FW_TO, "wan4" },
			{ FW_JUMP, "mapped" } } },
	{ FW_TABLE, "output", HAIRPIN,
		{ { FW_IPV4, NULL }, { FW_TO, "wan4" }, { FW_JUMP, "mapped" } } },
	{ FW_TABLE, "forward", ALWAYS, { { FW_CT_SEEN, NULL }, { FW_RETURN, NULL } } },
	{ FW_TABLE, "forward", ALWAYS,
		{ { FW_OIF, "lan" }, { FW_CT_DNAT, NULL }, { FW_CT_TO, "wan4" },
			{ FW_IPV4, NULL }, { FW_INTERNAL, "in4" }, { FW_MARK, NULL },
			{ FW_RETURN, NULL } } },
	{ FW_TABLE, "forward", ALWAYS,
		{ { FW_MARKED, NULL }, { FW_CT_DNAT, NULL }, { FW_CT_TO, "wan4" },
			{ FW_UNMARK, NULL } } },
	{ FW_TABLE, "postrouting", HAIRPIN,
		{ { FW_CT_DNAT, NULL }, { FW_CT_TO, "wan4" }, { FW_IIF, "lan" },
			{ FW_OIF, "lan" }, { FW_MASQUERADE, NULL } } },

	/* Not "related": a helper's expectation must not reach SMB either. */
	{ FW_FLOOR, "forward", ALWAYS,
		{ { FW_CT_ESTABLISHED, NULL }, { FW_ACCEPT, NULL } } },
	/* No input interface here, or hairpin would slip through. */
	{ FW_FLOOR, "forward", ALWAYS,
		{ { FW_CT_DNAT, NULL }, { FW_PORT, "smb" }, { FW_COUNT, "smb_dnat" },
			{ FW_DROP, NULL } } },
	{ FW_FLOOR, "forward", ALWAYS,
		{ { FW_IIF, "wan" }, { FW_OIF_NOT, "wan" }, { FW_PORT, "smb" },
			{ FW_COUNT, "smb_routed" }, { FW_DROP, NULL } } },
	{ FW_FLOOR, "forward", ALWAYS,
		{ { FW_IIF, "wan" }, { FW_OIF, "wan" }, { FW_CT_DNAT, NULL },
			{ FW_COUNT, "proxy" }, { FW_DROP, NULL } } },
	{ FW_FLOOR, "forward", ALWAYS,
		{ { FW_MARKED, NULL }, { FW_CT_DNAT, NULL }, { FW_CT_TO, "wan4" },
			{ FW_OIF_NOT, "lan" }, { FW_COUNT, "off_lan" },
			{ FW_DROP, NULL } } },
	{ FW_FLOOR, "forward", SMB_EGRESS,
		{ { FW_IIF, "lan" }, { FW_OIF, "wan" }, { FW_PORT, "smb" },
			{ FW_GOTO, "smb_out" } } },

	/* Apart from the drop: an update of a full set ends its rule. */
	{ FW_FLOOR, "smb_out", ALWAYS,
		{ { FW_IPV4, NULL }, { FW_ADD_SADDR, "smb_sources" } } },
	{ FW_FLOOR, "smb_out", ALWAYS,
		{ { FW_IPV4, NULL }, { FW_ADD_PAIR, "smb_fast" } } },
	{ FW_FLOOR, "smb_out", ALWAYS,
		{ { FW_IPV4, NULL }, { FW_ADD_PAIR, "smb_slow" } } },
	{ FW_FLOOR, "smb_out", ALWAYS,
		{ { FW_IPV6, NULL }, { FW_ADD_SADDR6, "smb_sources6" } } },
	{ FW_FLOOR, "smb_out", ALWAYS,
		{ { FW_IPV6, NULL }, { FW_ADD_PAIR6, "smb_fast6" } } },
	{ FW_FLOOR, "smb_out", ALWAYS,
		{ { FW_IPV6, NULL }, { FW_ADD_PAIR6, "smb_slow6" } } },
	{ FW_FLOOR, "smb_out", ALWAYS,
		{ { FW_COUNT, "smb_egress" }, { FW_DROP, NULL } } },

	/* Answers to the router's own flows pass, whatever an admin's rules do to those.
	 */
	{ FW_FLOOR, "input", ALWAYS,
		{ { FW_CT_ESTABLISHED, NULL }, { FW_ACCEPT, NULL } } },
	{ FW_FLOOR, "input", ALWAYS,
		{ { FW_IIF, "wan" }, { FW_CT_DNAT, NULL }, { FW_COUNT, "router" },
			{ FW_DROP, NULL } } },
	{ FW_FLOOR, "input", ALWAYS,
		{ { FW_MARKED, NULL }, { FW_CT_DNAT, NULL }, { FW_CT_TO, "wan4" },
			{ FW_COUNT, "router" }, { FW_DROP, NULL } } },
	{ FW_FLOOR, "input", ALWAYS,
		{ { FW_IIF, "wan" }, { FW_PORT, "control" }, { FW_COUNT, "control" },
			{ FW_DROP, NULL } } },

	{ FW_FLOOR, "egress", ALWAYS, { { FW_UID, NULL }, { FW_GOTO, "confined" } } },
	{ FW_FLOOR, "confined", ALWAYS, { { FW_OIF_LO, NULL }, { FW_ACCEPT, NULL } } },
	{ FW_FLOOR, "confined", ALWAYS, { { FW_OIF, "lan" }, { FW_ACCEPT, NULL } } },
	{ FW_FLOOR, "confined", ALWAYS, { { FW_COUNT, "worker" }, { FW_DROP, NULL } } },
};

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

static bool wanted(enum when when, const struct fw_settings *settings)
{
	switch (when) {
	case ALWAYS:
		return true;
	case HAIRPIN:
		return settings->hairpin;
	case NO_HAIRPIN:
		return !settings->hairpin;
	case SMB_EGRESS:
		return settings->block_smb_egress;
	}
	return false;
}

static uint32_t hash(uint32_t h, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 16777619u; /* FNV-1a */
	return h;
}

static uint32_t hash_str(uint32_t h, const char *s)
{
	return s ? hash(h, s, strlen(s) + 1) : hash(h, "", 1);
}

static bool in_floor(const char *table)
{
	return strcmp(table, FW_FLOOR) == 0;
}

static bool has_set(const char *table, const struct set_def *def)
{
	return strcmp(def->table, table) == 0;
}

static bool has_chain(const char *table, const struct chain_def *def,
	const struct fw_settings *settings)
{
	return strcmp(def->table, table) == 0 && wanted(def->when, settings);
}

struct fw_frame fw_frame_of(
	const struct fw *fw, const char *table, const struct fw_settings *settings)
{
	uint32_t h = hash(2166136261u, &fw->has_counters, sizeof(fw->has_counters));
	uint32_t n = in_floor(table) ? (uint32_t)COUNT_OF(counters) : 0;

	for (size_t i = 0; i < COUNT_OF(sets); i++) {
		const struct set_def *s = &sets[i];
		uint32_t v[] = { s->flags, s->type, s->len, s->data_type, s->data_len,
			s->timeout_ms, s->size, s->order, s->counter };

		if (!has_set(table, s))
			continue;
		h = hash(hash_str(h, s->name), v, sizeof(v));
		n++;
	}
	for (size_t i = 0; i < COUNT_OF(chains); i++) {
		const struct chain_def *c = &chains[i];
		uint32_t v[] = { c->hook, (uint32_t)c->prio };

		if (!has_chain(table, c, settings))
			continue;
		h = hash(hash_str(hash_str(h, c->name), c->type), v, sizeof(v));
		n++;
	}
	for (size_t i = 0; i < COUNT_OF(counters) && in_floor(table); i++)
		h = hash_str(h, counters[i]);
	return (struct fw_frame){ .stamp = h, .parts = n };
}

void fw_put_table(struct fw *fw, const char *table, uint32_t stamp, bool own)
{
	struct nlmsghdr *nlh = fw_batch_msg(fw, NFT_MSG_NEWTABLE, NLM_F_CREATE);
	uint8_t udata[2 + sizeof(stamp)] = { FW_UDATA_TYPE, sizeof(stamp) };

	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, table);
	/* Without this attribute the flags of a table that is there stay as they are. */
	if (own)
		mnl_attr_put_u32(nlh, NFTA_TABLE_FLAGS, htobe32(FW_OWNER_FLAGS));
	memcpy(udata + 2, &stamp, sizeof(stamp));
	mnl_attr_put(nlh, NFTA_TABLE_USERDATA, sizeof(udata), udata);
	fw_batch_close(fw, nlh);
}

void fw_put_no_table(struct fw *fw, const char *table)
{
	struct nlmsghdr *nlh = fw_batch_msg(fw, NFT_MSG_NEWTABLE, NLM_F_CREATE);

	/* Created first, because deleting one that is not there would fail the batch. */
	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, table);
	fw_batch_close(fw, nlh);
	nlh = fw_batch_msg(fw, NFT_MSG_DELTABLE, 0);
	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, table);
	fw_batch_close(fw, nlh);
}

void fw_put_no_rules(struct fw *fw, const char *table)
{
	struct nlmsghdr *nlh = fw_batch_msg(fw, NFT_MSG_DELRULE, 0);

	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, table);
	fw_batch_close(fw, nlh);
}

static void put_chain(struct fw *fw, const struct chain_def *def)
{
	struct nftnl_chain *c = nftnl_chain_alloc();
	struct nlmsghdr *nlh;

	if (!c) {
		fw_batch_fail(fw, -ENOMEM);
		return;
	}
	if (nftnl_chain_set_str(c, NFTNL_CHAIN_TABLE, def->table) < 0 ||
		nftnl_chain_set_str(c, NFTNL_CHAIN_NAME, def->name) < 0 ||
		(def->type && nftnl_chain_set_str(c, NFTNL_CHAIN_TYPE, def->type) < 0))
		fw_batch_fail(fw, -ENOMEM);
	if (def->type) {
		nftnl_chain_set_u32(c, NFTNL_CHAIN_HOOKNUM, def->hook);
		nftnl_chain_set_s32(c, NFTNL_CHAIN_PRIO, def->prio);
		nftnl_chain_set_u32(c, NFTNL_CHAIN_POLICY, NF_ACCEPT);
	}
	nlh = fw_batch_msg(fw, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	nftnl_chain_nlmsg_build_payload(nlh, c);
	fw_batch_close(fw, nlh);
	nftnl_chain_free(c);
}

static void set_order(struct fw *fw, struct nftnl_set *s, uint32_t order)
{
	struct nftnl_udata_buf *udata = nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN);

	if (!udata) {
		fw_batch_fail(fw, -ENOMEM);
		return;
	}
	if (!nftnl_udata_put_u32(udata, NFTNL_UDATA_SET_KEYBYTEORDER, order) ||
		nftnl_set_set_data(s, NFTNL_SET_USERDATA, nftnl_udata_buf_data(udata),
			nftnl_udata_buf_len(udata)) < 0)
		fw_batch_fail(fw, -ENOMEM);
	nftnl_udata_buf_free(udata);
}

static void set_counter(struct fw *fw, struct nftnl_set *s)
{
	struct nftnl_expr *e = nftnl_expr_alloc("counter");

	if (e)
		nftnl_set_add_expr(s, e);
	else
		fw_batch_fail(fw, -ENOMEM);
}

static void set_attrs(struct fw *fw, struct nftnl_set *s, const struct set_def *def)
{
	if (nftnl_set_set_str(s, NFTNL_SET_TABLE, def->table) < 0 ||
		nftnl_set_set_str(s, NFTNL_SET_NAME, def->name) < 0)
		fw_batch_fail(fw, -ENOMEM);
	nftnl_set_set_u32(s, NFTNL_SET_FLAGS, def->flags);
	nftnl_set_set_u32(s, NFTNL_SET_KEY_TYPE, def->type);
	nftnl_set_set_u32(s, NFTNL_SET_KEY_LEN, def->len);
	if (def->flags & NFT_SET_MAP) {
		nftnl_set_set_u32(s, NFTNL_SET_DATA_TYPE, def->data_type);
		nftnl_set_set_u32(s, NFTNL_SET_DATA_LEN, def->data_len);
	}
	if (def->timeout_ms > 0)
		nftnl_set_set_u64(s, NFTNL_SET_TIMEOUT, def->timeout_ms);
	if (def->size > 0)
		nftnl_set_set_u32(s, NFTNL_SET_DESC_SIZE, def->size);
	if (def->order != ORDER_MIXED)
		set_order(fw, s, def->order);
	if (def->counter && fw->has_counters)
		set_counter(fw, s);
}

static void put_set(struct fw *fw, const struct set_def *def, uint32_t id)
{
	struct nftnl_set *s = nftnl_set_alloc();
	struct nlmsghdr *nlh;

	if (!s) {
		fw_batch_fail(fw, -ENOMEM);
		return;
	}
	set_attrs(fw, s, def);
	nftnl_set_set_u32(s, NFTNL_SET_ID, id);
	nlh = fw_batch_msg(fw, NFT_MSG_NEWSET, NLM_F_CREATE);
	nftnl_set_nlmsg_build_payload(nlh, s);
	fw_batch_close(fw, nlh);
	nftnl_set_free(s);
}

/* By hand: libnftnl (1.2.4) puts an object whose name it had no memory for, and crashes.
 */
static void put_counter(struct fw *fw, const char *table, const char *name)
{
	struct nlmsghdr *nlh = fw_batch_msg(fw, NFT_MSG_NEWOBJ, NLM_F_CREATE);
	struct nlattr *data;

	mnl_attr_put_strz(nlh, NFTA_OBJ_TABLE, table);
	mnl_attr_put_strz(nlh, NFTA_OBJ_NAME, name);
	mnl_attr_put_u32(nlh, NFTA_OBJ_TYPE, htobe32(NFT_OBJECT_COUNTER));
	data = mnl_attr_nest_start(nlh, NFTA_OBJ_DATA);
	mnl_attr_put_u64(nlh, NFTA_COUNTER_BYTES, 0);
	mnl_attr_put_u64(nlh, NFTA_COUNTER_PACKETS, 0);
	mnl_attr_nest_end(nlh, data);
	fw_batch_close(fw, nlh);
}

void fw_put_frame(struct fw *fw, const char *table, const struct fw_settings *settings)
{
	for (size_t i = 0; i < COUNT_OF(chains); i++) {
		if (strcmp(chains[i].table, table) == 0 &&
			wanted(chains[i].when, settings))
			put_chain(fw, &chains[i]);
	}
	for (size_t i = 0; i < COUNT_OF(sets); i++) {
		if (has_set(table, &sets[i]))
			put_set(fw, &sets[i], (uint32_t)i + 1);
	}
	for (size_t i = 0; i < COUNT_OF(counters) && in_floor(table); i++)
		put_counter(fw, table, counters[i]);
}

void fw_put_rules(struct fw *fw, const char *table, const struct fw_settings *settings)
{
	for (size_t i = 0; i < COUNT_OF(rules); i++) {
		if (strcmp(rules[i].table, table) == 0 && wanted(rules[i].when, settings))
			fw_rule_add(fw, table, rules[i].chain, rules[i].steps, settings);
	}
}
