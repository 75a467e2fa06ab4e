/*
 * Notices that somebody else has changed our tables: a firewall that was reloaded, `nft
 * flush ruleset`, an element put in by hand. Listens to the notifications of nf_tables.
 * Used by the broker only.
 */
#ifndef IGDWARD_BROKER_FW_WATCH_H
#define IGDWARD_BROKER_FW_WATCH_H

#include "fw.h"

#include <stdint.h>

enum {
	FW_CULPRIT_MAX = 15, /* bytes of a process name as the kernel has it */
};

struct fw_watch;

/* Who did it; "" and 0 when that is not known (notifications were lost). */
struct fw_culprit {
	uint32_t pid;
	char name[FW_CULPRIT_MAX + 1]; /* any bytes but NUL */
};

/* Starts to listen. Returns 0 or -errno. */
int fw_watch_open(struct fw_watch **ret);
void fw_watch_close(struct fw_watch *watch);

/* The descriptor to watch for EPOLLIN, level-triggered; then call fw_watch_poll(). */
int fw_watch_fd(const struct fw_watch *watch);

/*
 * Takes in waiting notifications. Returns 1 when a transaction of another socket than
 * that of `fw` touched a table of ours, or when notifications were lost, so that it may
 * have: *ret names the last one who did. Returns 0 when nothing did, or -errno. What `fw`
 * itself does is never reported.
 */
int fw_watch_poll(struct fw_watch *watch, const struct fw *fw, struct fw_culprit *ret);

#endif
