/* Actions from their XML to the broker and back, without libupnp's server: what the
 * broker is asked, what is answered, and with which code a refusal ends. */
#include "log.h"
#include "soap.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define UUID "12345678-9abc-4def-8123-456789abcdef"
#define WIC  "urn:schemas-upnp-org:service:WANIPConnection:1"
#define WCIC "urn:schemas-upnp-org:service:WANCommonInterfaceConfig:1"
#define L3F  "urn:schemas-upnp-org:service:Layer3Forwarding:1"

enum {
	LAN_HOST = 0x0a00000a, /* 10.0.0.10 */
	ANSWER_MAX = 512,
};

/* The other end of the channel: takes one request after the other and answers each with
 * what the test has put there. */
static struct {
	struct worker worker;
	int theirs;
	pthread_t broker, reader;
	pthread_mutex_t lock;
	uint32_t answer_id;
	_Alignas(8) uint8_t answer[ANSWER_MAX];
	struct chan_msg asked; /* the last one; id 0 = none */
} lab = { .lock = PTHREAD_MUTEX_INITIALIZER };

static bool receive(int fd, enum igw_sender sender, struct chan_msg *msg)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return poll(&poll_fd, 1, -1) == 1 && chan_recv(fd, sender, msg) == 1;
}

static void *be_broker(void *arg)
{
	struct chan_msg msg;

	(void)arg;
	while (receive(lab.theirs, IGW_UPNP, &msg)) {
		pthread_mutex_lock(&lab.lock);
		lab.asked = msg;
		if (lab.answer_id != 0)
			chan_send(lab.theirs, lab.answer_id, msg.seq, lab.answer, NULL);
		pthread_mutex_unlock(&lab.lock);
	}
	return NULL;
}

static void *be_reader(void *arg)
{
	struct chan_msg msg;

	(void)arg;
	while (receive(lab.worker.broker.fd, IGW_BROKER, &msg))
		broker_answered(&lab.worker.broker, &msg);
	return NULL;
}

static void quiet(enum log_level level, const char *line)
{
	(void)level;
	(void)line;
}

static int set_up(void **state)
{
	struct igw_link link = { .interface = "br-lan",
		.prefix_len = 24,
		.igd_version = 1,
		.uuid = UUID,
		.friendly_name = "router" };
	int pair[2];

	(void)state;
	log_set_sink(quiet);
	link.addr = igw_addr_from_v4(0x0a000001);
	if (chan_pair(pair) < 0 || broker_init(&lab.worker.broker, pair[0], 5000) < 0 ||
		worker_set_link(&lab.worker, &link) < 0 ||
		events_init(&lab.worker.events, &lab.worker.names, &lab.worker.broker,
			&lab.worker.device) < 0)
		return -1;
	lab.theirs = pair[1];
	return pthread_create(&lab.broker, NULL, be_broker, NULL) |
	       pthread_create(&lab.reader, NULL, be_reader, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	shutdown(lab.theirs, SHUT_RDWR);
	pthread_join(lab.broker, NULL);
	pthread_join(lab.reader, NULL);
	close(lab.theirs);
	close(lab.worker.broker.fd);
	broker_destroy(&lab.worker.broker);
	documents_free(&lab.worker.documents);
	return 0;
}

/* What the broker will answer from now on; id 0 = nothing. Forgets what was asked. */
static void will_answer(uint32_t id, const void *payload, size_t size)
{
	pthread_mutex_lock(&lab.lock);
	lab.answer_id = id;
	memset(lab.answer, 0, sizeof(lab.answer));
	if (size > 0)
		memcpy(lab.answer, payload, size);
	memset(&lab.asked, 0, sizeof(lab.asked));
	pthread_mutex_unlock(&lab.lock);
}

static void will_result(enum igw_reason reason)
{
	const struct igw_map_result result = { .reason = (uint32_t)reason };

	will_answer(IGW_MAP_RESULT, &result, sizeof(result));
}

/* Runs an action given as XML; returns the UPnP code and leaves the rest in *call. The
 * input texts end with the document. */
static unsigned run_from(struct soap_call *call, uint32_t client_v4, int service,
	const char *type, const char *xml)
{
	const struct igd_service *s = &igd_tree_v1.services[service];
	struct igw_addr client = igw_addr_from_v4(client_v4);
	IXML_Document *document = NULL;
	char text[4096];

	snprintf(text, sizeof(text), "<u:%.*s xmlns:u=\"%s\">%s</u:%.*s>",
		(int)strcspn(xml, " "), xml, type, xml + strcspn(xml, " "),
		(int)strcspn(xml, " "), xml);
	assert_int_equal(ixmlParseBufferEx(text, &document), IXML_SUCCESS);
	memset(call, 0, sizeof(*call));
	call->worker = &lab.worker;
	soap_run(call, lab.worker.names.udn[s->device], s->id, &client,
		ixmlNode_getFirstChild((IXML_Node *)document), true);
	ixmlDocument_free(document);
	if (call->code != 0)
		assert_true(call->text && call->text[0] != '\0');
	return call->code;
}

static unsigned run(struct soap_call *call, const char *xml)
{
	return run_from(call, LAN_HOST, 2, WIC, xml);
}

static const char *out(const struct soap_call *call, const char *name)
{
	for (int i = 0; call->action->out[i].name; i++) {
		if (strcmp(call->action->out[i].name, name) == 0)
			return call->out[i];
	}
	fail();
	return NULL;
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
static void test_add_syntax(void **state)
{
	static const struct {
		const char *name, *value;
		unsigned code;
	} cases[] = {
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
	struct soap_call call;

	(void)state;
	will_result(IGW_OK);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (add(&call, cases[i].name, cases[i].value) != cases[i].code)
			fail_msg("%s=%s: %u", cases[i].name,
				cases[i].value ? cases[i].value : "(none)", call.code);
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

static void test_wan(void **state)
{
	struct igw_wan wan = { .uptime_s = 77,
		.link_up = 1,
		.bits_per_s = 10000000000,
		.tx_bytes = 0x500000007,
		.rx_bytes = 8,
		.tx_packets = 9,
		.rx_packets = 0xffffffff };
	struct soap_call call;

	(void)state;
	wan.addr = igw_addr_from_v4(0xcb007102);
	will_answer(IGW_WAN, &wan, sizeof(wan));
	assert_int_equal(run(&call, "GetExternalIPAddress "), 0);
	assert_string_equal(out(&call, "NewExternalIPAddress"), "203.0.113.2");
	assert_int_equal(run(&call, "GetStatusInfo "), 0);
	assert_string_equal(out(&call, "NewConnectionStatus"), "Connected");
	assert_string_equal(out(&call, "NewLastConnectionError"), "ERROR_NONE");
	assert_string_equal(out(&call, "NewUptime"), "77");
	assert_int_equal(
		run_from(&call, LAN_HOST, 1, WCIC, "GetCommonLinkProperties "), 0);
	assert_string_equal(out(&call, "NewWANAccessType"), "Ethernet");
	assert_string_equal(out(&call, "NewLayer1UpstreamMaxBitRate"), "4294967295");
	assert_string_equal(out(&call, "NewPhysicalLinkStatus"), "Up");
	assert_int_equal(run_from(&call, LAN_HOST, 1, WCIC, "GetTotalBytesSent "), 0);
	assert_string_equal(out(&call, "NewTotalBytesSent"), "7");
	assert_int_equal(run_from(&call, LAN_HOST, 1, WCIC, "GetTotalBytesReceived "), 0);
	assert_string_equal(out(&call, "NewTotalBytesReceived"), "8");
	assert_int_equal(run_from(&call, LAN_HOST, 1, WCIC, "GetTotalPacketsSent "), 0);
	assert_string_equal(out(&call, "NewTotalPacketsSent"), "9");
	assert_int_equal(
		run_from(&call, LAN_HOST, 1, WCIC, "GetTotalPacketsReceived "), 0);
	assert_string_equal(out(&call, "NewTotalPacketsReceived"), "4294967295");

	memset(&wan, 0, sizeof(wan));
	wan.uptime_s = 99;
	will_answer(IGW_WAN, &wan, sizeof(wan));
	assert_int_equal(run(&call, "GetExternalIPAddress "), 0);
	assert_string_equal(out(&call, "NewExternalIPAddress"), "");
	assert_int_equal(run(&call, "GetStatusInfo "), 0);
	assert_string_equal(out(&call, "NewConnectionStatus"), "Disconnected");
	assert_string_equal(out(&call, "NewUptime"), "0");
	assert_int_equal(
		run_from(&call, LAN_HOST, 1, WCIC, "GetCommonLinkProperties "), 0);
	assert_string_equal(out(&call, "NewLayer1DownstreamMaxBitRate"), "100000000");
	assert_string_equal(out(&call, "NewPhysicalLinkStatus"), "Down");
}

/* What needs no broker; and what no LAN host may do (T49). */
static void test_fixed(void **state)
{
	struct soap_call call;

	(void)state;
	will_answer(0, NULL, 0);
	assert_int_equal(run(&call, "GetNATRSIPStatus "), 0);
	assert_string_equal(out(&call, "NewRSIPAvailable"), "0");
	assert_string_equal(out(&call, "NewNATEnabled"), "1");
	assert_int_equal(run(&call, "GetConnectionTypeInfo "), 0);
	assert_string_equal(out(&call, "NewConnectionType"), "IP_Routed");
	assert_string_equal(out(&call, "NewPossibleConnectionTypes"), "IP_Routed");
	assert_int_equal(run_from(&call, LAN_HOST, 1, WCIC, "GetEnabledForInternet "), 0);
	assert_string_equal(out(&call, "NewEnabledForInternet"), "1");
	assert_int_equal(
		run_from(&call, LAN_HOST, 1, WCIC, "GetMaximumActiveConnections "), 0);
	assert_string_equal(out(&call, "NewMaximumActiveConnections"), "1");
	assert_int_equal(
		run_from(&call, LAN_HOST, 0, L3F, "GetDefaultConnectionService "), 0);
	assert_string_equal(out(&call, "NewDefaultConnectionService"),
		"uuid:12345678-9abc-4def-8123-456789abcdf1:WANConnectionDevice:1,"
		"urn:upnp-org:serviceId:WANIPConn1");

	assert_int_equal(run(&call, "RequestConnection "), 606);
	assert_int_equal(run(&call, "ForceTermination "), 606);
	assert_int_equal(run(&call, "SetConnectionType "
				    "<NewConnectionType>IP_Bridged</NewConnectionType>"),
		731);
	assert_int_equal(
		run(&call,
			"SetConnectionType <NewConnectionType>Foo</NewConnectionType>"),
		601);
	assert_int_equal(run(&call, "SetConnectionType "), 402);
	assert_int_equal(
		run_from(&call, LAN_HOST, 0, L3F,
			"SetDefaultConnectionService "
			"<NewDefaultConnectionService>x</NewDefaultConnectionService>"),
		606);
	assert_int_equal(lab.asked.id, IGW_MSG_NONE);
}

/* Who may ask, for what, in which version. */
static void test_scope(void **state)
{
	const char *id = igd_tree_v1.services[2].id;
	struct soap_call call = { .worker = &lab.worker };
	struct igw_addr v6 = { { 0xfe, 0x80 } };

	(void)state;
	will_answer(0, NULL, 0);
	assert_int_equal(run(&call, "AddAnyPortMapping "), 401);
	assert_int_equal(run(&call, "QueryStateVariable "), 401);
	assert_int_equal(run(&call, "getstatusinfo "), 401);
	assert_int_equal(run_from(&call, LAN_HOST, 2,
				 "urn:schemas-upnp-org:service:WANIPConnection:2",
				 "GetNATRSIPStatus "),
		401);
	assert_int_equal(run_from(&call, LAN_HOST, 2, WCIC, "GetNATRSIPStatus "), 401);
	assert_int_equal(run_from(&call, LAN_HOST, 1, WCIC, "GetNATRSIPStatus "), 401);
	/* Not of this link: another net, an IPv6 address, no address at all. */
	assert_int_equal(run_from(&call, 0x0a000110, 2, WIC, "GetNATRSIPStatus "), 606);
	assert_int_equal(run_from(&call, 0xc6336407, 2, WIC, "GetNATRSIPStatus "), 606);
	assert_string_equal(call.text, igw_reason_sentence(IGW_NOT_SERVED));
	memset(&call, 0, sizeof(call));
	call.worker = &lab.worker;
	soap_run(&call, lab.worker.names.udn[2], id, &v6, NULL, true);
	assert_int_equal(call.code, 606);
	soap_run(&call, lab.worker.names.udn[2], id, NULL, NULL, true);
	assert_int_equal(call.code, 606);
	/* A service on a device that does not have it */
	call.client = igw_addr_from_v4(LAN_HOST);
	soap_run(&call, lab.worker.names.udn[1], id, &call.client, NULL, true);
	assert_int_equal(call.code, 401);
	soap_run(&call, "uuid:x", id, &call.client, NULL, true);
	assert_int_equal(call.code, 401);
}

static void test_silent_broker(void **state)
{
	struct soap_call call;

	(void)state;
	will_answer(0, NULL, 0);
	lab.worker.broker.deadline_ms = 20;
	assert_int_equal(add(&call, NULL, NULL), 501);
	assert_int_equal(run(&call, "GetExternalIPAddress "), 501);
	assert_int_equal(with_key(&call, "GetSpecificPortMappingEntry", "1"), 501);
	lab.worker.broker.deadline_ms = 5000;
}

static void test_link(void **state)
{
	struct igw_link link = lab.worker.link;
	struct worker worker = { 0 };

	(void)state;
	link.prefix_len = 33;
	assert_int_equal(worker_set_link(&worker, &link), -EINVAL);
	link.prefix_len = 0;
	assert_int_equal(worker_set_link(&worker, &link), -EINVAL);
	link = lab.worker.link;
	memset(link.friendly_name, 'x', sizeof(link.friendly_name));
	assert_int_equal(worker_set_link(&worker, &link), -EINVAL);
	link = lab.worker.link;
	memset(&link.addr, 0, sizeof(link.addr));
	assert_int_equal(worker_set_link(&worker, &link), -EINVAL);
	link = lab.worker.link;
	link.uuid[3] = 'x';
	assert_int_equal(worker_set_link(&worker, &link), -EINVAL);
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
		cmocka_unit_test(test_wan),
		cmocka_unit_test(test_fixed),
		cmocka_unit_test(test_scope),
		cmocka_unit_test(test_silent_broker),
		cmocka_unit_test(test_link),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
