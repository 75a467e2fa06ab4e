/*
 * Starting one child: fork, give up what it must not have, exec.
 */
#ifndef IGDWARD_PARENT_SPAWN_H
#define IGDWARD_PARENT_SPAWN_H

#include <stdint.h>
#include <sys/types.h>

struct spawn {
	const char *path; /* of the program, for words */
	int program; /* it, opened with O_PATH, so that it runs wherever it is installed,
			also in a folder that the child's user cannot enter */
	const char *arg; /* its argument, NULL = none */
	uid_t uid;
	gid_t gid;
	uint64_t caps; /* bit mask of 1 << CAP_… that it keeps */
	int channel;   /* becomes its descriptor 3 */
};

/* Returns the child's pid or -errno. A child that cannot exec says so on stderr and ends
 * with 127. */
pid_t spawn_child(const struct spawn *spawn);

#endif
