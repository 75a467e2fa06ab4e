#include "fakes_broker.h"

#include "igdward/text.h"
#include "record.h"

#include <errno.h>
#include <unistd.h>

struct fake_kernel fake;

struct fw {
	int unused;
};

struct ct {
	int unused;
};

struct net {
	int unused;
};

const char policy_open[] =
	"{'version':1,'rules':[{'name':'open','action':'allow',"
	"'external_ports':['1024-65535'],'internal_ports':['1024-65535']}],"
	"'limits':{'per_client':5,'total':20,'reserved_per_client':0},"
	"'lease':{'min_s':60,'max_s':7200,'zero_s':3600},"
	"'rates':{'changes_per_min':600,'burst':100,'reads_per_min':600}}";

/* ---- fw.h ---- */

static bool same_key(const struct fw_mapping *a, const struct fw_mapping *b)
{
	return a->protocol == b->protocol && a->external_port == b->external_port &&
	       igw_addr_equal(&a->remote_host, &b->remote_host);
}

static bool same_fw_end(const struct fw_endpoint *a, const struct fw_endpoint *b)
{
	return a->protocol == b->protocol && a->port == b->port &&
	       igw_addr_equal(&a->addr, &b->addr);
}

static void map_del(const struct fw_mapping *mapping)
{
	for (size_t i = 0; i < fake.n_maps; i++) {
		if (same_key(&fake.maps[i].mapping, mapping)) {
			fake.maps[i] = fake.maps[--fake.n_maps];
			return;
		}
	}
}

static void map_set(const struct fw_mapping *mapping)
{
	assert_true(mapping->timeout_ms >= 1);
	assert_in_range(mapping->record_len, 1, FW_RECORD_MAX);
	map_del(mapping);
	assert_true(fake.n_maps < FAKE_MAPS);
	fake.maps[fake.n_maps++] =
		(struct fake_map){ *mapping, fake.now_ms + (int64_t)mapping->timeout_ms };
}

static void end_del(const struct fw_endpoint *end)
{
	for (size_t i = 0; i < fake.n_ends; i++) {
		if (same_fw_end(&fake.ends[i].end, end)) {
			fake.ends[i] = fake.ends[--fake.n_ends];
			return;
		}
	}
}

static void end_set(const struct fw_endpoint *end)
{
	assert_true(end->timeout_ms >= 1);
	end_del(end);
	assert_true(fake.n_ends < FAKE_MAPS);
	fake.ends[fake.n_ends++] =
		(struct fake_end){ *end, fake.now_ms + (int64_t)end->timeout_ms };
}

static void note_op(const struct fw_op *op)
{
	struct fake_op *into = &fake.ops[fake.n_ops++];

	assert_true(fake.n_ops <= FAKE_OPS);
	*into = (struct fake_op){ .kind = op->kind };
	if (op->kind == FW_MAP_SET || op->kind == FW_MAP_DEL) {
		assert_non_null(op->mapping);
		into->mapping = *op->mapping;
	} else {
		assert_non_null(op->endpoint);
		into->endpoint = *op->endpoint;
	}
}

static void do_ops(const struct fw_op *ops, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		switch (ops[i].kind) {
		case FW_MAP_SET:
			map_set(ops[i].mapping);
			break;
		case FW_MAP_DEL:
			map_del(ops[i].mapping);
			break;
		case FW_END_SET:
			end_set(ops[i].endpoint);
			break;
		case FW_END_DEL:
			end_del(ops[i].endpoint);
			break;
		}
	}
}

int fw_apply(struct fw *fw, const struct fw_op *ops, size_t n)
{
	assert_non_null(fw);
	assert_true(n > 0);
	fake.applies++;
	fake.n_ops = 0;
	for (size_t i = 0; i < n; i++)
		note_op(&ops[i]);
	if (fake.during_apply)
		fake.during_apply(fake.during_arg);
	if (!fake.there)
		return -ENOENT;
	if (fake.apply_errors > 0) {
		fake.apply_errors--;
		/* Done all the same: only the answer was lost. */
		if (fake.apply_error == -ENOBUFS || fake.apply_error == -ETIMEDOUT)
			do_ops(ops, n);
		return fake.apply_error;
	}
	do_ops(ops, n);
	return 0;
}

int fw_install(struct fw *fw, const struct fw_settings *settings,
	const struct fw_links *links, const struct fw_mapping *mappings,
	size_t n_mappings, const struct fw_endpoint *endpoints, size_t n_endpoints)
{
	assert_non_null(fw);
	assert_non_null(settings);
	fake.installs++;
	if (fake.install_error < 0)
		return fake.install_error;
	fake.there = true;
	fake.links = *links;
	fake.n_maps = 0;
	fake.n_ends = 0;
	for (size_t i = 0; i < n_mappings; i++)
		map_set(&mappings[i]);
	for (size_t i = 0; i < n_endpoints; i++)
		end_set(&endpoints[i]);
	return 0;
}

int fw_load(struct fw *fw, fw_found_fn found, void *arg)
{
	assert_non_null(fw);
	for (size_t i = 0; i < fake.n_load; i++) {
		struct fw_mapping mapping = { 0 };
		int r;

		fake.load(i, &mapping);
		r = found(&mapping, arg);
		if (r != 0)
			return r;
	}
	return fake.load_error;
}

int fw_set_links(struct fw *fw, const struct fw_links *links)
{
	assert_non_null(fw);
	fake.set_links++;
	if (fake.links_error < 0)
		return fake.links_error;
	fake.links = *links;
	return 0;
}

int fw_open(struct fw **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

void fw_close(struct fw *fw)
{
	free(fw);
}

int fw_remove_mappings(struct fw *fw)
{
	(void)fw;
	fake.there = false;
	return 0;
}

int fw_teardown(struct fw *fw)
{
	return fw_remove_mappings(fw);
}

int fw_counters(struct fw *fw, struct fw_counters *ret)
{
	(void)fw;
	if (!fake.there)
		return -ENOENT;
	*ret = (struct fw_counters){ 1, 2, 4, 8, 16, 32, 64, 128 };
	return 0;
}

bool fw_owned(const struct fw *fw)
{
	(void)fw;
	return true;
}

/* ---- ct.h ---- */

int ct_open(struct ct **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

void ct_close(struct ct *ct)
{
	free(ct);
}

int ct_cut(struct ct *ct, const struct ct_match *matches, size_t n)
{
	assert_non_null(ct);
	fake.cuts++;
	fake.n_matches = n;
	for (size_t i = 0; i < n && i < FAKE_OPS; i++)
		fake.matches[i] = matches[i];
	return fake.cut_error < 0 ? fake.cut_error : (int)n;
}

/* As many flows as the external port says, so that a mix-up is seen. */
int ct_count(struct ct *ct, const struct ct_match *matches, size_t n, uint32_t *counts)
{
	assert_non_null(ct);
	fake.counted++;
	if (fake.cut_error < 0)
		return fake.cut_error;
	for (size_t i = 0; i < n; i++)
		counts[i] = matches[i].external_port;
	return 0;
}

/* ---- net.h ---- */

int net_open(struct net **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

void net_close(struct net *net)
{
	free(net);
}

int net_fd(const struct net *net)
{
	(void)net;
	return -1;
}

int net_poll(struct net *net)
{
	(void)net;
	return 1;
}

size_t net_ifaces(const struct net *net, const struct net_iface **ret)
{
	(void)net;
	*ret = fake.ifaces;
	return fake.n_ifaces;
}

const struct net_iface *net_find(const struct net *net, const char *name)
{
	(void)net;
	for (size_t i = 0; i < fake.n_ifaces; i++) {
		if (strcmp(fake.ifaces[i].name, name) == 0)
			return &fake.ifaces[i];
	}
	return NULL;
}

const char *net_default(const struct net *net)
{
	(void)net;
	return fake.default_name;
}

static bool in_net(const struct net_addr *net, const struct igw_addr *addr)
{
	struct igw_prefix prefix = { net->addr, (uint8_t)(96 + net->len) };
	uint32_t mask = net->len == 0 ? 0 : UINT32_MAX << (32 - net->len);

	prefix.addr = igw_addr_from_v4(igw_addr_to_v4(&net->addr) & mask);
	return igw_prefix_contains(&prefix, addr);
}

bool net_is_own(const struct net *net, const struct igw_addr *addr)
{
	(void)net;
	for (size_t i = 0; i < fake.n_ifaces; i++) {
		for (size_t j = 0; j < fake.ifaces[i].n_addrs; j++) {
			if (igw_addr_equal(&fake.ifaces[i].addrs[j].addr, addr))
				return true;
		}
	}
	return false;
}

bool net_is_special(const struct net *net, const struct igw_addr *addr)
{
	(void)net;
	for (size_t i = 0; i < fake.n_ifaces; i++) {
		for (size_t j = 0; j < fake.ifaces[i].n_addrs; j++) {
			const struct net_addr *of = &fake.ifaces[i].addrs[j];
			uint32_t host = UINT32_MAX >> of->len;
			uint32_t v4 = igw_addr_to_v4(addr);

			if (in_net(of, addr) && ((v4 & host) == 0 || (v4 & host) == host))
				return true;
		}
	}
	return false;
}

int net_on_link(struct net *net, const char *name, const struct igw_addr *addr)
{
	const struct net_iface *iface = net_find(net, name);

	if (fake.on_link_error < 0)
		return fake.on_link_error;
	for (size_t i = 0; iface && i < iface->n_addrs; i++) {
		if (in_net(&iface->addrs[i], addr))
			return 1;
	}
	return 0;
}

int net_neighbour(struct net *net, const char *name, const struct igw_addr *addr,
	struct igw_mac *ret)
{
	(void)net;
	(void)name;
	if (fake.no_neighbours)
		return -ENOENT;
	*ret = (struct igw_mac){ .b = { 2, 0, 0, 0, fake.card, addr->b[15] } };
	return 0;
}

int net_stats(struct net *net, const char *name, struct net_iface *ret)
{
	const struct net_iface *iface = net_find(net, name);

	if (!iface)
		return -ENODEV;
	*ret = *iface;
	ret->rx_bytes = 10;
	ret->tx_bytes = 20;
	ret->rx_packets = 30;
	ret->tx_packets = 40;
	return 0;
}

uint64_t net_speed(struct net *net, const char *name)
{
	(void)net;
	(void)name;
	return 1000000000;
}

int net_listens(
	struct net *net, uint8_t protocol, const struct igw_addr *addr, uint16_t port)
{
	(void)net;
	assert_true(igw_addr_is_v4(addr));
	return fake.listens_port == port && fake.listens_protocol == protocol;
}
