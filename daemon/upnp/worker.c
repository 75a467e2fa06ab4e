#include "worker.h"

#include <errno.h>
#include <string.h>

enum {
	V4_BITS = 32,
	V4_MAPPED_BITS = 96, /* of an IPv4 address in its mapped form */
};

static bool link_is_sound(const struct igw_link *link)
{
	return igw_msg_text_ok(link->interface, sizeof(link->interface)) &&
	       igw_msg_text_ok(link->uuid, sizeof(link->uuid)) &&
	       igw_msg_text_ok(link->friendly_name, sizeof(link->friendly_name)) &&
	       link->interface[0] != '\0' && igw_addr_is_v4(&link->addr) &&
	       link->prefix_len > 0 && link->prefix_len <= V4_BITS;
}

int worker_set_link(struct worker *worker, const struct igw_link *link)
{
	uint32_t mask;
	int r;

	if (!link_is_sound(link))
		return -EINVAL;
	mask = UINT32_MAX << (V4_BITS - link->prefix_len);
	worker->link = *link;
	worker->lan.addr = igw_addr_from_v4(igw_addr_to_v4(&link->addr) & mask);
	worker->lan.len = (uint8_t)(V4_MAPPED_BITS + link->prefix_len);
	r = names_make(&igd_tree_v1, link, &worker->names);
	if (r == 0)
		r = documents_make(&worker->names, &worker->documents);
	return r;
}

bool worker_is_lan_host(const struct worker *worker, const struct igw_addr *addr)
{
	return igw_addr_is_v4(addr) && igw_prefix_contains(&worker->lan, addr);
}
