/* A mapping ends when another network card answers for its owner's address. */
#include "fakes_broker.h"
#include "kernel.h"
#include "owners.h"

#include <errno.h>

static struct lab *lab;

static int setup(void **state)
{
	(void)state;
	lab = lab_open(NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lab_close(lab);
	return 0;
}

static void add(unsigned host, uint16_t port)
{
	struct igw_map_add add = add_of(host, port, 50001);

	lab_added(lab, &add);
}

static void check_all(int64_t after_ms)
{
	owners_check_all(&lab->broker, lab->now_ms + after_ms);
	lab_check(lab);
}

static void test_nobody(void **state)
{
	(void)state;
	assert_int_equal(owners_due_ms(&lab->broker), INT64_MAX);
	check_all(1000000);
	add(10, 40001);
	assert_true(owners_due_ms(&lab->broker) < INT64_MAX);
}

static void test_same_card(void **state)
{
	(void)state;
	add(10, 40001);
	check_all(1000000);
	assert_int_equal(table_count(lab->broker.table), 1);
	/* A host that sleeps is not another one. */
	fake.no_neighbours = true;
	check_all(2000000);
	assert_int_equal(table_count(lab->broker.table), 1);
}

static void test_other_card(void **state)
{
	(void)state;
	add(10, 40001);
	add(10, 40002);
	add(11, 40003);
	check_all(0);
	fake.card = 1;
	/* Not before it is due. */
	owners_check_all(&lab->broker, owners_due_ms(&lab->broker) - 1);
	assert_int_equal(table_count(lab->broker.table), 3);
	owners_check_all(&lab->broker, owners_due_ms(&lab->broker));
	assert_int_equal(table_count(lab->broker.table), 0);
	lab_check(lab);
}

/* Back and forth: each change is noticed, not only the first. */
static void test_changes_again(void **state)
{
	(void)state;
	for (uint8_t i = 0; i < 4; i++) {
		fake.card = i % 2;
		add(10, 40001);
		check_all(1000000 * (i + 1));
		assert_int_equal(table_count(lab->broker.table), 1);
		fake.card = (uint8_t)!fake.card;
		check_all(1000000 * (i + 1) + 500000);
		assert_int_equal(table_count(lab->broker.table), 0);
	}
}

/* A card that was not known when the mapping was made is no other one. */
static void test_unknown_card(void **state)
{
	(void)state;
	fake.no_neighbours = true;
	add(10, 40001);
	fake.no_neighbours = false;
	check_all(1000000);
	assert_int_equal(table_count(lab->broker.table), 1);
}

static void test_requests_of_the_other(void **state)
{
	const struct mapping *mapping;
	uint32_t id;

	(void)state;
	add(10, 40001);
	id = table_find_port(lab->broker.table, IGW_TCP, 40001)->id;
	fake.card = 1;
	assert_int_equal(lab_delete(lab, 10, IGW_TCP, 40001), IGW_NO_ENTRY);
	assert_int_equal(table_count(lab->broker.table), 0);
	fake.card = 0;
	add(10, 40001);
	fake.card = 1;
	add(10, 40001);
	mapping = table_find_port(lab->broker.table, IGW_TCP, 40001);
	assert_true(mapping->id != id);
	assert_int_equal(mapping->mac.b[4], 1);
}

/* What the kernel refuses to end is tried again the next time. */
static void test_kernel_refuses(void **state)
{
	(void)state;
	add(10, 40001);
	fake.card = 1;
	fake.apply_error = -EIO;
	fake.apply_errors = 1;
	check_all(1000000);
	assert_int_equal(table_count(lab->broker.table), 1);
	check_all(2000000);
	assert_int_equal(table_count(lab->broker.table), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nobody),
		TEST(test_same_card),
		TEST(test_other_card),
		TEST(test_changes_again),
		TEST(test_unknown_card),
		TEST(test_requests_of_the_other),
		TEST(test_kernel_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
