/*
 * igdward-upnp: one LAN link's UPnP side. Started by the parent by exec, as the worker
 * user and without any capability, with its channel to the broker on descriptor 3. Waits
 * for the broker's word on what to serve, serves it, and ends with its channel.
 */
#include "ev.h"
#include "log.h"
#include "priv.h"
#include "report.h"
#include "serve.h"
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum {
	STACK_SIZE = 256 * 1024, /* small, so that the address space can be bounded */
	ADDRESS_SPACE = 32 * 1024 * 1024,
	DESCRIPTORS = 256, /* the library's select() has room for 1,024 */
};

struct process {
	struct ev *ev;
	struct ev_source channel;
	struct worker worker;
	bool serves;
};

/* Log lines go by the channel from here on, and what the library prints, a line for every
 * job that it drops, goes nowhere. Builds with a sanitizer keep stderr for its reports.
 */
static void leave_stderr(void)
{
	int null;

	report_start(IGW_CHANNEL_FD);
	if (!priv_strict())
		return;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; null >= 0 && fd <= STDERR_FILENO; fd++)
		dup2(null, fd);
	if (null > STDERR_FILENO)
		close(null);
}

static void on_link(struct process *process, const struct chan_msg *msg)
{
	struct worker *worker = &process->worker;
	struct igw_serving serving = { 0 };
	enum worker_exit code;
	struct igw_link link;
	int r;

	memcpy(&link, msg->payload, sizeof(link));
	if (link.log_level <= LOG_LEVEL_DEBUG)
		log_set_level((enum log_level)link.log_level);
	leave_stderr();
	r = worker_set_link(worker, &link);
	if (r == 0)
		r = events_init(&worker->events, &worker->names, &worker->broker,
			&worker->device);
	if (r < 0) {
		log_error("cannot take the link that the broker named: %s", strerror(-r));
		_exit(WORKER_FAILED);
	}
	if (link.igd_version != worker->names.tree->devices[0].version)
		log_warning("igd_version %u is not there yet, serving version %u",
			link.igd_version, worker->names.tree->devices[0].version);
	code = serve_start(worker, &serving.http_port);
	if (code != WORKER_STOPPED)
		_exit((int)code);
	process->serves = true;
	r = broker_tell(&worker->broker, IGW_SERVING, &serving);
	if (r == 0)
		r = events_start(&worker->events);
	if (r < 0) {
		log_error("cannot begin to serve: %s", strerror(-r));
		serve_stop(worker, WORKER_FAILED);
	}
}

static void on_changed(struct process *process, const struct chan_msg *msg)
{
	struct igw_changed changed;

	memcpy(&changed, msg->payload, sizeof(changed));
	events_changed(&process->worker.events, &changed);
}

/* Returns 0, or -EPROTO for a message that has no place here and now. */
static int on_message(struct process *process, const struct chan_msg *msg)
{
	switch (msg->id) {
	case IGW_LINK:
		if (process->serves)
			return -EPROTO;
		on_link(process, msg);
		return 0;
	case IGW_CHANGED:
		if (process->serves)
			on_changed(process, msg);
		return 0;
	case IGW_MAP_RESULT:
	case IGW_MAP_ENTRY:
	case IGW_WAN:
		if (!broker_answered(&process->worker.broker, msg))
			log_debug("%s came too late", igw_msg_name(msg->id));
		return 0;
	}
	return -EPROTO;
}

static _Noreturn void stop(struct process *process, enum worker_exit code)
{
	broker_ended(&process->worker.broker);
	serve_stop(&process->worker, code);
}

static void on_channel(struct ev_source *source, uint32_t events, int64_t now_ms)
{
	struct process *process = ev_container(source, struct process, channel);
	struct chan_msg msg;
	int r;

	(void)events;
	(void)now_ms;
	while ((r = chan_recv(source->fd, IGW_BROKER, &msg)) > 0) {
		r = on_message(process, &msg);
		chan_msg_close(&msg);
		if (r < 0)
			break;
	}
	if (r == -EAGAIN)
		return;
	if (r < 0)
		log_error("channel to the broker: %s", strerror(-r));
	stop(process, r == 0 ? WORKER_STOPPED : WORKER_FAILED);
}

static void on_signal(void *arg, int signal, int64_t now_ms)
{
	(void)signal;
	(void)now_ms;
	stop(arg, WORKER_STOPPED);
}

/* Bounds that must stand before the first thread. */
static int set_limits(void)
{
	pthread_attr_t attr;
	int r;

	tzset(); /* reads a file, which a later stage forbids */
#ifdef M_ARENA_MAX
	mallopt(M_ARENA_MAX, 1);
#endif
	if (priv_strict()) {
		r = pthread_attr_init(&attr);
		if (r == 0)
			r = pthread_attr_setstacksize(&attr, STACK_SIZE);
		if (r == 0)
			r = pthread_setattr_default_np(&attr);
		if (r != 0)
			return -r;
	}
	return priv_limits(ADDRESS_SPACE, DESCRIPTORS);
}

static int start(struct process *process)
{
	static const int signals[] = { SIGTERM, SIGINT, 0 };
	int r = priv_harden(IGW_CHANNEL_FD);

	if (r == 0)
		r = set_limits();
	if (r == 0)
		r = broker_init(
			&process->worker.broker, IGW_CHANNEL_FD, BROKER_DEADLINE_MS);
	if (r == 0)
		r = ev_open(&process->ev);
	if (r == 0)
		r = ev_signals(process->ev, signals, on_signal, process);
	if (r < 0)
		return r;
	process->channel.fd = IGW_CHANNEL_FD;
	process->channel.ready = on_channel;
	return ev_add(process->ev, &process->channel, EPOLLIN);
}

int main(int argc, char **argv)
{
	struct process process = { 0 };
	int r;

	(void)argv;
	log_init("igdward-upnp");
	prctl(PR_SET_NAME, "igdward-upnp"); /* started by descriptor, it has none */
	if (argc > 1) {
		fputs("igdward-upnp is started by igdwardd and takes no arguments\n",
			stderr);
		return WORKER_USAGE;
	}
	r = start(&process);
	if (r == 0)
		r = ev_run(process.ev);
	log_error("cannot run: %s", strerror(-r));
	return WORKER_FAILED;
}
