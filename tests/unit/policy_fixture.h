/*
 * What the tests of the policy share: JSON that can be read in C source, with ' for ",
 * and a request that the default policy allows.
 */
#ifndef IGDWARD_TEST_POLICY_FIXTURE_H
#define IGDWARD_TEST_POLICY_FIXTURE_H

#include "policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* 2026-11-01T00:00:00Z */
#define NOW INT64_C(1793491200)

enum {
	FIXTURE_TEXT = 4096,
};

/* Parses the text in a block of exactly its length, so that reading on is seen. */
static inline int parse_quoted(
	const char *text, struct policy **ret, struct policy_report *report)
{
	size_t len = strlen(text);
	char *copy = malloc(len > 0 ? len : 1);
	int r;

	assert_non_null(copy);
	for (size_t i = 0; i < len; i++)
		copy[i] = text[i] == '\'' ? '"' : text[i];
	r = policy_parse(copy, len, ret, report);
	free(copy);
	return r;
}

static inline struct policy *policy_of(const char *text)
{
	struct policy *policy = NULL;
	struct policy_report report;
	char buf[POLICY_REPORT_TEXT];

	if (parse_quoted(text, &policy, &report) < 0) {
		print_message("%s\n%s\n", text,
			policy_note_format(&report.error, "test", buf, sizeof(buf)));
		fail();
	}
	return policy;
}

static inline struct igw_addr addr_of(const char *text)
{
	struct igw_addr addr;

	assert_int_equal(igw_addr_parse(text, &addr), 0);
	return addr;
}

/* 192.168.1.10 asks for 8080 -> 8080 to itself. */
static inline struct policy_request plain_request(void)
{
	static const uint16_t http_ports[] = { 5000, 5001 };

	return (struct policy_request){
		.interface = "br-lan",
		.client = addr_of("192.168.1.10"),
		.mac = { .b = { 2, 0, 0, 0, 0, 0x10 } },
		.internal_client = addr_of("192.168.1.10"),
		.target = POLICY_TARGET_NEIGHBOUR,
		.protocol = IGW_TCP,
		.via = IGW_VIA_UPNP,
		.external_port = 8080,
		.internal_port = 8080,
		.lease_s = 3600,
		.http_ports = http_ports,
		.n_http_ports = COUNT(http_ports),
	};
}

/* Nothing is in use. */
static const struct policy_usage idle = { 0 };

/* As in the default policy. */
#define DEFAULT_RULE                                                                     \
	"{'name':'high-ports','action':'allow','external_ports':['1024-65535'],"         \
	"'internal_ports':['1024-65535']}"
#define RULES(list) "{'version':1,'rules':[" list "]}"

/* The verdict of a policy's text. Its rule name lives until the next call. */
static inline struct policy_verdict judge(
	const char *text, const struct policy_request *request, int64_t wall_s)
{
	static char rule[POLICY_RULE_NAME_MAX + 1];
	struct policy *policy = policy_of(text);
	struct policy_verdict verdict = policy_evaluate(policy, request, &idle, wall_s);

	/* The name goes with the policy. */
	if (verdict.rule) {
		snprintf(rule, sizeof(rule), "%s", verdict.rule);
		verdict.rule = rule;
	}
	policy_free(policy);
	return verdict;
}

/* Fails unless the verdict has that reason and rule, and a lease only when it is ok. */
static inline void expect_at(const char *text, const struct policy_request *request,
	int64_t wall_s, enum igw_reason reason, const char *rule)
{
	struct policy_verdict verdict = judge(text, request, wall_s);

	if (verdict.reason != reason) {
		print_message("%s instead of %s: %u -> %u\n%s\n",
			igw_reason_word(verdict.reason), igw_reason_word(reason),
			request->external_port, request->internal_port, text);
		fail();
	}
	assert_true((verdict.rule == NULL) == (rule == NULL));
	if (rule)
		assert_string_equal(verdict.rule, rule);
	assert_true((verdict.lease_s > 0) == (reason == IGW_OK));
}

static inline void expect(const char *text, const struct policy_request *request,
	enum igw_reason reason, const char *rule)
{
	expect_at(text, request, NOW, reason, rule);
}

/* The most that JSON can allow. What the floor refuses, it refuses under this too. */
static const char widest[] = RULES("{'name':'all','action':'allow','third_party':true,"
				   "'clients':['192.168.1.10'],'reason':'test',"
				   "'external_ports':['1-65535'],"
				   "'internal_ports':['1-65535']}");

#endif
