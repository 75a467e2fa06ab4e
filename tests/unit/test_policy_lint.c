/* Warnings: rules that do less than they say are named, rules that work are not. */
#include "policy_fixture.h"

#include <errno.h>

/* How often a part of a message must come up among the warnings of a policy. */
static void expect_warnings(const char *text, const char *part, size_t times)
{
	struct policy_report report;
	struct policy *policy = NULL;
	size_t found = 0;

	assert_int_equal(parse_quoted(text, &policy, &report), 0);
	policy_free(policy);
	for (size_t i = 0; i < report.n_warnings && i < POLICY_WARNINGS_MAX; i++) {
		assert_true(report.warnings[i].line > 0);
		if (strstr(report.warnings[i].message, part))
			found++;
	}
	if (found == times)
		return;
	for (size_t i = 0; i < report.n_warnings && i < POLICY_WARNINGS_MAX; i++)
		print_message("%s\n", report.warnings[i].message);
	print_message("%zu times \"%s\": %s\n", found, part, text);
	fail();
}

static void test_clean(void **state)
{
	(void)state;
	expect_warnings(RULES(DEFAULT_RULE), "", 0);
	expect_warnings(RULES("{'name':'x','action':'allow','clients':['192.168.1.10'],"
			      "'internal_ports':[22],'reason':'ssh'}," DEFAULT_RULE),
		"", 0);
	expect_warnings(
		RULES("{'name':'x','action':'deny','internal_ports':['1-1023',8080]},"
		      "{'name':'any','action':'allow'}"),
		"", 0);
}

static void test_floor(void **state)
{
	(void)state;
	/* A range that spans the floor's ports, on either side. */
	expect_warnings(
		RULES("{'name':'r','action':'allow','internal_ports':['1-65535']}"),
		"refused all the same", 1);
	expect_warnings(RULES("{'name':'r','action':'allow','external_ports':['444-446'],"
			      "'internal_ports':['130-135',8080]}"),
		"refused all the same", 2);
	expect_warnings(
		RULES("{'name':'r','action':'allow','external_ports':['140-444']}"),
		"refused all the same", 0);
	/* A deny rule that spans them means no harm; one that names them is idle. */
	expect_warnings(
		RULES("{'name':'r','action':'deny','internal_ports':['1-1023']}," DEFAULT_RULE),
		"", 0);
	expect_warnings(
		RULES("{'name':'r','action':'deny','internal_ports':[445]}," DEFAULT_RULE),
		"can never match: it names only ports that are refused", 1);
	expect_warnings(
		RULES("{'name':'r','action':'deny','internal_ports':[135,'137-139',445,8080]}," DEFAULT_RULE),
		"names ports that are refused before any rule", 1);
	/* One reason for being idle is enough. */
	expect_warnings(RULES(DEFAULT_RULE ",{'name':'d','action':'deny'},"
					   "{'name':'r','action':'deny',"
					   "'internal_ports':[445]}"),
		"can never match", 1);
	expect_warnings(RULES(DEFAULT_RULE ",{'name':'d','action':'deny'},"
					   "{'name':'r','action':'deny',"
					   "'external_ports':[445]}"),
		"can never match", 1);
	/* Control ports, also of an allow rule. */
	expect_warnings(
		RULES("{'name':'r','action':'allow','external_ports':[1900]}," DEFAULT_RULE),
		"can never match: it names only ports that are refused", 1);
	expect_warnings(
		RULES("{'name':'r','action':'allow','external_ports':[2000,'5350-5351']}," DEFAULT_RULE),
		"names ports that are refused before any rule", 1);
}

static void test_deny_list(void **state)
{
	(void)state;
	expect_warnings(RULES("{'name':'r','action':'allow','internal_ports':[22,8080]}"),
		"does not lift it", 1);
	expect_warnings(RULES("{'name':'r','action':'allow','internal_ports':[8080],"
			      "'external_ports':[80]}"),
		"does not lift it", 1);
	expect_warnings(
		RULES("{'name':'r','action':'allow','internal_ports':['22-8080']}"),
		"does not lift it", 0);
	expect_warnings(
		RULES("{'name':'r','action':'deny','internal_ports':[22]}," DEFAULT_RULE),
		"", 0);
	/* Idle already, so that nothing is said of the rule before it. */
	expect_warnings(RULES(DEFAULT_RULE
				",{'name':'r','action':'allow','internal_ports':[3389]}"),
		"", 1);
}

static void test_keys(void **state)
{
	(void)state;
	expect_warnings(
		RULES("{'name':'r','action':'deny','third_party':true,'max_lease_s':9,"
		      "'protocols':['udp']}," DEFAULT_RULE),
		"without effect", 2);
	expect_warnings(RULES("{'name':'r','action':'allow','third_party':true}"),
		"every host may open ports of every other", 1);
	expect_warnings(RULES("{'name':'r','action':'allow','third_party':true,"
			      "'clients':['192.168.1.10']}"),
		"", 0);
	expect_warnings("{'version':1}", "every request will be refused", 1);
	expect_warnings(RULES("{'name':'r','action':'deny'}"),
		"every request will be refused", 1);
	expect_warnings("{'version':1,'mode':'allow-list','rules':[{'name':'r','action':"
			"'allow'},{'name':'s','action':'allow','clients':['10.0.0.1']},"
			"{'name':'t','action':'deny'}]}",
		"", 1);
	expect_warnings("{'version':1,'mode':'allow-list','rules':["
			"{'name':'r','action':'allow'}]}",
		"must name \"clients\"", 1);
	expect_warnings("{'version':1,'mode':'allow-list','rules':["
			"{'name':'r','action':'allow'}]}",
		"every request will be refused", 1);
}

#define PAIR(first, later)                                                               \
	RULES("{'name':'first','action':" first "},{'name':'later','action':" later "}")

static void expect_shadow(const char *text, bool shadowed)
{
	expect_warnings(text, "rule \"later\" can never match: rule \"first\" before it",
		shadowed ? 1 : 0);
}

static void test_shadow_keys(void **state)
{
	(void)state;
	expect_shadow(PAIR("'deny'", "'allow'"), true);
	expect_shadow(PAIR("'deny'", "'deny','clients':['10.0.0.1']"), true);
	expect_shadow(PAIR("'deny','clients':['10.0.0.0/8']", "'allow'"), false);
	expect_shadow(PAIR("'deny','clients':['10.0.0.0/8']",
			      "'allow','clients':['10.1.0.0/16','10.0.0.1']"),
		true);
	expect_shadow(PAIR("'deny','clients':['10.0.0.0/8']",
			      "'allow','clients':['10.1.0.0/16','11.0.0.1']"),
		false);
	expect_shadow(PAIR("'deny','clients':['10.0.0.0/16']",
			      "'allow','clients':['10.0.0.0/8']"),
		false);
	expect_shadow(
		PAIR("'deny','clients':['0.0.0.0/0']", "'allow','clients':['::/0']"),
		false);
	expect_shadow(PAIR("'deny','clients':['02:00:00:00:00:01','02:00:00:00:00:02']",
			      "'allow','clients':['02:00:00:00:00:02']"),
		true);
	expect_shadow(PAIR("'deny','clients':['02:00:00:00:00:01']",
			      "'allow','clients':['02:00:00:00:00:02']"),
		false);
	expect_shadow(PAIR("'deny','clients':['0.0.0.0/0']",
			      "'allow','clients':['02:00:00:00:00:02']"),
		false);
	expect_shadow(
		PAIR("'deny','protocols':['udp']", "'allow','protocols':['udp']"), true);
	expect_shadow(PAIR("'deny','protocols':['udp']", "'allow'"), false);
	expect_shadow(
		PAIR("'deny','via':['pcp','upnp']", "'allow','via':['upnp']"), true);
	expect_shadow(PAIR("'deny','via':['pcp']", "'allow','via':['upnp']"), false);
	expect_shadow(PAIR("'deny','interfaces':['a','b']", "'allow','interfaces':['b']"),
		true);
	expect_shadow(
		PAIR("'deny','interfaces':['a']", "'allow','interfaces':['b']"), false);
	expect_shadow(PAIR("'deny','interfaces':['a']", "'allow'"), false);
	expect_shadow(PAIR("'deny','internal_ports':['1024-9000','9001-65535']",
			      "'allow','internal_ports':[8080,'8999-9002']"),
		true);
	expect_shadow(PAIR("'deny','internal_ports':['1024-9000']",
			      "'allow','internal_ports':[8080,9001]"),
		false);
	expect_shadow(PAIR("'deny','external_ports':[8080]", "'allow'"), false);
	expect_shadow(PAIR("'deny','external_ports':['1-65535']", "'allow'"), true);
}

static void test_shadow_time(void **state)
{
	(void)state;
	expect_shadow(PAIR("'deny','until':'2027-01-31'", "'allow'"), false);
	expect_shadow(PAIR("'deny','until':'2027-01-31'", "'allow','until':'2027-01-31'"),
		true);
	expect_shadow(PAIR("'deny','until':'2027-01-31'", "'allow','until':'2027-02-01'"),
		false);
	/* While the clock is not set the allow rule waits and the deny rule holds. */
	expect_shadow(PAIR("'allow','third_party':true,'clients':['10.0.0.1'],"
			   "'internal_ports':[8080],'external_ports':[8080],"
			   "'until':'2027-01-31'",
			      "'deny','clients':['10.0.0.1'],'internal_ports':[8080],"
			      "'external_ports':[8080],'until':'2027-01-31'"),
		false);
	expect_shadow(
		PAIR("'allow','until':'2027-01-31'", "'allow','until':'2027-01-30'"),
		true);
}

/* An allow rule passes over requests for others and over the deny list's ports. */
static void test_shadow_allow(void **state)
{
	(void)state;
	expect_shadow(PAIR("'allow'", "'allow','protocols':['udp']"), true);
	expect_shadow(PAIR("'allow'", "'deny'"), false);
	expect_shadow(PAIR("'allow'", "'deny','external_ports':[8080],"
				      "'internal_ports':[8080]"),
		false);
	expect_shadow(PAIR("'allow','third_party':true", "'deny','external_ports':[8080],"
							 "'internal_ports':[8080]"),
		true);
	expect_shadow(
		PAIR("'allow','third_party':true", "'deny','external_ports':[8080]"),
		false);
	expect_shadow(
		PAIR("'allow'", "'allow','third_party':true,'clients':['10.0.0.1']"),
		false);
	expect_shadow(PAIR("'allow','third_party':true",
			      "'allow','third_party':true,'clients':['10.0.0.1']"),
		true);
	expect_shadow(PAIR("'allow'", "'allow','clients':['10.0.0.1'],'reason':'x',"
				      "'internal_ports':[22]"),
		false);
	expect_shadow(PAIR("'allow'", "'allow','clients':['10.0.0.1'],'reason':'x',"
				      "'internal_ports':[8080]"),
		true);
	expect_shadow(PAIR("'allow','clients':['10.0.0.1'],'reason':'x',"
			   "'internal_ports':[22,8080]",
			      "'allow','clients':['10.0.0.1'],'reason':'x',"
			      "'internal_ports':[22]"),
		true);
	expect_shadow(PAIR("'allow'", "'allow','clients':['10.0.0.1'],'reason':'x',"
				      "'external_ports':[80]"),
		false);
}
#undef PAIR

static void test_many(void **state)
{
	struct policy_report report;
	struct policy *policy = NULL;
	char text[FIXTURE_TEXT] = "{'version':1,'rules':[{'name':'r','action':'deny'}";
	size_t at = strlen(text);

	(void)state;
	for (int i = 0; i < 20; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at,
			",{'name':'r%d','action':'deny'}", i);
	snprintf(text + at, sizeof(text) - at, "]}");
	assert_int_equal(parse_quoted(text, &policy, &report), 0);
	policy_free(policy);
	assert_int_equal(report.n_warnings, 21);
	assert_string_equal(report.warnings[7].pointer, "/rules/8");
	assert_string_equal(report.error.message, "");
	/* Warnings that came before an error are kept. */
	assert_int_equal(
		parse_quoted(RULES("{'name':'a','action':'deny','internal_ports':["
				   "445]},{'name':'b','action':'dny'}"),
			&policy, &report),
		-EINVAL);
	assert_int_equal(report.n_warnings, 1);
	assert_string_equal(report.error.pointer, "/rules/1/action");
}

/* A huge file is read all the same, and in time: rules whose clients differ at the end.
 */
static void test_bounded(void **state)
{
	char *text = malloc(POLICY_TEXT_MAX);
	struct policy_report report;
	struct policy *policy = NULL;
	int at;

	(void)state;
	assert_non_null(text);
	at = sprintf(text, "{'version':1,'rules':[");
	for (int i = 0; i < 250; i++) {
		at += sprintf(text + at, "%s{'name':'r%d','action':'allow','clients':[",
			i ? "," : "", i);
		for (int j = 0; j < 255; j++)
			at += sprintf(text + at, "'10.0.0.%d',", j);
		at += sprintf(text + at, "'10.1.0.%d']}", i);
	}
	/* Found without a look at clients. */
	sprintf(text + at,
		",{'name':'d','action':'deny'},{'name':'x','action':'allow'}]}");
	assert_int_equal(parse_quoted(text, &policy, &report), 0);
	assert_int_equal(report.n_warnings, 1);
	assert_string_equal(report.warnings[0].pointer, "/rules/251");
	policy_free(policy);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_floor),
		cmocka_unit_test(test_deny_list),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_shadow_keys),
		cmocka_unit_test(test_shadow_time),
		cmocka_unit_test(test_shadow_allow),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
