/*
 * One event loop: descriptors, one timer per owner, signals. epoll, timerfd and signalfd;
 * no threads. The clock is read once per wake-up and handed to every callback.
 */
#ifndef IGDWARD_COMMON_EV_H
#define IGDWARD_COMMON_EV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ev;

/* The struct that a source is embedded in: ev_container(source, struct link, channel). */
#define ev_container(source, type, member)                                               \
	((type *)(void *)((char *)(source)-offsetof(type, member)))

/* A source: embed it in what the descriptor belongs to, so that nothing is allocated. It
 * must stay where it is until ev_del(). */
struct ev_source {
	int fd;
	/* `events` as of epoll (EPOLLIN, EPOLLOUT, EPOLLHUP, ...) */
	void (*ready)(struct ev_source *source, uint32_t events, int64_t now_ms);
};

/* Returns 0 or -errno. */
int ev_open(struct ev **ret);
void ev_close(struct ev *ev);

/* Watches source->fd for `events`. Returns 0 or -errno. */
int ev_add(struct ev *ev, struct ev_source *source, uint32_t events);

/* Changes what is watched for. Returns 0 or -errno. */
int ev_change(struct ev *ev, struct ev_source *source, uint32_t events);

/* Stops watching; does not close the descriptor. Safe inside any callback: events of this
 * source that were already fetched are not delivered. */
void ev_del(struct ev *ev, struct ev_source *source);

/* Sets the one timer: `due` is called once when `at_ms` (monotonic) has come; a later
 * call replaces it. INT64_MAX = never. */
void ev_timer(
	struct ev *ev, int64_t at_ms, void (*due)(void *arg, int64_t now_ms), void *arg);

/* Blocks these signals (a zero-terminated list) and hands them to `caught`. Returns 0 or
 * -errno. */
int ev_signals(struct ev *ev, const int *signals,
	void (*caught)(void *arg, int signal, int64_t now_ms), void *arg);

/* Runs until ev_stop(). Returns 0 or -errno. */
int ev_run(struct ev *ev);
void ev_stop(struct ev *ev);

/* The monotonic clock in ms, for use before the loop runs. */
int64_t ev_now_ms(void);

#endif
