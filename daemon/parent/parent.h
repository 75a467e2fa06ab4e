/*
 * The parent: starts the broker and the workers, each with its own user and channel,
 * watches them, and starts them again. It decides nothing about mappings and reads
 * nothing from the network.
 */
#ifndef IGDWARD_PARENT_H
#define IGDWARD_PARENT_H

#include "config.h"
#include "files.h"
#include "options.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What main() has found out before anything is started. Descriptors stay open for as long
 * as the parent runs. */
struct parent_setup {
	struct places places;
	struct config config;
	char config_path[OPTIONS_PATH_MAX + 1];
	char policy_path[OPTIONS_PATH_MAX + 1];
	char uuid[IGW_UUID_TEXT];
	uid_t user, worker_user;
	gid_t group, worker_group;
	int broker_fd, worker_fd; /* their programs, O_PATH */
	int config_fd;		  /* memfd */
	int policy_fd;	/* memfd, or an empty one when the file cannot be read */
	int control_fd; /* -1 with check_only */
	bool policy_readable;
	bool check_only;
};

/* The capabilities that the parent needs and keeps, as a bit mask of 1 << CAP_…. */
uint64_t parent_caps(void);

/* Runs until a signal ends it or it cannot go on. Returns an exit code. */
int parent_run(const struct parent_setup *setup);

/* Runs `igdward-broker --teardown` and waits for it. Returns an exit code. */
int parent_teardown(const struct parent_setup *setup);

#endif
