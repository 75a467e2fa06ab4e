/* Random tests: another seed each time, printed, and given back by IGW_TEST_SEED. */
#ifndef IGDWARD_TEST_RANDOM_H
#define IGDWARD_TEST_RANDOM_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline void random_begin(void)
{
	const char *given = getenv("IGW_TEST_SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);

	printf("IGW_TEST_SEED=%u\n", seed);
	srand(seed);
}

#endif
