#include "broker.h"

#include <errno.h>
#include <string.h>
#include <time.h>

int broker_init(struct broker *broker, int fd, int deadline_ms)
{
	pthread_condattr_t attr;
	int r;

	memset(broker, 0, sizeof(*broker));
	broker->fd = fd;
	broker->deadline_ms = deadline_ms;
	r = pthread_mutex_init(&broker->lock, NULL);
	if (r != 0)
		return -r;
	r = pthread_condattr_init(&attr);
	if (r == 0) {
		/* The wall clock may be set at any moment; a deadline must not move. */
		r = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
		for (size_t i = 0; i < BROKER_CALLS_MAX && r == 0; i++)
			r = pthread_cond_init(&broker->calls[i].wake, &attr);
		pthread_condattr_destroy(&attr);
	}
	return -r;
}

void broker_destroy(struct broker *broker)
{
	for (size_t i = 0; i < BROKER_CALLS_MAX; i++)
		pthread_cond_destroy(&broker->calls[i].wake);
	pthread_mutex_destroy(&broker->lock);
}

/* Takes a free slot and gives it a number; with the lock held. NULL = none is free. */
static struct broker_call *call_take(
	struct broker *broker, uint32_t answer_id, void *answer)
{
	for (size_t i = 0; i < BROKER_CALLS_MAX; i++) {
		struct broker_call *call = &broker->calls[i];

		if (call->seq != 0)
			continue;
		/* 0 is no number. One that comes round after 2^32 requests cannot meet a
		 * waiting one of its own. */
		if (++broker->last_seq == 0)
			broker->last_seq = 1;
		call->seq = broker->last_seq;
		call->answer_id = answer_id;
		call->answer = answer;
		call->result = 1;
		return call;
	}
	return NULL;
}

static struct timespec deadline_in(int ms)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += ms / 1000;
	at.tv_nsec += ms % 1000 * 1000000L;
	if (at.tv_nsec >= 1000000000L) {
		at.tv_nsec -= 1000000000L;
		at.tv_sec++;
	}
	return at;
}

/* Waits until the call has a result; with the lock held. */
static int call_wait(struct broker *broker, struct broker_call *call)
{
	struct timespec at = deadline_in(broker->deadline_ms);

	while (call->result == 1) {
		if (pthread_cond_timedwait(&call->wake, &broker->lock, &at) ==
				ETIMEDOUT &&
			call->result == 1)
			call->result = -ETIMEDOUT;
	}
	return call->result;
}

int broker_ask(struct broker *broker, uint32_t id, const void *request,
	uint32_t answer_id, void *answer)
{
	struct broker_call *call;
	int r = -EPIPE;

	pthread_mutex_lock(&broker->lock);
	if (!broker->ended) {
		r = -EAGAIN;
		call = call_take(broker, answer_id, answer);
		if (call) {
			/* Under the lock, so that no answer comes before its asker waits;
			 * the channel does not block. */
			r = chan_send(broker->fd, id, call->seq, request, NULL);
			if (r == 0)
				r = call_wait(broker, call);
			call->seq = 0;
			call->answer = NULL;
		}
	}
	pthread_mutex_unlock(&broker->lock);
	return r;
}

int broker_tell(struct broker *broker, uint32_t id, const void *payload)
{
	return chan_send(broker->fd, id, 0, payload, NULL);
}

bool broker_answered(struct broker *broker, const struct chan_msg *msg)
{
	struct broker_call *call = NULL;

	pthread_mutex_lock(&broker->lock);
	for (size_t i = 0; i < BROKER_CALLS_MAX && msg->seq != 0; i++) {
		if (broker->calls[i].seq == msg->seq && broker->calls[i].result == 1)
			call = &broker->calls[i];
	}
	if (call) {
		call->result = -EPROTO;
		if (call->answer_id == msg->id) {
			memcpy(call->answer, msg->payload, igw_msg_size(msg->id));
			call->result = 0;
		}
		pthread_cond_signal(&call->wake);
	}
	pthread_mutex_unlock(&broker->lock);
	return call != NULL;
}

void broker_ended(struct broker *broker)
{
	pthread_mutex_lock(&broker->lock);
	broker->ended = true;
	for (size_t i = 0; i < BROKER_CALLS_MAX; i++) {
		if (broker->calls[i].seq != 0 && broker->calls[i].result == 1) {
			broker->calls[i].result = -EPIPE;
			pthread_cond_signal(&broker->calls[i].wake);
		}
	}
	pthread_mutex_unlock(&broker->lock);
}
