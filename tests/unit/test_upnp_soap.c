/* Actions from their XML to the broker and back, but those on mappings: the state of the
 * line, who may ask for what, and a broker in trouble. */
#include "test_upnp_lab.h"

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

/* What needs no broker; and what no LAN host may do: end the connection. */
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
	soap_run(&call, lab.worker.names.udn[2], id, &v6, NULL, NULL);
	assert_int_equal(call.code, 606);
	soap_run(&call, lab.worker.names.udn[2], id, NULL, NULL, NULL);
	assert_int_equal(call.code, 606);
	/* What another reader of the request would read otherwise */
	call.client = igw_addr_from_v4(LAN_HOST);
	assert_int_equal(run(&call, "GetNATRSIPStatus "), 0);
	lab.trouble = "with a Transfer-Encoding";
	assert_int_equal(run(&call, "GetNATRSIPStatus "), 402);
	lab.trouble = NULL;
	/* A service on a device that does not have it */
	call.client = igw_addr_from_v4(LAN_HOST);
	soap_run(&call, lab.worker.names.udn[1], id, &call.client, NULL, NULL);
	assert_int_equal(call.code, 401);
	soap_run(&call, "uuid:x", id, &call.client, NULL, NULL);
	assert_int_equal(call.code, 401);
}

static void test_silent_broker(void **state)
{
	struct soap_call call;

	(void)state;
	will_answer(0, NULL, 0);
	lab.worker.broker.deadline_ms = 20;
	assert_int_equal(run(&call, "GetExternalIPAddress "), 501);
	assert_int_equal(run(&call, "GetGenericPortMappingEntry "
				    "<NewPortMappingIndex>0</NewPortMappingIndex>"),
		501);
	assert_int_equal(run_from(&call, LAN_HOST, 1, WCIC, "GetTotalBytesSent "), 501);
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
		cmocka_unit_test(test_wan),
		cmocka_unit_test(test_fixed),
		cmocka_unit_test(test_scope),
		cmocka_unit_test(test_silent_broker),
		cmocka_unit_test(test_link),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
