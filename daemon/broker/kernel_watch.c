#include "kernel_watch.h"

#include "igdward/text.h"
#include "kernel.h"
#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>

enum {
	CONTEST_MS = 60000, /* restores within this time are one contest ... */
	CONTEST_FREE = 5,   /* ... of which so many come at once */
	BACKOFF_FIRST_MS = 1000,
	BACKOFF_MAX_MS = 60000,
};

int kernel_watch_open(struct broker *broker)
{
	return fw_watch_open(&broker->watch);
}

/* Counts the restores of the last minute and says how long the next one has to wait. */
static int64_t contest_delay_ms(struct broker *broker, int64_t now_ms)
{
	int64_t delay_ms = BACKOFF_FIRST_MS;

	if (now_ms - broker->contest_ms > CONTEST_MS) {
		broker->restores = 0;
		broker->contested_by[0] = '\0';
	}
	broker->contest_ms = now_ms;
	broker->restores++;
	if (broker->restores <= CONTEST_FREE)
		return 0;
	for (uint32_t i = CONTEST_FREE + 1;
		i < broker->restores && delay_ms < BACKOFF_MAX_MS; i++)
		delay_ms *= 2;
	return delay_ms < BACKOFF_MAX_MS ? delay_ms : BACKOFF_MAX_MS;
}

static void on_touched(
	struct broker *broker, const struct fw_culprit *culprit, int64_t now_ms)
{
	char quoted[FW_CULPRIT_MAX * IGW_QUOTE_MAX + 3];
	int64_t delay_ms;

	if (broker->restore_at_ms != 0)
		return; /* that one will do */
	delay_ms = contest_delay_ms(broker, now_ms);
	log_warning("event=tables-touched by=%s pid=%" PRIu32 " restore_in_ms=%" PRId64,
		igw_text_quote(quoted, sizeof(quoted), culprit->name), culprit->pid,
		delay_ms);
	broker->restore_at_ms = now_ms + delay_ms;
	if (delay_ms > 0)
		igw_text_clean(broker->contested_by, sizeof(broker->contested_by),
			culprit->name[0] ? culprit->name : "another program");
	if (delay_ms == 0)
		kernel_watch_restore(broker, now_ms);
}

static void on_watch(struct ev_source *source, uint32_t events, int64_t now_ms)
{
	struct broker *broker = ev_container(source, struct broker, tables);
	struct fw_culprit culprit;
	int r = fw_watch_poll(broker->watch, broker->fw, &culprit);

	(void)events;
	if (r < 0)
		log_error("event=tables-unwatched text=\"nf_tables: %s\"", strerror(-r));
	if (r > 0)
		on_touched(broker, &culprit, now_ms);
	broker_schedule(broker);
}

int kernel_watch_start(struct broker *broker)
{
	broker->tables =
		(struct ev_source){ .fd = fw_watch_fd(broker->watch), .ready = on_watch };
	return ev_add(broker->ev, &broker->tables, EPOLLIN);
}

int64_t kernel_watch_due_ms(const struct broker *broker)
{
	return broker->restore_at_ms != 0 ? broker->restore_at_ms : INT64_MAX;
}

void kernel_watch_restore(struct broker *broker, int64_t now_ms)
{
	int r;

	if (now_ms < kernel_watch_due_ms(broker))
		return;
	r = kernel_install(broker, now_ms);
	broker->restore_at_ms = r < 0 ? now_ms + BACKOFF_FIRST_MS : 0;
	if (r < 0)
		log_error("event=kernel-refused text=\"nf_tables: %s\"", strerror(-r));
	else
		log_info("event=tables-restored mappings=%" PRIu32,
			table_count(broker->table));
}

void kernel_watch_close(struct broker *broker)
{
	fw_watch_close(broker->watch);
}
