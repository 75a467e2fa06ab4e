#include "judge.h"

#include <string.h>

/* By the link's own networks, as they were known last. */
static bool in_prefix_of(const struct link *link, const struct igw_addr *addr)
{
	for (size_t i = 0; i < link->n_addrs; i++) {
		struct igw_prefix prefix = { .addr = link->addrs[i].addr,
			.len = (uint8_t)(96 + link->addrs[i].len) };

		if (igw_prefix_contains(&prefix, addr))
			return true;
	}
	return false;
}

/*
 * For a live mapping (`live`) a link that is down, or a kernel that does not answer, is
 * no reason to end it: then the link's networks count instead of the routes, which go
 * with the link and come back with it.
 */
static bool is_neighbour(struct broker *broker, const struct link *link,
	const struct igw_addr *addr, bool live)
{
	const struct net_iface *iface = net_find(broker->net, link->name);
	int r;

	if (!igw_addr_is_v4(addr) || net_is_own(broker->net, addr) ||
		net_is_special(broker->net, addr))
		return false;
	r = net_on_link(broker->net, link->name, addr);
	if (live && (r < 0 || !iface || !iface->up))
		return in_prefix_of(link, addr);
	return r == 1;
}

bool judge_is_neighbour(
	struct broker *broker, const struct link *link, const struct igw_addr *addr)
{
	return is_neighbour(broker, link, addr, false);
}

static enum policy_target judge_target(struct broker *broker, const struct link *link,
	const struct igw_addr *addr, bool live)
{
	if (net_is_own(broker->net, addr))
		return POLICY_TARGET_ROUTER;
	if (net_is_special(broker->net, addr))
		return POLICY_TARGET_SPECIAL;
	return is_neighbour(broker, link, addr, live) ? POLICY_TARGET_NEIGHBOUR
						      : POLICY_TARGET_OFF_LAN;
}

/* The policy's word alone. */
static void judge_by_policy(struct broker *broker, const struct policy *policy,
	const struct judge_request *request, const struct policy_usage *usage,
	struct judge_verdict *verdict)
{
	struct policy_request ask = {
		.interface = request->link->name,
		.client = request->client,
		.mac = verdict->mac,
		.internal_client = request->internal_client,
		.target = judge_target(
			broker, request->link, &request->internal_client, request->live),
		.protocol = (enum igw_protocol)request->protocol,
		.via = (enum igw_via)request->via,
		.external_port = request->external_port,
		.internal_port = request->internal_port,
		.lease_s = request->lease_s,
		.http_ports = broker->fw_links.http_ports,
		.n_http_ports = broker->fw_links.n_http_ports,
	};
	struct policy_verdict said =
		policy_evaluate(policy, &ask, usage, broker_wall_s());

	verdict->reason = said.reason;
	verdict->lease_s = said.lease_s;
	if (said.rule)
		igw_text_copy(verdict->rule, sizeof(verdict->rule), said.rule);
}

static enum igw_reason judge_by_router(
	struct broker *broker, const struct judge_request *request, bool renewal)
{
	const struct mapping *other =
		table_find_port(broker->table, request->protocol, request->external_port);

	if (other && !igw_addr_equal(&other->client, &request->client))
		return IGW_CONFLICT;
	if (igw_addr_is_none(&broker->wan_addr))
		return IGW_WAN_DOWN;
	if (!renewal && net_listens(broker->net, request->protocol, &broker->wan_addr,
				request->external_port) == 1)
		return IGW_PORT_IN_USE;
	return IGW_OK;
}

/* None, or an address that a packet can come from: not 0/8, not multicast or above. */
static bool is_remote_host(const struct igw_addr *addr)
{
	uint32_t top = igw_addr_to_v4(addr) >> 24;

	return igw_addr_is_none(addr) || (igw_addr_is_v4(addr) && top > 0 && top < 224);
}

void judge_request(struct broker *broker, const struct judge_request *request,
	struct judge_verdict *ret)
{
	const struct policy_limits *limits = policy_limits(broker->policy);
	struct clients *clients = table_clients(broker->table);
	const struct client *client = clients_find(clients, &request->client);
	struct mapping *existing = table_find(broker->table, request->protocol,
		request->external_port, &request->remote_host);
	struct policy_usage usage = {
		.client = client ? client->mappings : 0,
		.total = table_count(broker->table),
		/* One share is kept for a host that holds nothing yet. */
		.reserved = clients_lacking(clients, limits->reserved_per_client) +
			    limits->reserved_per_client,
		.over_rate = request->over_rate,
	};

	memset(ret, 0, sizeof(*ret));
	if (!judge_is_neighbour(broker, request->link, &request->client)) {
		ret->reason = IGW_NOT_SERVED;
		return;
	}
	if (existing && igw_addr_equal(&existing->client, &request->client))
		ret->existing = existing;
	usage.renewal = ret->existing != NULL;
	net_neighbour(broker->net, request->link->name, &request->client, &ret->mac);
	judge_by_policy(broker, broker->policy, request, &usage, ret);
	if (ret->reason == IGW_OK && !is_remote_host(&request->remote_host))
		ret->reason = IGW_BAD_ARGUMENT;
	if (ret->reason == IGW_OK)
		ret->reason = judge_by_router(broker, request, usage.renewal);
	if (ret->reason != IGW_OK)
		ret->lease_s = 0;
}

void judge_mapping(struct broker *broker, const struct policy *policy,
	const struct mapping *mapping, uint32_t left_s, struct judge_verdict *ret)
{
	struct policy_usage usage = { .renewal = true };
	struct judge_request request = {
		.client = mapping->client,
		.internal_client = mapping->internal_client,
		.remote_host = mapping->remote_host,
		.protocol = mapping->protocol,
		.via = mapping->via,
		.external_port = mapping->external_port,
		.internal_port = mapping->internal_port,
		.lease_s = left_s,
		.live = true,
	};

	memset(ret, 0, sizeof(*ret));
	ret->reason = IGW_NOT_SERVED;
	ret->mac = mapping->mac;
	for (size_t i = 0; i < broker->n_links; i++) {
		if (strcmp(broker->links[i].name, mapping->interface) == 0)
			request.link = &broker->links[i];
	}
	if (!request.link || !is_neighbour(broker, request.link, &mapping->client, true))
		return;
	judge_by_policy(broker, policy, &request, &usage, ret);
}
