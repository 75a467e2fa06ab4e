/*
 * The policy in the form that requests are judged by. Internal to the policy library:
 * written by the parser, read by policy_evaluate().
 */
#ifndef IGDWARD_POLICY_COMPILED_H
#define IGDWARD_POLICY_COMPILED_H

#include "node.h"
#include "policy.h"
#include "ports.h"

enum {
	POLICY_LIST_MAX = 256, /* elements of one list; ranges and prefixes do the rest */
	POLICY_REASON_MAX = 200, /* bytes of a rule's reason */
	POLICY_RATE_MAX = 1000000,
	LINT_STEPS_MAX = 10000000, /* about 0.1 s on a PC; who has more does without */

	RULE_TCP = 1 << 0,
	RULE_UDP = 1 << 1,
	RULE_ALL_PROTOCOLS = RULE_TCP | RULE_UDP,
	RULE_ALL_VIAS = 1 << IGW_VIA_UPNP | 1 << IGW_VIA_NATPMP | 1 << IGW_VIA_PCP,
};

/*
 * 2026-01-01. A router without a battery wakes up in 1970, or at the date of its image;
 * before it has asked for the time, every rule with an end would seem to be in force.
 * An allow rule with an end does not match while the clock is older than this.
 */
#define POLICY_CLOCK_MIN_S INT64_C(1767225600)

#define RULE_NO_END INT64_MAX

struct rule_client {
	bool is_mac;
	struct igw_mac mac;
	struct igw_prefix prefix;
};

struct rule_interface {
	char name[IGW_IFNAME_MAX + 1];
};

struct rule {
	char name[IGW_RULE_NAME_MAX + 1];
	bool deny;
	bool third_party;
	bool never;	     /* allow-list mode, and the rule names no client */
	bool lifts_internal; /* it is an exception from the built-in deny list, for its */
	bool lifts_external; /* internal or external ports */
	unsigned protocols;  /* RULE_TCP, RULE_UDP */
	unsigned vias;	     /* 1 << enum igw_via */
	struct rule_client *clients; /* none = any */
	size_t n_clients;
	struct rule_interface *interfaces; /* none = any */
	size_t n_interfaces;
	struct port_set external; /* all ports when the file names none */
	struct port_set internal;
	uint32_t max_lease_s;
	int64_t until_s; /* the first second at which it no longer holds */
};

struct lease_bounds {
	uint32_t min_s;
	uint32_t max_s;
	uint32_t zero_s; /* for a client that asks for no limit */
};

struct policy {
	struct policy_limits limits;
	struct policy_rates rates;
	struct lease_bounds lease;
	bool allow_list;
	struct rule *rules;
	size_t n_rules;
};

/*
 * Reads one rule of the file into `rule`, which is all zero. What it allocates belongs to
 * the rule, also on failure, and goes by rule_clear(). `allow_list`: the policy's mode.
 * Returns 0, -EINVAL or -ENOMEM, with the error in the report.
 */
int rule_parse(const struct node *node, bool allow_list, struct rule *rule);
void rule_clear(struct rule *rule);

/*
 * Warns when the last of `n` rules does less than it says. `steps` bounds the comparisons
 * of clients over a whole file and counts down; begin with LINT_STEPS_MAX.
 */
void lint_rule(
	const struct node *node, const struct rule *rules, size_t n, size_t *steps);

#endif
