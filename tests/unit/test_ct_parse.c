/* Conntrack messages of any shape are read without harm, and the search among many
 * matches finds what a plain loop finds. */
#include "ct_parse.h"
#include "igdward/types.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum {
	BUFFER = 512,
	ROUNDS = 200000,
};

static void put_tuple(struct nlmsghdr *nlh, uint16_t type, uint8_t protocol, uint32_t src,
	uint16_t src_port, uint16_t dst_port)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);
	struct nlattr *part = mnl_attr_nest_start(nlh, CTA_TUPLE_IP);

	mnl_attr_put_u32(nlh, CTA_IP_V4_SRC, htonl(src));
	mnl_attr_put_u32(nlh, CTA_IP_V4_DST, htonl(0xcb007101));
	mnl_attr_nest_end(nlh, part);
	part = mnl_attr_nest_start(nlh, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(nlh, CTA_PROTO_NUM, protocol);
	mnl_attr_put_u16(nlh, CTA_PROTO_SRC_PORT, htons(src_port));
	mnl_attr_put_u16(nlh, CTA_PROTO_DST_PORT, htons(dst_port));
	mnl_attr_nest_end(nlh, part);
	mnl_attr_nest_end(nlh, nest);
}

static struct nlmsghdr *begin(void *buf, uint8_t family)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *info;

	nlh->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW;
	info = mnl_nlmsg_put_extra_header(nlh, sizeof(*info));
	info->nfgen_family = family;
	return nlh;
}

static struct nlmsghdr *good(void *buf)
{
	struct nlmsghdr *nlh = begin(buf, AF_INET);

	put_tuple(nlh, CTA_TUPLE_ORIG, IGW_TCP, 0xc6336407, 999, 4001);
	put_tuple(nlh, CTA_TUPLE_REPLY, IGW_TCP, 0xc0a80702, 80, 999);
	mnl_attr_put_u32(nlh, CTA_STATUS, htonl(IPS_DST_NAT | IPS_CONFIRMED));
	mnl_attr_put_u32(nlh, CTA_ID, 42);
	mnl_attr_put_u16(nlh, CTA_ZONE, htons(5));
	return nlh;
}

static void test_good(void **state)
{
	_Alignas(8) uint8_t buf[BUFFER] = { 0 };
	struct nlmsghdr *nlh = good(buf);
	struct ct_flow flow;

	(void)state;
	for (int again = 0; again < 2; again++) {
		assert_int_equal(ct_parse_flow(nlh, &flow), 0);
		assert_int_equal(flow.protocol, IGW_TCP);
		assert_true(flow.dnat);
		assert_int_equal(flow.remote, 0xc6336407);
		assert_int_equal(flow.external_port, 4001);
		assert_int_equal(flow.client, 0xc0a80702);
		assert_int_equal(flow.internal_port, 80);
		assert_int_equal(flow.id, 42);
		assert_int_equal(flow.orig->nla_type & 0x3fff, CTA_TUPLE_ORIG);
		assert_int_equal(flow.zone->nla_type & 0x3fff, CTA_ZONE);
	}
}

static void test_bad(void **state)
{
	_Alignas(8) uint8_t buf[BUFFER] = { 0 };
	struct ct_flow flow = { .id = 7 };
	struct nlmsghdr *nlh = good(buf);

	(void)state;
	nlh->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE;
	assert_int_equal(ct_parse_flow(nlh, &flow), -ENOMSG);
	nlh = begin(buf, AF_INET6);
	assert_int_equal(ct_parse_flow(nlh, &flow), -ENOMSG);
	nlh = begin(buf, AF_INET);
	assert_int_equal(ct_parse_flow(nlh, &flow), -EBADMSG);
	put_tuple(nlh, CTA_TUPLE_ORIG, IPPROTO_ICMP, 1, 2, 3);
	assert_int_equal(ct_parse_flow(nlh, &flow), -ENOMSG);
	nlh = begin(buf, AF_INET);
	put_tuple(nlh, CTA_TUPLE_ORIG, IGW_UDP, 1, 2, 3);
	assert_int_equal(ct_parse_flow(nlh, &flow), -EBADMSG);
	put_tuple(nlh, CTA_TUPLE_REPLY, IGW_UDP, 1, 2, 3);
	assert_int_equal(ct_parse_flow(nlh, &flow), -EBADMSG);
	mnl_attr_put_u32(nlh, CTA_STATUS, 0);
	assert_int_equal(ct_parse_flow(nlh, &flow), -EBADMSG);
	mnl_attr_put_u16(nlh, CTA_ID, 42); /* of the wrong size */
	assert_int_equal(ct_parse_flow(nlh, &flow), -EBADMSG);
	assert_int_equal(flow.id, 7);
	mnl_attr_put_u32(nlh, CTA_ID, 42);
	assert_int_equal(ct_parse_flow(nlh, &flow), 0);
	assert_false(flow.dnat);
	assert_null(flow.zone);
}

/* Hands over a copy that ends where the message says, so that reading on is caught. */
static int parse_copy(const void *message, uint32_t size)
{
	struct nlmsghdr *nlh = malloc(size);
	struct ct_flow flow;
	int r;

	assert_non_null(nlh);
	memcpy(nlh, message, size);
	nlh->nlmsg_len = size;
	r = ct_parse_flow(nlh, &flow);
	if (r == 0)
		assert_in_range(
			(uintptr_t)flow.orig, (uintptr_t)nlh, (uintptr_t)nlh + size);
	free(nlh);
	return r;
}

static void test_cut_short(void **state)
{
	_Alignas(8) uint8_t buf[BUFFER] = { 0 };
	const struct nlmsghdr *nlh = good(buf);

	(void)state;
	assert_int_equal(parse_copy(nlh, nlh->nlmsg_len), 0);
	/* The zone is not needed; without any of the rest there is no flow. */
	for (uint32_t size = sizeof(*nlh); size < nlh->nlmsg_len - 8; size++)
		assert_int_equal(parse_copy(nlh, size), -EBADMSG);
}

static void test_mangled(void **state)
{
	_Alignas(8) uint8_t buf[BUFFER] = { 0 };

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct nlmsghdr *nlh = good(buf);
		const uint32_t size = nlh->nlmsg_len;

		for (int j = rand() % 4; j >= 0; j--)
			buf[sizeof(*nlh) + (size_t)rand() % (size - sizeof(*nlh))] =
				(uint8_t)rand();
		(void)parse_copy(buf, size);
	}
}

static struct ct_match random_match(void)
{
	static const struct igw_addr any;

	return (struct ct_match){
		.protocol = rand() % 2 ? IGW_TCP : IGW_UDP,
		.external_port = (uint16_t)(rand() % 4),
		.internal_port = (uint16_t)(rand() % 2),
		.internal_client = igw_addr_from_v4((uint32_t)rand() % 3),
		.remote_host =
			rand() % 2 ? igw_addr_from_v4(1 + (uint32_t)rand() % 3) : any,
	};
}

static bool fits(const struct ct_match *m, const struct ct_flow *flow)
{
	return flow->dnat && m->protocol == flow->protocol &&
	       m->external_port == flow->external_port &&
	       m->internal_port == flow->internal_port &&
	       igw_addr_to_v4(&m->internal_client) == flow->client &&
	       (igw_addr_is_none(&m->remote_host) ||
		       igw_addr_to_v4(&m->remote_host) == flow->remote);
}

static void test_search(void **state)
{
	struct ct_match matches[40];
	struct ct_key keys[COUNT(matches)];

	(void)state;
	for (int i = 0; i < ROUNDS / 40; i++) {
		const size_t n = (size_t)rand() % (COUNT(matches) + 1);
		uint32_t want[COUNT(matches)] = { 0 };
		size_t n_keys;

		for (size_t j = 0; j < n; j++)
			matches[j] = random_match();
		n_keys = ct_keys_make(matches, n, keys);
		assert_int_equal(n_keys, n);
		for (int k = 0; k < 10; k++) {
			const struct ct_match m = random_match();
			const struct ct_flow flow = {
				.protocol = m.protocol,
				.dnat = rand() % 8,
				.remote = (uint32_t)rand() % 4,
				.external_port = m.external_port,
				.client = igw_addr_to_v4(&m.internal_client),
				.internal_port = m.internal_port,
			};
			bool any = false;

			for (size_t j = 0; j < n; j++) {
				want[j] += fits(&matches[j], &flow);
				any = any || fits(&matches[j], &flow);
			}
			assert_int_equal(ct_keys_hit(keys, n_keys, &flow), any);
		}
		for (size_t j = 0; j < n_keys; j++) {
			if (j > 0 && ct_key_same(&keys[j - 1], &keys[j]))
				keys[j].hits = keys[j - 1].hits;
			assert_int_equal(keys[j].hits, want[keys[j].index]);
		}
	}
}

static void test_keys_refused(void **state)
{
	struct ct_match m[3] = { 0 };
	struct ct_key keys[COUNT(m)];
	const struct ct_flow flow = { .dnat = true };

	(void)state;
	m[1].internal_client = igw_addr_from_v4(7);
	m[1].remote_host = igw_addr_from_v4(0);
	m[2].internal_client = igw_addr_from_v4(7);
	m[2].remote_host.b[0] = 0x20;
	assert_int_equal(ct_keys_make(m, COUNT(m), keys), 0);
	assert_false(ct_keys_hit(keys, 0, &flow));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_mangled),
		cmocka_unit_test(test_search),
		cmocka_unit_test(test_keys_refused),
	};

	const unsigned seed = argc > 1 ? (unsigned)atoi(argv[1]) : (unsigned)time(NULL);

	print_message("seed %u\n", seed);
	srand(seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
