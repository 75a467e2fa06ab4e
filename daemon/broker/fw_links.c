#include "fw_skeleton.h"

#include "fw_dump.h"
#include "fw_elem.h"

#include <endian.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

/* Ports of SMB and its name service, of both protocols. */
static const uint16_t smb_ports[] = { 135, 137, 138, 139, 445 };

/* Ports of UPnP discovery, NAT-PMP and PCP, of both protocols. */
static const uint16_t control_ports[] = { 1900, 5350, 5351 };

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

_Static_assert((int)FW_KEYS_MAX >= (int)FW_ADDRS_MAX, "addresses of the WAN link");
_Static_assert(FW_KEYS_MAX >= 2 * COUNT_OF(smb_ports), "smb");
_Static_assert((int)FW_KEYS_MAX >= 2 * (int)COUNT_OF(control_ports) + (int)FW_PORTS_MAX,
	"control");
_Static_assert((int)FW_KEYS_LEN >= (int)IGW_IFNAME_MAX + 1, "names");

/*
 * Makes a set hold exactly these keys. One that does already is not touched: on kernels
 * before 6.17 a look-up in the very moment of a change can miss both the old and the new
 * element. `fresh`: the table is made anew in this batch.
 */
static void put_keys(struct fw *fw, const char *table, const char *set,
	const struct fw_keys *keys, bool fresh)
{
	struct fw_elems e = { .fw = fw,
		.table = table,
		.set = set,
		.type = NFT_MSG_NEWSETELEM,
		.flags = NLM_F_CREATE | NLM_F_EXCL };

	if (!fresh) {
		if (fw_dump_same(fw, table, set, keys))
			return;
		fw_elems_flush(fw, table, set);
	}
	for (size_t i = 0; i < keys->n; i++)
		fw_elems_key(&e, keys->v[i], keys->len);
	fw_elems_end(&e);
}

static void add_name(struct fw_keys *keys, const char *name)
{
	char key[IGW_IFNAME_MAX + 1] = { 0 };

	memcpy(key, name, strnlen(name, IGW_IFNAME_MAX));
	fw_keys_add(keys, key);
}

static void add_port(struct fw_keys *keys, uint8_t protocol, uint16_t port)
{
	uint8_t key[8] = { protocol };
	uint16_t be = htobe16(port);

	memcpy(key + 4, &be, sizeof(be));
	fw_keys_add(keys, key);
}

static void add_both(struct fw_keys *keys, uint16_t port)
{
	add_port(keys, IGW_TCP, port);
	add_port(keys, IGW_UDP, port);
}

void fw_put_floor_ports(struct fw *fw, bool fresh)
{
	struct fw_keys keys = { .len = 8 };

	for (size_t i = 0; i < COUNT_OF(smb_ports); i++)
		add_both(&keys, smb_ports[i]);
	put_keys(fw, FW_FLOOR, "smb", &keys, fresh);
}

static void put_control(struct fw *fw, const struct fw_links *links, bool fresh)
{
	struct fw_keys keys = { .len = 8 };

	for (size_t i = 0; i < COUNT_OF(control_ports); i++)
		add_both(&keys, control_ports[i]);
	for (size_t i = 0; i < links->n_http_ports; i++) {
		if (links->http_ports[i] != 0)
			add_port(&keys, IGW_TCP, links->http_ports[i]);
	}
	put_keys(fw, FW_FLOOR, "control", &keys, fresh);
}

static bool name_ok(const char name[IGW_IFNAME_MAX + 1])
{
	size_t len = strnlen(name, IGW_IFNAME_MAX + 1);

	return len > 0 && len <= IGW_IFNAME_MAX;
}

int fw_links_check(const struct fw_links *links)
{
	if (links->n_lan > IGW_LINKS_MAX || links->n_wan_addrs > FW_ADDRS_MAX ||
		links->n_http_ports > FW_PORTS_MAX)
		return -EINVAL;
	if (links->wan[0] != '\0' && !name_ok(links->wan))
		return -EINVAL;
	for (size_t i = 0; i < links->n_lan; i++) {
		/* A WAN link that is also a LAN link would open the floor. */
		if (!name_ok(links->lan[i]) || strcmp(links->lan[i], links->wan) == 0)
			return -EINVAL;
	}
	for (size_t i = 0; i < links->n_wan_addrs; i++) {
		if (igw_addr_to_v4(&links->wan_addrs[i]) == 0)
			return -EINVAL;
	}
	return 0;
}

void fw_put_links(
	struct fw *fw, const char *table, const struct fw_links *links, bool fresh)
{
	struct fw_keys wan4 = { .len = 4 }, wan = { .len = 16 }, lan = { .len = 16 };

	for (size_t i = 0; i < links->n_wan_addrs; i++) {
		uint32_t be = htobe32(igw_addr_to_v4(&links->wan_addrs[i]));

		fw_keys_add(&wan4, &be);
	}
	if (links->wan[0] != '\0')
		add_name(&wan, links->wan);
	for (size_t i = 0; i < links->n_lan; i++)
		add_name(&lan, links->lan[i]);
	put_keys(fw, table, "wan4", &wan4, fresh);
	put_keys(fw, table, "wan", &wan, fresh);
	put_keys(fw, table, "lan", &lan, fresh);
	if (strcmp(table, FW_FLOOR) == 0)
		put_control(fw, links, fresh);
}
