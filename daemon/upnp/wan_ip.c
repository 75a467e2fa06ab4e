#include "actions.h"
#include "arguments.h"
#include "ev.h"
#include "log.h"
#include "soap.h"

#include <errno.h>
#include <string.h>

/* ---- connection ------------------------------------------------------------ */

const char *wan_ip_status(const struct igw_addr *addr)
{
	return igw_addr_is_none(addr) ? "Disconnected" : "Connected";
}

/* The type is what the router's own configuration says; nothing on the LAN changes it. */
void wan_ip_set_connection_type(struct soap_call *call)
{
	const struct igd_variable *variable =
		igd_find_variable(call->service, "ConnectionType");

	if (!igd_allows(variable, soap_in(call, "NewConnectionType"))) {
		soap_bad_argument(call, SOAP_OUT_OF_RANGE, "NewConnectionType");
		return;
	}
	soap_fail(call, SOAP_READ_ONLY);
}

void wan_ip_get_type_info(struct soap_call *call)
{
	soap_out(call, "NewConnectionType", "%s", WAN_CONNECTION_TYPE);
	soap_out(call, "NewPossibleConnectionTypes", "%s", WAN_CONNECTION_TYPE);
}

/* RequestConnection and ForceTermination: a LAN host has no say in whether the household
 * is on line, or any malware there could cut it off. */
void wan_ip_change_connection(struct soap_call *call)
{
	char client[IGW_ADDR_TEXT];

	log_info("%s by %s refused: the WAN link is the router's own affair",
		call->action->name, igw_addr_format(&call->client, client));
	soap_fail(call, SOAP_NOT_AUTHORIZED);
}

void wan_ip_get_status(struct soap_call *call)
{
	struct igw_wan wan;
	bool up;

	if (!soap_ask_wan(call, &wan))
		return;
	up = !igw_addr_is_none(&wan.addr);
	soap_out(call, "NewConnectionStatus", "%s", wan_ip_status(&wan.addr));
	soap_out(call, "NewLastConnectionError", "ERROR_NONE");
	soap_out(call, "NewUptime", "%u", up ? wan.uptime_s : 0);
}

void wan_ip_get_nat_rsip(struct soap_call *call)
{
	soap_out(call, "NewRSIPAvailable", "0");
	soap_out(call, "NewNATEnabled", "1");
}

/* Empty while there is no address: clients take "0.0.0.0" for one. */
void wan_ip_get_address(struct soap_call *call)
{
	char addr[IGW_ADDR_TEXT];
	struct igw_wan wan;

	if (soap_ask_wan(call, &wan))
		soap_out(call, "NewExternalIPAddress", "%s",
			igw_addr_format(&wan.addr, addr));
}

/* ---- reading arguments ----------------------------------------------------- */

/*
 * The three arguments that name a mapping. While one is `adding`, the wildcards that are
 * not supported have codes of their own (WANIPConnection:1 §2.4.16). Elsewhere port 0 is
 * no port, 402, and an address that no single host has names no mapping, 714.
 */
static bool read_key(struct soap_call *call, bool adding, struct igw_map_key *ret)
{
	struct igw_map_key key = { .client = call->client, .via = IGW_VIA_UPNP };
	int r = argument_remote_host(soap_in(call, "NewRemoteHost"), &key.remote_host);

	if (r < 0) {
		enum soap_code known =
			adding ? SOAP_REMOTE_HOST_WILDCARD : SOAP_NO_SUCH_ENTRY;

		soap_bad_argument(
			call, r == -EDOM ? known : SOAP_INVALID_ARGS, "NewRemoteHost");
		return false;
	}
	if (adding && strcmp(soap_in(call, "NewExternalPort"), "0") == 0) {
		soap_bad_argument(call, SOAP_WILDCARD_PORT, "NewExternalPort");
		return false;
	}
	if (igw_u16_parse(soap_in(call, "NewExternalPort"), 1, UINT16_MAX,
		    &key.external_port) < 0) {
		soap_bad_argument(call, SOAP_INVALID_ARGS, "NewExternalPort");
		return false;
	}
	if (argument_protocol(soap_in(call, "NewProtocol"), &key.protocol) < 0) {
		soap_bad_argument(call, SOAP_INVALID_ARGS, "NewProtocol");
		return false;
	}
	*ret = key;
	return true;
}

/* Names are not resolved, by nobody here. "" is the asker itself: consoles do that. */
static bool read_internal_client(struct soap_call *call, struct igw_addr *ret)
{
	const char *text = soap_in(call, "NewInternalClient");

	if (text[0] == '\0') {
		*ret = call->client;
		return true;
	}
	if (igw_addr_parse_v4(text, ret) == 0)
		return true;
	soap_bad_argument(call, SOAP_INVALID_ARGS, "NewInternalClient");
	return false;
}

static bool read_add(struct soap_call *call, struct igw_map_add *add)
{
	struct igw_map_key key;
	bool enabled;

	if (!read_key(call, true, &key) ||
		!read_internal_client(call, &add->internal_client))
		return false;
	if (igw_u16_parse(soap_in(call, "NewInternalPort"), 1, UINT16_MAX,
		    &add->internal_port) < 0) {
		soap_bad_argument(call, SOAP_INVALID_ARGS, "NewInternalPort");
		return false;
	}
	if (argument_boolean(soap_in(call, "NewEnabled"), &enabled) < 0) {
		soap_bad_argument(call, SOAP_INVALID_ARGS, "NewEnabled");
		return false;
	}
	if (igw_u32_parse(soap_in(call, "NewLeaseDuration"), 0, UINT32_MAX,
		    &add->lease_s) < 0) {
		soap_bad_argument(call, SOAP_INVALID_ARGS, "NewLeaseDuration");
		return false;
	}
	igw_text_clean(add->description, sizeof(add->description),
		soap_in(call, "NewPortMappingDescription"));
	add->client = key.client;
	add->remote_host = key.remote_host;
	add->external_port = key.external_port;
	add->protocol = key.protocol;
	add->via = key.via;
	add->asked_ms = (uint64_t)ev_now_ms();
	add->enabled = enabled;
	return true;
}

/* ---- mappings -------------------------------------------------------------- */

void wan_ip_add(struct soap_call *call)
{
	struct igw_map_add add = { 0 };
	struct igw_map_result result;

	if (!read_add(call, &add) ||
		!soap_ask(call, IGW_MAP_ADD, &add, IGW_MAP_RESULT, &result))
		return;
	if (result.reason != IGW_OK)
		soap_refuse(call, (enum igw_reason)result.reason);
}

/* Version 1 has no 606 for a mapping of somebody else: as far as the asker may know there
 * is none. */
static void refuse_entry(struct soap_call *call, uint32_t reason)
{
	if (reason == IGW_NOT_OWNER)
		soap_refuse(call, IGW_NO_ENTRY);
	else
		soap_refuse(call, (enum igw_reason)reason);
}

void wan_ip_delete(struct soap_call *call)
{
	struct igw_map_result result;
	struct igw_map_key key;

	if (!read_key(call, false, &key) ||
		!soap_ask(call, IGW_MAP_DELETE, &key, IGW_MAP_RESULT, &result))
		return;
	if (result.reason != IGW_OK)
		refuse_entry(call, result.reason);
}

/* Checks an entry that the broker sent; the call has failed when it is not usable. */
static bool check_entry(struct soap_call *call, const struct igw_map_entry *entry)
{
	if (entry->reason != IGW_OK) {
		refuse_entry(call, entry->reason);
		return false;
	}
	if (igw_msg_text_ok(entry->description, sizeof(entry->description)))
		return true;
	soap_fail(call, SOAP_ACTION_FAILED);
	return false;
}

/* The five values that both Get...Entry actions answer with. */
static void out_entry(struct soap_call *call, const struct igw_map_entry *entry)
{
	char addr[IGW_ADDR_TEXT];

	soap_out(call, "NewInternalPort", "%u", entry->internal_port);
	soap_out(call, "NewInternalClient", "%s",
		igw_addr_format(&entry->internal_client, addr));
	soap_out(call, "NewEnabled", "%d", entry->enabled ? 1 : 0);
	soap_out(call, "NewPortMappingDescription", "%s", entry->description);
	soap_out(call, "NewLeaseDuration", "%u", entry->lease_s);
}

void wan_ip_get_specific(struct soap_call *call)
{
	struct igw_map_entry entry;
	struct igw_map_key key;

	if (read_key(call, false, &key) &&
		soap_ask(call, IGW_MAP_GET, &key, IGW_MAP_ENTRY, &entry) &&
		check_entry(call, &entry))
		out_entry(call, &entry);
}

void wan_ip_get_generic(struct soap_call *call)
{
	struct igw_map_index index = { .client = call->client };
	struct igw_map_entry entry;
	char addr[IGW_ADDR_TEXT];

	if (igw_u32_parse(soap_in(call, "NewPortMappingIndex"), 0, UINT16_MAX,
		    &index.index) < 0) {
		soap_bad_argument(call, SOAP_INVALID_ARGS, "NewPortMappingIndex");
		return;
	}
	if (!soap_ask(call, IGW_MAP_INDEX, &index, IGW_MAP_ENTRY, &entry) ||
		!check_entry(call, &entry))
		return;
	soap_out(call, "NewRemoteHost", "%s", igw_addr_format(&entry.remote_host, addr));
	soap_out(call, "NewExternalPort", "%u", entry.external_port);
	soap_out(call, "NewProtocol", "%s", entry.protocol == IGW_TCP ? "TCP" : "UDP");
	out_entry(call, &entry);
}
