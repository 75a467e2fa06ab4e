#include "fw_dump.h"

#include <endian.h>
#include <errno.h>
#include <libnftnl/common.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
	MAPPINGS_MIN = 256, /* room to begin with */
	MAPPINGS_MAX =
		131072, /* two protocols of 65535 ports; what is beyond is foreign */
};

static struct nlmsghdr *question(struct nl_ask *ask, unsigned type, unsigned flags)
{
	return nftnl_nlmsg_build_hdr(
		(char *)ask->b, (uint16_t)type, NFPROTO_INET, (uint16_t)flags, 0);
}

static bool read_attrs(const struct nlmsghdr *nlh, const struct nlattr **tb, uint16_t max)
{
	struct nfgenmsg head;

	return nl_read(nlh, &head, sizeof(head), tb, max);
}

static void take_table(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *tb[NFTA_TABLE_USERDATA + 1];
	uint8_t udata[2 + sizeof(uint32_t)];
	struct fw_table_info *info = data;
	uint32_t be = 0;

	if (!read_attrs(nlh, tb, NFTA_TABLE_USERDATA))
		return;
	(void)nl_get(tb[NFTA_TABLE_FLAGS], &be, sizeof(be));
	info->flags = be32toh(be);
	if (nl_get(tb[NFTA_TABLE_USE], &be, sizeof(be)))
		info->parts = be32toh(be);
	if (!nl_get(tb[NFTA_TABLE_USERDATA], udata, sizeof(udata)))
		return;
	info->stamped = udata[0] == FW_UDATA_TYPE;
	memcpy(&info->stamp, udata + 2, sizeof(info->stamp));
}

int fw_dump_table(struct fw *fw, const char *table, struct fw_table_info *ret)
{
	struct nl_ask ask = { { 0 } };
	struct nlmsghdr *nlh = question(&ask, NFT_MSG_GETTABLE, NLM_F_ACK);
	struct fw_table_info info = { 0 };
	int r;

	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, table);
	r = nl_talk(&fw->rd, nlh, &fw->reply, take_table, &info);
	if (r < 0)
		return r;
	*ret = info;
	return 0;
}

/* Mappings as they are found. */
struct found {
	enum fw_map map;
	struct fw_mapping *v;
	size_t n, room;
	int err;
};

static int found_grow(struct found *f)
{
	size_t room = f->room > 0 ? f->room * 2 : MAPPINGS_MIN;
	struct fw_mapping *v = realloc(f->v, room * sizeof(*v));

	if (!v)
		return -ENOMEM;
	f->v = v;
	f->room = room;
	return 0;
}

static int take_element(const struct nlattr *elem, void *data)
{
	struct found *f = data;

	if (f->err < 0 || f->n == MAPPINGS_MAX)
		return MNL_CB_STOP;
	if (f->n == f->room)
		f->err = found_grow(f);
	if (f->err == 0 && fw_elem_read(f->map, elem, &f->v[f->n]) == 0)
		f->n++;
	return MNL_CB_OK;
}

static void parse_elements(const struct nlmsghdr *nlh, mnl_attr_cb_t each, void *data)
{
	const struct nlattr *tb[NFTA_SET_ELEM_LIST_ELEMENTS + 1];

	if (read_attrs(nlh, tb, NFTA_SET_ELEM_LIST_ELEMENTS) &&
		tb[NFTA_SET_ELEM_LIST_ELEMENTS])
		(void)mnl_attr_parse_nested(tb[NFTA_SET_ELEM_LIST_ELEMENTS], each, data);
}

static void take_elements(const struct nlmsghdr *nlh, void *data)
{
	parse_elements(nlh, take_element, data);
}

/* One dump. Any transaction of any program in the middle of it makes it worthless. */
static int dump_map(struct fw *fw, struct found *f)
{
	struct nl_ask ask = { { 0 } };
	struct nlmsghdr *nlh = question(&ask, NFT_MSG_GETSETELEM, NLM_F_DUMP);
	int r;

	f->n = 0;
	fw_elems_begin(nlh, FW_TABLE, fw_map_name(f->map));
	r = nl_talk(&fw->rd, nlh, &fw->reply, take_elements, f);
	return r < 0 ? r : f->err;
}

int fw_dump_map(struct fw *fw, enum fw_map map, struct fw_mapping **ret, size_t *ret_n)
{
	struct found f = { .map = map };
	int r = -EINTR;

	for (int i = 0; i < FW_DUMP_TRIES && (r == -EINTR || r == -ENOBUFS); i++)
		r = dump_map(fw, &f);
	if (r < 0 && r != -ENOENT) {
		free(f.v);
		return r;
	}
	*ret = f.v;
	*ret_n = r == 0 ? f.n : 0;
	return 0;
}

static bool has_key(const struct fw_keys *keys, const void *key)
{
	for (size_t i = 0; i < keys->n && i < FW_KEYS_MAX; i++) {
		if (memcmp(keys->v[i], key, keys->len) == 0)
			return true;
	}
	return false;
}

void fw_keys_add(struct fw_keys *keys, const void *key)
{
	if (has_key(keys, key))
		return;
	if (keys->n < FW_KEYS_MAX)
		memcpy(keys->v[keys->n], key, keys->len);
	keys->n++;
}

static int take_key(const struct nlattr *elem, void *data)
{
	const struct nlattr *tb[NFTA_SET_ELEM_KEY + 1], *in[NFTA_DATA_VALUE + 1];
	struct fw_keys *keys = data;
	uint8_t key[FW_KEYS_LEN];

	nl_read_nested(elem, tb, NFTA_SET_ELEM_KEY);
	nl_read_nested(tb[NFTA_SET_ELEM_KEY], in, NFTA_DATA_VALUE);
	if (nl_get(in[NFTA_DATA_VALUE], key, keys->len))
		fw_keys_add(keys, key);
	else
		keys->n = FW_KEYS_MAX + 1; /* another kind of set */
	return MNL_CB_OK;
}

static void take_keys(const struct nlmsghdr *nlh, void *data)
{
	parse_elements(nlh, take_key, data);
}

bool fw_dump_same(
	struct fw *fw, const char *table, const char *set, const struct fw_keys *keys)
{
	struct nl_ask ask = { { 0 } };
	struct nlmsghdr *nlh = question(&ask, NFT_MSG_GETSETELEM, NLM_F_DUMP);
	struct fw_keys found = { .len = keys->len };

	fw_elems_begin(nlh, table, set);
	if (nl_talk(&fw->rd, nlh, &fw->reply, take_keys, &found) < 0)
		return false;
	for (size_t i = 0; i < keys->n; i++) {
		if (!has_key(&found, keys->v[i]))
			return false;
	}
	return found.n == keys->n;
}

static void take_nothing(const struct nlmsghdr *nlh, void *data)
{
	(void)nlh;
	(void)data;
}

int fw_dump_element(struct fw *fw, const char *set, const void *key, size_t len)
{
	struct nl_ask ask = { { 0 } };
	struct nlmsghdr *nlh = question(&ask, NFT_MSG_GETSETELEM, NLM_F_ACK);
	struct nlattr *list;

	fw_elems_begin(nlh, FW_TABLE, set);
	list = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
	fw_elem_key(nlh, key, len);
	mnl_attr_nest_end(nlh, list);
	return nl_talk(&fw->rd, nlh, &fw->reply, take_nothing, NULL);
}

/* The counters as they are found. */
struct counted {
	struct fw_counters v;
	unsigned found; /* one bit for each */
};

static const struct {
	const char *name;
	size_t offset;
} counters[] = {
	{ "smb_dnat", offsetof(struct fw_counters, smb_dnat) },
	{ "smb_routed", offsetof(struct fw_counters, smb_routed) },
	{ "smb_egress", offsetof(struct fw_counters, smb_egress) },
	{ "proxy", offsetof(struct fw_counters, proxy) },
	{ "off_lan", offsetof(struct fw_counters, off_lan) },
	{ "router", offsetof(struct fw_counters, router) },
	{ "control", offsetof(struct fw_counters, control) },
	{ "worker", offsetof(struct fw_counters, worker) },
};

enum { COUNTERS = sizeof(counters) / sizeof(counters[0]) };

/* Whether the attribute is the string `s`, with its NUL. */
static bool is_string(const struct nlattr *attr, const char *s)
{
	const void *value;
	size_t len;

	if (!attr)
		return false;
	value = nl_value(attr, &len);
	return len == strlen(s) + 1 && memcmp(value, s, len) == 0;
}

static void take_counter(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *tb[NFTA_OBJ_DATA + 1], *in[NFTA_COUNTER_PACKETS + 1];
	struct counted *c = data;
	uint64_t be, n;

	if (!read_attrs(nlh, tb, NFTA_OBJ_DATA) ||
		!is_string(tb[NFTA_OBJ_TABLE], FW_FLOOR))
		return;
	nl_read_nested(tb[NFTA_OBJ_DATA], in, NFTA_COUNTER_PACKETS);
	if (!nl_get(in[NFTA_COUNTER_PACKETS], &be, sizeof(be)))
		return;
	n = be64toh(be);
	for (size_t i = 0; i < COUNTERS; i++) {
		if (!is_string(tb[NFTA_OBJ_NAME], counters[i].name))
			continue;
		memcpy((uint8_t *)&c->v + counters[i].offset, &n, sizeof(n));
		c->found |= 1u << i;
	}
}

/* One dump. */
static int dump_counters(struct fw *fw, struct counted *c)
{
	struct nl_ask ask = { { 0 } };
	struct nlmsghdr *nlh = question(&ask, NFT_MSG_GETOBJ, NLM_F_DUMP);

	*c = (struct counted){ 0 };
	mnl_attr_put_strz(nlh, NFTA_OBJ_TABLE, FW_FLOOR);
	mnl_attr_put_u32(nlh, NFTA_OBJ_TYPE, htobe32(NFT_OBJECT_COUNTER));
	return nl_talk(&fw->rd, nlh, &fw->reply, take_counter, c);
}

int fw_dump_counters(struct fw *fw, struct fw_counters *ret)
{
	struct counted c;
	int r = -EINTR;

	for (int i = 0; i < FW_DUMP_TRIES && (r == -EINTR || r == -ENOBUFS); i++)
		r = dump_counters(fw, &c);
	if (r < 0)
		return r;
	if (c.found != (1u << COUNTERS) - 1)
		return -ENOENT;
	*ret = c.v;
	return 0;
}
