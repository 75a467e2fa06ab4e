/* The policy file as a whole: defaults, the parts around the rules, and the mode. */
#include "compiled.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	VERSION = 1,
	TOTAL_MAX = 65535,
};

static const char *const policy_keys[] = { "$schema", "version", "mode", "rules",
	"limits", "lease", "rates" };
static const char *const limit_keys[] = { "per_client", "total", "reserved_per_client" };
static const char *const lease_keys[] = { "min_s", "max_s", "zero_s" };
static const char *const rate_keys[] = { "changes_per_min", "burst", "reads_per_min",
	"searches_per_s" };
static const char *const modes[] = { "default", "allow-list" };

#define WORDS(a)                                                                         \
	{                                                                                \
		.words = (a), .n = sizeof(a) / sizeof((a)[0])                            \
	}
static const struct node_words policy_key_words = WORDS(policy_keys);
static const struct node_words limit_key_words = WORDS(limit_keys);
static const struct node_words lease_key_words = WORDS(lease_keys);
static const struct node_words rate_key_words = WORDS(rate_keys);
static const struct node_words mode_words = WORDS(modes);
#undef WORDS

static const struct policy defaults = {
	.limits = { .per_client = 32, .total = 256, .reserved_per_client = 2 },
	/* Reads are cheap, and a program that lists mappings one by one by their index
	 * makes one for each: hence 600 where changes have 30. */
	.rates = { .changes_per_min = 30,
		.burst = 20,
		.reads_per_min = 600,
		.searches_per_s = 1 },
	.lease = { .min_s = 120, .max_s = IGW_LEASE_MAX_S, .zero_s = IGW_LEASE_MAX_S },
};

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Whatever the version: a later one may have other keys. */
static int check_version(const struct node *root)
{
	struct node version = node_member(root, "version");

	if (!json_is_object(root->value))
		return node_fail_found(root, "an object");
	if (!version.value)
		return node_fail(root, "\"version\" is missing; it must be %d", VERSION);
	if (!json_is_integer(version.value) ||
		json_integer_value(version.value) != VERSION)
		return node_fail_found(
			&version, "%d, the only version there is", VERSION);
	return 0;
}

static int parse_mode(const struct node *root, struct policy *policy)
{
	struct node mode = node_member(root, "mode");
	const char *text = json_string_value(mode.value);
	unsigned word = 0;
	int r;

	if (text && (strcmp(text, "learn") == 0 || strcmp(text, "ask") == 0))
		return node_fail(&mode,
			"mode \"%s\" is planned but not in this version; must be \"default\" "
			"or \"allow-list\"",
			text);
	r = node_read_word(&mode, &mode_words, &word);
	policy->allow_list = word == 1;
	return r;
}

/* Fails when the file says more for `node` than for the key beside it. */
static int expect_at_most(
	const struct node *node, uint32_t value, uint32_t bound, const char *bound_key)
{
	if (value <= bound)
		return 0;
	return node_fail(node, "found %u; must not be above \"%s\", which is %u", value,
		bound_key, bound);
}

/* A default that a named key leaves no room for gives way: {"total": 16} alone is fine.
 */
static int parse_limits(const struct node *root, struct policy_limits *limits)
{
	struct node node = node_member(root, "limits");
	struct node total = node_member(&node, "total");
	struct node client = node_member(&node, "per_client");
	struct node reserved = node_member(&node, "reserved_per_client");
	int r;

	if (!node.value)
		return 0;
	r = node_expect_object(&node, &limit_key_words);
	if (r == 0)
		r = node_read_u32(&total, 1, TOTAL_MAX, &limits->total);
	limits->per_client = smaller(limits->per_client, limits->total);
	if (r == 0)
		r = node_read_u32(&client, 1, TOTAL_MAX, &limits->per_client);
	if (r == 0)
		r = expect_at_most(&client, limits->per_client, limits->total, "total");
	limits->reserved_per_client =
		smaller(limits->reserved_per_client, limits->per_client);
	if (r == 0)
		r = node_read_u32(&reserved, 0, TOTAL_MAX, &limits->reserved_per_client);
	if (r == 0)
		r = expect_at_most(&reserved, limits->reserved_per_client,
			limits->per_client, "per_client");
	return r;
}

static int parse_lease(const struct node *root, struct lease_bounds *lease)
{
	struct node node = node_member(root, "lease");
	struct node max = node_member(&node, "max_s");
	struct node min = node_member(&node, "min_s");
	struct node zero = node_member(&node, "zero_s");
	int r;

	if (!node.value)
		return 0;
	r = node_expect_object(&node, &lease_key_words);
	if (r == 0)
		r = node_read_u32(&max, 1, IGW_LEASE_MAX_S, &lease->max_s);
	lease->min_s = smaller(lease->min_s, lease->max_s);
	if (r == 0)
		r = node_read_u32(&min, 1, IGW_LEASE_MAX_S, &lease->min_s);
	if (r == 0)
		r = expect_at_most(&min, lease->min_s, lease->max_s, "max_s");
	lease->zero_s = smaller(lease->zero_s, lease->max_s);
	if (r == 0)
		r = node_read_u32(&zero, lease->min_s, IGW_LEASE_MAX_S, &lease->zero_s);
	if (r == 0)
		r = expect_at_most(&zero, lease->zero_s, lease->max_s, "max_s");
	return r;
}

static int parse_rates(const struct node *root, struct policy_rates *rates)
{
	struct node node = node_member(root, "rates");
	uint32_t *const values[] = { &rates->changes_per_min, &rates->burst,
		&rates->reads_per_min, &rates->searches_per_s };
	int r;

	if (!node.value)
		return 0;
	r = node_expect_object(&node, &rate_key_words);
	for (size_t i = 0; i < rate_key_words.n && r == 0; i++) {
		struct node rate = node_member(&node, rate_keys[i]);

		r = node_read_u32(&rate, 1, POLICY_RATE_MAX, values[i]);
	}
	return r;
}

static int check_name(const struct node *node, const struct rule *rules, size_t n)
{
	struct node name = node_member(node, "name");

	for (size_t i = 0; i + 1 < n; i++) {
		if (strcmp(rules[i].name, rules[n - 1].name) == 0)
			return node_fail(&name,
				"rule %zu has the name \"%s\" already; names must differ",
				i, rules[i].name);
	}
	return 0;
}

static int parse_rules(const struct node *root, struct policy *policy)
{
	struct node list = node_member(root, "rules");
	size_t n, steps = LINT_STEPS_MAX;
	int r;

	/* No rules: a policy that allows nothing, said as clearly by an empty list. */
	if (!list.value ||
		(json_is_array(list.value) && json_array_size(list.value) == 0))
		return 0;
	r = node_expect_list(&list, POLICY_RULES_MAX, &n);
	if (r < 0)
		return r;
	policy->rules = calloc(n, sizeof(policy->rules[0]));
	if (!policy->rules)
		return node_fail_memory(&list);
	while (policy->n_rules < n && r == 0) {
		struct node node = node_element(&list, policy->n_rules);
		struct rule *rule = &policy->rules[policy->n_rules++];

		r = rule_parse(&node, policy->allow_list, rule);
		if (r == 0)
			r = check_name(&node, policy->rules, policy->n_rules);
		if (r == 0)
			lint_rule(&node, policy->rules, policy->n_rules, &steps);
	}
	return r;
}

static void warn_if_idle(const struct node *root, const struct policy *policy)
{
	for (size_t i = 0; i < policy->n_rules; i++) {
		if (!policy->rules[i].deny && !policy->rules[i].never)
			return;
	}
	node_warn(root, "no rule allows anything: every request will be refused");
}

static int parse_root(const struct node *root, struct policy *policy)
{
	struct node schema = node_member(root, "$schema");
	int r = check_version(root);

	if (r == 0)
		r = node_expect_object(root, &policy_key_words);
	if (r == 0 && schema.value && !json_is_string(schema.value))
		r = node_fail_found(&schema, "a string");
	if (r == 0)
		r = parse_mode(root, policy);
	if (r == 0)
		r = parse_limits(root, &policy->limits);
	if (r == 0)
		r = parse_lease(root, &policy->lease);
	if (r == 0)
		r = parse_rates(root, &policy->rates);
	if (r == 0)
		r = parse_rules(root, policy);
	if (r == 0)
		warn_if_idle(root, policy);
	return r;
}

int policy_parse(
	const char *text, size_t len, struct policy **ret, struct policy_report *report)
{
	struct policy *policy = NULL;
	struct node root;
	struct doc doc;
	int r = doc_open(&doc, text, len, POLICY_TEXT_MAX, report);

	if (r < 0)
		return r;
	root = node_root(&doc);
	r = policy_deny_all(&policy);
	if (r < 0)
		node_fail_memory(&root);
	else
		r = parse_root(&root, policy);
	doc_close(&doc);
	if (r < 0)
		policy_free(policy);
	else
		*ret = policy;
	return r;
}

int policy_deny_all(struct policy **ret)
{
	struct policy *policy = malloc(sizeof(*policy));

	if (!policy)
		return -ENOMEM;
	*policy = defaults;
	*ret = policy;
	return 0;
}

void policy_free(struct policy *policy)
{
	if (!policy)
		return;
	for (size_t i = 0; i < policy->n_rules; i++)
		rule_clear(&policy->rules[i]);
	free(policy->rules);
	free(policy);
}

const struct policy_limits *policy_limits(const struct policy *policy)
{
	return &policy->limits;
}

const struct policy_rates *policy_rates(const struct policy *policy)
{
	return &policy->rates;
}

size_t policy_rule_count(const struct policy *policy)
{
	return policy->n_rules;
}
