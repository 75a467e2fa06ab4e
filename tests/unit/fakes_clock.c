/* Instead of broker.c: a wall clock that stands, and no timer, so that the test has the
 * loop's to itself. */
#include "fakes_broker.h"

int64_t broker_wall_s(void)
{
	return fake.wall_s;
}

/* Never later than the time that a test hands in. */
int64_t broker_now_ms(void)
{
	return 0;
}

void broker_schedule(struct broker *broker)
{
	(void)broker;
	fake.scheduled++;
}

void broker_retry(struct broker *broker, int64_t now_ms)
{
	broker->retry_at_ms = now_ms + 1000;
}
