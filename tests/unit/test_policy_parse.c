/* What is wrong with a policy file, and where. */
#include "policy_fixture.h"

#include <errno.h>

static const struct {
	const char *text;
	unsigned line, column;
	const char *pointer;
	const char *message; /* part of it */
} broken[] = {
	{ "", 1, 1, "", "expected near end of file" },
	{ "{", 1, 1, "", "expected near end of file" },
	{ "{'version':1,}", 1, 14, "", "near '}'" },
	{ "{'version':1}\n x", 2, 2, "", "end of file expected" },
	{ "{'version':1,\n'version':1}", 2, 9, "", "duplicate object key" },
	{ "{'version':NaN}", 1, 14, "", "invalid token near 'NaN'" },
	{ "\xef\xbb\xbf{}", 1, 1, "", "byte order mark" },
	{ "\xef\xbb\xbf", 1, 1, "", "byte order mark" },
	{ "[\xc3\xa9]", 1, 3, "", "invalid token near '?\?'" },
	{ "]", 1, 1, "", "expected near ']'" },
	{ "{'\\u0076ersion':1,'mode':false}", 1, 26, "/mode", "found false; must be" },
	{ "{'version':1,'$schema':',\\'},{','mode':'x'}", 1, 40, "/mode",
		"the string \"x\"" },
	{ "{'version' : 1 , '$schema' : 'x' , 'mode' : 'y' }", 1, 45, "/mode", "\"y\"" },
	{ "\xef\xbb", 1, 1, "", "unable to decode" },
	{ "{'version':'\x01'}", 1, 12, "", "control character" },
	{ "{'version':1,\n'rules':[[[[[[[[1]]]]]]]]}", 2, 16, "", "at most 8 levels" },
	{ "{'version':1,'x':'[[[[[[[[[\\'[[[[{{{{'}", 1, 14, "/x", "unknown key" },
	{ "[]", 1, 1, "", "found a list; must be an object" },
	{ " {}", 1, 2, "", "\"version\" is missing; it must be 1" },
	{ "{'version':2,'later':1}", 1, 12, "/version", "found the number 2; must be 1" },
	{ "{'version':1.0}", 1, 12, "/version", "fraction or exponent" },
	{ "{'version':1,'$schema':[]}", 1, 24, "/$schema",
		"found a list; must be a string" },
	{ "{'version':1,'limit':{}}", 1, 14, "/limit", "did you mean \"limits\"?" },
	{ "{'version':1,\n\t'zzzz':{}}", 2, 2, "/zzzz",
		"known here: $schema, version, mode" },
	{ "{'version':1,'\\u0072ule':[]}", 1, 14, "/rule", "did you mean \"rules\"?" },
	{ "{'version':1,'a/b~c':[]}", 1, 14, "/a~1b~0c", "unknown key \"a/b~c\"" },
	{ "{'version':1,'\\n':1}", 1, 14, "/", "unknown key \"\\x0a\"" },
	{ "{'version':1,'\xe2\x80\xae':1}", 1, 14, "/",
		"unknown key \"\\xe2\\x80\\xae\"" },
	{ "{'version':1,'mode':'learn'}", 1, 21, "/mode",
		"\"learn\" is planned but not in" },
	{ "{'version':1,'mode':'open'}", 1, 21, "/mode",
		"found the string \"open\"; must be \"default\" or \"allow-list\"" },
	{ "{'version':1,'limits':7}", 1, 23, "/limits",
		"the number 7; must be an object" },
	{ "{'version':1,'limits':{'total':true}}", 1, 32, "/limits/total",
		"found true; must be a whole number from 1 to 65535" },
	{ "{'version':1,'limits':{'per_client':17,'total':16}}", 1, 37,
		"/limits/per_client",
		"found 17; must not be above \"total\", which is 16" },
	{ "{'version':1,'lease':{'mins':1}}", 1, 23, "/lease/mins",
		"did you mean \"min_s\"?" },
	{ "{'version':1,'lease':{'max_s':119,'min_s':120}}", 1, 43, "/lease/min_s",
		"found 120; must not be above \"max_s\", which is 119" },
	{ "{'version':1,'rates':{'burst':0}}", 1, 31, "/rates/burst",
		"from 1 to 1000000" },
	{ "{'version':1,'rules':{}}", 1, 22, "/rules",
		"found an object; must be a list" },
	{ "{'version':1,'rules':[ null ]}", 1, 24, "/rules/0",
		"found null; must be an object" },
	{ "{'version':1,'rules':[{}]}", 1, 23, "/rules/0", "the rule has no \"name\"" },
	{ "{'version':1,'rules':[{'name':'a'}]}", 1, 23, "/rules/0", "no \"action\"" },
	{ "{'version':1,'rules':[{'name':'a','action':'allow','port':[80]}]}", 1, 52,
		"/rules/0/port", "unknown key \"port\"" },
	{ "{'version':1,'rules':[{'name':'a','action':'deny','via':['pcp']},\n"
	  "{'name':'b','action':'deny'}, {'action':'deny', 'name' : 'a'}]}",
		2, 58, "/rules/2/name", "rule 0 has the name \"a\" already" },
	{ "{'version':1,'rules':[{'name':'a','action':'deny',\n"
	  "'clients':['10.0.0.1',[1,2],{'a':[]}]}]}",
		2, 23, "/rules/0/clients/1", "found a list; must be an address" },
	{ "{'version':1,'rules':[{'reason':'],}','name':'a','action':'allow',\n"
	  "'internal_ports':[1, {'a':'[,'}, '2-1']}]}",
		2, 22, "/rules/0/internal_ports/1", "found an object; must be a port" },
	{ "{'version':1,'rules':[{'name':'worm','action':'allow','internal_ports':[445]}]}",
		1, 73, "/rules/0/internal_ports/0", "rule \"worm\" allows SMB ports" },
	{ "{'version':1,'rules':[{'name':'a','action':'allow','external_ports':['445-440']}]}",
		1, 70, "/rules/0/external_ports/0", "found the string \"445-440\"" },
};

static void test_broken(void **state)
{
	struct policy *untouched = (struct policy *)&broken, *policy = untouched;
	struct policy_report report;
	const struct policy_note *error = &report.error;

	(void)state;
	for (size_t i = 0; i < COUNT(broken); i++) {
		memset(&report, 0x5a, sizeof(report));
		assert_int_equal(parse_quoted(broken[i].text, &policy, &report), -EINVAL);
		if (!strstr(error->message, broken[i].message) ||
			strcmp(error->pointer, broken[i].pointer) != 0 ||
			error->line != broken[i].line ||
			error->column != broken[i].column) {
			print_message("%s\n%u:%u: %s: %s\n", broken[i].text, error->line,
				error->column, error->pointer, error->message);
			fail();
		}
		assert_ptr_equal(policy, untouched);
		assert_int_equal(report.n_warnings, 0);
	}
}

/* A file that is cut off anywhere is refused, and no byte behind it is read. */
static void test_truncated(void **state)
{
	static const char text[] =
		"{'version':1,'rules':[{'name':'a\\'\\\\b','action':'allow','clients':"
		"['192.168.1.7'],'external_ports':['1024-65535',80]}],'limits':{'total':7}}";
	struct policy_report report;
	struct policy *policy = NULL;
	char cut[sizeof(text)];

	(void)state;
	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		memcpy(cut, text, len);
		cut[len] = '\0';
		assert_int_equal(parse_quoted(cut, &policy, &report), -EINVAL);
		assert_true(report.error.message[0] != '\0');
	}
	assert_null(policy);
}

static void test_size(void **state)
{
	static const char text[] = "{\"version\":1}";
	struct policy_report report;
	struct policy *policy = NULL;
	char *big = malloc(POLICY_TEXT_MAX + 1);

	(void)state;
	assert_non_null(big);
	memset(big, ' ', POLICY_TEXT_MAX + 1);
	memcpy(big, text, sizeof(text) - 1);
	assert_int_equal(policy_parse(big, POLICY_TEXT_MAX, &policy, &report), 0);
	policy_free(policy);
	policy = NULL;
	assert_int_equal(
		policy_parse(big, POLICY_TEXT_MAX + 1, &policy, &report), -EFBIG);
	assert_null(policy);
	assert_string_equal(report.error.message, "1048577 bytes; at most 1048576");
	assert_int_equal(policy_parse(NULL, 0, &policy, &report), -EINVAL);
	free(big);
}

/* The largest number of rules, the largest list, and one more of each. */
static void test_counts(void **state)
{
	char *text = malloc(POLICY_TEXT_MAX);
	struct policy_report report;
	struct policy *policy = NULL;
	int at, r;

	(void)state;
	assert_non_null(text);
	for (int n = POLICY_RULES_MAX; n <= POLICY_RULES_MAX + 1; n++) {
		at = sprintf(text, "{'version':1,'rules':[");
		for (int i = 0; i < n; i++)
			at += sprintf(text + at,
				"%s{'name':'r%d','action':'allow','external_ports':[%d]}",
				i ? "," : "", i, 10000 + 2 * i);
		sprintf(text + at, "]}");
		r = parse_quoted(text, &policy, &report);
		assert_int_equal(r, n > POLICY_RULES_MAX ? -EINVAL : 0);
	}
	assert_string_equal(report.error.message, "found a list of 1025; at most 1024");
	assert_int_equal(policy_rule_count(policy), POLICY_RULES_MAX);
	policy_free(policy);
	for (int n = 256; n <= 257; n++) {
		at = sprintf(text, "{'version':1,'rules':[{'name':'r','action':'allow',"
				   "'clients':[");
		for (int i = 0; i < n; i++)
			at += sprintf(text + at, "%s'10.0.%d.%d'", i ? "," : "", i / 256,
				i % 256);
		sprintf(text + at, "]}]}");
		r = parse_quoted(text, &policy, &report);
		assert_int_equal(r, n > 256 ? -EINVAL : 0);
	}
	assert_string_equal(report.error.pointer, "/rules/0/clients");
	policy_free(policy);
	free(text);
}

static void expect_numbers(const char *text, const struct policy_limits *limits,
	const struct policy_rates *rates)
{
	struct policy *policy = policy_of(text);

	assert_memory_equal(policy_limits(policy), limits, sizeof(*limits));
	assert_memory_equal(policy_rates(policy), rates, sizeof(*rates));
	policy_free(policy);
}

static void test_numbers(void **state)
{
	struct policy_limits limits = { 32, 256, 2 };
	struct policy_rates rates = { 30, 20, 600, 1 };

	(void)state;
	expect_numbers("{'version':1}", &limits, &rates);
	expect_numbers("{'version':1,'limits':{},'rates':{}}", &limits, &rates);
	limits = (struct policy_limits){ 16, 16, 2 };
	expect_numbers("{'version':1,'limits':{'total':16}}", &limits, &rates);
	limits = (struct policy_limits){ 1, 256, 1 };
	expect_numbers("{'version':1,'limits':{'per_client':1}}", &limits, &rates);
	limits = (struct policy_limits){ 100, 65535, 0 };
	expect_numbers("{'version':1,'limits':{'reserved_per_client':0,'total':65535,"
		       "'per_client':100}}",
		&limits, &rates);
	limits = (struct policy_limits){ 32, 256, 2 };
	rates = (struct policy_rates){ 1, 2, 3, 4 };
	expect_numbers("{'version':1,'rates':{'searches_per_s':4,'reads_per_min':3,"
		       "'burst':2,'changes_per_min':1}}",
		&limits, &rates);
}

static void test_format(void **state)
{
	struct policy_note note = {
		.line = 3, .column = 14, .pointer = "/rules/0", .message = "found null"
	};
	char buf[POLICY_REPORT_TEXT], small[12];

	(void)state;
	assert_string_equal(policy_note_format(&note, "/etc/p.json", buf, sizeof(buf)),
		"/etc/p.json:3:14: /rules/0: found null");
	assert_string_equal(policy_note_format(&note, NULL, buf, sizeof(buf)),
		"3:14: /rules/0: found null");
	assert_string_equal(
		policy_note_format(&note, "", small, sizeof(small)), "3:14: /rule");
	note.pointer[0] = '\0';
	assert_string_equal(
		policy_note_format(&note, "p", buf, sizeof(buf)), "p:3:14: found null");
	note.line = 0;
	assert_string_equal(
		policy_note_format(&note, "p", buf, sizeof(buf)), "p: found null");
	assert_string_equal(
		policy_note_format(&note, NULL, buf, sizeof(buf)), "found null");
}

/* Pointers and messages too long for their fields are cut, and printable all the same. */
static void test_long_key(void **state)
{
	char text[600], key[400];
	struct policy_report report;
	struct policy *policy = NULL;

	(void)state;
	memset(key, '~', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	snprintf(text, sizeof(text), "{'version':1,'%s':1}", key);
	assert_int_equal(parse_quoted(text, &policy, &report), -EINVAL);
	assert_int_equal(report.error.column, 14);
	assert_true(strlen(report.error.pointer) < POLICY_POINTER_MAX);
	snprintf(text, sizeof(text),
		"{'version':1,'rules':[{'name':'a','action':'deny','%s':1}]}", key);
	assert_int_equal(parse_quoted(text, &policy, &report), -EINVAL);
	assert_int_equal(report.error.column, 51);
	assert_string_equal(report.error.pointer, "/rules/0");
	/* "/rules/0" and 59 characters of two bytes each: 127, the most there is room
	 * for. */
	key[59] = '\0';
	snprintf(text, sizeof(text),
		"{'version':1,'rules':[{'name':'a','action':'deny','%s':1}]}", key);
	assert_int_equal(parse_quoted(text, &policy, &report), -EINVAL);
	assert_int_equal(strlen(report.error.pointer), POLICY_POINTER_MAX - 1);
	key[59] = 'x';
	key[60] = '\0';
	snprintf(text, sizeof(text),
		"{'version':1,'rules':[{'name':'a','action':'deny','%s':1}]}", key);
	assert_int_equal(parse_quoted(text, &policy, &report), -EINVAL);
	assert_string_equal(report.error.pointer, "/rules/0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_long_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
