/*
 * A nf_tables transaction: messages are put one behind the other into a buffer, sent with
 * one call, and every answer is read. Building cannot fail half-way: when memory runs out
 * the batch keeps that error, still offers room to write to, and is never sent.
 */
#ifndef IGDWARD_BROKER_FW_BATCH_H
#define IGDWARD_BROKER_FW_BATCH_H

#include "fw_internal.h"

#include <linux/netlink.h>
#include <stdint.h>

enum {
	/* Room that a message may take once it is begun. Attribute lengths are 16 bit, so
	 * a list of elements must end well before 64 KiB. */
	FW_MSG_ROOM = 48 * 1024,
	FW_MSG_FULL = 32 * 1024,
};

/* Allocates the buffer. Returns 0 or -ENOMEM. */
int fw_batch_init(struct fw *fw);
void fw_batch_free(struct fw *fw);

/* Begins a new transaction; an unsent one is forgotten. */
void fw_batch_start(struct fw *fw);

/* Begins a message of type NFT_MSG_*, family inet. It may take FW_MSG_ROOM bytes. */
struct nlmsghdr *fw_batch_msg(struct fw *fw, unsigned type, unsigned flags);

/* Ends that message. */
void fw_batch_close(struct fw *fw, const struct nlmsghdr *nlh);

/* Makes the batch fail with `err` (negative) unless it has failed before. */
void fw_batch_fail(struct fw *fw, int err);

/*
 * Sends the batch and reads all answers. Returns 0 when it is committed; the first error
 * when it is not; -ENOBUFS when answers were lost and none of those read was an error.
 */
int fw_batch_commit(struct fw *fw);

/*
 * The same for kernels without DESTROYSETELEM: deletes of elements that are not there are
 * left out and the rest is sent again. Returns -ENODATA when nothing is left to be sent.
 */
int fw_batch_commit_lenient(struct fw *fw);

/*
 * Has the kernel check every message and then forget them all: without an end message a
 * batch is never committed. Stores the answer to command i in results[i], 0 or -errno.
 * Returns 0 or -errno when the batch as a whole was refused.
 */
int fw_batch_probe(struct fw *fw, int *results, size_t n);

#endif
