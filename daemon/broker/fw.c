#include "fw.h"

#include "fw_batch.h"
#include "fw_dump.h"
#include "fw_elem.h"
#include "fw_internal.h"
#include "fw_probe.h"
#include "fw_skeleton.h"

#include <errno.h>
#include <libnftnl/common.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <sys/socket.h>

/* The most of everything: an overflow means that nobody knows what the kernel holds. */
static void set_buffers(struct fw *fw, int fd)
{
	const int size = FW_SOCKET_BUFFER;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) == 0)
		fw->sndbuf = size;
	else
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

int fw_open(struct fw **ret)
{
	struct fw *fw = calloc(1, sizeof(*fw));
	int r;

	if (!fw)
		return -ENOMEM;
	fw->wr.fd = -1;
	fw->rd.fd = -1;
	r = fw_batch_init(fw);
	if (r == 0)
		r = nl_open(NETLINK_NETFILTER, &fw->wr);
	if (r == 0)
		r = nl_open(NETLINK_NETFILTER, &fw->rd);
	if (r < 0)
		goto fail;
	set_buffers(fw, fw->wr.fd);
	set_buffers(fw, fw->rd.fd);
	r = fw_probe(fw);
	if (r < 0)
		goto fail;
	*ret = fw;
	return 0;
fail:
	fw_close(fw);
	return r;
}

void fw_close(struct fw *fw)
{
	if (!fw)
		return;
	nl_close(&fw->wr);
	nl_close(&fw->rd);
	fw_batch_free(fw);
	free(fw);
}

int fw_load(struct fw *fw, fw_found_fn found, void *arg)
{
	for (enum fw_map map = 0; map < FW_MAPS; map++) {
		struct fw_mapping *v = NULL;
		size_t n = 0;
		int r = fw_dump_map(fw, map, &v, &n);

		for (size_t i = 0; i < n && r == 0; i++)
			r = found(&v[i], arg);
		free(v);
		if (r != 0)
			return r;
	}
	return 0;
}

static struct fw_elems adding(struct fw *fw, const char *set)
{
	return (struct fw_elems){ .fw = fw,
		.table = FW_TABLE,
		.set = set,
		.type = NFT_MSG_NEWSETELEM,
		.flags = NLM_F_CREATE | NLM_F_EXCL };
}

int fw_set_links(struct fw *fw, const struct fw_links *links)
{
	int r = fw_links_check(links);

	if (r < 0)
		return r;
	fw_batch_start(fw);
	fw_put_links(fw, FW_FLOOR, links, false);
	fw_put_links(fw, FW_TABLE, links, false);
	if (fw->batch.n > 0)
		return fw_batch_commit(fw);
	/* Nothing to be changed, and so both tables have been seen. */
	return 0;
}

/*
 * Deletes one element that may be there or not. Where the kernel cannot be told so it is
 * asked first: a transaction that fails is dear, the kernel waits some 10 ms for RCU.
 */
static void put_delete(struct fw *fw, const char *set, const uint8_t *key, size_t len)
{
	struct fw_elems e = {
		.fw = fw, .table = FW_TABLE, .set = set, .type = NFT_MSG_DELSETELEM
	};

	if (fw->deletes == FW_DELETE_IF_SEEN &&
		fw_dump_element(fw, set, key, len) == -ENOENT)
		return;
	if (fw->deletes == FW_DELETE_DESTROY)
		e.type = FW_MSG_DESTROYSETELEM;
	fw_elems_key(&e, key, len);
	fw_elems_end(&e);
}

static void put_map_delete(struct fw *fw, enum fw_map map, const struct fw_mapping *m)
{
	uint8_t key[FW_KEY_MAX];
	size_t len = fw_mapping_key(map, m, key);

	put_delete(fw, fw_map_name(map), key, len);
}

/* Removes the key from wherever it may be: a mapping may be enabled or disabled. */
static void put_map_del(struct fw *fw, const struct fw_mapping *m)
{
	bool any = igw_addr_is_none(&m->remote_host);

	put_map_delete(fw, any ? FW_DNAT4 : FW_DNAT4S, m);
	put_map_delete(fw, FW_OFF4, m);
}

static void put_map_set(struct fw *fw, const struct fw_mapping *m)
{
	struct fw_elems e = adding(fw, fw_map_name(fw_map_of(m)));

	put_map_del(fw, m);
	fw_elems_mapping(&e, fw_map_of(m), m);
	fw_elems_end(&e);
}

static void put_end_del(struct fw *fw, const struct fw_endpoint *ep)
{
	uint8_t key[FW_KEY_MAX];

	put_delete(fw, "in4", key, fw_endpoint_key(ep, key));
}

static void put_end_set(struct fw *fw, const struct fw_endpoint *ep)
{
	struct fw_elems e = adding(fw, "in4");

	put_end_del(fw, ep);
	fw_elems_endpoint(&e, ep);
	fw_elems_end(&e);
}

static void put_op(struct fw *fw, const struct fw_op *op)
{
	bool ok = false;

	switch (op->kind) {
	case FW_MAP_SET:
		ok = op->mapping && fw_mapping_ok(op->mapping);
		if (ok)
			put_map_set(fw, op->mapping);
		break;
	case FW_MAP_DEL:
		ok = op->mapping && fw_mapping_key_ok(op->mapping);
		if (ok)
			put_map_del(fw, op->mapping);
		break;
	case FW_END_SET:
		ok = op->endpoint && fw_endpoint_ok(op->endpoint);
		if (ok)
			put_end_set(fw, op->endpoint);
		break;
	case FW_END_DEL:
		ok = op->endpoint && fw_endpoint_key_ok(op->endpoint);
		if (ok)
			put_end_del(fw, op->endpoint);
		break;
	}
	if (!ok)
		fw_batch_fail(fw, -EINVAL);
}

static void put_ops(
	struct fw *fw, const struct fw_op *ops, size_t n, enum fw_deletes deletes)
{
	fw->deletes = deletes;
	fw_batch_start(fw);
	/* No mapping without the floor below it. */
	fw_elems_expect(fw, FW_FLOOR, "wan");
	fw_elems_expect(fw, FW_TABLE, "wan");
	for (size_t i = 0; i < n; i++)
		put_op(fw, &ops[i]);
}

/* For kernels without DESTROYSETELEM. */
static int apply_old(struct fw *fw, const struct fw_op *ops, size_t n)
{
	struct fw_table_info info;
	int r;

	put_ops(fw, ops, n, FW_DELETE_IF_SEEN);
	r = fw_batch_commit(fw);
	if (fw->batch.n > 0 && r != -ENOENT && r != -EEXIST)
		return r;
	if (fw->batch.err < 0)
		return fw->batch.err;
	r = fw_dump_table(fw, FW_FLOOR, &info);
	if (r == 0)
		r = fw_dump_table(fw, FW_TABLE, &info);
	if (r < 0)
		return r;
	/* An element expired meanwhile, or operations of one batch have the same key. */
	put_ops(fw, ops, n, FW_DELETE_PLAIN);
	r = fw_batch_commit_lenient(fw);
	/* Nothing to delete was there: because it is gone, or because all is gone? */
	return r == -ENODATA ? fw_dump_table(fw, FW_TABLE, &info) : r;
}

int fw_apply(struct fw *fw, const struct fw_op *ops, size_t n)
{
	if (n == 0)
		return 0;
	if (!fw->has_destroy)
		return apply_old(fw, ops, n);
	put_ops(fw, ops, n, FW_DELETE_DESTROY);
	return fw_batch_commit(fw);
}

int fw_remove_mappings(struct fw *fw)
{
	int r;

	fw_batch_start(fw);
	fw_put_no_table(fw, FW_TABLE);
	r = fw_batch_commit(fw);
	if (r == 0)
		fw->owned = false;
	return r;
}

int fw_teardown(struct fw *fw)
{
	int r;

	fw_batch_start(fw);
	fw_put_no_table(fw, FW_TABLE);
	fw_put_no_table(fw, FW_FLOOR);
	r = fw_batch_commit(fw);
	if (r == 0)
		fw->owned = false;
	return r;
}

int fw_counters(struct fw *fw, struct fw_counters *ret)
{
	return fw_dump_counters(fw, ret);
}

bool fw_owned(const struct fw *fw)
{
	return fw->owned;
}
