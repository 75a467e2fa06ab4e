/* The tree's table and the documents made of it: complete, well-formed, in agreement. */
#include "describe.h"
#include "tree.h"

#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <upnp/ixml.h>

#include <cmocka.h>

#define UUID "12345678-9abc-4def-8123-ffffffffffff"

static void make(struct names *names, struct documents *documents)
{
	struct igw_link link = { .uuid = UUID, .friendly_name = "R & <B> \"'" };

	link.addr = igw_addr_from_v4(0xc0a80101);
	assert_int_equal(names_make(&igd_tree_v1, &link, names), 0);
	assert_int_equal(documents_make(names, documents), 0);
}

static IXML_Document *parse(const struct document *document)
{
	IXML_Document *parsed = NULL;

	assert_int_equal(strlen(document->text), document->size);
	assert_int_equal(ixmlParseBufferEx(document->text, &parsed), IXML_SUCCESS);
	return parsed;
}

/* Text of the i-th element of that name in document order; NULL when there is none. */
static const char *text_of(IXML_Document *document, const char *name, unsigned long i)
{
	IXML_NodeList *list = ixmlDocument_getElementsByTagName(document, name);
	IXML_Node *node = ixmlNodeList_item(list, i);
	IXML_Node *text = node ? ixmlNode_getFirstChild(node) : NULL;

	ixmlNodeList_free(list);
	return text ? ixmlNode_getNodeValue(text) : NULL;
}

static unsigned long count_of(IXML_Document *document, const char *name)
{
	IXML_NodeList *list = ixmlDocument_getElementsByTagName(document, name);
	unsigned long n = ixmlNodeList_length(list);

	ixmlNodeList_free(list);
	return n;
}

static void check_arguments(
	const struct igd_service *service, const struct igd_argument *list)
{
	int n = 0;

	for (; list[n].name; n++)
		assert_non_null(igd_find_variable(service, list[n].variable));
	assert_true(n <= IGD_ARGUMENTS_MAX);
}

static void check_service(const struct igd_service *service)
{
	int evented = 0;

	for (const struct igd_action *a = service->actions; a->name; a++) {
		assert_non_null(a->run);
		assert_ptr_equal(igd_find_action(service, a->name), a);
		check_arguments(service, a->in);
		check_arguments(service, a->out);
	}
	for (const struct igd_variable *v = service->variables; v->name; v++) {
		evented += v->value != NULL;
		assert_ptr_equal(igd_find_variable(service, v->name), v);
		if (v->initial)
			assert_true(igd_allows(v, v->initial));
	}
	assert_true(evented > 0 && evented <= IGD_EVENTED_MAX);
}

static void test_table(void **state)
{
	const struct igd_tree *tree = &igd_tree_v1;

	(void)state;
	assert_true(tree->n_services <= IGD_SERVICES_MAX);
	assert_true(tree->n_devices <= IGD_DEVICES_MAX);
	for (unsigned i = 0; i < tree->n_devices; i++)
		assert_true(tree->devices[i].parent < (int)i);
	for (size_t i = 0; i < tree->n_services; i++) {
		const struct igd_service *service = &tree->services[i];

		assert_true(service->device < tree->n_devices);
		assert_int_equal(
			igd_find_service(tree, service->device, service->id), (int)i);
		check_service(service);
	}
}

/* The sheets' order of arguments and set of evented variables, written out once more. */
static void test_against_the_standard(void **state)
{
	static const char *const add[] = { "NewRemoteHost", "NewExternalPort",
		"NewProtocol", "NewInternalPort", "NewInternalClient", "NewEnabled",
		"NewPortMappingDescription", "NewLeaseDuration" };
	static const char *const wan_ip_events[] = { "PossibleConnectionTypes",
		"ConnectionStatus", "ExternalIPAddress", "PortMappingNumberOfEntries" };
	const struct igd_service *wan_ip = &igd_tree_v1.services[2];
	const struct igd_action *action = igd_find_action(wan_ip, "AddPortMapping");
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < 8; i++)
		assert_string_equal(action->in[i].name, add[i]);
	action = igd_find_action(wan_ip, "GetGenericPortMappingEntry");
	for (size_t i = 0; i < 8; i++)
		assert_string_equal(action->out[i].name, add[i]);
	action = igd_find_action(wan_ip, "GetSpecificPortMappingEntry");
	for (size_t i = 0; i < 5; i++)
		assert_string_equal(action->out[i].name, add[i + 3]);
	for (const struct igd_variable *v = wan_ip->variables; v->name; v++) {
		if (v->value)
			assert_string_equal(v->name, wan_ip_events[n++]);
	}
	assert_int_equal(n, 4);
	assert_null(igd_find_action(wan_ip, "AddAnyPortMapping"));
	assert_null(igd_find_action(wan_ip, "QueryStateVariable"));
	assert_null(igd_find_action(&igd_tree_v1.services[1], "SetEnabledForInternet"));
}

static void test_versions(void **state)
{
	const struct igd_service *service = &igd_tree_v1.services[2];
	struct igd_service second = *service;

	(void)state;
	second.version = 2;
	assert_true(
		igd_offers(service, "urn:schemas-upnp-org:service:WANIPConnection:1"));
	assert_false(
		igd_offers(service, "urn:schemas-upnp-org:service:WANIPConnection:2"));
	assert_true(
		igd_offers(&second, "urn:schemas-upnp-org:service:WANIPConnection:1"));
	assert_true(
		igd_offers(&second, "urn:schemas-upnp-org:service:WANIPConnection:2"));
	assert_false(
		igd_offers(&second, "urn:schemas-upnp-org:service:WANIPConnection:3"));
	assert_false(
		igd_offers(&second, "urn:schemas-upnp-org:service:WANIPConnection:0"));
	assert_false(
		igd_offers(&second, "urn:schemas-upnp-org:service:WANIPConnection:01"));
	assert_false(
		igd_offers(&second, "urn:schemas-upnp-org:service:WANIPConnection:1x"));
	assert_false(
		igd_offers(&second, "urn:schemas-upnp-org:service:WANIPConnection:"));
	assert_false(igd_offers(&second, "urn:schemas-upnp-org:service:WANIPConnection"));
	assert_false(
		igd_offers(&second, "urn:schemas-upnp-org:service:WANPPPConnection:1"));
	assert_false(igd_offers(&second, ""));
}

static void test_description(void **state)
{
	struct documents documents;
	struct names names;
	IXML_Document *parsed;

	(void)state;
	make(&names, &documents);
	assert_int_equal(documents.n, 4);
	parsed = parse(&documents.list[0]);
	assert_int_equal(count_of(parsed, "device"), 3);
	assert_string_equal(text_of(parsed, "friendlyName", 0), "R & <B> \"'");
	assert_string_equal(text_of(parsed, "UDN", 0), "uuid:" UUID);
	/* The last field is counted up, in itself. */
	assert_string_equal(
		text_of(parsed, "UDN", 1), "uuid:12345678-9abc-4def-8123-000000000000");
	assert_string_equal(
		text_of(parsed, "UDN", 2), "uuid:12345678-9abc-4def-8123-000000000001");
	assert_string_equal(text_of(parsed, "deviceType", 0),
		"urn:schemas-upnp-org:device:InternetGatewayDevice:1");
	assert_int_equal(count_of(parsed, "service"), 3);
	for (unsigned long i = 0; i < 3; i++) {
		assert_ptr_equal(
			documents_find(&documents, text_of(parsed, "SCPDURL", i)),
			&documents.list[i + 1]);
		for (unsigned long j = 0; j < i; j++)
			assert_string_not_equal(text_of(parsed, "eventSubURL", i),
				text_of(parsed, "eventSubURL", j));
	}
	assert_string_equal(names.default_connection,
		"uuid:12345678-9abc-4def-8123-000000000001:WANConnectionDevice:1,"
		"urn:upnp-org:serviceId:WANIPConn1");
	assert_string_equal(text_of(parsed, "presentationURL", 0), "http://192.168.1.1/");
	ixmlDocument_free(parsed);
	documents_free(&documents);
}

/* Every SCPD names what the table has, in the table's order, and nothing else. */
static void check_scpd(const struct igd_service *service, IXML_Document *parsed)
{
	IXML_NodeList *variables =
		ixmlDocument_getElementsByTagName(parsed, "stateVariable");
	unsigned long name = 0, argument = 0, i = 0;

	for (const struct igd_action *a = service->actions; a->name; a++) {
		const struct igd_argument *lists[] = { a->in, a->out };

		assert_string_equal(text_of(parsed, "name", name++), a->name);
		for (size_t way = 0; way < 2; way++) {
			for (const struct igd_argument *x = lists[way]; x->name; x++) {
				assert_string_equal(
					text_of(parsed, "name", name++), x->name);
				assert_string_equal(
					text_of(parsed, "direction", argument),
					way == 0 ? "in" : "out");
				assert_string_equal(
					text_of(parsed, "relatedStateVariable",
						argument++),
					x->variable);
			}
		}
	}
	for (const struct igd_variable *v = service->variables; v->name; v++, i++) {
		IXML_Element *node = (IXML_Element *)ixmlNodeList_item(variables, i);

		assert_string_equal(text_of(parsed, "name", name++), v->name);
		assert_string_equal(ixmlElement_getAttribute(node, "sendEvents"),
			v->value ? "yes" : "no");
	}
	assert_int_equal(ixmlNodeList_length(variables), i);
	assert_int_equal(count_of(parsed, "name"), name);
	ixmlNodeList_free(variables);
}

static void test_scpds(void **state)
{
	struct documents documents;
	struct names names;

	(void)state;
	make(&names, &documents);
	for (size_t i = 0; i < igd_tree_v1.n_services; i++) {
		IXML_Document *parsed = parse(&documents.list[i + 1]);

		check_scpd(&igd_tree_v1.services[i], parsed);
		ixmlDocument_free(parsed);
	}
	documents_free(&documents);
}

static void test_paths(void **state)
{
	struct documents documents;
	struct names names;

	(void)state;
	make(&names, &documents);
	assert_string_equal(documents.list[0].path, "/123456789abc4def/gateway.xml");
	assert_null(documents_find(&documents, "/"));
	assert_null(documents_find(&documents, ""));
	assert_null(documents_find(&documents, "/rootDesc.xml"));
	assert_null(documents_find(&documents, "/123456789abc4def/"));
	assert_null(documents_find(&documents, "/123456789abc4def/gateway.xml?x"));
	assert_null(documents_find(&documents, "/123456789ABC4def/gateway.xml"));
	documents_free(&documents);
}

static void test_bad_uuid(void **state)
{
	static const char *const bad[] = { "", "12345678",
		"12345678-9abc-4def-8123-45678", "g2345678-9abc-4def-8123-456789abcdef",
		"123456789-abc-4def-8123-456789abcdef" };
	struct igw_link link = { 0 };
	struct names names;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(link.uuid, sizeof(link.uuid), "%s", bad[i]);
		assert_int_equal(names_make(&igd_tree_v1, &link, &names), -EINVAL);
	}
}

/* No value of an evented variable may need an escape, as libupnp makes none. */
static void check_value(
	const struct igd_variable *variable, const struct igd_state *state)
{
	char value[IGD_VALUE_MAX];
	bool is_list = strcmp(variable->name, "PossibleConnectionTypes") == 0;

	memset(value, 'x', sizeof(value));
	variable->value(state, value);
	assert_non_null(memchr(value, '\0', sizeof(value)));
	assert_null(strpbrk(value, "<>&\"'"));
	if (variable->type == IGD_STRING && !is_list)
		assert_true(igd_allows(variable, value));
	for (char *c = value; variable->type != IGD_STRING && *c; c++)
		assert_true(isdigit((unsigned char)*c));
}

static void test_values(void **state)
{
	struct igd_state up = {
		.mappings = 70000, .link_up = true, .default_connection = "uuid:1"
	};
	struct igd_state down = { .default_connection = "uuid:1" };
	const struct igd_service *wan_ip = &igd_tree_v1.services[2];
	char value[IGD_VALUE_MAX];

	(void)state;
	up.addr = igw_addr_from_v4(0xcb007102);
	for (size_t i = 0; i < igd_tree_v1.n_services; i++) {
		const struct igd_variable *v = igd_tree_v1.services[i].variables;

		for (; v->name; v++) {
			if (!v->value)
				continue;
			check_value(v, &up);
			check_value(v, &down);
		}
	}
	igd_find_variable(wan_ip, "PortMappingNumberOfEntries")->value(&up, value);
	assert_string_equal(value, "65535");
	igd_find_variable(wan_ip, "ExternalIPAddress")->value(&down, value);
	assert_string_equal(value, "");
	igd_find_variable(wan_ip, "ConnectionStatus")->value(&down, value);
	assert_string_equal(value, "Disconnected");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_against_the_standard),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_description),
		cmocka_unit_test(test_scpds),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_bad_uuid),
		cmocka_unit_test(test_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
