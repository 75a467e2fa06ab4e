/* A policy file: whatever is taken must judge without ever letting a floor port pass. */
#include "policy.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(const struct policy *policy, uint16_t external, uint16_t internal)
{
	struct policy_request request = {
		.interface = "br-lan",
		.client = igw_addr_from_v4(0xc0a8010a),
		.internal_client = igw_addr_from_v4(0xc0a8010a),
		.target = POLICY_TARGET_NEIGHBOUR,
		.protocol = IGW_TCP,
		.external_port = external,
		.internal_port = internal,
	};
	struct policy_usage usage = { 0 };
	struct policy_verdict verdict = policy_evaluate(policy, &request, &usage, 0);

	if (verdict.reason == IGW_OK && (external == 445 || internal == 445))
		abort();
	if (verdict.reason == IGW_OK && verdict.lease_s > IGW_LEASE_MAX_S)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy_report report = { 0 };
	struct policy *policy = NULL;

	if (policy_parse((const char *)data, size, &policy, &report) < 0) {
		if (report.error.message[0] == '\0')
			abort();
		return 0;
	}
	judge(policy, 8080, 8080);
	judge(policy, 47669, 445);
	judge(policy, 445, 8080);
	policy_free(policy);
	return 0;
}
