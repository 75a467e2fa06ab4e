/* What no policy can lift: rate, syntax, SMB and control ports, targets. */
#include "policy_fixture.h"

static void test_rate(void **state)
{
	struct policy *policy = policy_of(RULES(DEFAULT_RULE));
	struct policy_usage usage = { .over_rate = true, .renewal = true };
	struct policy_request request = plain_request();
	struct policy_verdict verdict;

	(void)state;
	verdict = policy_evaluate(policy, &request, &usage, NOW);
	assert_int_equal(verdict.reason, IGW_RATE);
	assert_null(verdict.rule);
	request.internal_port = 445;
	verdict = policy_evaluate(policy, &request, &usage, NOW);
	assert_int_equal(verdict.reason, IGW_RATE);
	usage.over_rate = false;
	verdict = policy_evaluate(policy, &request, &usage, NOW);
	assert_int_equal(verdict.reason, IGW_SMB_PORT);
	policy_free(policy);
}

static void test_syntax(void **state)
{
	struct policy_request request = plain_request();

	(void)state;
	request.protocol = (enum igw_protocol)0;
	expect(widest, &request, IGW_BAD_ARGUMENT, NULL);
	request.protocol = (enum igw_protocol)1;
	expect(widest, &request, IGW_BAD_ARGUMENT, NULL);
	request.protocol = (enum igw_protocol)(256 + IGW_TCP);
	expect(widest, &request, IGW_BAD_ARGUMENT, NULL);
	request = plain_request();
	request.external_port = 0;
	expect(widest, &request, IGW_BAD_ARGUMENT, NULL);
	request = plain_request();
	request.internal_port = 0;
	expect(widest, &request, IGW_BAD_ARGUMENT, NULL);
}

/* Every port, on each side alone, under the widest policy. */
static void test_floor_ports(void **state)
{
	struct policy *policy = policy_of(widest);
	struct policy_request request;
	enum igw_reason reason;

	(void)state;
	for (unsigned port = 1; port <= UINT16_MAX; port++) {
		reason = IGW_OK;
		if (port == 135 || (port >= 137 && port <= 139) || port == 445)
			reason = IGW_SMB_PORT;
		if (port == 1900 || port == 5350 || port == 5351 || port == 5000 ||
			port == 5001)
			reason = IGW_CONTROL_PORT;
		request = plain_request();
		request.internal_port = (uint16_t)port;
		assert_int_equal(
			policy_evaluate(policy, &request, &idle, NOW).reason, reason);
		request.protocol = IGW_UDP;
		request.internal_port = 47669;
		request.external_port = (uint16_t)port;
		assert_int_equal(
			policy_evaluate(policy, &request, &idle, NOW).reason, reason);
	}
	request = plain_request();
	request.http_ports = NULL;
	request.n_http_ports = 0;
	request.internal_port = 5000;
	assert_int_equal(policy_evaluate(policy, &request, &idle, NOW).reason, IGW_OK);
	policy_free(policy);
}

static void test_floor_addresses(void **state)
{
	static const char *const special[] = { "0.0.0.0", "0.1.2.3", "0.255.255.255",
		"127.0.0.1", "127.255.255.255", "169.254.0.0", "169.254.1.1", "224.0.0.1",
		"239.255.255.250", "240.0.0.1", "255.255.255.255", "::", "::1", "::2",
		"::1.2.3.4", "fe80::1", "febf::1", "fec0::1", "ff02::1", "ff0e::1",
		"64:ff9b::1.2.3.4", "100::1", "2001::1", "2001:0:4136::1", "2002::1",
		"2002:c0a8:10a::1", "4000::1", "8000::1", "c000::1", "e000::1", "f000::1",
		"fb00::1", "fe00::1" };
	static const char *const hosts[] = { "1.0.0.1", "126.0.0.1", "128.0.0.1",
		"169.253.255.255", "169.255.0.1", "223.255.255.254", "100.64.0.1",
		"2001:1::1", "2001:db8::1", "2003::1", "2a00::1", "3fff::1", "fc00::1",
		"fdff::1" };
	struct policy_request request = plain_request();

	(void)state;
	for (size_t i = 0; i < COUNT(special); i++) {
		request.internal_client = addr_of(special[i]);
		expect(widest, &request, IGW_SPECIAL_ADDRESS, NULL);
	}
	for (size_t i = 0; i < COUNT(hosts); i++) {
		request.internal_client = addr_of(hosts[i]);
		expect(widest, &request, IGW_OK, "all");
	}
}

static void test_floor_targets(void **state)
{
	struct policy_request request = plain_request();

	(void)state;
	request.target = POLICY_TARGET_SPECIAL;
	expect(widest, &request, IGW_SPECIAL_ADDRESS, NULL);
	request.target = POLICY_TARGET_ROUTER;
	expect(widest, &request, IGW_ROUTER_TARGET, NULL);
	request.target = POLICY_TARGET_OFF_LAN;
	expect(widest, &request, IGW_OFF_LAN, NULL);
	/* What no caller should ever say counts as the worst. */
	request.target = (enum policy_target)77;
	expect(widest, &request, IGW_OFF_LAN, NULL);
}

/* When several things are wrong. */
static void test_floor_order(void **state)
{
	struct policy_request request = plain_request();

	(void)state;
	/* EternalSilence, in the default policy: 47669 -> 445 of the requester. */
	request.external_port = 47669;
	request.internal_port = 445;
	expect(RULES(DEFAULT_RULE), &request, IGW_SMB_PORT, NULL);
	/* The same at the router, off the LAN, and nowhere at all. */
	request.target = POLICY_TARGET_ROUTER;
	expect(widest, &request, IGW_SMB_PORT, NULL);
	request.target = POLICY_TARGET_OFF_LAN;
	expect(widest, &request, IGW_SMB_PORT, NULL);
	request.internal_client = addr_of("0.0.0.0");
	expect(widest, &request, IGW_SMB_PORT, NULL);
	/* UPnProxy: internet hosts, also as the next router's SSDP port. */
	request.internal_client = addr_of("198.51.100.7");
	request.internal_port = 80;
	expect(RULES(DEFAULT_RULE), &request, IGW_OFF_LAN, NULL);
	request.internal_port = 1900;
	expect(RULES(DEFAULT_RULE), &request, IGW_OFF_LAN, NULL);
	/* The router's own page. */
	request.internal_client = addr_of("192.168.1.1");
	request.target = POLICY_TARGET_ROUTER;
	request.internal_port = 5000;
	expect(RULES(DEFAULT_RULE), &request, IGW_ROUTER_TARGET, NULL);
	/* Loopback is the router by route, but special by number. */
	request.internal_client = addr_of("127.0.0.1");
	expect(RULES(DEFAULT_RULE), &request, IGW_SPECIAL_ADDRESS, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_floor_ports),
		cmocka_unit_test(test_floor_addresses),
		cmocka_unit_test(test_floor_targets),
		cmocka_unit_test(test_floor_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
