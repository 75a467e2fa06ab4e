/* Client records: who gives way to a flood of addresses, and the arithmetic of rates. */
#include "clients.h"
#include "fakes_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum {
	FLOOD = 100000,
	HOLDERS = 100,
	MS_PER_DAY = 86400000,
	MS_PER_MIN = 60000,
};

static struct clients *clients;

static int setup(void **state)
{
	(void)state;
	return clients_new(random_u64(), &clients);
}

static int teardown(void **state)
{
	(void)state;
	clients_free(clients);
	return 0;
}

static struct client *get(uint32_t number)
{
	struct igw_addr addr = igw_addr_from_v4(number);

	return clients_get(clients, &addr);
}

static struct client *find(uint32_t number)
{
	struct igw_addr addr = igw_addr_from_v4(number);

	return clients_find(clients, &addr);
}

static void test_get_and_find(void **state)
{
	struct client *one, *two;

	(void)state;
	assert_null(find(1));
	one = get(1);
	two = get(2);
	assert_non_null(one);
	assert_non_null(two);
	assert_ptr_not_equal(one, two);
	assert_ptr_equal(get(1), one);
	assert_ptr_equal(find(1), one);
	assert_ptr_equal(find(2), two);
	assert_int_equal(one->mappings, 0);
	assert_int_equal(one->first, CLIENTS_NONE);
	assert_int_equal(one->last, CLIENTS_NONE);
	assert_int_equal(one->cursor, CLIENTS_NONE);
	assert_false(one->changes.used);
	clients_free(NULL);
}

/* Who holds a mapping keeps its record and all that is in it. */
static void test_flood(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < HOLDERS; i++) {
		struct client *client = get(i);

		clients_count(clients, client, 1);
		client->first = i;
		client->changes.used = true;
	}
	for (uint32_t i = 0; i < FLOOD; i++) {
		struct client *client = get(0x0a000000 + i);

		assert_non_null(client);
		assert_int_equal(client->mappings, 0);
		assert_false(client->changes.used);
		client->changes.used = true;
	}
	for (uint32_t i = 0; i < HOLDERS; i++) {
		assert_non_null(find(i));
		assert_int_equal(find(i)->mappings, 1);
		assert_int_equal(find(i)->first, i);
		assert_true(find(i)->changes.used);
	}
	assert_int_equal(clients_holding(clients), HOLDERS);
	/* The last ones of the flood are there, the others gone. */
	for (uint32_t i = 0; i < FLOOD; i++)
		assert_true((find(0x0a000000 + i) != NULL) ==
			    (i >= FLOOD - (CLIENTS_MAX - HOLDERS)));
}

static void test_quiet_ones_go_first(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < CLIENTS_MAX; i++)
		get(i);
	get(0);	 /* has asked again */
	find(1); /* looking is not asking */
	clients_count(clients, get(2), 1);
	get(CLIENTS_MAX);
	assert_non_null(find(0));
	assert_null(find(1));
	get(CLIENTS_MAX + 1);
	assert_non_null(find(2));
	assert_null(find(3));
	/* Without its mapping it is the latest of the idle ones. */
	clients_count(clients, find(2), -1);
	for (uint32_t i = 0; i < CLIENTS_MAX - 1; i++)
		get(2 * CLIENTS_MAX + i);
	assert_non_null(find(2));
	assert_null(find(0));
	get(3 * CLIENTS_MAX);
	assert_null(find(2));
}

static void test_all_hold(void **state)
{
	struct client *client;

	(void)state;
	for (uint32_t i = 0; i < CLIENTS_MAX; i++)
		clients_count(clients, get(i), 1);
	assert_int_equal(clients_holding(clients), CLIENTS_MAX);
	assert_null(get(CLIENTS_MAX));
	assert_null(get(CLIENTS_MAX));
	client = get(77);
	assert_non_null(client);
	clients_count(clients, client, -1);
	assert_int_equal(clients_holding(clients), CLIENTS_MAX - 1);
	assert_non_null(get(CLIENTS_MAX));
	assert_null(find(77));
}

static uint32_t held[64];

static uint32_t lacking(uint32_t share)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < sizeof(held) / sizeof(held[0]); i++) {
		if (held[i] > 0 && held[i] < share)
			sum += share - held[i];
	}
	return sum;
}

static void test_lacking(void **state)
{
	static const uint32_t shares[] = { 0, 1, 2, 3, 10, 63, 64, 65, 100, 300, 65535 };

	(void)state;
	memset(held, 0, sizeof(held));
	assert_int_equal(clients_lacking(clients, 10), 0);
	for (uint32_t i = 0; i < 20000; i++) {
		uint32_t who = random_below(64);
		/* Some hold many, some few. */
		int by = random_below(who + 2) == 0 && held[who] > 0 ? -1 : 1;

		clients_count(clients, get(who), by);
		held[who] += (uint32_t)by;
		if (i % 10 != 0)
			continue;
		for (size_t j = 0; j < sizeof(shares) / sizeof(shares[0]); j++)
			assert_int_equal(
				clients_lacking(clients, shares[j]), lacking(shares[j]));
	}
}

static void test_hash_is_keyed(void **state)
{
	struct igw_addr addr = igw_addr_from_v4(1), other = igw_addr_from_v4(2);
	uint64_t hash = clients_hash(1, &addr, 0);

	(void)state;
	assert_true(hash == clients_hash(1, &addr, 0));
	assert_true(hash != clients_hash(2, &addr, 0));
	assert_true(hash != clients_hash(1, &other, 0));
	assert_true(hash != clients_hash(1, &addr, 1));
	/* Also a key of zero spreads. */
	assert_true(clients_hash(0, &addr, 0) != clients_hash(0, &other, 0));
}

/* Takes whenever it can from `from_ms` on, `step_ms` apart; returns how many it got. */
static uint64_t drain(struct bucket *bucket, uint32_t per_min, uint32_t burst,
	int64_t from_ms, int64_t step_ms, int64_t to_ms)
{
	uint64_t got = 0;

	for (int64_t now_ms = from_ms; now_ms <= to_ms; now_ms += step_ms)
		while (bucket_take(bucket, per_min, burst, now_ms))
			got++;
	return got;
}

/* Whoever asks how often: so many tokens as the time is worth, not one more or less. */
static void test_bucket_is_exact(void **state)
{
	static const uint32_t rates[] = { 1, 2, 7, 29, 30, 31, 59, 60, 61, 119, 600, 997,
		1000, 6007, 60000, 100000 };
	static const int64_t steps_ms[] = { 1, 2, 3, 7, 10, 59, 1000, 59999 };

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		for (size_t j = 0; j < sizeof(steps_ms) / sizeof(steps_ms[0]); j++) {
			struct bucket bucket = { 0 };
			/* No step may be worth more than fits. */
			uint32_t burst = 200000;
			int64_t start_ms = 1000000 + random_below(100000);
			int64_t to_ms =
				start_ms + steps_ms[j] * (2 * MS_PER_MIN / steps_ms[j]);
			uint64_t worth =
				(uint64_t)(to_ms - start_ms) * rates[i] / MS_PER_MIN;
			uint64_t got = drain(
				&bucket, rates[i], burst, start_ms, steps_ms[j], to_ms);

			if (got != burst + worth)
				fail_msg("%u a minute, every %lld ms: %llu, not %llu",
					rates[i], (long long)steps_ms[j],
					(unsigned long long)(got - burst),
					(unsigned long long)worth);
		}
	}
}

static void test_bucket_while_the_clock_stands(void **state)
{
	static const uint32_t rates[] = { 0, 1, 61, 1000, 10000, 100000 };

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct bucket bucket = { 0 };
		uint64_t got = 0;

		for (uint32_t n = 0; n < 100; n++)
			got += bucket_take(&bucket, rates[i], 5, 1000);
		assert_int_equal(got, 5);
		for (uint32_t n = 0; n < 10000; n++)
			got += bucket_take(&bucket, rates[i], 5, 1001);
		assert_int_equal(got, 5 + rates[i] / MS_PER_MIN);
		/* A clock that goes back gives nothing and breaks nothing. */
		for (uint32_t n = 0; n < 100; n++)
			assert_false(bucket_take(&bucket, rates[i], 5, 10));
	}
}

static void test_bucket_bounds(void **state)
{
	struct bucket bucket = { 0 };

	(void)state;
	/* Nothing fits in. */
	for (int64_t now_ms = 0; now_ms < 3 * (int64_t)MS_PER_DAY; now_ms += MS_PER_MIN)
		assert_false(bucket_take(&bucket, 100, 0, now_ms));
	/* Nothing comes back, however long it takes. */
	bucket = (struct bucket){ 0 };
	assert_true(bucket_take(&bucket, 0, 1, 1000));
	assert_false(bucket_take(&bucket, 0, 1, 2000));
	assert_false(bucket_take(&bucket, 0, 1, 1000 + 10 * (int64_t)MS_PER_DAY));
	/* Long idle: full and not fuller. */
	bucket = (struct bucket){ 0 };
	assert_int_equal(drain(&bucket, 30, 20, 1000, 1, 1000), 20);
	assert_int_equal(drain(&bucket, 30, 20, INT64_MAX / 2, 1, INT64_MAX / 2), 20);
	assert_int_equal(drain(&bucket, UINT32_MAX, UINT32_MAX / 4096, INT64_MAX - 1, 1,
				 INT64_MAX - 1),
		UINT32_MAX / 4096);
	/* A day is worth a day, no matter how much would fit. */
	bucket = (struct bucket){ 0 };
	assert_int_equal(drain(&bucket, 1, 5000, 0, 1, 0), 5000);
	assert_int_equal(drain(&bucket, 1, 5000, 2 * (int64_t)MS_PER_DAY, 1,
				 2 * (int64_t)MS_PER_DAY),
		2 * 1440);
	/* A new policy's smaller burst holds at once. */
	bucket = (struct bucket){ 0 };
	assert_true(bucket_take(&bucket, 1, 100, 1000));
	assert_int_equal(drain(&bucket, 1, 3, 1000, 1, 1000), 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_get_and_find),
		TEST(test_flood),
		TEST(test_quiet_ones_go_first),
		TEST(test_all_hold),
		TEST(test_lacking),
		TEST(test_hash_is_keyed),
		cmocka_unit_test(test_bucket_is_exact),
		cmocka_unit_test(test_bucket_while_the_clock_stands),
		cmocka_unit_test(test_bucket_bounds),
	};
#undef TEST

	random_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
