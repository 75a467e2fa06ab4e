/*
 * Warnings about rules that do less than they say. Sound but not complete: a rule that is
 * reported as unreachable is, one that several others cover together is not found.
 */
#include "compiled.h"

#include <string.h>

struct side {
	const char *key;
	const struct port_set *ports;
	const struct port_set *sensitive;
	bool lifts;
};

static bool is_floor_only(const struct port_set *set)
{
	for (size_t i = 0; i < set->n; i++) {
		if (!ports_hold_range(&ports_smb, set->ranges[i]) &&
			!ports_hold_range(&ports_control, set->ranges[i]))
			return false;
	}
	return true;
}

/* True when a range of the set is wholly inside `list`: the rule names those ports. */
static bool names_any(const struct port_set *set, const struct port_set *list)
{
	for (size_t i = 0; i < set->n; i++) {
		if (ports_hold_range(list, set->ranges[i]))
			return true;
	}
	return false;
}

/* Returns true when the rule can never decide because of this side's ports. */
static bool lint_side(
	const struct node *node, const struct rule *rule, const struct side *side)
{
	struct node list = node_member(node, side->key);
	const char *name = rule->name;

	if (!list.value)
		return false;
	if (is_floor_only(side->ports)) {
		node_warn(&list,
			"rule \"%s\" can never match: it names only ports that are refused "
			"before any rule is asked",
			name);
		return true;
	}
	if (names_any(side->ports, &ports_smb) || names_any(side->ports, &ports_control))
		node_warn(&list,
			"rule \"%s\" names ports that are refused before any rule is asked "
			"(135, 137-139, 445, 1900, 5350, 5351)",
			name);
	else if (!rule->deny && ports_meet(side->ports, &ports_smb))
		node_warn(&list,
			"the range of rule \"%s\" spans 135, 137-139 or 445; these are "
			"refused all the same",
			name);
	if (rule->deny || side->lifts || !names_any(side->ports, side->sensitive))
		return false;
	node_warn(&list,
		"rule \"%s\" names ports of the built-in deny list but does not lift it: that "
		"takes \"clients\" that are all single hosts, and a \"reason\"",
		name);
	return ports_hold_set(side->sensitive, side->ports);
}

static bool covers_client(
	const struct rule_client *wide, const struct rule_client *narrow)
{
	if (wide->is_mac != narrow->is_mac)
		return false;
	if (wide->is_mac)
		return igw_mac_equal(&wide->mac, &narrow->mac);
	return wide->prefix.len <= narrow->prefix.len &&
	       igw_prefix_contains(&wide->prefix, &narrow->prefix.addr);
}

/* Each against each, as long as `steps` lasts: then the question stays open. */
static bool covers_clients(
	const struct rule *wide, const struct rule *narrow, size_t *steps)
{
	size_t cost = wide->n_clients * narrow->n_clients;

	if (wide->n_clients == 0)
		return true;
	if (cost > *steps)
		return false;
	*steps -= cost;
	for (size_t i = 0; i < narrow->n_clients; i++) {
		size_t j = 0;

		while (j < wide->n_clients &&
			!covers_client(&wide->clients[j], &narrow->clients[i]))
			j++;
		if (j == wide->n_clients)
			return false;
	}
	return narrow->n_clients > 0;
}

static bool covers_interfaces(const struct rule *wide, const struct rule *narrow)
{
	if (wide->n_interfaces == 0)
		return true;
	for (size_t i = 0; i < narrow->n_interfaces; i++) {
		size_t j = 0;

		while (j < wide->n_interfaces &&
			strcmp(wide->interfaces[j].name, narrow->interfaces[i].name) != 0)
			j++;
		if (j == wide->n_interfaces)
			return false;
	}
	return narrow->n_interfaces > 0;
}

/* True when `first` matches all that `later` matches, for as long. An allow rule with an
 * end waits for the clock to be set, and covers only another one that does. */
static bool covers_keys(const struct rule *first, const struct rule *later, size_t *steps)
{
	if (first->never || first->until_s < later->until_s)
		return false;
	if (!first->deny && first->until_s != RULE_NO_END && later->deny)
		return false;
	return (later->protocols & ~first->protocols) == 0 &&
	       (later->vias & ~first->vias) == 0 &&
	       ports_hold_set(&first->external, &later->external) &&
	       ports_hold_set(&first->internal, &later->internal) &&
	       covers_interfaces(first, later) && covers_clients(first, later, steps);
}

/* True when `later` decides no request on the list that `first` passes over. */
static bool leaves_none(bool first_lifts, const struct rule *later, bool later_lifts,
	const struct port_set *ports, const struct port_set *list)
{
	return first_lifts || (!later->deny && !later_lifts) || !ports_meet(ports, list);
}

/* True when `first` decides every request that `later` would. */
static bool shadows(const struct rule *first, const struct rule *later, size_t *steps)
{
	if (!covers_keys(first, later, steps))
		return false;
	if (first->deny)
		return true;
	/* An allow rule passes over requests for other hosts, and over sensitive ports.
	 */
	if (!first->third_party && (later->deny || later->third_party))
		return false;
	return leaves_none(first->lifts_internal, later, later->lifts_internal,
		       &later->internal, &ports_sensitive_internal) &&
	       leaves_none(first->lifts_external, later, later->lifts_external,
		       &later->external, &ports_sensitive_external);
}

static void lint_keys(const struct node *node, const struct rule *rule)
{
	struct node third_party = node_member(node, "third_party");
	struct node max_lease = node_member(node, "max_lease_s");

	if (rule->deny && third_party.value)
		node_warn(&third_party,
			"without effect: a deny rule matches whoever the target is");
	if (rule->deny && max_lease.value)
		node_warn(&max_lease, "without effect in a deny rule");
	if (!rule->deny && rule->third_party && rule->n_clients == 0)
		node_warn(&third_party,
			"rule \"%s\" names no clients: every host may open ports of every other",
			rule->name);
}

void lint_rule(const struct node *node, const struct rule *rules, size_t n, size_t *steps)
{
	const struct rule *rule = &rules[n - 1];
	const struct side sides[] = {
		{ "external_ports", &rule->external, &ports_sensitive_external,
			rule->lifts_external },
		{ "internal_ports", &rule->internal, &ports_sensitive_internal,
			rule->lifts_internal },
	};
	bool idle = rule->never;

	if (rule->never)
		node_warn(node,
			"rule \"%s\" can never match: in mode \"allow-list\" an allow rule "
			"must name \"clients\"",
			rule->name);
	lint_keys(node, rule);
	for (size_t i = 0; i < 2; i++)
		idle = lint_side(node, rule, &sides[i]) || idle;
	for (size_t i = 0; !idle && i + 1 < n; i++) {
		idle = shadows(&rules[i], rule, steps);
		if (idle)
			node_warn(node,
				"rule \"%s\" can never match: rule \"%s\" before it decides "
				"all that it would",
				rule->name, rules[i].name);
	}
}
