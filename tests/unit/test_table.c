/* The mapping table at its edges: full, empty, ends and their times, walks. */
#include "fakes_random.h"
#include "table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum {
	PER_CLIENT = 32,
	WALKED = 20000,
};

static struct table *table;

static int setup(void **state)
{
	(void)state;
	return table_new(random_u64(), &table);
}

static int teardown(void **state)
{
	(void)state;
	table_free(table);
	return 0;
}

/* Mapping `i` of many: one key, id and end each, a few per client. */
static struct mapping numbered(uint32_t i)
{
	return (struct mapping){ .id = i + 1,
		.expires_ms = 1000 + i,
		.client = igw_addr_from_v4(0x0a000000 + i / PER_CLIENT),
		.internal_client = igw_addr_from_v4(0x0a000000 + i / PER_CLIENT),
		.external_port = (uint16_t)(i + 1),
		.internal_port = (uint16_t)(i + 1),
		.protocol = IGW_TCP,
		.enabled = true };
}

static struct mapping *add(const struct mapping *mapping)
{
	struct mapping *real = table_add(table, mapping);

	assert_non_null(real);
	return real;
}

static void test_free_nothing(void **state)
{
	(void)state;
	table_free(NULL);
}

static void test_empty(void **state)
{
	struct igw_addr none = { 0 };
	struct mapping *due[2];
	uint32_t at = 0;
	int64_t expires_ms = 5;

	(void)state;
	assert_int_equal(table_count(table), 0);
	assert_int_equal(table_next_due_ms(table), INT64_MAX);
	assert_int_equal(table_due(table, INT64_MAX, due, 2), 0);
	assert_null(table_next(table, &at));
	assert_null(table_find(table, IGW_TCP, 0, &none));
	assert_null(table_find_id(table, 0));
	assert_null(table_find_index(table, &none, 0));
	assert_int_equal(table_endpoint(table, IGW_TCP, &none, 0, &expires_ms), 0);
	assert_int_equal(expires_ms, 5);
}

static void test_add_refuses(void **state)
{
	struct mapping good = numbered(0), bad = numbered(1);

	(void)state;
	add(&good);
	bad.id = 0;
	assert_null(table_add(table, &bad));
	bad.id = good.id;
	assert_null(table_add(table, &bad));
	bad.id = 2;
	bad.protocol = 0;
	assert_null(table_add(table, &bad));
	bad.protocol = 132;
	assert_null(table_add(table, &bad));
	bad.protocol = IGW_TCP;
	bad.external_port = good.external_port;
	assert_null(table_add(table, &bad));
	assert_int_equal(table_count(table), 1);
	/* The same key with another remote host or protocol is another mapping. */
	bad.remote_host = igw_addr_from_v4(0x01020304);
	add(&bad);
	bad.id = 3;
	bad.protocol = IGW_UDP;
	add(&bad);
	assert_int_equal(table_count(table), 3);
}

static void fill(void)
{
	for (uint32_t i = 0; i < TABLE_MAPPINGS_MAX; i++) {
		struct mapping mapping = numbered(i);

		add(&mapping);
	}
}

static void check_full(void)
{
	struct igw_addr none = { 0 };
	const struct mapping *mapping;
	uint32_t at = 0, n = 0;
	int64_t expires_ms = 0;

	assert_int_equal(table_count(table), TABLE_MAPPINGS_MAX);
	while ((mapping = table_next(table, &at))) {
		n++;
		assert_ptr_equal(table_find_id(table, mapping->id), mapping);
		assert_ptr_equal(
			table_find(table, IGW_TCP, mapping->external_port, &none),
			mapping);
		assert_int_equal(table_endpoint(table, IGW_TCP, &mapping->internal_client,
					 mapping->internal_port, &expires_ms),
			1);
		assert_int_equal(expires_ms, mapping->expires_ms);
	}
	assert_int_equal(n, TABLE_MAPPINGS_MAX);
}

static void test_full(void **state)
{
	struct mapping more = numbered(TABLE_MAPPINGS_MAX);
	struct mapping *real;

	(void)state;
	fill();
	check_full();
	more.protocol = IGW_UDP;
	assert_null(table_add(table, &more));
	assert_int_equal(table_count(table), TABLE_MAPPINGS_MAX);
	/* A new end for one of them while all ends are taken. */
	real = table_find_id(table, 77);
	more = *real;
	more.internal_port = 9;
	more.internal_client = igw_addr_from_v4(0x0b000001);
	table_change(table, real, &more);
	check_full();
	/* One out, one in; then all out and in again. */
	table_remove(table, real);
	more = numbered(TABLE_MAPPINGS_MAX);
	more.external_port = 77;
	add(&more);
	check_full();
	for (uint32_t at = 0; (real = table_next(table, &at));)
		table_remove(table, real);
	assert_int_equal(table_count(table), 0);
	assert_int_equal(table_next_due_ms(table), INT64_MAX);
	fill();
	check_full();
}

static void test_due_in_order(void **state)
{
	struct mapping *due[TABLE_DUE_MAX];
	uint32_t left = TABLE_MAPPINGS_MAX;

	(void)state;
	fill();
	for (int64_t now_ms = 1000; left > 60000; now_ms += 7) {
		size_t n = table_due(table, now_ms, due, TABLE_DUE_MAX);

		assert_int_equal(n, now_ms == 1000 ? 1 : 7);
		for (size_t i = 0; i < n; i++)
			table_remove(table, due[i]);
		left -= (uint32_t)n;
		assert_int_equal(table_next_due_ms(table), now_ms + 1);
	}
	assert_int_equal(table_due(table, INT64_MAX, due, TABLE_DUE_MAX), TABLE_DUE_MAX);
	assert_int_equal(table_due(table, INT64_MAX, due, 0), 0);
}

/* As many clients with mappings as there are records: then one more cannot have any. */
static void test_clients_full(void **state)
{
	struct mapping mapping;

	(void)state;
	for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
		mapping = numbered(i);
		mapping.client = igw_addr_from_v4(0x0a000000 + i);
		add(&mapping);
	}
	mapping = numbered(CLIENTS_MAX);
	mapping.client = igw_addr_from_v4(0x0b000000);
	assert_null(table_add(table, &mapping));
	assert_int_equal(table_count(table), CLIENTS_MAX);
	assert_null(table_find_id(table, mapping.id));
	table_remove(table, table_find_id(table, 1));
	add(&mapping);
}

static int64_t end_time(const struct mapping *of, uint32_t refs)
{
	int64_t expires_ms = -1;

	assert_int_equal(table_endpoint(table, of->protocol, &of->internal_client,
				 of->internal_port, &expires_ms),
		refs);
	return expires_ms;
}

static void test_end_times(void **state)
{
	struct mapping a = numbered(0), b = numbered(1), to;
	struct mapping *one, *two;

	(void)state;
	b.internal_port = a.internal_port;
	a.expires_ms = 5000;
	b.expires_ms = 3000;
	one = add(&a);
	assert_int_equal(end_time(&a, 1), 5000);
	two = add(&b);
	assert_int_equal(end_time(&a, 2), 5000);
	/* The only one's renewal counts, also when it is shorter. */
	table_remove(table, two);
	to = a;
	to.expires_ms = 2000;
	table_change(table, one, &to);
	assert_int_equal(end_time(&a, 1), 2000);
	assert_int_equal(table_next_due_ms(table), 2000);
	b.expires_ms = 9000;
	two = add(&b);
	assert_int_equal(end_time(&a, 2), 9000);
	/* Disabled: it leads nowhere, but is there and expires. */
	to.enabled = false;
	table_change(table, one, &to);
	assert_int_equal(end_time(&a, 1), 9000);
	assert_int_equal(table_next_due_ms(table), 2000);
	assert_false(table_leave(table, one));
	assert_true(table_leave(table, two));
	assert_false(table_leave(table, two)); /* told already */
	table_stay(table, two);
	table_stay(table, two);
	assert_true(table_leave(table, two));
	table_remove(table, two);
	assert_int_equal(end_time(&a, 0), -1);
}

/* A mark is not handed on to the slot's next mapping. */
static void test_marks_end_with_the_mapping(void **state)
{
	struct mapping a = numbered(0), b = numbered(1);
	struct mapping *one, *two;

	(void)state;
	b.internal_port = a.internal_port;
	one = add(&a);
	two = add(&b);
	assert_false(table_leave(table, one));
	table_remove(table, one);
	assert_true(table_leave(table, two));
	table_stay(table, two);
	one = add(&a);
	assert_false(table_leave(table, one));
	assert_true(table_leave(table, two));
}

/* Ends with the same number but another address, protocol or port are others. */
static void test_ends_apart(void **state)
{
	struct mapping a = numbered(0), b = numbered(1), c = numbered(2), d = numbered(3);

	(void)state;
	b.internal_port = c.internal_port = a.internal_port;
	b.protocol = IGW_UDP;
	c.internal_client = igw_addr_from_v4(0x0a000001);
	d.internal_client = a.internal_client;
	add(&a);
	add(&b);
	add(&c);
	add(&d);
	end_time(&a, 1);
	end_time(&b, 1);
	end_time(&c, 1);
	end_time(&d, 1);
}

/* 20,000 steps of one client's walk through its 20,000 mappings: with a step that costs
 * what the index is, this would be 200 million. Then back, and with holes. */
static void test_index_walk(void **state)
{
	struct mapping mapping;

	(void)state;
	for (uint32_t i = 0; i < WALKED; i++) {
		mapping = numbered(i);
		mapping.client = igw_addr_from_v4(0x0a000000);
		add(&mapping);
	}
	for (uint32_t i = 0; i < WALKED; i++)
		assert_int_equal(table_find_index(table, &mapping.client, i)->id, i + 1);
	assert_null(table_find_index(table, &mapping.client, WALKED));
	assert_int_equal(table_find_index(table, &mapping.client, 3)->id, 4);
	table_remove(table, table_find_id(table, 1));
	assert_int_equal(table_find_index(table, &mapping.client, 3)->id, 5);
	table_remove(table, table_find_id(table, 5));
	assert_int_equal(table_find_index(table, &mapping.client, 3)->id, 6);
	assert_int_equal(
		table_find_index(table, &mapping.client, WALKED - 3)->id, WALKED);
	assert_null(table_find_index(table, &mapping.client, WALKED - 2));
	/* The new one is the youngest, wherever its slot is. */
	mapping = numbered(0);
	mapping.client = igw_addr_from_v4(0x0a000000);
	add(&mapping);
	assert_int_equal(table_find_index(table, &mapping.client, WALKED - 2)->id, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_free_nothing),
		TEST(test_empty),
		TEST(test_add_refuses),
		TEST(test_full),
		TEST(test_due_in_order),
		TEST(test_clients_full),
		TEST(test_end_times),
		TEST(test_marks_end_with_the_mapping),
		TEST(test_ends_apart),
		TEST(test_index_walk),
	};
#undef TEST

	random_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
