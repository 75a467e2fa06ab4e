/* One rule of the policy file, from JSON to its compiled form. */
#include "compiled.h"
#include "until.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const actions[] = { "allow", "deny" };
static const char *const protocols[] = { "tcp", "udp" }; /* order: RULE_TCP, RULE_UDP */
static const char *const vias[] = { "upnp", "natpmp", "pcp" }; /* order: enum igw_via */
static const char *const keys[] = { "name", "action", "clients", "protocols",
	"external_ports", "internal_ports", "interfaces", "via", "third_party",
	"max_lease_s", "until", "reason" };

#define WORDS(a)                                                                         \
	{                                                                                \
		.words = (a), .n = sizeof(a) / sizeof((a)[0])                            \
	}
static const struct node_words action_words = WORDS(actions);
static const struct node_words protocol_words = WORDS(protocols);
static const struct node_words via_words = WORDS(vias);
static const struct node_words key_words = WORDS(keys);
#undef WORDS

static bool is_name(const char *text, size_t max)
{
	size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				  "0123456789_.-");

	return len > 0 && len <= max && text[len] == '\0';
}

static int parse_name(const struct node *node, struct rule *rule)
{
	struct node name = node_member(node, "name");
	const char *text = json_string_value(name.value);

	if (!name.value)
		return node_fail(node, "the rule has no \"name\"");
	if (!text || !is_name(text, IGW_RULE_NAME_MAX))
		return node_fail_found(&name,
			"1 to %d of the characters A-Z a-z 0-9 _ . -", IGW_RULE_NAME_MAX);
	memcpy(rule->name, text, strlen(text));
	return 0;
}

static int parse_action(const struct node *node, struct rule *rule)
{
	struct node action = node_member(node, "action");
	unsigned word = 0;
	int r;

	if (!action.value)
		return node_fail(node, "the rule has no \"action\"");
	r = node_read_word(&action, &action_words, &word);
	rule->deny = word == 1;
	return r;
}

static int parse_client(const struct node *node, struct rule_client *ret)
{
	const char *text = json_string_value(node->value);

	if (!text)
		return node_fail_found(
			node, "an address, ADDRESS/LENGTH or a MAC address");
	if (igw_mac_parse(text, &ret->mac) == 0) {
		ret->is_mac = true;
		/* Zero stands for "not known", an odd first byte for a group. */
		if (!igw_mac_is_none(&ret->mac) && !(ret->mac.b[0] & 1))
			return 0;
		return node_fail_found(node, "the MAC address of one host");
	}
	if (igw_prefix_parse(text, &ret->prefix) < 0)
		return node_fail_found(node,
			"an address (192.168.1.7, fd00::7), a network without bits behind its "
			"length (192.168.1.0/24) or a MAC address (02:00:00:00:00:07)");
	return 0;
}

static int parse_clients(const struct node *node, struct rule *rule)
{
	struct node list = node_member(node, "clients");
	size_t n;
	int r;

	if (!list.value)
		return 0;
	r = node_expect_list(&list, POLICY_LIST_MAX, &n);
	if (r < 0)
		return r;
	rule->clients = calloc(n, sizeof(rule->clients[0]));
	if (!rule->clients)
		return node_fail_memory(&list);
	rule->n_clients = n;
	for (size_t i = 0; i < n && r == 0; i++) {
		struct node element = node_element(&list, i);

		r = parse_client(&element, &rule->clients[i]);
	}
	return r;
}

static int parse_interfaces(const struct node *node, struct rule *rule)
{
	struct node list = node_member(node, "interfaces");
	size_t n;
	int r;

	if (!list.value)
		return 0;
	r = node_expect_list(&list, POLICY_LIST_MAX, &n);
	if (r < 0)
		return r;
	rule->interfaces = calloc(n, sizeof(rule->interfaces[0]));
	if (!rule->interfaces)
		return node_fail_memory(&list);
	rule->n_interfaces = n;
	for (size_t i = 0; i < n && r == 0; i++) {
		struct node element = node_element(&list, i);

		r = node_read_interface(&element, rule->interfaces[i].name);
	}
	return r;
}

static int parse_port(
	const struct node *node, const struct rule *rule, struct port_range *ret)
{
	const char *text = json_string_value(node->value);
	json_int_t port = json_integer_value(node->value);

	if (text && ports_parse_range(text, ret) < 0)
		return node_fail_found(node,
			"a range \"FIRST-LAST\" with FIRST not above "
			"LAST, both from 1 to 65535; a single port is "
			"written without quotes");
	if (!text && (!json_is_integer(node->value) || port < 1 || port > UINT16_MAX))
		return node_fail_found(
			node, "a port from 1 to 65535 or a range \"FIRST-LAST\"");
	if (!text)
		*ret = (struct port_range){ (uint16_t)port, (uint16_t)port };
	if (!rule->deny && ports_hold_range(&ports_smb, *ret))
		return node_fail(node,
			"rule \"%s\" allows SMB ports; 135, 137-139 and 445 are refused on "
			"either side whatever the policy says, and this can never be lifted",
			rule->name);
	return 0;
}

/* All ports when the key is absent. */
static int parse_ports(const struct node *node, const char *key, const struct rule *rule,
	struct port_set *set)
{
	struct node list = node_member(node, key);
	size_t n = 1;
	int r = 0;

	if (list.value)
		r = node_expect_list(&list, POLICY_LIST_MAX, &n);
	if (r < 0)
		return r;
	set->ranges = calloc(n, sizeof(set->ranges[0]));
	if (!set->ranges)
		return node_fail_memory(node);
	set->n = n;
	set->ranges[0] = (struct port_range){ 1, UINT16_MAX };
	for (size_t i = 0; list.value && i < n && r == 0; i++) {
		struct node element = node_element(&list, i);

		r = parse_port(&element, rule, &set->ranges[i]);
	}
	if (r == 0)
		ports_normalise(set);
	return r;
}

static int parse_until(const struct node *node, struct rule *rule)
{
	struct node until = node_member(node, "until");
	const char *text = json_string_value(until.value);

	rule->until_s = RULE_NO_END;
	if (!until.value)
		return 0;
	if (!text || until_parse(text, &rule->until_s) < 0)
		return node_fail_found(&until,
			"a date (\"2027-01-31\": the end of that day, UTC) or a time with its "
			"zone (\"2027-01-31T18:00:00Z\", \"2027-01-31T18:00:00+01:00\")");
	return 0;
}

static int parse_scalars(const struct node *node, struct rule *rule)
{
	struct node protocol = node_member(node, "protocols");
	struct node via = node_member(node, "via");
	struct node third_party = node_member(node, "third_party");
	struct node max_lease = node_member(node, "max_lease_s");
	int r;

	rule->protocols = RULE_ALL_PROTOCOLS;
	rule->vias = RULE_ALL_VIAS;
	rule->max_lease_s = IGW_LEASE_MAX_S;
	r = node_read_word_set(&protocol, &protocol_words, &rule->protocols);
	if (r == 0)
		r = node_read_word_set(&via, &via_words, &rule->vias);
	if (r == 0)
		r = node_read_bool(&third_party, &rule->third_party);
	if (r == 0)
		r = node_read_u32(&max_lease, 1, IGW_LEASE_MAX_S, &rule->max_lease_s);
	return r < 0 ? r : parse_until(node, rule);
}

/* An exception from the built-in deny list is for single hosts, and says why. */
static bool is_exception(const struct rule *rule, const char *reason)
{
	for (size_t i = 0; i < rule->n_clients; i++) {
		if (!rule->clients[i].is_mac &&
			!igw_prefix_is_host(&rule->clients[i].prefix))
			return false;
	}
	return !rule->deny && rule->n_clients > 0 && reason;
}

int rule_parse(const struct node *node, bool allow_list, struct rule *rule)
{
	struct node reason = node_member(node, "reason");
	const char *text = NULL;
	int r = node_expect_object(node, &key_words);

	if (r == 0)
		r = parse_name(node, rule);
	if (r == 0)
		r = parse_action(node, rule);
	if (r == 0)
		r = parse_clients(node, rule);
	if (r == 0)
		r = parse_interfaces(node, rule);
	if (r == 0)
		r = parse_scalars(node, rule);
	if (r == 0)
		r = parse_ports(node, "external_ports", rule, &rule->external);
	if (r == 0)
		r = parse_ports(node, "internal_ports", rule, &rule->internal);
	if (r == 0)
		r = node_read_text(&reason, POLICY_REASON_MAX, &text);
	if (r < 0)
		return r;
	rule->never = allow_list && !rule->deny && rule->n_clients == 0;
	if (is_exception(rule, text)) {
		rule->lifts_external = node_member(node, "external_ports").value;
		rule->lifts_internal = node_member(node, "internal_ports").value;
	}
	return 0;
}

void rule_clear(struct rule *rule)
{
	free(rule->clients);
	free(rule->interfaces);
	free(rule->external.ranges);
	free(rule->internal.ranges);
	*rule = (struct rule){ 0 };
}
