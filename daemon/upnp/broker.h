/*
 * The broker as the worker sees it: ask, and wait for the answer. Many threads of libupnp
 * ask at once; one thread, the one that reads the channel, hands each answer to the asker
 * by its sequence number. Nobody waits longer than the deadline, and no more than
 * BROKER_CALLS_MAX wait at the same time, so a broker that hangs costs its clients an
 * error and never the worker's threads.
 */
#ifndef IGDWARD_UPNP_BROKER_H
#define IGDWARD_UPNP_BROKER_H

#include "chan.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	BROKER_CALLS_MAX = 16,	   /* libupnp answers HTTP in at most 12 threads */
	BROKER_DEADLINE_MS = 2000, /* libupnp.md §5(c)6: no callback takes longer */
};

struct broker_call {
	uint32_t seq;	    /* 0 = free */
	uint32_t answer_id; /* what the asker takes for an answer */
	int result;	    /* 1 = still waiting, else as broker_ask() returns */
	void *answer;
	pthread_cond_t wake;
};

struct broker {
	int fd;
	int deadline_ms;
	pthread_mutex_t lock;
	uint32_t last_seq;
	bool ended;
	struct broker_call calls[BROKER_CALLS_MAX];
};

/* `fd` is the channel and stays the caller's. Returns 0 or -errno. */
int broker_init(struct broker *broker, int fd, int deadline_ms);

/* Nobody may be waiting. */
void broker_destroy(struct broker *broker);

/*
 * Sends the request and waits for the message `answer_id`, whose payload is copied to
 * `answer` (of igw_msg_size(answer_id) bytes). Any thread but the one that reads the
 * channel. Returns 0; -EAGAIN when the channel is full or too many are waiting;
 * -ETIMEDOUT; -EPROTO when something else came as the answer; -EPIPE when the broker is
 * gone; or another -errno. `answer` is untouched on failure.
 */
int broker_ask(struct broker *broker, uint32_t id, const void *request,
	uint32_t answer_id, void *answer);

/* Sends a message that nobody answers. Any thread. Returns as chan_send(). */
int broker_tell(struct broker *broker, uint32_t id, const void *payload);

/* Called by the reader with a received message that answers a request. Returns false when
 * nobody waits for it (any more); it is dropped. */
bool broker_answered(struct broker *broker, const struct chan_msg *msg);

/* Called by the reader when the channel has ended: whoever waits gets -EPIPE. */
void broker_ended(struct broker *broker);

#endif
