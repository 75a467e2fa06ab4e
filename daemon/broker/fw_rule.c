#include "fw_rule.h"

#include "fw_batch.h"

#include <errno.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_tables.h>

enum {
	/* Register 1 is 16 bytes wide; 8, 9, 10 and 11 are its four-byte quarters. */
	REG = NFT_REG_1,
	REG_PART_2 = NFT_REG32_00 + 1,
	REG_PART_3 = NFT_REG32_00 + 2,
	REG_IPV6_2 = NFT_REG_2, /* the 16 bytes behind register 1 */

	IPV4_SADDR = 12,
	IPV4_DADDR = 16,
	IPV6_SADDR = 8,
	IPV6_DADDR = 24,
	TH_DPORT = 2,

	CT_STATE_ESTABLISHED = 1 << 1, /* NF_CT_STATE_BIT(IP_CT_ESTABLISHED) */
	CT_STATE_RELATED = 1 << 2,
};

struct build {
	struct nftnl_rule *rule;
	const struct fw_settings *settings;
	const char *name; /* of the step at work: a set, a counter or a chain */
	uint32_t arg;	  /* of the step at work */
	bool failed;	  /* out of memory */
};

static struct nftnl_expr *expr(struct build *b, const char *name)
{
	struct nftnl_expr *e = nftnl_expr_alloc(name);

	if (!e) {
		b->failed = true;
		return NULL;
	}
	nftnl_rule_add_expr(b->rule, e);
	return e;
}

/* What libnftnl copies, and may have no memory for. */
static void data_to(struct build *b, struct nftnl_expr *e, uint16_t attr,
	const void *data, uint32_t len)
{
	if (nftnl_expr_set(e, attr, data, len) < 0)
		b->failed = true;
}

static void name_to(struct build *b, struct nftnl_expr *e, uint16_t attr)
{
	if (nftnl_expr_set_str(e, attr, b->name) < 0)
		b->failed = true;
}

static void meta(struct build *b, uint32_t key, uint32_t reg)
{
	struct nftnl_expr *e = expr(b, "meta");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, reg);
}

static void meta_set(struct build *b, uint32_t key)
{
	struct nftnl_expr *e = expr(b, "meta");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_SREG, REG);
}

static void cmp(struct build *b, uint32_t op, const void *data, uint32_t len)
{
	struct nftnl_expr *e = expr(b, "cmp");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, REG);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, op);
	data_to(b, e, NFTNL_EXPR_CMP_DATA, data, len);
}

static void cmp_u32(struct build *b, uint32_t op, uint32_t v)
{
	cmp(b, op, &v, sizeof(v));
}

/* reg = (reg & mask) ^ xor */
static void bitwise(struct build *b, uint32_t mask, uint32_t xor)
{
	struct nftnl_expr *e = expr(b, "bitwise");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, REG);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, REG);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, sizeof(mask));
	data_to(b, e, NFTNL_EXPR_BITWISE_MASK, &mask, sizeof(mask));
	data_to(b, e, NFTNL_EXPR_BITWISE_XOR, &xor, sizeof(xor));
}

static void payload(
	struct build *b, uint32_t base, uint32_t off, uint32_t len, uint32_t reg)
{
	struct nftnl_expr *e = expr(b, "payload");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, off);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, len);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, reg);
}

static void ipv4_addr(struct build *b, uint32_t off, uint32_t reg)
{
	payload(b, NFT_PAYLOAD_NETWORK_HEADER, off, 4, reg);
}

static void ipv6_addr(struct build *b, uint32_t off, uint32_t reg)
{
	payload(b, NFT_PAYLOAD_NETWORK_HEADER, off, 16, reg);
}

static void protocol_port(struct build *b, uint32_t reg, uint32_t reg_port)
{
	meta(b, NFT_META_L4PROTO, reg);
	payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, TH_DPORT, 2, reg_port);
}

static struct nftnl_expr *lookup(struct build *b)
{
	struct nftnl_expr *e = expr(b, "lookup");

	if (!e)
		return NULL;
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, REG);
	name_to(b, e, NFTNL_EXPR_LOOKUP_SET);
	return e;
}

static void ct(struct build *b, uint32_t key)
{
	struct nftnl_expr *e = expr(b, "ct");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_DREG, REG);
	if (key == NFT_CT_DST_IP)
		nftnl_expr_set_u8(e, NFTNL_EXPR_CT_DIR, IP_CT_DIR_ORIGINAL);
}

static void update(struct build *b)
{
	struct nftnl_expr *e = expr(b, "dynset");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_SREG_KEY, REG);
	nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_OP, NFT_DYNSET_OP_UPDATE);
	name_to(b, e, NFTNL_EXPR_DYNSET_SET_NAME);
}

/* The steps: each may use the name given in the rule and the argument of the table. */

static void step_nfproto(struct build *b)
{
	uint8_t family = (uint8_t)b->arg;

	meta(b, NFT_META_NFPROTO, REG);
	cmp(b, NFT_CMP_EQ, &family, sizeof(family));
}

static void step_iface(struct build *b)
{
	meta(b, b->arg, REG);
	(void)lookup(b);
}

static void step_iface_not(struct build *b)
{
	struct nftnl_expr *e;

	meta(b, b->arg, REG);
	e = lookup(b);
	if (e)
		nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
}

static void step_oif_lo(struct build *b)
{
	char name[IGW_IFNAME_MAX + 1] = "lo";

	meta(b, NFT_META_OIFNAME, REG);
	cmp(b, NFT_CMP_EQ, name, sizeof(name));
}

static void step_uid(struct build *b)
{
	meta(b, NFT_META_SKUID, REG);
	cmp_u32(b, NFT_CMP_EQ, b->settings->worker_uid);
}

/* Any of the bits is set. */
static void ct_bits(struct build *b, uint32_t key)
{
	ct(b, key);
	bitwise(b, b->arg, 0);
	cmp_u32(b, NFT_CMP_NEQ, 0);
}

static void step_ct_state(struct build *b)
{
	ct_bits(b, NFT_CT_STATE);
}

static void step_ct_status(struct build *b)
{
	ct_bits(b, NFT_CT_STATUS);
}

static void step_ct_to(struct build *b)
{
	ct(b, NFT_CT_DST_IP);
	(void)lookup(b);
}

static void step_to(struct build *b)
{
	ipv4_addr(b, IPV4_DADDR, REG);
	(void)lookup(b);
}

static void step_port(struct build *b)
{
	protocol_port(b, REG, REG_PART_2);
	(void)lookup(b);
}

static void step_internal(struct build *b)
{
	ipv4_addr(b, IPV4_DADDR, REG);
	protocol_port(b, REG_PART_2, REG_PART_3);
	(void)lookup(b);
}

static void step_marked(struct build *b)
{
	meta(b, NFT_META_MARK, REG);
	bitwise(b, b->settings->mark, 0);
	cmp_u32(b, NFT_CMP_EQ, b->settings->mark);
}

/* The bit is set by OR and cleared alone: the other bits belong to others. */
static void step_mark(struct build *b)
{
	meta(b, NFT_META_MARK, REG);
	bitwise(b, ~b->settings->mark, b->arg ? b->settings->mark : 0);
	meta_set(b, NFT_META_MARK);
}

static void step_dnat(struct build *b)
{
	struct nftnl_expr *e;

	protocol_port(b, REG, REG_PART_2);
	if (b->arg)
		ipv4_addr(b, IPV4_SADDR, REG_PART_3);
	e = lookup(b);
	if (e)
		nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_DREG, REG);
	e = expr(b, "nat");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_TYPE, NFT_NAT_DNAT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_FAMILY, NFPROTO_IPV4);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MIN, REG);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_PROTO_MIN, REG_PART_2);
}

static void step_masquerade(struct build *b)
{
	(void)expr(b, "masq");
}

static void step_add(struct build *b)
{
	ipv4_addr(b, IPV4_SADDR, REG);
	if (b->arg)
		ipv4_addr(b, IPV4_DADDR, REG_PART_2);
	update(b);
}

static void step_add6(struct build *b)
{
	ipv6_addr(b, IPV6_SADDR, REG);
	if (b->arg)
		ipv6_addr(b, IPV6_DADDR, REG_IPV6_2);
	update(b);
}

static void step_count(struct build *b)
{
	struct nftnl_expr *e = expr(b, "objref");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER);
	name_to(b, e, NFTNL_EXPR_OBJREF_IMM_NAME);
}

static void step_verdict(struct build *b)
{
	struct nftnl_expr *e = expr(b, "immediate");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, b->arg);
	if (b->name)
		name_to(b, e, NFTNL_EXPR_IMM_CHAIN);
}

static const struct {
	void (*build)(struct build *b);
	uint32_t arg;
} step_table[] = {
	[FW_IPV4] = { step_nfproto, NFPROTO_IPV4 },
	[FW_IPV6] = { step_nfproto, NFPROTO_IPV6 },
	[FW_IIF] = { step_iface, NFT_META_IIFNAME },
	[FW_OIF] = { step_iface, NFT_META_OIFNAME },
	[FW_OIF_NOT] = { step_iface_not, NFT_META_OIFNAME },
	[FW_OIF_LO] = { step_oif_lo, 0 },
	[FW_UID] = { step_uid, 0 },
	[FW_CT_ESTABLISHED] = { step_ct_state, CT_STATE_ESTABLISHED },
	[FW_CT_SEEN] = { step_ct_state, CT_STATE_ESTABLISHED | CT_STATE_RELATED },
	[FW_CT_DNAT] = { step_ct_status, IPS_DST_NAT },
	[FW_CT_TO] = { step_ct_to, 0 },
	[FW_TO] = { step_to, 0 },
	[FW_PORT] = { step_port, 0 },
	[FW_INTERNAL] = { step_internal, 0 },
	[FW_MARKED] = { step_marked, 0 },
	[FW_MARK] = { step_mark, true },
	[FW_UNMARK] = { step_mark, false },
	[FW_NAT_TO] = { step_dnat, false },
	[FW_NAT_TO_FROM] = { step_dnat, true },
	[FW_MASQUERADE] = { step_masquerade, 0 },
	[FW_ADD_SADDR] = { step_add, false },
	[FW_ADD_SADDR6] = { step_add6, false },
	[FW_ADD_PAIR] = { step_add, true },
	[FW_ADD_PAIR6] = { step_add6, true },
	[FW_COUNT] = { step_count, 0 },
	[FW_ACCEPT] = { step_verdict, NF_ACCEPT },
	[FW_DROP] = { step_verdict, NF_DROP },
	[FW_RETURN] = { step_verdict, (uint32_t)NFT_RETURN },
	[FW_JUMP] = { step_verdict, (uint32_t)NFT_JUMP },
	[FW_GOTO] = { step_verdict, (uint32_t)NFT_GOTO },
};

void fw_rule_add(struct fw *fw, const char *table, const char *chain,
	const struct fw_step steps[FW_STEPS_MAX], const struct fw_settings *settings)
{
	struct build b = { .rule = nftnl_rule_alloc(), .settings = settings };
	struct nlmsghdr *nlh;

	if (!b.rule) {
		fw_batch_fail(fw, -ENOMEM);
		return;
	}
	nftnl_rule_set_u32(b.rule, NFTNL_RULE_FAMILY, NFPROTO_INET);
	if (nftnl_rule_set_str(b.rule, NFTNL_RULE_TABLE, table) < 0 ||
		nftnl_rule_set_str(b.rule, NFTNL_RULE_CHAIN, chain) < 0)
		b.failed = true;
	for (size_t i = 0; i < FW_STEPS_MAX && steps[i].kind != FW_END; i++) {
		b.name = steps[i].name;
		b.arg = step_table[steps[i].kind].arg;
		step_table[steps[i].kind].build(&b);
	}
	if (b.failed) {
		fw_batch_fail(fw, -ENOMEM);
	} else {
		nlh = fw_batch_msg(fw, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
		nftnl_rule_nlmsg_build_payload(nlh, b.rule);
		fw_batch_close(fw, nlh);
	}
	nftnl_rule_free(b.rule);
}
