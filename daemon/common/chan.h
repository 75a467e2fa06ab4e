/*
 * A channel between two processes of igdward: typed messages of fixed size on a
 * SOCK_SEQPACKET socket, as include/igdward/msg.h lists them. Length, sender and number
 * of descriptors are checked here and nowhere else, so that code behind it only ever
 * sees messages of the right form.
 */
#ifndef IGDWARD_COMMON_CHAN_H
#define IGDWARD_COMMON_CHAN_H

#include "igdward/msg.h"

#include <stddef.h>
#include <stdint.h>

/* One received message. Descriptors belong to the receiver, which must close them. */
struct chan_msg {
	uint32_t id;
	uint32_t seq;
	int fds[IGW_MSG_FDS_MAX]; /* -1 where there is none */
	_Alignas(8) uint8_t payload[IGW_MSG_MAX];
};

/* Makes a connected pair, both close-on-exec and non-blocking. Returns 0 or -errno. */
int chan_pair(int ret[2]);

/*
 * Sends one message with the payload of that id (its size comes from the message table)
 * and the descriptors it carries (`fds`, NULL when none; they stay the caller's).
 * Returns 0; -EAGAIN when the peer does not read (nothing was sent); -EPIPE or
 * -ECONNRESET when it is gone; or another -errno. Never raises SIGPIPE.
 */
int chan_send(int fd, uint32_t id, uint32_t seq, const void *payload, const int *fds);

/*
 * Receives one message sent by `sender`. Returns 1 and fills *ret; 0 at the end of the
 * channel; -EAGAIN when nothing waits; -EBADMSG when the peer broke the protocol (its
 * descriptors are closed), after which the channel must be given up; or another -errno.
 */
int chan_recv(int fd, enum igw_sender sender, struct chan_msg *ret);

/* Closes the descriptors of a message that nobody took (sets them to -1). */
void chan_msg_close(struct chan_msg *msg);

#endif
