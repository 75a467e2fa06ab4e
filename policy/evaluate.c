/*
 * The judgement of one request. Read it beside the list in policy.h.
 *
 * Reasons when several apply: an SMB port comes first, because that is the worm; then
 * what is wrong with the target, because a target that is no host of the link makes every
 * other question idle; then our control ports.
 * When no rule decides: a request for another host that no rule would let be made for
 * another host is not-requester, whatever its ports; then sensitive-port; then no-rule.
 */
#include "compiled.h"

#include <string.h>

static bool is_special(const struct igw_addr *addr)
{
	static const struct igw_prefix special[] = {
#define V4(a) { .b = { [10] = 0xff, [11] = 0xff, [12] = (a) } }
		{ V4(0), 96 + 8 },   /* 0.0.0.0/8: this host, on this network */
		{ V4(127), 96 + 8 }, /* loopback */
		{ V4(224), 96 + 4 }, /* multicast */
		{ V4(240), 96 + 4 }, /* class E and broadcast */
		{ { .b = { [10] = 0xff, [11] = 0xff, [12] = 169, [13] = 254 } },
			96 + 16 },
#undef V4
		/* Of IPv6, hosts have 2000::/3 and fc00::/7 only. All else: unspecified,
		 * loopback, IPv4-compatible, 64:ff9b::/96, link-local, multicast. */
		{ { .b = { 0x00 } }, 3 }, { { .b = { 0x40 } }, 2 },
		{ { .b = { 0x80 } }, 2 }, { { .b = { 0xc0 } }, 3 },
		{ { .b = { 0xe0 } }, 4 }, { { .b = { 0xf0 } }, 5 },
		{ { .b = { 0xf8 } }, 6 }, { { .b = { 0xfe } }, 7 },
		{ { .b = { 0x20, 0x01 } }, 32 }, /* Teredo: IPv4 inside */
		{ { .b = { 0x20, 0x02 } }, 16 }, /* 6to4: IPv4 inside */
	};

	for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++) {
		if (igw_prefix_contains(&special[i], addr))
			return true;
	}
	return false;
}

static bool is_control_port(const struct policy_request *request, uint16_t port)
{
	for (size_t i = 0; i < request->n_http_ports; i++) {
		if (request->http_ports[i] == port)
			return true;
	}
	return ports_hold(&ports_control, port);
}

/* What no JSON can lift. IGW_OK: nothing against it. */
static enum igw_reason check_floor(const struct policy_request *request)
{
	if (request->protocol != IGW_TCP && request->protocol != IGW_UDP)
		return IGW_BAD_ARGUMENT;
	if (request->external_port == 0 || request->internal_port == 0)
		return IGW_BAD_ARGUMENT;
	/* Each side alone: 47669 -> 445 is as bad as 445 -> 445. */
	if (ports_hold(&ports_smb, request->internal_port) ||
		ports_hold(&ports_smb, request->external_port))
		return IGW_SMB_PORT;
	if (request->target == POLICY_TARGET_SPECIAL ||
		is_special(&request->internal_client))
		return IGW_SPECIAL_ADDRESS;
	if (request->target == POLICY_TARGET_ROUTER)
		return IGW_ROUTER_TARGET;
	/* Any other number too: a target nobody vouches for is not on the LAN. */
	if (request->target != POLICY_TARGET_NEIGHBOUR)
		return IGW_OFF_LAN;
	if (is_control_port(request, request->internal_port) ||
		is_control_port(request, request->external_port))
		return IGW_CONTROL_PORT;
	return IGW_OK;
}

static bool matches_client(const struct rule *rule, const struct policy_request *request)
{
	const struct rule_client *client = rule->clients;

	for (size_t i = 0; i < rule->n_clients; i++, client++) {
		if (!client->is_mac &&
			igw_prefix_contains(&client->prefix, &request->client))
			return true;
		/* A rule's MAC is never zero, so an unknown one matches none. */
		if (client->is_mac && igw_mac_equal(&client->mac, &request->mac))
			return true;
	}
	return rule->n_clients == 0;
}

static bool matches_interface(const struct rule *rule, const char *interface)
{
	for (size_t i = 0; i < rule->n_interfaces; i++) {
		if (strcmp(rule->interfaces[i].name, interface) == 0)
			return true;
	}
	return rule->n_interfaces == 0;
}

static bool is_in_force(const struct rule *rule, int64_t wall_s)
{
	if (rule->never || wall_s >= rule->until_s)
		return false;
	return rule->deny || rule->until_s == RULE_NO_END || wall_s >= POLICY_CLOCK_MIN_S;
}

/* Every key of the rule but third_party. */
static bool matches(
	const struct rule *rule, const struct policy_request *request, int64_t wall_s)
{
	unsigned protocol = request->protocol == IGW_TCP ? RULE_TCP : RULE_UDP;
	/* An unknown way in has no bit and so matches no rule. */
	unsigned via = (unsigned)request->via <= IGW_VIA_PCP ? 1U << request->via : 0;

	return (rule->protocols & protocol) && (rule->vias & via) &&
	       ports_hold(&rule->external, request->external_port) &&
	       ports_hold(&rule->internal, request->internal_port) &&
	       is_in_force(rule, wall_s) && matches_interface(rule, request->interface) &&
	       matches_client(rule, request);
}

/* The admin's rules, the built-in deny list, the default. IGW_OK with the rule in *ret.
 */
static enum igw_reason check_rules(const struct policy *policy,
	const struct policy_request *request, int64_t wall_s, const struct rule **ret)
{
	bool is_own = igw_addr_equal(&request->internal_client, &request->client);
	bool internal = ports_hold(&ports_sensitive_internal, request->internal_port);
	bool external = ports_hold(&ports_sensitive_external, request->external_port);
	bool may_target = is_own;

	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct rule *rule = &policy->rules[i];

		if (!matches(rule, request, wall_s))
			continue;
		*ret = rule;
		if (rule->deny)
			return IGW_RULE;
		if (!is_own && !rule->third_party)
			continue;
		may_target = true;
		if ((internal && !rule->lifts_internal) ||
			(external && !rule->lifts_external))
			continue;
		return IGW_OK;
	}
	*ret = NULL;
	if (!may_target)
		return IGW_NOT_REQUESTER;
	return internal || external ? IGW_SENSITIVE_PORT : IGW_NO_RULE;
}

static enum igw_reason check_quota(
	const struct policy_limits *limits, const struct policy_usage *usage)
{
	uint64_t taken = usage->total;

	if (usage->renewal)
		return IGW_OK;
	if (usage->client >= limits->per_client)
		return IGW_QUOTA_CLIENT;
	/* Below its share a client may take a slot that is kept for such as it. */
	if (usage->client >= limits->reserved_per_client)
		taken += usage->reserved;
	return taken < limits->total ? IGW_OK : IGW_QUOTA_TOTAL;
}

static uint32_t grant_lease(const struct lease_bounds *bounds, const struct rule *rule,
	uint32_t asked_s, int64_t wall_s)
{
	uint32_t lease_s = asked_s == 0 ? bounds->zero_s : asked_s;

	if (lease_s < bounds->min_s)
		lease_s = bounds->min_s;
	if (lease_s > bounds->max_s)
		lease_s = bounds->max_s;
	if (lease_s > rule->max_lease_s)
		lease_s = rule->max_lease_s;
	/* What a rule allowed does not outlast it. It is in force, so 1 s at least is
	 * left. */
	if (rule->until_s != RULE_NO_END && lease_s > rule->until_s - wall_s)
		lease_s = (uint32_t)(rule->until_s - wall_s);
	return lease_s;
}

struct policy_verdict policy_evaluate(const struct policy *policy,
	const struct policy_request *request, const struct policy_usage *usage,
	int64_t wall_s)
{
	struct policy_verdict verdict = { .reason = IGW_RATE };
	const struct rule *rule = NULL;

	if (usage->over_rate)
		return verdict;
	verdict.reason = check_floor(request);
	if (verdict.reason != IGW_OK)
		return verdict;
	verdict.reason = check_rules(policy, request, wall_s, &rule);
	if (verdict.reason == IGW_OK)
		verdict.reason = check_quota(&policy->limits, usage);
	if (verdict.reason == IGW_OK)
		verdict.lease_s =
			grant_lease(&policy->lease, rule, request->lease_s, wall_s);
	if (verdict.reason == IGW_OK || verdict.reason == IGW_RULE)
		verdict.rule = rule->name;
	return verdict;
}
