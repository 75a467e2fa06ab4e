/*
 * Live mappings judged again: by a changed policy, after a change of a LAN link, and at
 * start, when the kernel still holds those of an earlier run.
 */
#ifndef IGDWARD_BROKER_REJUDGE_H
#define IGDWARD_BROKER_REJUDGE_H

#include "broker.h"

/*
 * Judges all live mappings (or those of one link) by `policy`, ends those that it does
 * not allow and shortens leases that are too long, all in one transaction. Returns the
 * number ended, or -errno with everything as it was.
 */
int rejudge_all(struct broker *broker, const struct policy *policy,
	const struct link *only, int64_t now_ms);

/* At start: takes over what an earlier run left in the kernel, as far as the policy still
 * allows it, and puts the tables in place. Returns 0 or -errno, logged. */
int rejudge_restore(struct broker *broker, int64_t now_ms);

#endif
