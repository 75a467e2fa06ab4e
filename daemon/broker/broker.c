#include "broker.h"

#include "kernel.h"
#include "kernel_watch.h"
#include "links.h"
#include "mapping.h"
#include "owners.h"
#include "workers.h"

#include <time.h>

enum {
	CHANGED_EVERY_MS = 200, /* workers are told of changes at most this often */
	RETRY_MS = 1000,	/* after the kernel refused something */
};

int64_t broker_wall_s(void)
{
	return (int64_t)time(NULL);
}

int64_t broker_now_ms(void)
{
	return ev_now_ms();
}

void broker_retry(struct broker *broker, int64_t now_ms)
{
	broker->retry_at_ms = now_ms + RETRY_MS;
}

/* True while something that the kernel refused waits for its next try. */
static bool retry_waits(const struct broker *broker)
{
	return broker->links_behind || links_behind(broker);
}

static void on_due(void *arg, int64_t now_ms)
{
	struct broker *broker = arg;

	kernel_watch_restore(broker, now_ms);
	owners_check_all(broker, now_ms);
	if (now_ms >= broker->retry_at_ms) {
		if (broker->links_behind)
			kernel_set_links(broker, now_ms);
		links_retry(broker, now_ms);
		mapping_expire(broker, now_ms);
	}
	if (broker->changed && now_ms - broker->changed_at_ms >= CHANGED_EVERY_MS) {
		broker->changed = false;
		broker->changed_at_ms = now_ms;
		workers_changed(broker);
	}
	broker_schedule(broker);
}

void broker_schedule(struct broker *broker)
{
	int64_t at_ms = table_next_due_ms(broker->table);

	if (at_ms != INT64_MAX && at_ms < broker->retry_at_ms)
		at_ms = broker->retry_at_ms;
	if (retry_waits(broker) && broker->retry_at_ms < at_ms)
		at_ms = broker->retry_at_ms;
	if (broker->changed && broker->changed_at_ms + CHANGED_EVERY_MS < at_ms)
		at_ms = broker->changed_at_ms + CHANGED_EVERY_MS;
	if (owners_due_ms(broker) < at_ms)
		at_ms = owners_due_ms(broker);
	if (kernel_watch_due_ms(broker) < at_ms)
		at_ms = kernel_watch_due_ms(broker);
	ev_timer(broker->ev, at_ms, on_due, broker);
}
