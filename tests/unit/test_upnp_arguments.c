/* Arguments of actions: found once and as plain text, each value in its one form. */
#include "arguments.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct igd_argument wanted[] = {
	{ "NewExternalPort", NULL },
	{ "NewProtocol", NULL },
	{ NULL, NULL },
};

/* Reads the inside of an action element. Returns the name of the bad argument, "" when
 * all is well, "?" when libixml refuses the document. The texts are copied to `texts`. */
static const char *read_inside(const char *inside, char texts[2][64])
{
	const char *ret[IGD_ARGUMENTS_MAX], *name = "";
	const struct igd_argument *bad;
	IXML_Document *document = NULL;
	char xml[1024];

	snprintf(xml, sizeof(xml), "<u:A xmlns:u=\"urn:x\">%s</u:A>", inside);
	if (ixmlParseBufferEx(xml, &document) != IXML_SUCCESS)
		return "?";
	bad = arguments_read(ixmlNode_getFirstChild((IXML_Node *)document), wanted, ret);
	if (bad)
		name = bad->name;
	for (size_t i = 0; i < 2; i++)
		snprintf(texts[i], sizeof(texts[i]), "%s", ret[i] ? ret[i] : "(none)");
	ixmlDocument_free(document);
	return name;
}

#define PORT	 "<NewExternalPort>8080</NewExternalPort>"
#define PROTOCOL "<NewProtocol>TCP</NewProtocol>"

static void test_found(void **state)
{
	static const char *const good[] = {
		PORT PROTOCOL,
		PROTOCOL PORT,
		"\r\n " PROTOCOL "\n\t" PORT "\n",
		"<Other>1</Other>" PORT
		"<More><NewProtocol>UDP</NewProtocol></More>" PROTOCOL,
		"<u:NewExternalPort>8080</u:NewExternalPort>" PROTOCOL,
		"<NewExternalPort xmlns=\"urn:y\">8080</NewExternalPort>" PROTOCOL,
		"<!-- a --><NewExternalPort a=\"b\">8080</NewExternalPort>" PROTOCOL,
		"<NewExternalPort>&#56;080</NewExternalPort>" PROTOCOL,
	};
	char texts[2][64];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_string_equal(read_inside(good[i], texts), "");
		assert_string_equal(texts[0], "8080");
		assert_string_equal(texts[1], "TCP");
	}
	assert_string_equal(read_inside("<NewExternalPort/>" PROTOCOL, texts), "");
	assert_string_equal(texts[0], "");
	assert_string_equal(
		read_inside("<NewExternalPort> 8080 </NewExternalPort>" PROTOCOL, texts),
		"");
	assert_string_equal(texts[0], " 8080 ");
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		PROTOCOL,
		PORT PORT PROTOCOL,
		PORT "<u:NewExternalPort>8080</u:NewExternalPort>" PROTOCOL,
		PORT "<NewExternalPort/>" PROTOCOL,
		"<newexternalport>8080</newexternalport>" PROTOCOL,
		"<NewExternalPort2>8080</NewExternalPort2>" PROTOCOL,
		"<More>" PORT "</More>" PROTOCOL,
		"<NewExternalPort><b>8080</b></NewExternalPort>" PROTOCOL,
		"<NewExternalPort>80<b/>80</NewExternalPort>" PROTOCOL,
		"<NewExternalPort><b/>8080</NewExternalPort>" PROTOCOL,
		"<NewExternalPort>80<!-- -->80</NewExternalPort>" PROTOCOL,
		"<NewExternalPort>80<![CDATA[80]]></NewExternalPort>" PROTOCOL,
		"<NewExternalPort><![CDATA[8080]]></NewExternalPort>" PROTOCOL,
	};
	char texts[2][64];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_string_equal(read_inside(bad[i], texts), "NewExternalPort");
	assert_string_equal(read_inside(PORT, texts), "NewProtocol");
	assert_string_equal(read_inside("", texts), "NewExternalPort");
}

static void test_protocol(void **state)
{
	static const char *const bad[] = { "", "tcp", "TCP ", " TCP", "ICMP", "UDPLITE",
		"TCP,UDP", "*", "6", "Udp" };
	uint8_t protocol = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(argument_protocol(bad[i], &protocol), -EINVAL);
	assert_int_equal(protocol, 1);
	assert_int_equal(argument_protocol("TCP", &protocol), 0);
	assert_int_equal(protocol, IGW_TCP);
	assert_int_equal(argument_protocol("UDP", &protocol), 0);
	assert_int_equal(protocol, IGW_UDP);
}

static void test_boolean(void **state)
{
	static const char *const on[] = { "1", "true", "yes", "True", "YES" };
	static const char *const off[] = { "0", "false", "no", "False", "No" };
	static const char *const bad[] = { "", "2", "01", " 1", "on", "enabled", "-1",
		"y" };
	bool value;

	(void)state;
	for (size_t i = 0; i < sizeof(on) / sizeof(on[0]); i++) {
		value = false;
		assert_int_equal(argument_boolean(on[i], &value), 0);
		assert_true(value);
		value = true;
		assert_int_equal(argument_boolean(off[i], &value), 0);
		assert_false(value);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(argument_boolean(bad[i], &value), -EINVAL);
}

static void test_remote_host(void **state)
{
	static const char *const malformed[] = { "*", "0", " ", "example.org",
		"10.0.0.0/8", "10.0.0.1 ", "010.0.0.1", "0xa000001", "167772161", "10.1",
		"::ffff:10.0.0.1", "::1", "10.0.0.1.", "10.0.0.256" };
	static const char *const nobody[] = { "0.0.0.0", "0.1.2.3", "127.0.0.1",
		"224.0.0.1", "240.0.0.1", "255.255.255.255" };
	struct igw_addr addr = { { 7 } };

	(void)state;
	for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
		assert_int_equal(argument_remote_host(malformed[i], &addr), -EINVAL);
	for (size_t i = 0; i < sizeof(nobody) / sizeof(nobody[0]); i++)
		assert_int_equal(argument_remote_host(nobody[i], &addr), -EDOM);
	assert_int_equal(addr.b[0], 7);
	assert_int_equal(argument_remote_host("", &addr), 0);
	assert_true(igw_addr_is_none(&addr));
	assert_int_equal(argument_remote_host("198.51.100.7", &addr), 0);
	assert_int_equal(igw_addr_to_v4(&addr), 0xc6336407);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_protocol),
		cmocka_unit_test(test_boolean),
		cmocka_unit_test(test_remote_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
