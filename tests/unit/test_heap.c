/* The heap of expiry times against a plain array. */
#include "fakes_random.h"
#include "heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum {
	POSITIONS = 200,
	STEPS = 30000,
};

static void test_empty(void **state)
{
	struct heap heap;
	uint32_t ret[4];

	(void)state;
	assert_int_equal(heap_init(&heap, 4), 0);
	assert_int_equal(heap_first(&heap), HEAP_NONE);
	assert_int_equal(heap_until(&heap, INT64_MAX, ret, 4), 0);
	heap_add(&heap, 3, INT64_MIN);
	assert_int_equal(heap_first(&heap), 3);
	assert_int_equal(heap_until(&heap, INT64_MIN, ret, 0), 0);
	assert_int_equal(heap_until(&heap, INT64_MIN, ret, 4), 1);
	assert_int_equal(ret[0], 3);
	heap_remove(&heap, 3);
	assert_int_equal(heap_first(&heap), HEAP_NONE);
	heap_add(&heap, 3, INT64_MAX);
	assert_int_equal(heap_until(&heap, INT64_MAX - 1, ret, 4), 0);
	assert_int_equal(heap_first(&heap), 3);
	heap_free(&heap);
	heap_free(&heap);
}

static void check(const struct heap *heap, const bool *in, const int64_t *times_ms)
{
	uint32_t ret[POSITIONS];
	bool listed[POSITIONS] = { false };
	int64_t until_ms = random_below(120), first_ms = INT64_MAX;
	size_t n = 0, due = 0, max = random_below(POSITIONS + 1), found;

	for (uint32_t i = 0; i < POSITIONS; i++) {
		n += in[i];
		due += in[i] && times_ms[i] <= until_ms;
		if (in[i] && times_ms[i] < first_ms)
			first_ms = times_ms[i];
	}
	if (n == 0) {
		assert_int_equal(heap_first(heap), HEAP_NONE);
	} else {
		assert_in_range(heap_first(heap), 0, POSITIONS - 1);
		assert_true(in[heap_first(heap)]);
		assert_int_equal(times_ms[heap_first(heap)], first_ms);
	}
	found = heap_until(heap, until_ms, ret, max);
	assert_int_equal(found, due < max ? due : max);
	for (size_t i = 0; i < found; i++) {
		assert_true(ret[i] < POSITIONS && in[ret[i]] && !listed[ret[i]]);
		assert_true(times_ms[ret[i]] <= until_ms);
		listed[ret[i]] = true;
	}
}

static void test_random(void **state)
{
	struct heap heap;
	bool in[POSITIONS] = { false };
	int64_t times_ms[POSITIONS] = { 0 };

	(void)state;
	assert_int_equal(heap_init(&heap, POSITIONS), 0);
	for (uint32_t i = 0; i < STEPS; i++) {
		uint32_t at = random_below(POSITIONS);
		/* Few times, so that many are the same. */
		int64_t time_ms = random_below(100);

		if (!in[at]) {
			heap_add(&heap, at, time_ms);
			in[at] = true;
			times_ms[at] = time_ms;
		} else if (random_below(2) == 0) {
			heap_move(&heap, at, time_ms);
			times_ms[at] = time_ms;
		} else {
			heap_remove(&heap, at);
			in[at] = false;
		}
		check(&heap, in, times_ms);
	}
	heap_free(&heap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_random),
	};

	random_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
