/*
 * Rules as short lists of steps, the way one reads them in `nft list`, turned into the
 * expressions of the kernel's virtual machine.
 */
#ifndef IGDWARD_BROKER_FW_RULE_H
#define IGDWARD_BROKER_FW_RULE_H

#include "fw_internal.h"

enum fw_step_kind {
	FW_END,		   /* of the list */
	FW_IPV4,	   /* meta nfproto ipv4 */
	FW_IPV6,	   /* meta nfproto ipv6 */
	FW_IIF,		   /* iifname @set */
	FW_OIF,		   /* oifname @set */
	FW_OIF_NOT,	   /* oifname != @set */
	FW_OIF_LO,	   /* oifname "lo" */
	FW_UID,		   /* meta skuid <worker> */
	FW_CT_ESTABLISHED, /* ct state established */
	FW_CT_SEEN,	   /* ct state established,related */
	FW_CT_DNAT,	   /* ct status dnat */
	FW_CT_TO,	   /* ct original ip daddr @set */
	FW_TO,		   /* ip daddr @set */
	FW_PORT,	   /* meta l4proto . th dport @set */
	FW_INTERNAL,	   /* ip daddr . meta l4proto . th dport @set */
	FW_MARKED,	   /* meta mark & M == M */
	FW_MARK,	   /* meta mark set meta mark | M */
	FW_UNMARK,	   /* meta mark set meta mark & ~M */
	FW_NAT_TO,	   /* dnat ip to meta l4proto . th dport map @set */
	FW_NAT_TO_FROM,	   /* dnat ip to meta l4proto . th dport . ip saddr map @set */
	FW_MASQUERADE,
	FW_ADD_SADDR,  /* update @set { ip saddr } */
	FW_ADD_SADDR6, /* update @set { ip6 saddr } */
	FW_ADD_PAIR,   /* update @set { ip saddr . ip daddr } */
	FW_ADD_PAIR6,  /* update @set { ip6 saddr . ip6 daddr } */
	FW_COUNT,      /* counter name "..." */
	FW_ACCEPT,
	FW_DROP,
	FW_RETURN,
	FW_JUMP,
	FW_GOTO,
};

enum { FW_STEPS_MAX = 8 };

struct fw_step {
	enum fw_step_kind kind;
	const char *name; /* of the set, counter or chain */
};

/* Appends one rule to a chain, in the batch of `fw`. */
void fw_rule_add(struct fw *fw, const char *table, const char *chain,
	const struct fw_step steps[FW_STEPS_MAX], const struct fw_settings *settings);

#endif
