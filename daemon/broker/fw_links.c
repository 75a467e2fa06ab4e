#include "fw_skeleton.h"

#include "fw_batch.h"
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

static struct fw_elems list(struct fw *fw, const char *table, const char *set)
{
	return (struct fw_elems){ .fw = fw,
		.table = table,
		.set = set,
		.type = NFT_MSG_NEWSETELEM,
		.flags = NLM_F_CREATE };
}

/* Removes all elements of a set. */
static void put_flush(struct fw *fw, const char *table, const char *set)
{
	struct nlmsghdr *nlh = fw_batch_msg(fw, NFT_MSG_DELSETELEM, 0);

	fw_elems_begin(nlh, table, set);
	fw_batch_close(fw, nlh);
}

static void put_name(struct fw_elems *e, const char *name)
{
	char key[IGW_IFNAME_MAX + 1] = { 0 };

	memcpy(key, name, strnlen(name, IGW_IFNAME_MAX));
	fw_elems_key(e, key, sizeof(key));
}

static void put_port(struct fw_elems *e, uint8_t protocol, uint16_t port)
{
	uint8_t key[8] = { protocol };
	uint16_t be = htobe16(port);

	memcpy(key + 4, &be, sizeof(be));
	fw_elems_key(e, key, sizeof(key));
}

void fw_put_floor_ports(struct fw *fw)
{
	struct fw_elems e = list(fw, FW_FLOOR, "smb");

	put_flush(fw, FW_FLOOR, "smb");
	for (size_t i = 0; i < COUNT_OF(smb_ports); i++) {
		put_port(&e, IGW_TCP, smb_ports[i]);
		put_port(&e, IGW_UDP, smb_ports[i]);
	}
	fw_elems_end(&e);
}

static void put_control(struct fw *fw, const struct fw_links *links)
{
	struct fw_elems e = list(fw, FW_FLOOR, "control");

	put_flush(fw, FW_FLOOR, "control");
	for (size_t i = 0; i < COUNT_OF(control_ports); i++) {
		put_port(&e, IGW_TCP, control_ports[i]);
		put_port(&e, IGW_UDP, control_ports[i]);
	}
	for (size_t i = 0; i < links->n_http_ports; i++) {
		if (links->http_ports[i] != 0)
			put_port(&e, IGW_TCP, links->http_ports[i]);
	}
	fw_elems_end(&e);
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

static void put_table_links(
	struct fw *fw, const char *table, const struct fw_links *links)
{
	struct fw_elems wan4 = list(fw, table, "wan4");
	struct fw_elems wan = list(fw, table, "wan");
	struct fw_elems lan = list(fw, table, "lan");

	put_flush(fw, table, "wan4");
	for (size_t i = 0; i < links->n_wan_addrs; i++) {
		uint32_t be = htobe32(igw_addr_to_v4(&links->wan_addrs[i]));

		fw_elems_key(&wan4, &be, sizeof(be));
	}
	fw_elems_end(&wan4);
	put_flush(fw, table, "wan");
	if (links->wan[0] != '\0')
		put_name(&wan, links->wan);
	fw_elems_end(&wan);
	put_flush(fw, table, "lan");
	for (size_t i = 0; i < links->n_lan; i++)
		put_name(&lan, links->lan[i]);
	fw_elems_end(&lan);
}

void fw_put_links(struct fw *fw, const struct fw_links *links)
{
	put_table_links(fw, FW_TABLE, links);
	put_table_links(fw, FW_FLOOR, links);
	put_control(fw, links);
}
