#include "links.h"

#include "kernel.h"
#include "log.h"
#include "rejudge.h"
#include "workers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* RFC 1918. */
static bool is_private(const struct igw_addr *addr)
{
	uint32_t v4 = igw_addr_to_v4(addr);

	return v4 >> 24 == 10 || v4 >> 20 == (172 << 4 | 1) ||
	       v4 >> 16 == (192 << 8 | 168);
}

static bool has_private(const struct net_iface *iface)
{
	for (size_t i = 0; i < iface->n_addrs; i++) {
		if (is_private(&iface->addrs[i].addr))
			return true;
	}
	return false;
}

static int check_interface(struct broker *broker, const char *role, const char *name)
{
	const struct net_iface *iface = net_find(broker->net, name);

	if (!iface) {
		log_error("%s interface %s does not exist", role, name);
		return -EINVAL;
	}
	if (iface->loopback) {
		log_error("%s interface %s is the loopback interface", role, name);
		return -EINVAL;
	}
	return 0;
}

static bool may_be_external(const struct broker *broker, const char *name)
{
	const struct net_iface *iface = net_find(broker->net, name);

	if (!iface || iface->loopback)
		return false;
	for (size_t i = 0; i < broker->n_links; i++) {
		if (strcmp(broker->links[i].name, name) == 0)
			return false;
	}
	return true;
}

static int choose_external(struct broker *broker)
{
	const char *name = broker->config.external;
	const char *why = "named in the configuration";

	if (name[0] == '\0') {
		name = net_default(broker->net);
		why = "it has the default route";
	}
	if (name[0] == '\0') {
		log_error(
			"no external interface: there is no default route to find it by; "
			"name it with \"external\" or --external");
		return -EINVAL;
	}
	if (check_interface(broker, "external", name) < 0)
		return -EINVAL;
	igw_text_copy(broker->wan, sizeof(broker->wan), name);
	log_info("external interface %s: %s", name, why);
	return 0;
}

static int add_internal(struct broker *broker, const char *name, const char *why)
{
	struct link *link;

	if (strcmp(name, broker->wan) == 0) {
		log_error("interface %s cannot be external and internal at once", name);
		return -EINVAL;
	}
	if (check_interface(broker, "internal", name) < 0)
		return -EINVAL;
	if (broker->n_links == IGW_LINKS_MAX) {
		log_error("more than %d internal interfaces: name those to serve with "
			  "\"internal\" or --internal",
			IGW_LINKS_MAX);
		return -EINVAL;
	}
	link = &broker->links[broker->n_links++];
	*link = (struct link){ .broker = broker, .channel.fd = -1 };
	igw_text_copy(link->name, sizeof(link->name), name);
	log_info("internal interface %s: %s", name, why);
	return 0;
}

static int choose_internal(struct broker *broker)
{
	const struct config *config = &broker->config;
	const struct net_iface *ifaces;
	size_t n = net_ifaces(broker->net, &ifaces);
	int r = 0;

	for (size_t i = 0; r == 0 && i < config->n_internal; i++)
		r = add_internal(
			broker, config->internal[i], "named in the configuration");
	if (config->n_internal > 0)
		return r;
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (!ifaces[i].loopback && strcmp(ifaces[i].name, broker->wan) != 0 &&
			has_private(&ifaces[i]))
			r = add_internal(broker, ifaces[i].name,
				"it has a private address and is not the external one");
	}
	if (r == 0 && broker->n_links == 0) {
		log_error(
			"no internal interface: none but the external one has a private "
			"IPv4 address; name it with \"internal\" or --internal");
		return -EINVAL;
	}
	return r;
}

/* The address that clients are told and conflicts are looked for on: the first. */
static void look_at_wan(struct broker *broker, int64_t now_ms)
{
	const struct net_iface *iface = net_find(broker->net, broker->wan);
	struct igw_addr addr = { 0 };
	char text[IGW_ADDR_TEXT];

	if (iface && iface->up && iface->n_addrs > 0 && !broker->wan_refused)
		addr = iface->addrs[0].addr;
	if (igw_addr_equal(&addr, &broker->wan_addr))
		return;
	broker->wan_addr = addr;
	broker->wan_since_ms = now_ms;
	broker->changed = true;
	log_info("event=wan-changed interface=%s address=%s",
		broker->wan[0] ? broker->wan : "none",
		igw_addr_is_none(&addr) ? "none" : igw_addr_format(&addr, text));
}

/* Takes over a link's addresses; true when they are others than before. */
static bool look_at_link(struct link *link)
{
	const struct net_iface *iface = net_find(link->broker->net, link->name);
	struct net_addr addrs[NET_ADDRS_MAX] = { 0 };
	size_t n = iface ? iface->n_addrs : 0;
	bool changed;

	for (size_t i = 0; i < n; i++)
		addrs[i] = iface->addrs[i];
	changed = n != link->n_addrs;
	for (size_t i = 0; !changed && i < n; i++)
		changed = addrs[i].len != link->addrs[i].len ||
			  !igw_addr_equal(&addrs[i].addr, &link->addrs[i].addr);
	memcpy(link->addrs, addrs, sizeof(addrs));
	link->n_addrs = n;
	return changed;
}

int links_choose(struct broker *broker)
{
	int r = choose_external(broker);

	if (r == 0)
		r = choose_internal(broker);
	if (r < 0)
		return r;
	look_at_wan(broker, ev_now_ms());
	for (size_t i = 0; i < broker->n_links; i++) {
		look_at_link(&broker->links[i]);
		if (broker->links[i].n_addrs == 0)
			log_warning("internal interface %s has no IPv4 address yet",
				broker->links[i].name);
	}
	return 0;
}

static void fill_http_port(struct fw_links *links, uint16_t port)
{
	for (size_t i = 0; i < links->n_http_ports; i++) {
		if (links->http_ports[i] == port)
			return;
	}
	if (port != 0 && links->n_http_ports < FW_PORTS_MAX)
		links->http_ports[links->n_http_ports++] = port;
}

void links_fill(const struct broker *broker, struct fw_links *ret)
{
	const struct net_iface *wan = net_find(broker->net, broker->wan);

	memset(ret, 0, sizeof(*ret));
	igw_text_copy(ret->wan, sizeof(ret->wan), broker->wan);
	for (size_t i = 0; wan && i < wan->n_addrs && i < FW_ADDRS_MAX; i++)
		ret->wan_addrs[ret->n_wan_addrs++] = wan->addrs[i].addr;
	fill_http_port(ret, broker->config.http_port);
	for (size_t i = 0; i < broker->n_links; i++) {
		igw_text_copy(ret->lan[ret->n_lan++], sizeof(ret->lan[0]),
			broker->links[i].name);
		fill_http_port(ret, broker->links[i].http_port);
	}
}

/* Without any address nothing can be judged: the link may just be down. */
static void rejudge_link(struct broker *broker, struct link *link, int64_t now_ms)
{
	link->rejudge = false;
	if (link->n_addrs == 0 || rejudge_all(broker, broker->policy, link, now_ms) >= 0)
		return;
	link->rejudge = true;
	broker_retry(broker, now_ms);
}

static void update_link(struct broker *broker, struct link *link, int64_t now_ms)
{
	if (!look_at_link(link))
		return;
	log_info("event=lan-changed interface=%s addresses=%zu", link->name,
		link->n_addrs);
	if (link->told)
		workers_replace(link, "the addresses of its link changed");
	else
		workers_tell(link);
	rejudge_link(broker, link, now_ms);
}

/*
 * With an automatic external interface: follows the default route, but never onto a LAN
 * link or the loopback interface, which must not pass for the internet. The name that was
 * known last stays in the floor's rules in any case.
 */
static void follow_default(struct broker *broker)
{
	const char *name = net_default(broker->net);
	bool refused = name[0] != '\0' && !may_be_external(broker, name);

	if (broker->config.external[0] != '\0')
		return;
	if (refused && !broker->wan_refused)
		log_error(
			"event=wan-refused interface=%s text=\"the default route leads to a "
			"link that cannot be external; mappings wait until it leads "
			"elsewhere\"",
			name);
	broker->wan_refused = refused;
	if (name[0] != '\0' && !refused)
		igw_text_copy(broker->wan, sizeof(broker->wan), name);
}

void links_update(struct broker *broker, int64_t now_ms)
{
	follow_default(broker);
	look_at_wan(broker, now_ms);
	kernel_set_links(broker, now_ms);
	for (size_t i = 0; i < broker->n_links; i++)
		update_link(broker, &broker->links[i], now_ms);
}

bool links_behind(const struct broker *broker)
{
	for (size_t i = 0; i < broker->n_links; i++) {
		if (broker->links[i].rejudge)
			return true;
	}
	return false;
}

void links_retry(struct broker *broker, int64_t now_ms)
{
	for (size_t i = 0; i < broker->n_links; i++) {
		if (broker->links[i].rejudge)
			rejudge_link(broker, &broker->links[i], now_ms);
	}
}
