#include "tree.h"

#include "actions.h"
#include "igdward/text.h"

#include <stdio.h>
#include <string.h>

/* ---- values of evented variables ------------------------------------------- */

static void value_external_address(const struct igd_state *state, char *value)
{
	char text[IGW_ADDR_TEXT];

	snprintf(value, IGD_VALUE_MAX, "%s", igw_addr_format(&state->addr, text));
}

static void value_connection_types(const struct igd_state *state, char *value)
{
	(void)state;
	snprintf(value, IGD_VALUE_MAX, "%s", WAN_CONNECTION_TYPE);
}

static void value_connection_status(const struct igd_state *state, char *value)
{
	snprintf(value, IGD_VALUE_MAX, "%s", wan_ip_status(&state->addr));
}

static void value_mappings(const struct igd_state *state, char *value)
{
	/* The variable is a ui2: a greater number is shown as the greatest. */
	unsigned n = state->mappings > UINT16_MAX ? UINT16_MAX : state->mappings;

	snprintf(value, IGD_VALUE_MAX, "%u", n);
}

static void value_link_status(const struct igd_state *state, char *value)
{
	snprintf(value, IGD_VALUE_MAX, "%s", state->link_up ? "Up" : "Down");
}

static void value_active_connections(const struct igd_state *state, char *value)
{
	snprintf(value, IGD_VALUE_MAX, "%d", igw_addr_is_none(&state->addr) ? 0 : 1);
}

static void value_enabled(const struct igd_state *state, char *value)
{
	(void)state;
	snprintf(value, IGD_VALUE_MAX, "1");
}

static void value_default_connection(const struct igd_state *state, char *value)
{
	snprintf(value, IGD_VALUE_MAX, "%s", state->default_connection);
}

/* ---- WANIPConnection:1 ----------------------------------------------------- */

static const char *const connection_types[] = { "Unconfigured", "IP_Routed", "IP_Bridged",
	NULL };
static const char *const connection_states[] = { "Unconfigured", "Connected",
	"Disconnected", NULL };
static const char *const connection_errors[] = { "ERROR_NONE", NULL };
static const char *const protocols[] = { "TCP", "UDP", NULL };

/* WANIPConnection:1 §2.2 */
static const struct igd_variable wan_ip_variables[] = {
	{ .name = "ConnectionType", .allowed = connection_types, .initial = "IP_Routed" },
	{ .name = "PossibleConnectionTypes",
		.allowed = connection_types,
		.value = value_connection_types },
	{ .name = "ConnectionStatus",
		.allowed = connection_states,
		.initial = "Unconfigured",
		.value = value_connection_status },
	{ .name = "Uptime", .type = IGD_UI4 },
	{ .name = "LastConnectionError",
		.allowed = connection_errors,
		.initial = "ERROR_NONE" },
	{ .name = "RSIPAvailable", .type = IGD_BOOLEAN, .initial = "0" },
	{ .name = "NATEnabled", .type = IGD_BOOLEAN, .initial = "1" },
	{ .name = "ExternalIPAddress", .value = value_external_address },
	{ .name = "PortMappingNumberOfEntries",
		.type = IGD_UI2,
		.value = value_mappings },
	{ .name = "PortMappingEnabled", .type = IGD_BOOLEAN },
	{ .name = "PortMappingLeaseDuration", .type = IGD_UI4 },
	{ .name = "RemoteHost" },
	{ .name = "ExternalPort", .type = IGD_UI2 },
	{ .name = "InternalPort", .type = IGD_UI2, .min = 1, .max = UINT16_MAX },
	{ .name = "PortMappingProtocol", .allowed = protocols },
	{ .name = "InternalClient" },
	{ .name = "PortMappingDescription" },
	{ .name = NULL },
};

static const struct igd_argument none[] = { { NULL, NULL } };
static const struct igd_argument connection_type[] = {
	{ "NewConnectionType", "ConnectionType" },
	{ NULL, NULL },
};
static const struct igd_argument connection_type_info[] = {
	{ "NewConnectionType", "ConnectionType" },
	{ "NewPossibleConnectionTypes", "PossibleConnectionTypes" },
	{ NULL, NULL },
};
static const struct igd_argument status_info[] = {
	{ "NewConnectionStatus", "ConnectionStatus" },
	{ "NewLastConnectionError", "LastConnectionError" },
	{ "NewUptime", "Uptime" },
	{ NULL, NULL },
};
static const struct igd_argument nat_rsip[] = {
	{ "NewRSIPAvailable", "RSIPAvailable" },
	{ "NewNATEnabled", "NATEnabled" },
	{ NULL, NULL },
};
static const struct igd_argument mapping_index[] = {
	{ "NewPortMappingIndex", "PortMappingNumberOfEntries" },
	{ NULL, NULL },
};
static const struct igd_argument mapping_key[] = {
	{ "NewRemoteHost", "RemoteHost" },
	{ "NewExternalPort", "ExternalPort" },
	{ "NewProtocol", "PortMappingProtocol" },
	{ NULL, NULL },
};
static const struct igd_argument mapping[] = {
	{ "NewRemoteHost", "RemoteHost" },
	{ "NewExternalPort", "ExternalPort" },
	{ "NewProtocol", "PortMappingProtocol" },
	{ "NewInternalPort", "InternalPort" },
	{ "NewInternalClient", "InternalClient" },
	{ "NewEnabled", "PortMappingEnabled" },
	{ "NewPortMappingDescription", "PortMappingDescription" },
	{ "NewLeaseDuration", "PortMappingLeaseDuration" },
	{ NULL, NULL },
};
static const struct igd_argument mapping_rest[] = {
	{ "NewInternalPort", "InternalPort" },
	{ "NewInternalClient", "InternalClient" },
	{ "NewEnabled", "PortMappingEnabled" },
	{ "NewPortMappingDescription", "PortMappingDescription" },
	{ "NewLeaseDuration", "PortMappingLeaseDuration" },
	{ NULL, NULL },
};
static const struct igd_argument external_address[] = {
	{ "NewExternalIPAddress", "ExternalIPAddress" },
	{ NULL, NULL },
};

/* WANIPConnection:1 §2.4: every required action, no optional one */
static const struct igd_action wan_ip_actions[] = {
	{ "SetConnectionType", connection_type, none, wan_ip_set_connection_type },
	{ "GetConnectionTypeInfo", none, connection_type_info, wan_ip_get_type_info },
	{ "RequestConnection", none, none, wan_ip_change_connection },
	{ "ForceTermination", none, none, wan_ip_change_connection },
	{ "GetStatusInfo", none, status_info, wan_ip_get_status },
	{ "GetNATRSIPStatus", none, nat_rsip, wan_ip_get_nat_rsip },
	{ "GetGenericPortMappingEntry", mapping_index, mapping, wan_ip_get_generic },
	{ "GetSpecificPortMappingEntry", mapping_key, mapping_rest, wan_ip_get_specific },
	{ "AddPortMapping", mapping, none, wan_ip_add },
	{ "DeletePortMapping", mapping_key, none, wan_ip_delete },
	{ "GetExternalIPAddress", none, external_address, wan_ip_get_address },
	{ NULL, NULL, NULL, NULL },
};

/* ---- WANCommonInterfaceConfig:1 -------------------------------------------- */

static const char *const access_types[] = { "DSL", "POTS", "Cable", "Ethernet", NULL };
static const char *const link_states[] = { "Up", "Down", NULL };

static const struct igd_variable wan_common_variables[] = {
	{ .name = "WANAccessType", .allowed = access_types },
	{ .name = "Layer1UpstreamMaxBitRate", .type = IGD_UI4 },
	{ .name = "Layer1DownstreamMaxBitRate", .type = IGD_UI4 },
	{ .name = "PhysicalLinkStatus",
		.allowed = link_states,
		.value = value_link_status },
	{ .name = "MaximumActiveConnections", .type = IGD_UI2 },
	{ .name = "NumberOfActiveConnections",
		.type = IGD_UI2,
		.value = value_active_connections },
	{ .name = "TotalBytesSent", .type = IGD_UI4 },
	{ .name = "TotalBytesReceived", .type = IGD_UI4 },
	{ .name = "TotalPacketsSent", .type = IGD_UI4 },
	{ .name = "TotalPacketsReceived", .type = IGD_UI4 },
	{ .name = "EnabledForInternet", .type = IGD_BOOLEAN, .value = value_enabled },
	{ .name = NULL },
};

static const struct igd_argument link_properties[] = {
	{ "NewWANAccessType", "WANAccessType" },
	{ "NewLayer1UpstreamMaxBitRate", "Layer1UpstreamMaxBitRate" },
	{ "NewLayer1DownstreamMaxBitRate", "Layer1DownstreamMaxBitRate" },
	{ "NewPhysicalLinkStatus", "PhysicalLinkStatus" },
	{ NULL, NULL },
};
static const struct igd_argument enabled_for_internet[] = {
	{ "NewEnabledForInternet", "EnabledForInternet" },
	{ NULL, NULL },
};
static const struct igd_argument max_connections[] = {
	{ "NewMaximumActiveConnections", "MaximumActiveConnections" },
	{ NULL, NULL },
};
static const struct igd_argument bytes_sent[] = {
	{ "NewTotalBytesSent", "TotalBytesSent" },
	{ NULL, NULL },
};
static const struct igd_argument bytes_received[] = {
	{ "NewTotalBytesReceived", "TotalBytesReceived" },
	{ NULL, NULL },
};
static const struct igd_argument packets_sent[] = {
	{ "NewTotalPacketsSent", "TotalPacketsSent" },
	{ NULL, NULL },
};
static const struct igd_argument packets_received[] = {
	{ "NewTotalPacketsReceived", "TotalPacketsReceived" },
	{ NULL, NULL },
};

/* SetEnabledForInternet is left out for good: it would switch the household's WAN off. */
static const struct igd_action wan_common_actions[] = {
	{ "GetCommonLinkProperties", none, link_properties, wan_common_get_link },
	{ "GetEnabledForInternet", none, enabled_for_internet, wan_common_get_enabled },
	{ "GetMaximumActiveConnections", none, max_connections, wan_common_get_maximum },
	{ "GetTotalBytesSent", none, bytes_sent, wan_common_get_counter },
	{ "GetTotalBytesReceived", none, bytes_received, wan_common_get_counter },
	{ "GetTotalPacketsSent", none, packets_sent, wan_common_get_counter },
	{ "GetTotalPacketsReceived", none, packets_received, wan_common_get_counter },
	{ NULL, NULL, NULL, NULL },
};

/* ---- Layer3Forwarding:1 ---------------------------------------------------- */

static const struct igd_variable layer3_variables[] = {
	{ .name = "DefaultConnectionService", .value = value_default_connection },
	{ .name = NULL },
};

static const struct igd_argument default_connection[] = {
	{ "NewDefaultConnectionService", "DefaultConnectionService" },
	{ NULL, NULL },
};

static const struct igd_action layer3_actions[] = {
	{ "SetDefaultConnectionService", default_connection, none, layer3_set_default },
	{ "GetDefaultConnectionService", none, default_connection, layer3_get_default },
	{ NULL, NULL, NULL, NULL },
};

/* ---- the tree -------------------------------------------------------------- */

static const struct igd_device devices_v1[] = {
	{ "urn:schemas-upnp-org:device:InternetGatewayDevice", NULL, 1, -1 },
	{ "urn:schemas-upnp-org:device:WANDevice", "WAN", 1, 0 },
	{ "urn:schemas-upnp-org:device:WANConnectionDevice", "WAN connection", 1, 1 },
};

static const struct igd_service services_v1[] = {
	{ .type = "urn:schemas-upnp-org:service:Layer3Forwarding",
		.version = 1,
		.id = "urn:upnp-org:serviceId:L3Forwarding1",
		.path = "L3F",
		.variables = layer3_variables,
		.actions = layer3_actions,
		.device = 0 },
	{ .type = "urn:schemas-upnp-org:service:WANCommonInterfaceConfig",
		.version = 1,
		.id = "urn:upnp-org:serviceId:WANCommonIFC1",
		.path = "WANCommonIFC",
		.variables = wan_common_variables,
		.actions = wan_common_actions,
		.device = 1 },
	{ .type = "urn:schemas-upnp-org:service:WANIPConnection",
		.version = 1,
		.id = "urn:upnp-org:serviceId:WANIPConn1",
		.path = "WANIPConn",
		.variables = wan_ip_variables,
		.actions = wan_ip_actions,
		.device = 2 },
};

const struct igd_tree igd_tree_v1 = {
	.devices = devices_v1,
	.n_devices = sizeof(devices_v1) / sizeof(devices_v1[0]),
	.services = services_v1,
	.n_services = sizeof(services_v1) / sizeof(services_v1[0]),
	.connection_device = 2,
};

int igd_find_service(const struct igd_tree *tree, unsigned device, const char *id)
{
	for (size_t i = 0; i < tree->n_services; i++) {
		if (tree->services[i].device == device &&
			strcmp(tree->services[i].id, id) == 0)
			return (int)i;
	}
	return -1;
}

const struct igd_action *igd_find_action(
	const struct igd_service *service, const char *name)
{
	for (const struct igd_action *a = service->actions; a->name; a++) {
		if (strcmp(a->name, name) == 0)
			return a;
	}
	return NULL;
}

const struct igd_variable *igd_find_variable(
	const struct igd_service *service, const char *name)
{
	for (const struct igd_variable *v = service->variables; v->name; v++) {
		if (strcmp(v->name, name) == 0)
			return v;
	}
	return NULL;
}

bool igd_allows(const struct igd_variable *variable, const char *value)
{
	if (!variable->allowed)
		return true;
	for (const char *const *word = variable->allowed; *word; word++) {
		if (strcmp(*word, value) == 0)
			return true;
	}
	return false;
}

bool igd_offers(const struct igd_service *service, const char *type)
{
	size_t n = strlen(service->type);
	uint32_t version;

	return strncmp(type, service->type, n) == 0 && type[n] == ':' &&
	       igw_u32_parse(type + n + 1, 1, service->version, &version) == 0;
}

void igd_default_connection(
	const struct igd_tree *tree, const char *udn, char value[IGD_VALUE_MAX])
{
	const struct igd_device *device = &tree->devices[tree->connection_device];
	const char *id = "";

	for (size_t i = tree->n_services; i-- > 0;) {
		if (tree->services[i].device == tree->connection_device)
			id = tree->services[i].id;
	}
	snprintf(value, IGD_VALUE_MAX, "%s:%s:%u,%s", udn, strrchr(device->type, ':') + 1,
		device->version, id);
}
