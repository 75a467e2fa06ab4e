/*
 * Talking netlink with the kernel: send one question, read every answer to it.
 *
 * Used by net and ct. Every wait has an end (NL_WAIT_S), every answer is compared with
 * its question, words of other processes are ignored, and attributes are read with their
 * bounds checked in one place. Nothing here allocates. Messages are put together with
 * libmnl by the callers.
 */
#ifndef IGDWARD_BROKER_NL_H
#define IGDWARD_BROKER_NL_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	NL_ASK_MAX = 512,     /* bytes of a question of ours */
	NL_REPLY_MAX = 32768, /* the kernel fills a dump in pieces of at most this size */
	NL_WAIT_S = 2,	      /* the kernel answers within the call, unless broken */
	NL_TRIES = 8,	      /* beginnings of a dump that the kernel changes during */
};

struct nl {
	int fd;
	uint32_t portid;
	uint32_t seq;
	bool stale; /* answers to a question we gave up may still be waiting */
};

/* Buffers for a question and for answers, aligned as netlink wants them. */
struct nl_ask {
	_Alignas(8) uint8_t b[NL_ASK_MAX];
};

struct nl_reply {
	_Alignas(8) uint8_t b[NL_REPLY_MAX];
};

/* What is done with each answer. It sees whole messages only; it may not ask on the same
 * socket. */
typedef void nl_take(const struct nlmsghdr *nlh, void *data);

/* Opens a socket of one netlink family. Returns 0 or -errno. */
int nl_open(int bus, struct nl *ret);

/* Closes it if it is open; a zeroed struct with fd = -1 may be closed too. */
void nl_close(struct nl *nl);

/* Begins a question in `ask`, all zero behind its header; NLM_F_REQUEST is added. */
struct nlmsghdr *nl_begin(struct nl_ask *ask, uint16_t type, uint16_t flags);

/*
 * Sends the question, which gets its sequence number here, and hands every answer to
 * `take` until the kernel says that this was all; an error does not stop the reading.
 * A question that is no dump must have NLM_F_ACK. Returns 0, the kernel's -errno,
 * -EINTR when the kernel changed during a dump (answers are incomplete: forget them and
 * ask again), -ETIMEDOUT, or another -errno.
 */
int nl_talk(struct nl *nl, struct nlmsghdr *ask, struct nl_reply *buf, nl_take *take,
	void *data);

/*
 * Reads one datagram without waiting. Returns its size, 0 when it does not come from the
 * kernel, -EAGAIN when there is none, -ENOBUFS or -EMSGSIZE when something was lost.
 */
ssize_t nl_receive(const struct nl *nl, struct nl_reply *buf, int flags);

/*
 * Reads a message: `size` bytes of fixed header into `header`, and the attributes behind
 * it into tb[0..max]; absent ones are NULL, of a repeated one the last counts. Returns
 * false when the message is too short.
 */
bool nl_read(const struct nlmsghdr *nlh, void *header, size_t size,
	const struct nlattr **tb, uint16_t max);

/* The same for the attributes in a nested one; NULL has none. */
void nl_read_nested(const struct nlattr *nest, const struct nlattr **tb, uint16_t max);

/* The value of an attribute that was read, and its size. */
const void *nl_value(const struct nlattr *attr, size_t *ret_size);

/* Copies a value of exactly this size. False, and *ret untouched, when absent or of
 * another size. */
bool nl_get(const struct nlattr *attr, void *ret, size_t size);

/* Copies the first bytes of a value that may be longer (the kernel's structs grow). */
bool nl_get_head(const struct nlattr *attr, void *ret, size_t size);

#endif
