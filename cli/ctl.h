/*
 * The CLI's end of the control socket: one request, then zero or more messages of data,
 * then IGW_CTL_DONE. What the broker sends is checked like any other process's words:
 * form, sequence number, and that every text ends inside its field.
 */
#ifndef IGDWARD_CLI_CTL_H
#define IGDWARD_CLI_CTL_H

#include "igdward/msg.h"

enum {
	CTL_PATH_MAX = 107, /* bytes of sun_path without its NUL */
};

/* A received message's payload: which member is meant, the id tells. */
union ctl_data {
	struct igw_ctl_status status;
	struct igw_ctl_link link;
	struct igw_ctl_mapping mapping;
	struct igw_ctl_verdict verdict;
	struct igw_ctl_done done;
};

/* Takes one message of data. Returns 0 or -errno, which ends the exchange; -EBADMSG for a
 * message that has no place in this answer. */
typedef int (*ctl_take_fn)(uint32_t id, const union ctl_data *data, void *arg);

/*
 * Connects to the broker. Returns a descriptor, to be closed by the caller; -ENAMETOOLONG
 * for a path that does not fit a socket's address; -EAGAIN when the broker does not
 * accept within the time; or the -errno of connect(). Sending and each receiving on the
 * descriptor end after `timeout_ms`.
 */
int ctl_connect(const char *path, int timeout_ms);

/*
 * Sends the request `id` with its payload, hands each message of data to `take` (NULL:
 * none is expected) and fills *ret with the last message, whose `code` is one of enum
 * igw_ctl_code. Returns 0; -EAGAIN when the broker does not answer in time; -EPIPE when
 * it closes the connection before the end; -EBADMSG when it breaks the protocol; what
 * `take` returned; or another -errno.
 */
int ctl_ask(int fd, uint32_t id, const void *payload, ctl_take_fn take, void *arg,
	struct igw_ctl_done *ret);

#endif
