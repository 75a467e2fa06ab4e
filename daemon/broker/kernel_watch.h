/*
 * Puts our tables back when somebody else has changed them: at once, and slower and
 * slower when it happens again and again, so that two programs do not fight at full
 * speed.
 */
#ifndef IGDWARD_BROKER_KERNEL_WATCH_H
#define IGDWARD_BROKER_KERNEL_WATCH_H

#include "broker.h"

/* Starts to listen; before the tables are read, so that no change is missed. Returns 0 or
 * -errno. */
int kernel_watch_open(struct broker *broker);

/* Adds it to the event loop. Returns 0 or -errno. */
int kernel_watch_start(struct broker *broker);

/* When a restore is due; INT64_MAX when none is. */
int64_t kernel_watch_due_ms(const struct broker *broker);

/* Does the restore that is due. */
void kernel_watch_restore(struct broker *broker, int64_t now_ms);

void kernel_watch_close(struct broker *broker);

#endif
