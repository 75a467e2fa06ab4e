/* A transaction's scratch memory: what is put in comes out in order, and there is room
 * for the largest transaction there can be. */
#include "batch.h"
#include "record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct batch batch;

static int setup(void **state)
{
	(void)state;
	return batch_init(&batch);
}

static int teardown(void **state)
{
	(void)state;
	batch_free(&batch);
	return 0;
}

static struct mapping plain(void)
{
	return (struct mapping){ .id = 7,
		.expires_ms = 5000,
		.client = igw_addr_from_v4(0x0a000001),
		.internal_client = igw_addr_from_v4(0x0a000002),
		.remote_host = igw_addr_from_v4(0x01020304),
		.external_port = 4001,
		.internal_port = 4002,
		.protocol = IGW_UDP,
		.enabled = true,
		.interface = "br-lan",
		.description = "x" };
}

static void test_forms(void **state)
{
	struct mapping mapping = plain(), read = { 0 };
	struct fw_mapping fw = { 0 };
	struct ct_match match = batch_match(&mapping);

	(void)state;
	batch_fw_mapping(&mapping, 2000, &fw);
	assert_int_equal(fw.protocol, IGW_UDP);
	assert_true(fw.enabled);
	assert_int_equal(fw.external_port, 4001);
	assert_int_equal(fw.internal_port, 4002);
	assert_true(igw_addr_equal(&fw.internal_client, &mapping.internal_client));
	assert_true(igw_addr_equal(&fw.remote_host, &mapping.remote_host));
	assert_int_equal(fw.timeout_ms, 3000);
	assert_int_equal(record_read(fw.record, fw.record_len, &read), 0);
	assert_int_equal(read.id, 7);
	assert_int_equal(match.protocol, IGW_UDP);
	assert_int_equal(match.external_port, 4001);
	assert_int_equal(match.internal_port, 4002);
	assert_true(igw_addr_equal(&match.internal_client, &mapping.internal_client));
	assert_true(igw_addr_equal(&match.remote_host, &mapping.remote_host));
}

/* The kernel takes 0 for "no end": what has expired is given its last millisecond. */
static void test_timeout_is_never_zero(void **state)
{
	struct mapping mapping = plain();
	struct fw_mapping fw = { 0 };

	(void)state;
	batch_fw_mapping(&mapping, 4999, &fw);
	assert_int_equal(fw.timeout_ms, 1);
	batch_fw_mapping(&mapping, 5000, &fw);
	assert_int_equal(fw.timeout_ms, 1);
	batch_fw_mapping(&mapping, INT64_MAX, &fw);
	assert_int_equal(fw.timeout_ms, 1);
	batch_end(&batch, FW_END_SET, IGW_TCP, &mapping.client, 1, 0, 0);
	assert_int_equal(batch.endpoints[0].timeout_ms, 1);
}

static void test_order(void **state)
{
	struct mapping mapping = plain();

	(void)state;
	batch_map(&batch, FW_MAP_SET, &mapping, 0);
	batch_end(&batch, FW_END_DEL, IGW_TCP, &mapping.client, 9, 0, 0);
	mapping.external_port++;
	batch_map(&batch, FW_MAP_DEL, &mapping, 0);
	batch_cut(&batch, &mapping);
	assert_int_equal(batch.n_ops, 3);
	assert_int_equal(batch.ops[0].kind, FW_MAP_SET);
	assert_int_equal(batch.ops[0].mapping->external_port, 4001);
	assert_int_equal(batch.ops[1].kind, FW_END_DEL);
	assert_int_equal(batch.ops[1].endpoint->port, 9);
	assert_int_equal(batch.ops[2].kind, FW_MAP_DEL);
	assert_int_equal(batch.ops[2].mapping->external_port, 4002);
	assert_null(batch.ops[1].mapping);
	assert_int_equal(batch.n_matches, 1);
	batch_clear_ops(&batch);
	assert_int_equal(batch.n_ops, 0);
	assert_int_equal(batch.n_mappings, 0);
	assert_int_equal(batch.n_endpoints, 0);
	assert_int_equal(batch.n_matches, 1);
	batch_clear(&batch);
	assert_int_equal(batch.n_matches, 0);
}

/* Every mapping with its element, its old and its new end. Under AddressSanitizer. */
static void test_largest(void **state)
{
	struct mapping mapping = plain();

	(void)state;
	for (uint32_t i = 0; i < TABLE_MAPPINGS_MAX; i++) {
		batch_map(&batch, FW_MAP_SET, &mapping, 0);
		batch_end(&batch, FW_END_DEL, IGW_TCP, &mapping.client, 9, 0, 0);
		batch_end(&batch, FW_END_SET, IGW_TCP, &mapping.client, 9, 10, 0);
		batch_cut(&batch, &mapping);
		batch.ended[i] = &mapping;
	}
	assert_int_equal(batch.n_ops, 3 * TABLE_MAPPINGS_MAX);
}

static void test_free_twice(void **state)
{
	struct batch none = { 0 };

	(void)state;
	batch_free(&none);
	batch_free(&batch);
	assert_null(batch.ops);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_forms),
		TEST(test_timeout_is_never_zero),
		TEST(test_order),
		TEST(test_largest),
		TEST(test_free_twice),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
