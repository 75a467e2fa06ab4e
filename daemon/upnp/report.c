#include "report.h"

#include "chan.h"
#include "ev.h"
#include "log.h"

#include <pthread.h>
#include <stdio.h>

enum {
	REPORT_TEXT_MAX = 80, /* bytes of quoted client text in a report */
};

/* State outside of any struct, as the log's sink has no argument for one. */
static struct {
	pthread_mutex_t lock;
	int fd;
	struct report_bucket lines;
	struct report_bucket refusals;
} report = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1 };

bool report_take(struct report_bucket *bucket, int64_t now_ms)
{
	if (now_ms > bucket->at_ms) {
		int64_t more = (now_ms - bucket->at_ms) * REPORT_PER_S;

		bucket->at_ms = now_ms;
		bucket->milli += more;
		if (bucket->milli > REPORT_BURST * 1000)
			bucket->milli = REPORT_BURST * 1000;
	}
	if (bucket->milli < 1000) {
		bucket->lost++;
		return false;
	}
	bucket->milli -= 1000;
	return true;
}

/* Sends a line; with the lock held. */
static int send_line(enum log_level level, const char *text)
{
	struct igw_log_line line = { .level = (uint32_t)level };

	igw_text_clean(line.text, sizeof(line.text), text);
	return chan_send(report.fd, IGW_LOG, 0, &line, NULL);
}

unsigned report_lost(struct report_bucket *bucket, int64_t now_ms)
{
	if (now_ms - bucket->said_ms < REPORT_LOST_MS)
		return 0;
	if (bucket->lost > 0)
		bucket->said_ms = now_ms;
	return bucket->lost;
}

/* Tells how many were lost; with the lock held. */
static void send_lost(struct report_bucket *bucket, const char *what, int64_t now_ms)
{
	unsigned lost = report_lost(bucket, now_ms);
	char text[64];

	if (lost == 0)
		return;
	snprintf(text, sizeof(text), "%u %s were not reported", lost, what);
	if (send_line(LOG_LEVEL_WARNING, text) == 0)
		bucket->lost = 0;
}

static void sink(enum log_level level, const char *text)
{
	int64_t now_ms = ev_now_ms();

	pthread_mutex_lock(&report.lock);
	if (report_take(&report.lines, now_ms)) {
		send_lost(&report.lines, "log lines", now_ms);
		if (send_line(level, text) < 0)
			report.lines.lost++;
	}
	pthread_mutex_unlock(&report.lock);
}

void report_start(int fd)
{
	pthread_mutex_lock(&report.lock);
	report.fd = fd;
	pthread_mutex_unlock(&report.lock);
	log_set_sink(sink);
}

void report_refused(const struct igw_addr *client, enum igw_reason reason,
	const char *where, const char *text)
{
	struct igw_refused refused = { .client = *client, .reason = (uint32_t)reason };
	char quoted[REPORT_TEXT_MAX] = "";
	char what[sizeof(refused.what)];
	int64_t now_ms = ev_now_ms();

	if (text)
		igw_text_quote(quoted, sizeof(quoted), text);
	snprintf(what, sizeof(what), "%s%s%s", where, text ? " " : "", quoted);
	igw_text_clean(refused.what, sizeof(refused.what), what);
	pthread_mutex_lock(&report.lock);
	if (report.fd >= 0 && report_take(&report.refusals, now_ms)) {
		send_lost(&report.refusals, "refusals", now_ms);
		if (chan_send(report.fd, IGW_REFUSED, 0, &refused, NULL) < 0)
			report.refusals.lost++;
	}
	pthread_mutex_unlock(&report.lock);
}
