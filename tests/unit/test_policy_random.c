/*
 * Random policies and requests against a second, naive reading of the rules: the verdict,
 * the rule and the lease must be the same. And laws that must hold whatever the policy:
 * what is allowed has no floor port and no foreign target without a rule for third
 * parties; a rule that is reported as unreachable never decides.
 */
#include "policy_fixture.h"
#include "test_random.h"

enum {
	ROUNDS = 3000,
	REQUESTS = 60,
	RULES_MAX = 6,
	LIST_MAX = 3,
};

struct range {
	unsigned first, last;
};

struct model_rule {
	bool deny, third_party, reason;
	size_t n_clients, n_external, n_internal; /* 0 = the key is absent */
	unsigned clients[LIST_MAX];		  /* indexes into client_words */
	struct range external[LIST_MAX], internal[LIST_MAX];
	int protocol;	      /* 0 any, 6, 17 */
	int via;	      /* -1 any */
	int interface;	      /* -1 any, else an index into interface_words */
	unsigned max_lease_s; /* 0 absent */
	unsigned until;	      /* index into ends; 0 absent */
	bool unreachable;     /* the parser said so */
};

struct model {
	bool allow_list;
	size_t n;
	struct model_rule rules[RULES_MAX];
	unsigned min_s, max_s, zero_s;
};

static const char *const interface_words[] = { "br-lan", "br-guest" };
static const char *const via_words[] = { "upnp", "natpmp", "pcp" };
static const struct {
	const char *text;
	int64_t s;
} ends[] = {
	{ NULL, INT64_MAX },
	{ "2026-10-31", NOW },
	{ "2026-11-01T00:01:00Z", NOW + 60 },
	{ "2027-01-01T01:00:00+01:00", INT64_C(1798761600) },
};
static const int64_t clocks[] = { 0, 1767225599, 1767225600, NOW - 1, NOW, NOW + 59,
	NOW + 60, 1798761599, 1798761600 };
static const unsigned edges[] = { 1, 22, 80, 134, 135, 136, 137, 139, 140, 444, 445, 446,
	1023, 1024, 1899, 1900, 1901, 3388, 3389, 3390, 5000, 5350, 5351, 8080, 8081,
	65535 };

static const struct {
	const char *ip, *mac; /* NULL = not known */
} hosts[] = {
	{ "192.168.1.10", "02:00:00:00:00:0a" },
	{ "192.168.1.11", "02:00:00:00:00:0b" },
	{ "192.168.2.5", NULL },
	{ "fd00::a", "02:00:00:00:00:0a" },
};

/* What a client of a rule matches, host by host, written down by hand. */
static const struct {
	const char *text;
	bool single;
	bool matches[COUNT(hosts)];
} client_words[] = {
	{ "192.168.1.10", true, { true, false, false, false } },
	{ "192.168.1.11/32", true, { false, true, false, false } },
	{ "192.168.1.0/24", false, { true, true, false, false } },
	{ "192.168.0.0/16", false, { true, true, true, false } },
	{ "192.168.1.10/31", false, { true, true, false, false } },
	{ "0.0.0.0/0", false, { true, true, true, false } },
	{ "::/0", false, { false, false, false, true } },
	{ "fd00::a", true, { false, false, false, true } },
	{ "02:00:00:00:00:0a", true, { true, false, false, true } },
	{ "02:00:00:00:00:0B", true, { false, true, false, false } },
};

static unsigned pick(size_t n)
{
	return (unsigned)((size_t)rand() % n);
}

static bool is_smb(unsigned port)
{
	return port == 135 || port == 137 || port == 138 || port == 139 || port == 445;
}

static bool is_control(unsigned port)
{
	return port == 1900 || port == 5350 || port == 5351 || port == 5000;
}

/* Of the built-in deny list the edges above hold only these. */
static bool is_sensitive(unsigned port, bool internal)
{
	return port < 1024 || (internal && port == 3389);
}

static size_t pick_ranges(struct range ranges[LIST_MAX], bool deny)
{
	size_t n = pick(LIST_MAX + 1);

	for (size_t i = 0; i < n; i++) {
		unsigned a = edges[pick(COUNT(edges))], b = edges[pick(COUNT(edges))];

		ranges[i] = (struct range){ a < b ? a : b, a < b ? b : a };
		if (rand() % 2)
			ranges[i].last = ranges[i].first;
		/* What the parser refuses in an allow rule. */
		if (!deny && is_smb(ranges[i].first) && is_smb(ranges[i].last))
			ranges[i] = (struct range){ 1, 65535 };
	}
	return n;
}

static void pick_model(struct model *m)
{
	*m = (struct model){ .allow_list = rand() % 8 == 0, .n = pick(RULES_MAX + 1) };
	m->min_s = 1 + pick(500);
	m->max_s = m->min_s + pick(5000);
	m->zero_s = m->min_s + pick(m->max_s - m->min_s + 1);
	for (size_t i = 0; i < m->n; i++) {
		struct model_rule *rule = &m->rules[i];

		rule->deny = rand() % 3 == 0;
		rule->third_party = rand() % 3 == 0;
		rule->reason = rand() % 2;
		rule->n_clients = pick(LIST_MAX + 1);
		for (size_t j = 0; j < rule->n_clients; j++)
			rule->clients[j] = pick(COUNT(client_words));
		rule->n_external = pick_ranges(rule->external, rule->deny);
		rule->n_internal = pick_ranges(rule->internal, rule->deny);
		rule->protocol = rand() % 2 ? 0 : rand() % 2 ? 6 : 17;
		rule->via = rand() % 2 ? -1 : rand() % 3;
		rule->interface = rand() % 2 ? -1 : rand() % 2;
		rule->max_lease_s = rand() % 3 ? 0 : 1 + pick(3000);
		rule->until = rand() % 2 ? 0 : pick(COUNT(ends));
	}
}

static size_t put(char *text, size_t at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static size_t put(char *text, size_t at, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text + at, FIXTURE_TEXT - at, format, args);
	va_end(args);
	assert_true(n >= 0 && at + (size_t)n < FIXTURE_TEXT);
	return at + (size_t)n;
}

static size_t put_ranges(
	char *text, size_t at, const char *key, const struct range *ranges, size_t n)
{
	if (n == 0)
		return at;
	at = put(text, at, ",'%s':", key);
	for (size_t i = 0; i < n; i++) {
		at = put(text, at, i ? "," : "[");
		if (ranges[i].first == ranges[i].last)
			at = put(text, at, "%u", ranges[i].first);
		else
			at = put(text, at, "'%u-%u'", ranges[i].first, ranges[i].last);
	}
	return put(text, at, "]");
}

static size_t put_rule(char *text, size_t at, const struct model_rule *rule, size_t index)
{
	at = put(text, at, "%s{'name':'%zu','action':'%s'", index ? "," : "", index,
		rule->deny ? "deny" : "allow");
	for (size_t i = 0; i < rule->n_clients; i++)
		at = put(text, at, "%s'%s'%s", i ? "," : ",'clients':[",
			client_words[rule->clients[i]].text,
			i + 1 == rule->n_clients ? "]" : "");
	at = put_ranges(text, at, "external_ports", rule->external, rule->n_external);
	at = put_ranges(text, at, "internal_ports", rule->internal, rule->n_internal);
	if (rule->protocol)
		at = put(text, at, ",'protocols':['%s']",
			rule->protocol == 6 ? "tcp" : "udp");
	if (rule->via >= 0)
		at = put(text, at, ",'via':['%s']", via_words[rule->via]);
	if (rule->interface >= 0)
		at = put(text, at, ",'interfaces':['%s']",
			interface_words[rule->interface]);
	if (rule->third_party)
		at = put(text, at, ",'third_party':true");
	if (rule->reason)
		at = put(text, at, ",'reason':'because'");
	if (rule->max_lease_s)
		at = put(text, at, ",'max_lease_s':%u", rule->max_lease_s);
	if (rule->until)
		at = put(text, at, ",'until':'%s'", ends[rule->until].text);
	return put(text, at, "}");
}

/* Compiles the model, and notes which rules are said to be unreachable. */
static struct policy *compile(struct model *m, char text[FIXTURE_TEXT])
{
	struct policy_report report;
	struct policy *policy = NULL;
	unsigned index;
	size_t at = put(text, 0,
		"{'version':1,'mode':'%s','lease':{'min_s':%u,'max_s':%u,'zero_s':%u},"
		"'rules':[",
		m->allow_list ? "allow-list" : "default", m->min_s, m->max_s, m->zero_s);

	for (size_t i = 0; i < m->n; i++)
		at = put_rule(text, at, &m->rules[i], i);
	put(text, at, "]}");
	assert_int_equal(parse_quoted(text, &policy, &report), 0);
	for (size_t i = 0; i < report.n_warnings && i < POLICY_WARNINGS_MAX; i++) {
		if (strstr(report.warnings[i].message, "can never match") &&
			sscanf(report.warnings[i].pointer, "/rules/%u", &index) == 1)
			m->rules[index].unreachable = true;
	}
	return policy;
}

struct asked {
	struct policy_request request;
	unsigned host; /* index into hosts */
	int interface;
	int64_t wall_s;
};

static struct asked pick_request(void)
{
	static const uint16_t http[] = { 5000 };
	struct asked asked = { .host = pick(COUNT(hosts)),
		.interface = rand() % 2,
		.wall_s = clocks[pick(COUNT(clocks))] };
	struct policy_request *request = &asked.request;

	*request = (struct policy_request){
		.interface = interface_words[asked.interface],
		.client = addr_of(hosts[asked.host].ip),
		.target = POLICY_TARGET_NEIGHBOUR,
		.protocol = rand() % 2 ? IGW_TCP : IGW_UDP,
		.via = (enum igw_via)(rand() % 3),
		.external_port = (uint16_t)edges[pick(COUNT(edges))],
		.internal_port = (uint16_t)edges[pick(COUNT(edges))],
		.lease_s = rand() % 3 ? pick(7000) : 0,
		.http_ports = http,
		.n_http_ports = 1,
	};
	if (hosts[asked.host].mac)
		assert_int_equal(igw_mac_parse(hosts[asked.host].mac, &request->mac), 0);
	request->internal_client = request->client;
	if (rand() % 4 == 0)
		request->internal_client = addr_of("192.168.1.20");
	if (rand() % 12 == 0)
		request->target = (enum policy_target)(rand() % 5);
	return asked;
}

static bool model_has_port(const struct range *ranges, size_t n, unsigned port)
{
	for (size_t i = 0; i < n; i++) {
		if (port >= ranges[i].first && port <= ranges[i].last)
			return true;
	}
	return n == 0;
}

static bool model_matches(
	const struct model *m, const struct model_rule *rule, const struct asked *asked)
{
	const struct policy_request *request = &asked->request;
	bool client = rule->n_clients == 0;

	for (size_t i = 0; i < rule->n_clients; i++)
		client = client || client_words[rule->clients[i]].matches[asked->host];
	if (!client || (m->allow_list && !rule->deny && rule->n_clients == 0))
		return false;
	if (rule->protocol && rule->protocol != (int)request->protocol)
		return false;
	if (rule->via >= 0 && rule->via != (int)request->via)
		return false;
	if (rule->interface >= 0 && rule->interface != asked->interface)
		return false;
	if (asked->wall_s >= ends[rule->until].s)
		return false;
	if (rule->until && !rule->deny && asked->wall_s < 1767225600)
		return false;
	return model_has_port(rule->external, rule->n_external, request->external_port) &&
	       model_has_port(rule->internal, rule->n_internal, request->internal_port);
}

static bool model_lifts(
	const struct model_rule *rule, const struct policy_request *request)
{
	for (size_t i = 0; i < rule->n_clients; i++) {
		if (!client_words[rule->clients[i]].single)
			return false;
	}
	if (rule->n_clients == 0 || !rule->reason)
		return false;
	return (!is_sensitive(request->internal_port, true) || rule->n_internal > 0) &&
	       (!is_sensitive(request->external_port, false) || rule->n_external > 0);
}

static enum igw_reason model_floor(const struct policy_request *request)
{
	if (is_smb(request->external_port) || is_smb(request->internal_port))
		return IGW_SMB_PORT;
	if (request->target == POLICY_TARGET_SPECIAL)
		return IGW_SPECIAL_ADDRESS;
	if (request->target == POLICY_TARGET_ROUTER)
		return IGW_ROUTER_TARGET;
	if (request->target != POLICY_TARGET_NEIGHBOUR)
		return IGW_OFF_LAN;
	if (is_control(request->external_port) || is_control(request->internal_port))
		return IGW_CONTROL_PORT;
	return IGW_OK;
}

/* The verdict by the model; *ret is the index of the rule that decided, or -1. */
static enum igw_reason model_judge(
	const struct model *m, const struct asked *asked, int *ret)
{
	const struct policy_request *request = &asked->request;
	bool own = igw_addr_equal(&request->client, &request->internal_client);
	bool sensitive = is_sensitive(request->internal_port, true) ||
			 is_sensitive(request->external_port, false);
	bool asked_for = own;
	enum igw_reason reason = model_floor(request);

	*ret = -1;
	if (reason != IGW_OK)
		return reason;
	for (size_t i = 0; i < m->n; i++) {
		const struct model_rule *rule = &m->rules[i];

		if (!model_matches(m, rule, asked))
			continue;
		*ret = (int)i;
		if (rule->deny)
			return IGW_RULE;
		if (own || rule->third_party) {
			asked_for = true;
			if (!sensitive || model_lifts(rule, request))
				return IGW_OK;
		}
		*ret = -1;
	}
	if (!asked_for)
		return IGW_NOT_REQUESTER;
	return sensitive ? IGW_SENSITIVE_PORT : IGW_NO_RULE;
}

static uint32_t model_lease(
	const struct model *m, const struct model_rule *rule, const struct asked *asked)
{
	int64_t lease = asked->request.lease_s ? asked->request.lease_s : m->zero_s;

	lease = lease < m->min_s ? m->min_s : lease > m->max_s ? m->max_s : lease;
	if (rule->max_lease_s && lease > rule->max_lease_s)
		lease = rule->max_lease_s;
	if (lease > ends[rule->until].s - asked->wall_s)
		lease = ends[rule->until].s - asked->wall_s;
	return (uint32_t)lease;
}

/* Laws that need no model. */
static void check_laws(const struct model *m, const struct asked *asked,
	const struct policy_verdict *verdict)
{
	const struct policy_request *request = &asked->request;

	if (verdict->reason != IGW_OK) {
		assert_int_equal(verdict->lease_s, 0);
		assert_true((verdict->rule != NULL) == (verdict->reason == IGW_RULE));
		return;
	}
	assert_false(is_smb(request->internal_port) || is_smb(request->external_port));
	assert_false(is_control(request->internal_port));
	assert_false(is_control(request->external_port));
	assert_int_equal(request->target, POLICY_TARGET_NEIGHBOUR);
	assert_non_null(verdict->rule);
	if (!igw_addr_equal(&request->client, &request->internal_client))
		assert_true(m->rules[atoi(verdict->rule)].third_party);
	assert_in_range(verdict->lease_s, 1, m->max_s);
}

static void test_model(void **state)
{
	static const struct policy_usage usage = { 0 };
	unsigned counts[IGW_REASON_COUNT] = { 0 };
	char text[FIXTURE_TEXT];
	struct model m;

	(void)state;
	random_begin();
	for (int round = 0; round < ROUNDS; round++) {
		struct policy *policy;

		pick_model(&m);
		policy = compile(&m, text);
		for (int i = 0; i < REQUESTS; i++) {
			struct asked asked = pick_request();
			int rule;
			enum igw_reason reason = model_judge(&m, &asked, &rule);
			struct policy_verdict verdict = policy_evaluate(
				policy, &asked.request, &usage, asked.wall_s);

			counts[reason]++;
			if (verdict.reason != reason)
				print_message("%s\n", text);
			assert_string_equal(
				igw_reason_word(verdict.reason), igw_reason_word(reason));
			assert_true((rule >= 0) == (verdict.rule != NULL));
			check_laws(&m, &asked, &verdict);
			if (rule < 0)
				continue;
			assert_int_equal(atoi(verdict.rule), rule);
			assert_false(m.rules[rule].unreachable);
			if (reason == IGW_OK)
				assert_int_equal(verdict.lease_s,
					model_lease(&m, &m.rules[rule], &asked));
		}
		policy_free(policy);
	}
	/* Or the above proves nothing. */
	assert_true(counts[IGW_OK] > 1000 && counts[IGW_RULE] > 1000);
	assert_true(counts[IGW_NOT_REQUESTER] > 100 && counts[IGW_SENSITIVE_PORT] > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
