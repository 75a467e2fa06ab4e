#include "fw_elem.h"

#include "fw_batch.h"

#include <endian.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

enum {
	ADDR_LEN = 4,
	PART = 4, /* bytes of each part of a concatenation */
	DATA_LEN = 2 * PART,
	UDATA_HEADER = 2, /* type, length */
};

static const struct {
	const char *name;
	bool remote; /* the key has the remote host */
	bool any;    /* and that may be 0.0.0.0 */
	bool enabled;
} maps[FW_MAPS] = {
	[FW_DNAT4] = { "dnat4", false, false, true },
	[FW_DNAT4S] = { "dnat4s", true, false, true },
	[FW_OFF4] = { "off4", true, true, false },
};

const char *fw_map_name(enum fw_map map)
{
	return maps[map].name;
}

enum fw_map fw_map_of(const struct fw_mapping *mapping)
{
	if (!mapping->enabled)
		return FW_OFF4;
	return igw_addr_is_none(&mapping->remote_host) ? FW_DNAT4 : FW_DNAT4S;
}

static bool protocol_ok(uint8_t protocol)
{
	return protocol == IGW_TCP || protocol == IGW_UDP;
}

/* An IPv4 address other than 0.0.0.0. */
static bool host_ok(const struct igw_addr *addr)
{
	return igw_addr_is_v4(addr) && igw_addr_to_v4(addr) != 0;
}

bool fw_mapping_key_ok(const struct fw_mapping *m)
{
	return protocol_ok(m->protocol) && m->external_port != 0 &&
	       (igw_addr_is_none(&m->remote_host) || host_ok(&m->remote_host));
}

bool fw_mapping_ok(const struct fw_mapping *m)
{
	return fw_mapping_key_ok(m) && m->internal_port != 0 &&
	       host_ok(&m->internal_client) && m->timeout_ms > 0 &&
	       m->record_len <= FW_RECORD_MAX;
}

bool fw_endpoint_key_ok(const struct fw_endpoint *e)
{
	return protocol_ok(e->protocol) && e->port != 0 && host_ok(&e->addr);
}

bool fw_endpoint_ok(const struct fw_endpoint *e)
{
	return fw_endpoint_key_ok(e) && e->timeout_ms > 0;
}

static uint8_t *put_u8(uint8_t *p, uint8_t v)
{
	memset(p, 0, PART);
	p[0] = v;
	return p + PART;
}

static uint8_t *put_port(uint8_t *p, uint16_t port)
{
	uint16_t be = htobe16(port);

	memset(p, 0, PART);
	memcpy(p, &be, sizeof(be));
	return p + PART;
}

static uint8_t *put_addr(uint8_t *p, const struct igw_addr *addr)
{
	uint32_t be = htobe32(igw_addr_to_v4(addr)); /* 0.0.0.0 for none */

	memcpy(p, &be, sizeof(be));
	return p + PART;
}

static const uint8_t *get_u8(const uint8_t *p, uint8_t *v, bool *bad)
{
	*v = p[0];
	*bad |= p[1] != 0 || p[2] != 0 || p[3] != 0;
	return p + PART;
}

static const uint8_t *get_port(const uint8_t *p, uint16_t *port, bool *bad)
{
	*port = (uint16_t)(p[0] << 8 | p[1]);
	*bad |= p[2] != 0 || p[3] != 0;
	return p + PART;
}

static const uint8_t *get_addr(const uint8_t *p, struct igw_addr *addr)
{
	uint32_t be;

	memcpy(&be, p, sizeof(be));
	*addr = igw_addr_from_v4(be32toh(be));
	return p + PART;
}

void fw_elems_begin(struct nlmsghdr *nlh, const char *table, const char *set)
{
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, table);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, set);
}

void fw_elems_flush(struct fw *fw, const char *table, const char *set)
{
	struct nlmsghdr *nlh = fw_batch_msg(fw, NFT_MSG_DELSETELEM, 0);

	fw_elems_begin(nlh, table, set); /* and no list of them */
	fw_batch_close(fw, nlh);
}

void fw_elems_expect(struct fw *fw, const char *table, const char *set)
{
	struct nlmsghdr *nlh = fw_batch_msg(fw, NFT_MSG_NEWSETELEM, NLM_F_CREATE);
	struct nlattr *list;

	fw_elems_begin(nlh, table, set);
	list = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
	mnl_attr_nest_end(nlh, list);
	fw_batch_close(fw, nlh);
}

static struct nlmsghdr *elems_msg(struct fw_elems *e)
{
	if (e->nlh && e->nlh->nlmsg_len > FW_MSG_FULL)
		fw_elems_end(e);
	if (e->nlh)
		return e->nlh;
	e->nlh = fw_batch_msg(e->fw, e->type, e->flags);
	fw_elems_begin(e->nlh, e->table, e->set);
	e->list = mnl_attr_nest_start(e->nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
	return e->nlh;
}

void fw_elems_end(struct fw_elems *e)
{
	if (!e->nlh)
		return;
	mnl_attr_nest_end(e->nlh, e->list);
	fw_batch_close(e->fw, e->nlh);
	e->nlh = NULL;
}

/* A value in its NFTA_DATA_VALUE, nested in the attribute `type`. */
static void put_value(struct nlmsghdr *nlh, uint16_t type, const void *value, size_t len)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);

	mnl_attr_put(nlh, NFTA_DATA_VALUE, len, value);
	mnl_attr_nest_end(nlh, nest);
}

static void put_timeout(struct nlmsghdr *nlh, uint64_t ms)
{
	if (ms < FW_TIMEOUT_MIN_MS)
		ms = FW_TIMEOUT_MIN_MS;
	mnl_attr_put_u64(nlh, NFTA_SET_ELEM_TIMEOUT, htobe64(ms));
}

static void put_record(struct nlmsghdr *nlh, const struct fw_mapping *m)
{
	uint8_t udata[UDATA_HEADER + FW_RECORD_MAX];

	udata[0] = FW_UDATA_TYPE;
	udata[1] = (uint8_t)m->record_len;
	memcpy(udata + UDATA_HEADER, m->record, m->record_len);
	mnl_attr_put(nlh, NFTA_SET_ELEM_USERDATA, UDATA_HEADER + m->record_len, udata);
}

size_t fw_mapping_key(
	enum fw_map map, const struct fw_mapping *m, uint8_t key[FW_KEY_MAX])
{
	uint8_t *end = put_port(put_u8(key, m->protocol), m->external_port);

	if (maps[map].remote)
		end = put_addr(end, &m->remote_host);
	return (size_t)(end - key);
}

size_t fw_endpoint_key(const struct fw_endpoint *ep, uint8_t key[FW_KEY_MAX])
{
	put_port(put_u8(put_addr(key, &ep->addr), ep->protocol), ep->port);
	return 3 * PART;
}

void fw_elems_mapping(struct fw_elems *e, enum fw_map map, const struct fw_mapping *m)
{
	struct nlmsghdr *nlh = elems_msg(e);
	struct nlattr *elem = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	uint8_t key[FW_KEY_MAX], data[DATA_LEN];

	put_value(nlh, NFTA_SET_ELEM_KEY, key, fw_mapping_key(map, m, key));
	put_port(put_addr(data, &m->internal_client), m->internal_port);
	put_value(nlh, NFTA_SET_ELEM_DATA, data, sizeof(data));
	put_timeout(nlh, m->timeout_ms);
	put_record(nlh, m);
	mnl_attr_nest_end(nlh, elem);
}

void fw_elems_endpoint(struct fw_elems *e, const struct fw_endpoint *ep)
{
	struct nlmsghdr *nlh = elems_msg(e);
	struct nlattr *elem = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	uint8_t key[FW_KEY_MAX];

	put_value(nlh, NFTA_SET_ELEM_KEY, key, fw_endpoint_key(ep, key));
	put_timeout(nlh, ep->timeout_ms);
	mnl_attr_nest_end(nlh, elem);
}

void fw_elem_key(struct nlmsghdr *nlh, const void *key, size_t len)
{
	struct nlattr *elem = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);

	put_value(nlh, NFTA_SET_ELEM_KEY, key, len);
	mnl_attr_nest_end(nlh, elem);
}

void fw_elems_key(struct fw_elems *e, const void *key, size_t len)
{
	fw_elem_key(elems_msg(e), key, len);
}

/* Copies the value nested in `attr` if it has exactly `len` bytes; a verdict has none. */
static bool get_value(const struct nlattr *attr, void *ret, size_t len)
{
	const struct nlattr *tb[NFTA_DATA_VALUE + 1];

	nl_read_nested(attr, tb, NFTA_DATA_VALUE);
	return nl_get(tb[NFTA_DATA_VALUE], ret, len);
}

static uint64_t get_u64(const struct nlattr *attr)
{
	uint64_t be = 0;

	(void)nl_get(attr, &be, sizeof(be));
	return be64toh(be);
}

static bool read_record(const struct nlattr *attr, struct fw_mapping *m)
{
	const uint8_t *udata;
	size_t len;

	if (!attr)
		return false;
	udata = nl_value(attr, &len);
	if (len < UDATA_HEADER || udata[0] != FW_UDATA_TYPE)
		return false;
	if (udata[1] != len - UDATA_HEADER || udata[1] > FW_RECORD_MAX)
		return false;
	m->record_len = udata[1];
	memcpy(m->record, udata + UDATA_HEADER, m->record_len);
	return true;
}

static bool read_key(enum fw_map map, const struct nlattr *attr, struct fw_mapping *m)
{
	uint8_t key[FW_KEY_MAX];
	const uint8_t *p = key;
	bool bad = false;

	if (!get_value(attr, key, maps[map].remote ? 3 * PART : 2 * PART))
		return false;
	p = get_port(get_u8(p, &m->protocol, &bad), &m->external_port, &bad);
	if (maps[map].remote)
		get_addr(p, &m->remote_host);
	if (maps[map].any && igw_addr_to_v4(&m->remote_host) == 0)
		m->remote_host = (struct igw_addr){ 0 };
	return !bad;
}

static bool read_data(const struct nlattr *attr, struct fw_mapping *m)
{
	uint8_t data[DATA_LEN];
	bool bad = false;

	if (!get_value(attr, data, sizeof(data)))
		return false;
	get_port(get_addr(data, &m->internal_client), &m->internal_port, &bad);
	return !bad;
}

int fw_elem_read(enum fw_map map, const struct nlattr *elem, struct fw_mapping *ret)
{
	const struct nlattr *tb[NFTA_SET_ELEM_USERDATA + 1];
	struct fw_mapping m = { .enabled = maps[map].enabled };

	nl_read_nested(elem, tb, NFTA_SET_ELEM_USERDATA);
	if (!read_key(map, tb[NFTA_SET_ELEM_KEY], &m) ||
		!read_data(tb[NFTA_SET_ELEM_DATA], &m) ||
		!read_record(tb[NFTA_SET_ELEM_USERDATA], &m))
		return -EINVAL;
	if (get_u64(tb[NFTA_SET_ELEM_TIMEOUT]) == 0)
		return -EINVAL; /* permanent: nothing may outlive its lease */
	m.timeout_ms = get_u64(tb[NFTA_SET_ELEM_EXPIRATION]);
	if (m.timeout_ms == 0)
		m.timeout_ms = 1; /* its last tick */
	if (!fw_mapping_ok(&m))
		return -EINVAL;
	*ret = m;
	return 0;
}
