/*
 * What the worker has to say to the admin: log lines and refusals, by the channel to the
 * broker. Both are limited in rate, because a hostile client decides how many there are;
 * what is lost is counted and the number told from time to time.
 *
 * The log has one sink for the whole process, so this state is one for the process too.
 */
#ifndef IGDWARD_UPNP_REPORT_H
#define IGDWARD_UPNP_REPORT_H

#include "igdward/addr.h"
#include "igdward/reason.h"

#include <stdbool.h>
#include <stdint.h>

/* From now on log lines go to the channel `fd` instead of stderr. */
void report_start(int fd);

/*
 * Tells the broker of a request that was refused before it became one. `where` is our own
 * word (action and argument); `text`, as the client sent it, is quoted and cut, NULL =
 * none. Any thread.
 */
void report_refused(const struct igw_addr *client, enum igw_reason reason,
	const char *where, const char *text);

/* ---- for tests ---- */

enum {
	REPORT_BURST = 20,	    /* lines at once */
	REPORT_PER_S = 5,	    /* and then per second; the broker's log is shared */
	REPORT_LOST_MS = 10 * 1000, /* between two lines that tell how many were lost */
};

/* Tokens that are left and the time they were counted at. */
struct report_bucket {
	int64_t at_ms;
	int64_t milli; /* thousandths of a line */
	unsigned lost;
	int64_t said_ms; /* when that was told last */
};

/* Takes one line's worth; false when there is none, and then counts it as lost. */
bool report_take(struct report_bucket *bucket, int64_t now_ms);

/* How many were lost, when it is time to tell; else 0. */
unsigned report_lost(struct report_bucket *bucket, int64_t now_ms);

#endif
