/* The layout of elements, byte by byte, and hostile ones. Needs no kernel. */
#include "test_fw_lab.h"

#include "fw_batch.h"
#include "fw_elem.h"

#include <endian.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

enum { MANY = 60000, FUZZ_ROUNDS = 200000 };

/* One element as an attribute, with what a test wants to be wrong about it. */
struct craft {
	_Alignas(8) uint8_t buf[1024];
	uint8_t key[64], data[64], udata[256];
	size_t key_len, data_len, udata_len;
	uint64_t timeout_ms, expiration_ms;
};

static struct craft craft_good(enum fw_map map)
{
	const uint8_t key[12] = { 6, 0, 0, 0, 0xba, 0x35, 0, 0, 198, 51, 100, 7 };
	const uint8_t data[8] = { 192, 168, 1, 10, 0x1f, 0x90, 0, 0 };
	const uint8_t udata[5] = { FW_UDATA_TYPE, 3, 'a', 'b', 'c' };
	struct craft c = {
		.key_len = map == FW_DNAT4 ? 8 : 12,
		.data_len = sizeof(data),
		.udata_len = sizeof(udata),
		.timeout_ms = 60000,
		.expiration_ms = 59000,
	};

	memcpy(c.key, key, sizeof(key));
	memcpy(c.data, data, sizeof(data));
	memcpy(c.udata, udata, sizeof(udata));
	return c;
}

static void put(struct nlmsghdr *nlh, uint16_t type, const uint8_t *value, size_t len)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);

	mnl_attr_put(nlh, NFTA_DATA_VALUE, len, value);
	mnl_attr_nest_end(nlh, nest);
}

static const struct nlattr *crafted(struct craft *c)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(c->buf);
	struct nlattr *elem = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);

	if (c->key_len > 0)
		put(nlh, NFTA_SET_ELEM_KEY, c->key, c->key_len);
	if (c->data_len > 0)
		put(nlh, NFTA_SET_ELEM_DATA, c->data, c->data_len);
	if (c->timeout_ms > 0)
		mnl_attr_put_u64(nlh, NFTA_SET_ELEM_TIMEOUT, htobe64(c->timeout_ms));
	if (c->expiration_ms > 0)
		mnl_attr_put_u64(
			nlh, NFTA_SET_ELEM_EXPIRATION, htobe64(c->expiration_ms));
	if (c->udata_len > 0)
		mnl_attr_put(nlh, NFTA_SET_ELEM_USERDATA, c->udata_len, c->udata);
	mnl_attr_nest_end(nlh, elem);
	return elem;
}

static int read_back(enum fw_map map, struct craft *c, struct fw_mapping *m)
{
	const struct fw_mapping before = { .external_port = 4711 };
	int r;

	*m = before;
	r = fw_elem_read(map, crafted(c), m);
	if (r < 0)
		assert_memory_equal(m, &before, sizeof(before));
	return r;
}

static void test_reads_all_maps(void **state)
{
	struct fw_mapping m;

	(void)state;
	for (enum fw_map map = 0; map < FW_MAPS; map++) {
		struct craft c = craft_good(map);

		assert_int_equal(read_back(map, &c, &m), 0);
		assert_int_equal(m.protocol, IGW_TCP);
		assert_int_equal(m.external_port, 47669);
		assert_int_equal(m.internal_port, 8080);
		assert_int_equal(igw_addr_to_v4(&m.internal_client), 0xc0a8010a);
		assert_int_equal(m.timeout_ms, 59000);
		assert_int_equal(m.record_len, 3);
		assert_memory_equal(m.record, "abc", 3);
		assert_int_equal(m.enabled, map != FW_OFF4);
		if (map == FW_DNAT4)
			assert_true(igw_addr_is_none(&m.remote_host));
		else
			assert_int_equal(igw_addr_to_v4(&m.remote_host), 0xc6336407);
	}
}

/* 0.0.0.0 is "any" where a disabled mapping is kept, and nonsense in a live one. */
static void test_remote_any(void **state)
{
	struct craft c = craft_good(FW_OFF4);
	struct fw_mapping m;

	(void)state;
	memset(c.key + 8, 0, 4);
	assert_int_equal(read_back(FW_OFF4, &c, &m), 0);
	assert_true(igw_addr_is_none(&m.remote_host));
	assert_int_equal(read_back(FW_DNAT4S, &c, &m), -EINVAL);
}

#define WRONG(statement)                                                                 \
	do {                                                                             \
		struct craft c = craft_good(FW_DNAT4S);                                  \
		struct fw_mapping m;                                                     \
                                                                                         \
		statement;                                                               \
		assert_int_equal(read_back(FW_DNAT4S, &c, &m), -EINVAL);                 \
	} while (0)

static void test_refuses(void **state)
{
	(void)state;
	WRONG(c.key_len = 0);
	WRONG(c.key_len = 8);
	WRONG(c.key_len = 11);
	WRONG(c.key_len = 16);
	WRONG(c.key[0] = 1);   /* icmp */
	WRONG(c.key[0] = 132); /* sctp */
	WRONG(c.key[1] = 1);   /* a key that no packet has */
	WRONG(c.key[7] = 1);
	WRONG(c.key[4] = c.key[5] = 0);
	WRONG(c.data_len = 0); /* as of a set, or with a verdict */
	WRONG(c.data_len = 4);
	WRONG(c.data_len = 12);
	WRONG(memset(c.data, 0, 4));
	WRONG(c.data[4] = c.data[5] = 0);
	WRONG(c.data[6] = 1);
	WRONG(c.timeout_ms = 0); /* permanent */
	WRONG(c.udata_len = 0);
	WRONG(c.udata_len = 1);
	WRONG(c.udata[0] = 0); /* a comment */
	WRONG(c.udata[1] = 2);
	WRONG(c.udata[1] = 4);
	WRONG(c.udata[1] = 255);
	WRONG((c.udata_len = 203, c.udata[1] = 201)); /* longer than a record of ours */
}

static void test_edges(void **state)
{
	struct craft c = craft_good(FW_DNAT4);
	struct fw_mapping m;

	(void)state;
	c.udata_len = 202;
	c.udata[1] = 200;
	assert_int_equal(read_back(FW_DNAT4, &c, &m), 0);
	assert_int_equal(m.record_len, 200);
	c.udata_len = 2;
	c.udata[1] = 0;
	assert_int_equal(read_back(FW_DNAT4, &c, &m), 0);
	assert_int_equal(m.record_len, 0);
	c.expiration_ms = 0; /* in its last tick */
	assert_int_equal(read_back(FW_DNAT4, &c, &m), 0);
	assert_int_equal(m.timeout_ms, 1);
	c.key[0] = 17;
	assert_int_equal(read_back(FW_DNAT4, &c, &m), 0);
	assert_int_equal(m.protocol, IGW_UDP);
}

/* Whatever is read is fit to be written, and nothing is read beyond the attribute. */
static void test_random(void **state)
{
	const char *given = getenv("TEST_SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
	unsigned taken = 0;

	(void)state;
	printf("seed %u\n", seed);
	srand(seed);
	for (int i = 0; i < FUZZ_ROUNDS; i++) {
		enum fw_map map = (enum fw_map)(rand() % FW_MAPS);
		struct craft c = craft_good(map);
		const struct nlattr *attr = crafted(&c);
		size_t len = attr->nla_len;
		uint8_t *copy = malloc(len);
		struct fw_mapping m;

		assert_non_null(copy);
		memcpy(copy, attr, len);
		for (int j = rand() % 4; j > 0; j--)
			copy[4 + (size_t)rand() % (len - 4)] = (uint8_t)rand();
		if (fw_elem_read(map, (struct nlattr *)(void *)copy, &m) == 0) {
			assert_true(fw_mapping_ok(&m));
			taken++;
		}
		free(copy);
	}
	assert_true(taken > FUZZ_ROUNDS / 10);
}

static struct fw *unopened(void)
{
	struct fw *fw = calloc(1, sizeof(*fw));

	assert_non_null(fw);
	assert_int_equal(fw_batch_init(fw), 0);
	fw_batch_start(fw);
	return fw;
}

static void free_unopened(struct fw *fw)
{
	fw_batch_free(fw);
	free(fw);
}

struct counted {
	enum fw_map map;
	size_t n;
};

static int count_element(const struct nlattr *elem, void *arg)
{
	struct counted *c = arg;
	struct fw_mapping m;
	/* What is sent has a timeout, and the kernel adds the time left. */
	int r = fw_elem_read(c->map, elem, &m);

	assert_int_equal(r, 0);
	assert_int_equal(m.external_port, 1 + c->n % 65535);
	assert_int_equal(m.record_len, FW_RECORD_MAX);
	c->n++;
	return MNL_CB_OK;
}

static int count_elements(const struct nlattr *attr, void *arg)
{
	if (mnl_attr_get_type(attr) == NFTA_SET_ELEM_LIST_ELEMENTS)
		mnl_attr_parse_nested(attr, count_element, arg);
	return MNL_CB_OK;
}

/* No list of elements gets too long for its attribute, and none is lost. */
static void test_many(void **state)
{
	struct fw *fw = unopened();
	struct fw_elems e = {
		.fw = fw, .table = FW_TABLE, .set = "dnat4s", .type = NFT_MSG_NEWSETELEM
	};
	struct fw_mapping m = mapping(1, "192.168.1.10", 80);
	struct counted counted = { .map = FW_DNAT4S };
	const struct nlmsghdr *nlh;
	size_t messages = 0;

	(void)state;
	m.record_len = FW_RECORD_MAX;
	m.remote_host = v4("198.51.100.7");
	for (unsigned i = 0; i < MANY; i++) {
		m.external_port = (uint16_t)(1 + i % 65535);
		fw_elems_mapping(&e, FW_DNAT4S, &m);
	}
	fw_elems_end(&e);
	assert_int_equal(fw->batch.err, 0);
	for (size_t off = 0; off < fw->batch.len; off += nlh->nlmsg_len) {
		nlh = (const struct nlmsghdr *)(const void *)(fw->batch.buf + off);
		assert_true(nlh->nlmsg_len < 65535);
		mnl_attr_parse(nlh, sizeof(struct nfgenmsg), count_elements, &counted);
		messages++;
	}
	assert_int_equal(counted.n, MANY);
	assert_true(messages > 100 && messages < MANY / 50);
	free_unopened(fw);
}

static void test_checks(void **state)
{
	struct fw_mapping m = mapping(1, "192.168.1.10", 80), bad;

	(void)state;
	assert_true(fw_mapping_ok(&m));
	bad = m, bad.protocol = 1;
	assert_false(fw_mapping_ok(&bad));
	bad = m, bad.external_port = 0;
	assert_false(fw_mapping_ok(&bad));
	bad = m, bad.internal_port = 0;
	assert_false(fw_mapping_ok(&bad));
	assert_true(fw_mapping_key_ok(&bad));
	bad = m, bad.timeout_ms = 0;
	assert_false(fw_mapping_ok(&bad));
	bad = m, bad.record_len = FW_RECORD_MAX + 1;
	assert_false(fw_mapping_ok(&bad));
	bad = m, memset(&bad.internal_client, 0, 16);
	assert_false(fw_mapping_ok(&bad));
	bad = m, memset(&bad.internal_client, 0x20, 16); /* IPv6 */
	assert_false(fw_mapping_ok(&bad));
	bad = m, memset(&bad.remote_host, 0x20, 16);
	assert_false(fw_mapping_ok(&bad));
	bad = m, bad.remote_host = igw_addr_from_v4(0);
	assert_false(fw_mapping_ok(&bad));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_all_maps),
		cmocka_unit_test(test_remote_any),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_checks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
