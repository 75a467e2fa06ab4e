/* The judgement of requests behind the floor: rules, deny list, leases, quotas. */
#include "policy_fixture.h"

static void test_plain(void **state)
{
	struct policy_request request = plain_request();

	(void)state;
	expect(RULES(DEFAULT_RULE), &request, IGW_OK, "high-ports");
	request.protocol = IGW_UDP;
	expect(RULES(DEFAULT_RULE), &request, IGW_OK, "high-ports");
	expect(widest, &request, IGW_OK, "all");
	/* An empty policy is not "allow all". */
	expect("{'version':1}", &request, IGW_NO_RULE, NULL);
	expect(RULES(""), &request, IGW_NO_RULE, NULL);
}

static void test_first_match(void **state)
{
	struct policy_request request = plain_request();

	(void)state;
	expect(RULES("{'name':'a','action':'deny'}," DEFAULT_RULE), &request, IGW_RULE,
		"a");
	expect(RULES(DEFAULT_RULE ",{'name':'a','action':'deny'}"), &request, IGW_OK,
		"high-ports");
	/* A deny of one internal port holds for every external one, and so the other way.
	 */
	request.internal_port = 4711;
	expect(RULES("{'name':'a','action':'deny','internal_ports':[4711]}," DEFAULT_RULE),
		&request, IGW_RULE, "a");
	expect(RULES("{'name':'a','action':'deny','external_ports':[4711]}," DEFAULT_RULE),
		&request, IGW_OK, "high-ports");
	expect(RULES("{'name':'a','action':'deny','external_ports':[8080]}," DEFAULT_RULE),
		&request, IGW_RULE, "a");
}

/* Each key of a rule with a value that fits the plain request, and one that does not. */
static void test_keys(void **state)
{
	static const struct {
		const char *fits, *misses;
	} keys[] = {
		{ "'clients':['192.168.1.10']", "'clients':['192.168.1.11']" },
		{ "'clients':['192.168.1.0/24']", "'clients':['192.168.2.0/24']" },
		{ "'clients':['0.0.0.0/0']", "'clients':['::/0']" },
		{ "'clients':['02:00:00:00:00:10']", "'clients':['02:00:00:00:00:11']" },
		{ "'clients':['fd00::1','192.168.1.10']",
			"'clients':['fd00::1','192.168.1.9']" },
		{ "'clients':['02:00:00:00:00:11','192.168.1.8/30']",
			"'clients':['02:00:00:00:00:11','192.168.1.12/30']" },
		{ "'protocols':['tcp']", "'protocols':['udp']" },
		{ "'protocols':['udp','tcp']", "'protocols':['udp']" },
		{ "'external_ports':[8080]", "'external_ports':[8079,'8081-9000']" },
		{ "'internal_ports':['8000-8080']", "'internal_ports':['8000-8079']" },
		{ "'interfaces':['br-lan']", "'interfaces':['br-guest']" },
		{ "'interfaces':['br-guest','br-lan']",
			"'interfaces':['br-la','br-lan0']" },
		{ "'via':['upnp']", "'via':['natpmp','pcp']" },
		{ "'until':'2026-11-01'", "'until':'2026-10-31'" },
		{ "'until':'2026-11-01T00:00:01Z'", "'until':'2026-11-01T00:00:00Z'" },
		{ "'until':'2026-11-01T01:00:01+01:00'",
			"'until':'2026-11-01T00:59:59+01:00'" },
	};
	struct policy_request request = plain_request();
	char text[FIXTURE_TEXT];

	(void)state;
	for (size_t i = 0; i < COUNT(keys); i++) {
		for (int deny = 0; deny < 2; deny++) {
			const char *action = deny ? "deny" : "allow";
			enum igw_reason reason = deny ? IGW_RULE : IGW_OK;

			snprintf(text, sizeof(text),
				RULES("{'name':'r','action':'%s',%s}"), action,
				keys[i].fits);
			expect(text, &request, reason, "r");
			snprintf(text, sizeof(text),
				RULES("{'name':'r','action':'%s',%s}"), action,
				keys[i].misses);
			expect(text, &request, IGW_NO_RULE, NULL);
		}
	}
}

static void test_via(void **state)
{
	static const char *const words[] = { "upnp", "natpmp", "pcp" };
	struct policy_request request = plain_request();
	char text[FIXTURE_TEXT];

	(void)state;
	for (unsigned via = 0; via < COUNT(words); via++) {
		for (unsigned i = 0; i < COUNT(words); i++) {
			snprintf(text, sizeof(text),
				RULES("{'name':'r','action':'allow','via':['%s']}"),
				words[i]);
			request.via = (enum igw_via)via;
			expect(text, &request, via == i ? IGW_OK : IGW_NO_RULE,
				via == i ? "r" : NULL);
		}
	}
	request.via = (enum igw_via)3;
	expect(widest, &request, IGW_NO_RULE, NULL);
	request.via = (enum igw_via) - 1;
	expect(widest, &request, IGW_NO_RULE, NULL);
}

static void test_unknown_mac(void **state)
{
	struct policy_request request = plain_request();

	(void)state;
	memset(&request.mac, 0, sizeof(request.mac));
	expect(RULES("{'name':'r','action':'allow','clients':['02:00:00:00:00:10']}"),
		&request, IGW_NO_RULE, NULL);
}

static void test_third_party(void **state)
{
	static const char both[] = RULES(
		DEFAULT_RULE ",{'name':'controller','action':'allow','third_party':true,"
			     "'clients':['192.168.1.10'],'internal_ports':[8080,3389]}");
	struct policy_request request = plain_request();

	(void)state;
	request.internal_client = addr_of("192.168.1.20");
	expect(RULES(DEFAULT_RULE), &request, IGW_NOT_REQUESTER, NULL);
	expect(RULES(""), &request, IGW_NOT_REQUESTER, NULL);
	expect(both, &request, IGW_OK, "controller");
	/* A rule for itself comes first where it can. */
	request.internal_client = request.client;
	expect(both, &request, IGW_OK, "high-ports");
	request.internal_client = addr_of("192.168.1.20");
	/* A deny rule does not ask whose the target is. */
	expect(RULES("{'name':'d','action':'deny'}," DEFAULT_RULE), &request, IGW_RULE,
		"d");
	/* Precedence: not-requester before sensitive-port before no-rule. */
	request.internal_port = 22;
	expect(both, &request, IGW_NOT_REQUESTER, NULL);
	request.internal_port = 3389;
	expect(both, &request, IGW_SENSITIVE_PORT, NULL);
	request.internal_port = 8080;
	request.client = addr_of("192.168.1.11");
	expect(both, &request, IGW_NOT_REQUESTER, NULL);
}

/* The built-in deny list, port by port, with nothing but the default rule's shape. */
static void test_deny_list(void **state)
{
	static const uint16_t listed[] = { 1080, 1433, 1434, 1521, 1883, 2049, 2375, 2376,
		2869, 3128, 3260, 3306, 3389, 3702, 5353, 5355, 5357, 5358, 5432, 5445,
		5555, 5800, 5801, 5900, 5901, 5902, 5903, 5938, 5985, 5986, 6379, 6443,
		7547, 8291, 9100, 9200, 10250, 11211, 27017, 32764, 37215, 49152, 52869 };
	struct policy *policy = policy_of(RULES("{'name':'any','action':'allow'}"));
	struct policy_request request = plain_request();

	(void)state;
	request.n_http_ports = 0;
	for (unsigned port = 1; port <= UINT16_MAX; port++) {
		bool floor = port == 135 || (port >= 137 && port <= 139) || port == 445 ||
			     port == 1900 || port == 5350 || port == 5351;
		bool in = port < 1024;

		if (floor)
			continue;
		request.external_port = (uint16_t)port;
		request.internal_port = 8080;
		assert_int_equal(policy_evaluate(policy, &request, &idle, NOW).reason,
			in ? IGW_SENSITIVE_PORT : IGW_OK);
		for (size_t i = 0; i < COUNT(listed); i++)
			in = in || listed[i] == port;
		request.external_port = 8080;
		request.internal_port = (uint16_t)port;
		assert_int_equal(policy_evaluate(policy, &request, &idle, NOW).reason,
			in ? IGW_SENSITIVE_PORT : IGW_OK);
	}
	policy_free(policy);
}

/* What lifts the list, and what does not: 2222 -> 22. */
static void test_exception(void **state)
{
	static const struct {
		const char *keys;
		bool lifts;
	} cases[] = {
		{ "'clients':['192.168.1.10'],'internal_ports':[22],'reason':'ssh'",
			true },
		{ "'clients':['192.168.1.10/32'],'internal_ports':['22-23'],'reason':'x'",
			true },
		{ "'clients':['02:00:00:00:00:10'],'internal_ports':[22],'reason':'x'",
			true },
		{ "'clients':['192.168.1.10','fd00::1','02:00:00:00:00:11'],"
		  "'internal_ports':[22],'reason':'x'",
			true },
		{ "'internal_ports':[22],'reason':'x'", false },
		{ "'clients':['192.168.1.10'],'internal_ports':[22]", false },
		{ "'clients':['192.168.1.10'],'reason':'x'", false },
		{ "'clients':['192.168.1.10'],'external_ports':[2222],'reason':'x'",
			false },
		{ "'clients':['192.168.1.0/24'],'internal_ports':[22],'reason':'x'",
			false },
		{ "'clients':['192.168.1.10','192.168.1.8/31'],'internal_ports':[22],"
		  "'reason':'x'",
			false },
		{ "'clients':['192.168.1.10'],'internal_ports':[23],'reason':'x'",
			false },
		{ "'clients':['192.168.1.11'],'internal_ports':[22],'reason':'x'",
			false },
	};
	struct policy_request request = plain_request();
	char text[FIXTURE_TEXT];

	(void)state;
	request.external_port = 2222;
	request.internal_port = 22;
	for (size_t i = 0; i < COUNT(cases); i++) {
		snprintf(text, sizeof(text),
			RULES(DEFAULT_RULE ",{'name':'r','action':'allow',%s}"),
			cases[i].keys);
		expect(text, &request, cases[i].lifts ? IGW_OK : IGW_SENSITIVE_PORT,
			cases[i].lifts ? "r" : NULL);
	}
	/* A rule that does not lift is passed over; a later one may. */
	expect(RULES("{'name':'a','action':'allow'},{'name':'b','action':'allow','clients':["
		     "'192.168.1.10'],'internal_ports':[22],'reason':'x'}"),
		&request, IGW_OK, "b");
	expect(RULES("{'name':'a','action':'allow'},{'name':'d','action':'deny'}"),
		&request, IGW_RULE, "d");
}

/* Both sides are on the list: each must be named. 80 -> 80. */
static void test_exception_sides(void **state)
{
	struct policy_request request = plain_request();

	(void)state;
	request.external_port = 80;
	request.internal_port = 80;
#define WEB(ports)                                                                          \
	RULES("{'name':'r','action':'allow','clients':['192.168.1.10'],'reason':'x'," ports \
	      "}")
	expect(WEB("'external_ports':[80],'internal_ports':[80]"), &request, IGW_OK, "r");
	expect(WEB("'external_ports':[80]"), &request, IGW_SENSITIVE_PORT, NULL);
	expect(WEB("'internal_ports':[80]"), &request, IGW_SENSITIVE_PORT, NULL);
	request.internal_port = 8080;
	expect(WEB("'external_ports':[80]"), &request, IGW_OK, "r");
	expect(WEB("'internal_ports':[8080]"), &request, IGW_SENSITIVE_PORT, NULL);
#undef WEB
}

static void test_allow_list(void **state)
{
	static const char text[] =
		"{'version':1,'mode':'allow-list','rules':["
		"{'name':'udp','action':'deny','protocols':['udp']},"
		"{'name':'all','action':'allow'},"
		"{'name':'pc','action':'allow','clients':['192.168.1.10']}]}";
	struct policy_request request = plain_request();

	(void)state;
	expect(text, &request, IGW_OK, "pc");
	request.protocol = IGW_UDP;
	expect(text, &request, IGW_RULE, "udp");
	request = plain_request();
	request.client = addr_of("192.168.1.11");
	request.internal_client = request.client;
	expect(text, &request, IGW_NO_RULE, NULL);
}

/* A router that does not know the date yet keeps exceptions with an end shut, and
 * prohibitions with an end in force. */
static void test_clock_not_set(void **state)
{
	struct policy_request request = plain_request();

	(void)state;
	for (int64_t wall_s = 0; wall_s < INT64_C(1767225600); wall_s += 7654321) {
		expect_at(RULES("{'name':'r','action':'allow','until':'2099-01-01'}"),
			&request, wall_s, IGW_NO_RULE, NULL);
		expect_at(RULES("{'name':'r','action':'deny','until':'2099-01-01'}"),
			&request, wall_s, IGW_RULE, "r");
		expect_at(RULES(DEFAULT_RULE), &request, wall_s, IGW_OK, "high-ports");
	}
	expect_at(RULES("{'name':'r','action':'allow','until':'2099-01-01'}"), &request,
		INT64_C(1767225600), IGW_OK, "r");
	expect_at(RULES(DEFAULT_RULE), &request, INT64_MIN, IGW_OK, "high-ports");
	expect_at(RULES(DEFAULT_RULE), &request, INT64_MAX - 1, IGW_OK, "high-ports");
}

static uint32_t lease(const char *text, uint32_t asked_s, int64_t wall_s)
{
	struct policy_request request = plain_request();

	request.lease_s = asked_s;
	return judge(text, &request, wall_s).lease_s;
}

static void test_lease(void **state)
{
	static const char bounds[] =
		"{'version':1,'lease':{'min_s':100,'max_s':1000,'zero_s':500},"
		"'rules':[{'name':'r','action':'allow'}]}";
	static const char capped[] =
		"{'version':1,'lease':{'min_s':100,'max_s':1000,'zero_s':500},"
		"'rules':[{'name':'r','action':'allow','max_lease_s':60}]}";
	static const char ending[] = RULES(
		"{'name':'r','action':'allow','max_lease_s':60,'until':'2026-11-01'}");

	(void)state;
	assert_int_equal(lease(bounds, 0, NOW), 500);
	assert_int_equal(lease(bounds, 1, NOW), 100);
	assert_int_equal(lease(bounds, 100, NOW), 100);
	assert_int_equal(lease(bounds, 700, NOW), 700);
	assert_int_equal(lease(bounds, 1000, NOW), 1000);
	assert_int_equal(lease(bounds, 1001, NOW), 1000);
	assert_int_equal(lease(bounds, UINT32_MAX, NOW), 1000);
	assert_int_equal(lease(capped, 0, NOW), 60);
	assert_int_equal(lease(capped, 59, NOW), 60);
	assert_int_equal(lease(RULES(DEFAULT_RULE), 0, NOW), 604800);
	assert_int_equal(lease(RULES(DEFAULT_RULE), 1, NOW), 120);
	assert_int_equal(lease(RULES(DEFAULT_RULE), UINT32_MAX, NOW), 604800);
	assert_int_equal(lease(ending, 0, NOW), 60);
	assert_int_equal(lease(ending, 0, NOW + 86400 - 60), 60);
	assert_int_equal(lease(ending, 0, NOW + 86400 - 59), 59);
	assert_int_equal(lease(ending, 0, NOW + 86400 - 1), 1);
	assert_int_equal(lease(ending, 0, NOW + 86400), 0);
}

static void test_quota(void **state)
{
	static const char text[] =
		"{'version':1,'limits':{'per_client':8,'total':20,'reserved_per_client':2},"
		"'rules':[{'name':'r','action':'allow'}]}";
	static const struct {
		struct policy_usage usage;
		enum igw_reason reason;
	} cases[] = {
		{ { .client = 7, .total = 7 }, IGW_OK },
		{ { .client = 8, .total = 8 }, IGW_QUOTA_CLIENT },
		{ { .client = 9, .total = 9 }, IGW_QUOTA_CLIENT },
		{ { .client = 8, .total = 20, .renewal = true }, IGW_OK },
		{ { .client = 2, .total = 15, .reserved = 4 }, IGW_OK },
		{ { .client = 2, .total = 16, .reserved = 4 }, IGW_QUOTA_TOTAL },
		{ { .client = 1, .total = 16, .reserved = 4 }, IGW_OK },
		{ { .client = 0, .total = 19, .reserved = 400 }, IGW_OK },
		{ { .client = 1, .total = 20 }, IGW_QUOTA_TOTAL },
		{ { .client = 7, .total = 20 }, IGW_QUOTA_TOTAL },
		{ { .client = 2, .total = 1, .reserved = UINT32_MAX }, IGW_QUOTA_TOTAL },
		{ { .client = 8, .total = 20 }, IGW_QUOTA_CLIENT },
	};
	struct policy *policy = policy_of(text);
	struct policy_request request = plain_request();
	struct policy_verdict verdict;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		verdict = policy_evaluate(policy, &request, &cases[i].usage, NOW);
		assert_int_equal(verdict.reason, cases[i].reason);
		assert_true((verdict.rule != NULL) == (verdict.reason == IGW_OK));
		assert_true((verdict.lease_s > 0) == (verdict.reason == IGW_OK));
	}
	/* What is forbidden is called forbidden, quota or not. */
	request.internal_port = 445;
	verdict = policy_evaluate(policy, &request, &cases[1].usage, NOW);
	assert_int_equal(verdict.reason, IGW_SMB_PORT);
	request.internal_port = 22;
	verdict = policy_evaluate(policy, &request, &cases[1].usage, NOW);
	assert_int_equal(verdict.reason, IGW_SENSITIVE_PORT);
	policy_free(policy);
}

static void test_deny_all(void **state)
{
	struct policy *policy = NULL;
	struct policy_request request = plain_request();

	(void)state;
	assert_int_equal(policy_deny_all(&policy), 0);
	assert_int_equal(
		policy_evaluate(policy, &request, &idle, NOW).reason, IGW_NO_RULE);
	request.internal_port = 445;
	assert_int_equal(
		policy_evaluate(policy, &request, &idle, NOW).reason, IGW_SMB_PORT);
	assert_int_equal(policy_rule_count(policy), 0);
	assert_int_equal(policy_limits(policy)->per_client, 32);
	assert_int_equal(policy_rates(policy)->changes_per_min, 30);
	policy_free(policy);
	policy_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_first_match),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_via),
		cmocka_unit_test(test_unknown_mac),
		cmocka_unit_test(test_third_party),
		cmocka_unit_test(test_deny_list),
		cmocka_unit_test(test_exception),
		cmocka_unit_test(test_exception_sides),
		cmocka_unit_test(test_allow_list),
		cmocka_unit_test(test_clock_not_set),
		cmocka_unit_test(test_lease),
		cmocka_unit_test(test_quota),
		cmocka_unit_test(test_deny_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
