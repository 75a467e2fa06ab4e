/*
 * What a worker may ask for. Every function behind it runs with the broker's privilege on
 * a worker's words: the length, the sender and the descriptors of a message have been
 * checked, nothing else has.
 */
#ifndef IGDWARD_BROKER_DISPATCH_H
#define IGDWARD_BROKER_DISPATCH_H

#include "broker.h"
#include "chan.h"

/* Handles one message of the worker of `link`. Returns 0, or -EBADMSG when the worker
 * broke the protocol and must be replaced, or -errno when it cannot be answered. */
int dispatch(struct link *link, const struct chan_msg *msg, int64_t now_ms);

#endif
