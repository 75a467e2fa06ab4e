/* Actions on mappings, from their XML to the broker and back: what it is asked, what is
 * answered, and with which code a refusal ends. */
#include "test_upnp_lab.h"

static void will_result(enum igw_reason reason)
{
	const struct igw_map_result result = { .reason = (uint32_t)reason };

	will_answer(IGW_MAP_RESULT, &result, sizeof(result));
}

/* AddPortMapping with one argument changed (NULL: left out; name NULL: none changed). */
static unsigned add(struct soap_call *call, const char *name, const char *value)
{
	static const char *const arguments[][2] = {
		{ "NewRemoteHost", "" },
		{ "NewExternalPort", "47669" },
		{ "NewProtocol", "UDP" },
		{ "NewInternalPort", "8080" },
		{ "NewInternalClient", "10.0.0.11" },
		{ "NewEnabled", "1" },
		{ "NewPortMappingDescription", "web &amp; more" },
		{ "NewLeaseDuration", "4294967295" },
	};
	char xml[2048] = "AddPortMapping ";

	for (size_t i = 0; i < 8; i++) {
		bool changed = name && strcmp(name, arguments[i][0]) == 0;
		size_t n = strlen(xml);

		if (changed && !value)
			continue;
		snprintf(xml + n, sizeof(xml) - n, "<%s>%s</%s>", arguments[i][0],
			changed ? value : arguments[i][1], arguments[i][0]);
	}
	return run(call, xml);
}

static void test_add(void **state)
{
	struct soap_call call;
	struct igw_map_add asked;

	(void)state;
	will_result(IGW_OK);
	assert_int_equal(add(&call, NULL, NULL), 0);
	assert_int_equal(lab.asked.id, IGW_MAP_ADD);
	memcpy(&asked, lab.asked.payload, sizeof(asked));
	assert_int_equal(igw_addr_to_v4(&asked.client), LAN_HOST);
	assert_int_equal(igw_addr_to_v4(&asked.internal_client), 0x0a00000b);
	assert_true(igw_addr_is_none(&asked.remote_host));
	assert_int_equal(asked.external_port, 47669);
	assert_int_equal(asked.internal_port, 8080);
	assert_int_equal(asked.protocol, IGW_UDP);
	assert_int_equal(asked.enabled, 1);
	assert_int_equal(asked.via, IGW_VIA_UPNP);
	assert_int_equal(asked.lease_s, UINT32_MAX);
	assert_string_equal(asked.description, "web & more");

	assert_int_equal(add(&call, "NewInternalClient", ""), 0);
	memcpy(&asked, lab.asked.payload, sizeof(asked));
	assert_int_equal(igw_addr_to_v4(&asked.internal_client), LAN_HOST);
	assert_int_equal(add(&call, "NewRemoteHost", "198.51.100.7"), 0);
	memcpy(&asked, lab.asked.payload, sizeof(asked));
	assert_int_equal(igw_addr_to_v4(&asked.remote_host), 0xc6336407);
	assert_int_equal(add(&call, "NewEnabled", "false"), 0);
	memcpy(&asked, lab.asked.payload, sizeof(asked));
	assert_int_equal(asked.enabled, 0);
	assert_int_equal(add(&call, "NewPortMappingDescription", "ab&#10;cd"), 0);
	memcpy(&asked, lab.asked.payload, sizeof(asked));
	assert_string_equal(asked.description, "ab");
}

/* Syntax that never becomes a request (threats.md D, B16-B20, E14, E16). */
static const struct {
	const char *name, *value;
	unsigned code;
} bad_arguments[] = {
	{ "NewRemoteHost", NULL, 402 },
	{ "NewRemoteHost", "*", 402 },
	{ "NewRemoteHost", "example.org", 402 },
	{ "NewRemoteHost", "10.0.0.0/8", 402 },
	{ "NewRemoteHost", "0", 402 },
	{ "NewRemoteHost", "0.0.0.0", 726 },
	{ "NewExternalPort", NULL, 402 },
	{ "NewExternalPort", "", 402 },
	{ "NewExternalPort", "0", 716 },
	{ "NewExternalPort", "00", 402 },
	{ "NewExternalPort", "0445", 402 },
	{ "NewExternalPort", " 445", 402 },
	{ "NewExternalPort", "445 ", 402 },
	{ "NewExternalPort", "+445", 402 },
	{ "NewExternalPort", "-18000", 402 },
	{ "NewExternalPort", "445.0", 402 },
	{ "NewExternalPort", "4.45e2", 402 },
	{ "NewExternalPort", "65536", 402 },
	{ "NewExternalPort", "65981", 402 },
	{ "NewExternalPort", "4294967741", 402 },
	{ "NewExternalPort", "1111111111111111111111111111111111111111", 402 },
	{ "NewExternalPort", "0x1bd", 402 },
	{ "NewExternalPort", "445abc", 402 },
	{ "NewExternalPort", "445,80", 402 },
	{ "NewProtocol", NULL, 402 },
	{ "NewProtocol", "tcp", 402 },
	{ "NewProtocol", "ICMP", 402 },
	{ "NewInternalPort", NULL, 402 },
	{ "NewInternalPort", "0", 402 },
	{ "NewInternalPort", "0445", 402 },
	{ "NewInternalPort", "65981", 402 },
	{ "NewInternalPort", "<b>8080</b>", 402 },
	{ "NewInternalPort", "80<!-- -->80", 402 },
	{ "NewInternalPort", "80<![CDATA[80]]>", 402 },
	{ "NewInternalClient", NULL, 402 },
	{ "NewInternalClient", "3232235786", 402 },
	{ "NewInternalClient", "0xc0a8010a", 402 },
	{ "NewInternalClient", "0300.0250.1.10", 402 },
	{ "NewInternalClient", "192.168.1.010", 402 },
	{ "NewInternalClient", "192.168.10", 402 },
	{ "NewInternalClient", "192.168.1.10.", 402 },
	{ "NewInternalClient", "::ffff:192.168.1.10", 402 },
	{ "NewInternalClient", "lan1.lan", 402 },
	{ "NewEnabled", NULL, 402 },
	{ "NewEnabled", "2", 402 },
	{ "NewEnabled", "", 402 },
	{ "NewPortMappingDescription", NULL, 402 },
	{ "NewLeaseDuration", NULL, 402 },
	{ "NewLeaseDuration", "", 402 },
	{ "NewLeaseDuration", "-1", 402 },
	{ "NewLeaseDuration", "4294967296", 402 },
	{ "NewLeaseDuration", "99999999999", 402 },
};

static void test_add_syntax(void **state)
{
	struct soap_call call;

	(void)state;
	will_result(IGW_OK);
	for (size_t i = 0; i < sizeof(bad_arguments) / sizeof(bad_arguments[0]); i++) {
		if (add(&call, bad_arguments[i].name, bad_arguments[i].value) !=
			bad_arguments[i].code)
			fail_msg("%s=%s: %u", bad_arguments[i].name,
				bad_arguments[i].value ? bad_arguments[i].value
						       : "(none)",
				call.code);
	}
	assert_int_equal(lab.asked.id, IGW_MSG_NONE);
}

/* Every reason of the broker becomes its code and its sentence, on add as it stands. */
static void test_reasons(void **state)
{
	struct soap_call call;

	(void)state;
	for (uint32_t i = 1; i < IGW_REASON_COUNT; i++) {
		enum igw_reason reason = (enum igw_reason)i;

		will_result(reason);
		assert_int_equal(add(&call, NULL, NULL), igw_reason_upnp(reason));
		assert_string_equal(call.text, igw_reason_sentence(reason));
		/* It goes into the answer as it is. */
		assert_null(strpbrk(call.text, "<>&"));
	}
	will_result((enum igw_reason)4000000000U);
	assert_int_equal(add(&call, NULL, NULL), 501);
}

#define KEY                                                                              \
	"<NewRemoteHost/><NewExternalPort>%s</NewExternalPort>"                          \
	"<NewProtocol>TCP</NewProtocol>"

static unsigned with_key(struct soap_call *call, const char *action, const char *port)
{
	char xml[512];
	size_t n = (size_t)snprintf(xml, sizeof(xml), "%s ", action);

	snprintf(xml + n, sizeof(xml) - n, KEY, port);
	return run(call, xml);
}

static void test_delete(void **state)
{
	struct soap_call call;
	struct igw_map_key asked;

	(void)state;
	will_result(IGW_OK);
	assert_int_equal(with_key(&call, "DeletePortMapping", "8080"), 0);
	assert_int_equal(lab.asked.id, IGW_MAP_DELETE);
	memcpy(&asked, lab.asked.payload, sizeof(asked));
	assert_int_equal(asked.external_port, 8080);
	assert_int_equal(asked.protocol, IGW_TCP);
	assert_int_equal(igw_addr_to_v4(&asked.client), LAN_HOST);
	will_result(IGW_NO_ENTRY);
	assert_int_equal(with_key(&call, "DeletePortMapping", "8080"), 714);
	will_result(IGW_NOT_OWNER);
	assert_int_equal(with_key(&call, "DeletePortMapping", "8080"), 714);
	assert_string_equal(call.text, igw_reason_sentence(IGW_NO_ENTRY));
	will_result(IGW_RATE);
	assert_int_equal(with_key(&call, "DeletePortMapping", "8080"), 606);
	will_result(IGW_OK);
	assert_int_equal(with_key(&call, "DeletePortMapping", "0"), 402);
	assert_int_equal(with_key(&call, "DeletePortMapping", "08080"), 402);
	assert_int_equal(
		run(&call,
			"DeletePortMapping <NewRemoteHost>0.0.0.0</NewRemoteHost>"
			"<NewExternalPort>1</NewExternalPort><NewProtocol>TCP</NewProtocol>"),
		714);
	assert_int_equal(lab.asked.id, IGW_MSG_NONE);
}

static void test_get_entries(void **state)
{
	struct igw_map_entry entry = { .lease_s = 3412,
		.external_port = 8081,
		.internal_port = 80,
		.protocol = IGW_UDP,
		.enabled = 1,
		.description = "<a>&\"'" };
	struct igw_map_index asked;
	struct soap_call call;

	(void)state;
	entry.internal_client = igw_addr_from_v4(LAN_HOST);
	entry.remote_host = igw_addr_from_v4(0xc6336407);
	will_answer(IGW_MAP_ENTRY, &entry, sizeof(entry));
	assert_int_equal(with_key(&call, "GetSpecificPortMappingEntry", "8081"), 0);
	assert_int_equal(lab.asked.id, IGW_MAP_GET);
	assert_string_equal(out(&call, "NewInternalPort"), "80");
	assert_string_equal(out(&call, "NewInternalClient"), "10.0.0.10");
	assert_string_equal(out(&call, "NewEnabled"), "1");
	assert_string_equal(out(&call, "NewPortMappingDescription"), "<a>&\"'");
	assert_string_equal(out(&call, "NewLeaseDuration"), "3412");

	assert_int_equal(run(&call, "GetGenericPortMappingEntry "
				    "<NewPortMappingIndex>7</NewPortMappingIndex>"),
		0);
	assert_int_equal(lab.asked.id, IGW_MAP_INDEX);
	memcpy(&asked, lab.asked.payload, sizeof(asked));
	assert_int_equal(asked.index, 7);
	assert_string_equal(out(&call, "NewRemoteHost"), "198.51.100.7");
	assert_string_equal(out(&call, "NewExternalPort"), "8081");
	assert_string_equal(out(&call, "NewProtocol"), "UDP");
	assert_string_equal(out(&call, "NewLeaseDuration"), "3412");

	/* A description without an end is the broker's breach, not to be read past. */
	memset(entry.description, 'x', sizeof(entry.description));
	will_answer(IGW_MAP_ENTRY, &entry, sizeof(entry));
	assert_int_equal(with_key(&call, "GetSpecificPortMappingEntry", "8081"), 501);
}

static void test_get_refusals(void **state)
{
	static const char *const bad[] = { "", "-1", "07", "65536", "1 ", "x" };
	struct igw_map_entry entry = { .reason = IGW_NO_ENTRY };
	struct soap_call call;
	char xml[128];

	(void)state;
	will_answer(IGW_MAP_ENTRY, &entry, sizeof(entry));
	assert_int_equal(with_key(&call, "GetSpecificPortMappingEntry", "8081"), 714);
	entry.reason = IGW_NOT_OWNER;
	will_answer(IGW_MAP_ENTRY, &entry, sizeof(entry));
	assert_int_equal(with_key(&call, "GetSpecificPortMappingEntry", "8081"), 714);
	entry.reason = IGW_BAD_INDEX;
	will_answer(IGW_MAP_ENTRY, &entry, sizeof(entry));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(xml, sizeof(xml),
			"GetGenericPortMappingEntry <NewPortMappingIndex>%s"
			"</NewPortMappingIndex>",
			bad[i]);
		assert_int_equal(run(&call, xml), 402);
	}
	assert_int_equal(lab.asked.id, IGW_MSG_NONE);
	assert_int_equal(run(&call, "GetGenericPortMappingEntry "
				    "<NewPortMappingIndex>65535</NewPortMappingIndex>"),
		713);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_add_syntax),
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_delete),
		cmocka_unit_test(test_get_entries),
		cmocka_unit_test(test_get_refusals),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
