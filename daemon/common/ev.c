#include "ev.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
	EV_BATCH = 64, /* events taken from the kernel at once */
};

struct ev {
	int epoll_fd;
	bool stop;
	int64_t now_ms;

	struct ev_source timer;
	void (*due)(void *arg, int64_t now_ms);
	void *due_arg;

	struct ev_source signals;
	void (*caught)(void *arg, int signal, int64_t now_ms);
	void *caught_arg;

	struct epoll_event fetched[EV_BATCH];
	int n_fetched;
};

int64_t ev_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct ev *ev_of_timer(struct ev_source *source)
{
	return ev_container(source, struct ev, timer);
}

static void on_timer(struct ev_source *source, uint32_t events, int64_t now_ms)
{
	struct ev *ev = ev_of_timer(source);
	uint64_t count;

	(void)events;
	if (read(source->fd, &count, sizeof(count)) < 0 || !ev->due)
		return;
	ev->due(ev->due_arg, now_ms);
}

static void on_signal(struct ev_source *source, uint32_t events, int64_t now_ms)
{
	struct ev *ev = ev_container(source, struct ev, signals);
	struct signalfd_siginfo info;

	(void)events;
	while (read(source->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		ev->caught(ev->caught_arg, (int)info.ssi_signo, now_ms);
}

int ev_open(struct ev **ret)
{
	struct ev *ev = calloc(1, sizeof(*ev));
	int r;

	if (!ev)
		return -ENOMEM;
	ev->signals.fd = -1;
	ev->timer.ready = on_timer;
	ev->timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	ev->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (ev->timer.fd < 0 || ev->epoll_fd < 0) {
		r = -errno;
		ev_close(ev);
		return r;
	}
	r = ev_add(ev, &ev->timer, EPOLLIN);
	if (r < 0) {
		ev_close(ev);
		return r;
	}
	*ret = ev;
	return 0;
}

void ev_close(struct ev *ev)
{
	if (!ev)
		return;
	if (ev->timer.fd >= 0)
		close(ev->timer.fd);
	if (ev->signals.fd >= 0)
		close(ev->signals.fd);
	if (ev->epoll_fd >= 0)
		close(ev->epoll_fd);
	free(ev);
}

int ev_add(struct ev *ev, struct ev_source *source, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	return epoll_ctl(ev->epoll_fd, EPOLL_CTL_ADD, source->fd, &event) < 0 ? -errno
									      : 0;
}

int ev_change(struct ev *ev, struct ev_source *source, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	return epoll_ctl(ev->epoll_fd, EPOLL_CTL_MOD, source->fd, &event) < 0 ? -errno
									      : 0;
}

void ev_del(struct ev *ev, struct ev_source *source)
{
	epoll_ctl(ev->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
	for (int i = 0; i < ev->n_fetched; i++) {
		if (ev->fetched[i].data.ptr == source)
			ev->fetched[i].data.ptr = NULL;
	}
}

void ev_timer(
	struct ev *ev, int64_t at_ms, void (*due)(void *arg, int64_t now_ms), void *arg)
{
	struct itimerspec when = { 0 };

	ev->due = due;
	ev->due_arg = arg;
	if (at_ms != INT64_MAX) {
		/* All zero would mean "disarm": a time long past is "at once" instead. */
		int64_t at = at_ms < 1 ? 1 : at_ms;

		when.it_value.tv_sec = at / 1000;
		when.it_value.tv_nsec = at % 1000 * 1000000;
	}
	timerfd_settime(ev->timer.fd, TFD_TIMER_ABSTIME, &when, NULL);
}

int ev_signals(struct ev *ev, const int *signals,
	void (*caught)(void *arg, int signal, int64_t now_ms), void *arg)
{
	sigset_t set;

	sigemptyset(&set);
	for (; *signals; signals++)
		sigaddset(&set, *signals);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	ev->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (ev->signals.fd < 0)
		return -errno;
	ev->signals.ready = on_signal;
	ev->caught = caught;
	ev->caught_arg = arg;
	return ev_add(ev, &ev->signals, EPOLLIN);
}

int ev_run(struct ev *ev)
{
	ev->stop = false;
	while (!ev->stop) {
		int n = epoll_wait(ev->epoll_fd, ev->fetched, EV_BATCH, -1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		ev->now_ms = ev_now_ms();
		ev->n_fetched = n;
		for (int i = 0; i < n && !ev->stop; i++) {
			struct ev_source *source = ev->fetched[i].data.ptr;

			if (source)
				source->ready(source, ev->fetched[i].events, ev->now_ms);
		}
		ev->n_fetched = 0;
	}
	return 0;
}

void ev_stop(struct ev *ev)
{
	ev->stop = true;
}
