/*
 * The channel to the parent, which starts the broker and its workers and reads files for
 * them.
 */
#ifndef IGDWARD_BROKER_PARENT_LINK_H
#define IGDWARD_BROKER_PARENT_LINK_H

#include "broker.h"

enum {
	PARENT_FDS = 3, /* config, policy, control socket */
};

/* Waits for the first message. Returns 0 and fills *ret and `fds`, or -errno. */
int parent_link_receive_start(int fd, struct igw_start *ret, int fds[PARENT_FDS]);

/* Watches the channel. Returns 0 or -errno. */
int parent_link_watch(struct broker *broker);

/*
 * Compiles the policy in the memfd `fd`. Returns 0 and sets *ret and *text (the first
 * warning, or ""), or -errno with the error in *text.
 */
int parent_link_read_policy(
	int fd, const char *path, struct policy **ret, char text[IGW_MSG_TEXT_MAX + 1]);

/* Reads a memfd as a whole. Returns 0 with *ret to be freed, or -EFBIG, -ENOMEM, -errno.
 */
int parent_link_read_all(int fd, size_t max, char **ret, size_t *ret_len);

#endif
