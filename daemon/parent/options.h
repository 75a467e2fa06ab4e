/*
 * The command line of igdwardd (8).
 */
#ifndef IGDWARD_PARENT_OPTIONS_H
#define IGDWARD_PARENT_OPTIONS_H

#include "config.h"

#include <stdbool.h>

enum {
	OPTIONS_PATH_MAX = 255,
};

struct options {
	char config[OPTIONS_PATH_MAX + 1]; /* "" = the default place */
	char policy[OPTIONS_PATH_MAX + 1]; /* "" = as the config says */
	char run_dir[OPTIONS_PATH_MAX + 1];
	char state_dir[OPTIONS_PATH_MAX + 1];
	const char *external; /* NULL = as the config says */
	const char *internal[IGW_LINKS_MAX];
	size_t n_internal;
	const char *log_level;
	bool check;
	bool teardown;
	bool version;
	bool help;
};

/* Reads the command line. Returns 0, or -EINVAL after a sentence on stderr. */
int options_parse(int argc, char **argv, struct options *ret);

/* Puts what the command line names over the config. Returns 0, or -EINVAL after a
 * sentence on stderr. */
int options_apply(const struct options *options, struct config *config);

void options_usage(void);

#endif
