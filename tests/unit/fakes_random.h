/*
 * Numbers for the tests that try many things: the same for the same seed, which is
 * printed and can be given as IGW_SEED.
 */
#ifndef IGDWARD_TEST_FAKES_RANDOM_H
#define IGDWARD_TEST_FAKES_RANDOM_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static uint64_t random_state;

static inline void random_seed(void)
{
	const char *text = getenv("IGW_SEED");
	uint64_t seed = ((uint64_t)time(NULL) << 20) ^ (uint64_t)getpid();

	if (text)
		seed = (uint64_t)strtoull(text, NULL, 10);
	printf("IGW_SEED=%llu\n", (unsigned long long)seed);
	fflush(stdout);
	random_state = seed;
}

/* splitmix64 */
static inline uint64_t random_u64(void)
{
	uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* 0 to n - 1 */
static inline uint32_t random_below(uint32_t n)
{
	return (uint32_t)(random_u64() % n);
}

#endif
