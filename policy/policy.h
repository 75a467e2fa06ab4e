/*
 * The policy: JSON text is compiled once, then every request is judged by it.
 *
 * Pure: no I/O, no clock, no global state. The hard floor (SMB ports, our own control
 * ports, targets that are not a single host on the requester's link) is code, not data:
 * no JSON can lift it. Behind it the rules of the file, first match wins; then the
 * built-in deny list; then: denied.
 * Used by the broker (judging), the CLI (checking a file) and the parent (its config).
 */
#ifndef IGDWARD_POLICY_H
#define IGDWARD_POLICY_H

#include "igdward/addr.h"
#include "igdward/reason.h"
#include "igdward/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy_report.h"

enum {
	POLICY_RULE_NAME_MAX = IGW_RULE_NAME_MAX,
	POLICY_TEXT_MAX = 1 << 20, /* bytes of a policy file; more is refused */
	POLICY_RULES_MAX = 1024,
};

struct policy;

/*
 * Compiles a policy file's text of `len` bytes (no NUL needed). Returns 0 and sets *ret,
 * to be freed by policy_free(); or -EINVAL, -EFBIG or -ENOMEM, with *ret untouched and
 * what is wrong, where, and what is allowed in `report`. Warnings (rules that can never
 * match, SMB ports named by a deny rule) are put into `report` in both cases.
 */
int policy_parse(
	const char *text, size_t len, struct policy **ret, struct policy_report *report);

/* A policy that allows nothing: for a first start with a bad or missing file. */
int policy_deny_all(struct policy **ret);

void policy_free(struct policy *policy);

struct policy_limits {
	uint32_t per_client;	      /* mappings one client may hold */
	uint32_t total;		      /* mappings altogether, 1-65535 */
	uint32_t reserved_per_client; /* of the total, kept for each client below it */
};

struct policy_rates {
	uint32_t changes_per_min; /* adds and deletes of one client, in the long run */
	uint32_t burst;		  /* and at once */
	uint32_t reads_per_min;
	uint32_t searches_per_s;
};

const struct policy_limits *policy_limits(const struct policy *policy);
const struct policy_rates *policy_rates(const struct policy *policy);
size_t policy_rule_count(const struct policy *policy);

/* What the caller knows of the requested internal client, from routes and addresses. */
enum policy_target {
	POLICY_TARGET_NEIGHBOUR, /* a unicast neighbour on the requester's link, by route
				  */
	POLICY_TARGET_ROUTER,	 /* an address of this router, any interface */
	POLICY_TARGET_SPECIAL,	 /* network or broadcast address of a network of ours */
	POLICY_TARGET_OFF_LAN,	 /* anything else */
};

struct policy_request {
	const char *interface;	/* LAN interface the request came in on */
	struct igw_addr client; /* who asks: the address seen on the wire */
	struct igw_mac mac;	/* its MAC address; all zero when not known */
	struct igw_addr internal_client;
	enum policy_target target; /* what internal_client is */
	enum igw_protocol protocol;
	enum igw_via via;
	uint16_t external_port; /* host order; 0 is refused */
	uint16_t internal_port;
	uint32_t lease_s;	    /* as asked for; 0 = the protocol's "no limit" */
	const uint16_t *http_ports; /* ports our own HTTP servers listen on */
	size_t n_http_ports;
};

/* What is in use already. A request that only renews a mapping is not counted again. */
struct policy_usage {
	uint32_t client;   /* mappings of this client */
	uint32_t total;	   /* mappings of all */
	uint32_t reserved; /* slots to be kept for clients that hold less than their share
			    */
	bool renewal;	/* the mapping exists and is the client's: quotas do not apply */
	bool over_rate; /* the client's bucket of changes is empty */
};

struct policy_verdict {
	enum igw_reason reason;
	const char *rule; /* name of the rule that decided, NULL when none; lives as long
			     as the policy */
	uint32_t lease_s; /* the lease granted; 0 unless reason is IGW_OK */
};

/*
 * Judges one request. `wall_s` is the wall clock in seconds since 1970, for rules with an
 * end date. Order: rate, syntax of ports and protocol, hard floor, rules, built-in deny
 * list, default deny, quotas (last, so that what is forbidden is called forbidden).
 * Never fails; never has side effects.
 */
struct policy_verdict policy_evaluate(const struct policy *policy,
	const struct policy_request *request, const struct policy_usage *usage,
	int64_t wall_s);

#endif
