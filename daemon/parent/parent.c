#include "parent.h"

#include "chan.h"
#include "ev.h"
#include "igdward/exit.h"
#include "log.h"
#include "notify.h"
#include "policy.h"
#include "priv.h"
#include "spawn.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	BACKOFF_FIRST_MS = 100,
	BACKOFF_MAX_MS = 30000,
	LIVED_WELL_MS =
		60000, /* a child that lived this long starts with a clean slate */
	STOP_WORKERS_MS = 1500,	 /* for workers to say byebye and end */
	STOP_BROKER_MS = 3000,	 /* and then for the broker to end mappings if told so */
	WORKER_CANNOT_SERVE = 3, /* exit code of a worker: trying again is of no use */
};

/* What the parent keeps: to change a child's user, to bound its capabilities, to hand
 * down CAP_NET_ADMIN, and to end children that are other users. */
#define PARENT_CAPS                                                                      \
	(UINT64_C(1) << CAP_SETUID | UINT64_C(1) << CAP_SETGID |                         \
		UINT64_C(1) << CAP_SETPCAP | UINT64_C(1) << CAP_KILL |                   \
		UINT64_C(1) << CAP_NET_ADMIN)
#define BROKER_CAPS (UINT64_C(1) << CAP_NET_ADMIN)

struct child {
	pid_t pid; /* 0 = not running */
	int64_t started_ms;
	int64_t start_at_ms; /* when it is to be started again; INT64_MAX = not */
	int64_t backoff_ms;
	uint32_t generation; /* counts starts, so that an order to end one cannot hit
				the next */
	bool expected;	     /* its end was ordered: no reason to wait */
};

struct parent {
	const struct parent_setup *setup;
	struct ev *ev;
	struct ev_source channel; /* to the broker; fd -1 = none */
	struct child broker;
	struct child workers[IGW_LINKS_MAX];
	size_t n_workers;
	int policy_fd;	     /* the last good policy */
	int candidate_fd;    /* one that the broker is judging, -1 = none */
	uint32_t wanted_seq; /* of the last reload that the broker asked for */
	bool reload_again;   /* asked for while a policy was being judged */
	bool broker_started; /* the broker got as far as wanting workers, once */
	bool workers_wanted; /* ... and so did the present one */
	bool ready;
	bool stopping;
	int64_t stop_by_ms;
	int exit_code;
};

static void parent_schedule(struct parent *parent);

static void child_died(struct child *child, int64_t now_ms)
{
	if (child->expected || child->backoff_ms == 0 ||
		now_ms - child->started_ms > LIVED_WELL_MS)
		child->backoff_ms = BACKOFF_FIRST_MS;
	else if (child->backoff_ms < BACKOFF_MAX_MS / 2)
		child->backoff_ms *= 2;
	else
		child->backoff_ms = BACKOFF_MAX_MS;
	child->pid = 0;
	child->expected = false;
	child->start_at_ms = now_ms + child->backoff_ms;
}

static void child_kill(struct child *child, int signal)
{
	if (child->pid <= 0)
		return;
	child->expected = true;
	kill(child->pid, signal);
}

static int child_start(struct parent *parent, struct child *child, const char *program,
	bool broker, int channel)
{
	const struct parent_setup *setup = parent->setup;
	struct spawn spawn = {
		.path = program,
		.program = broker ? setup->broker_fd : setup->worker_fd,
		.uid = broker ? setup->user : setup->worker_user,
		.gid = broker ? setup->group : setup->worker_group,
		.caps = broker ? BROKER_CAPS : 0,
		.channel = channel,
	};
	pid_t pid;

	pid = spawn_child(&spawn);
	if (pid < 0) {
		log_error("cannot fork for %s: %s", program, strerror(-pid));
		return pid;
	}
	child->pid = pid;
	child->started_ms = ev_now_ms();
	child->start_at_ms = INT64_MAX;
	log_debug("event=started program=%s pid=%d", program, (int)pid);
	return 0;
}

static void start_worker(struct parent *parent, size_t link)
{
	struct child *child = &parent->workers[link];
	struct igw_worker worker = { .link = (uint32_t)link };
	int pair[2];
	int r;

	child->start_at_ms = INT64_MAX;
	if (child->pid > 0)
		return;
	child->generation++;
	r = chan_pair(pair);
	if (r == 0) {
		r = chan_send(parent->channel.fd, IGW_WORKER, child->generation, &worker,
			&pair[0]);
		if (r == 0)
			r = child_start(parent, child, "igdward-upnp", false, pair[1]);
		close(pair[0]);
		close(pair[1]);
	}
	if (r < 0) {
		log_error("cannot start a worker: %s", strerror(-r));
		child_died(child, ev_now_ms());
	}
}

static void on_worker_kill(struct parent *parent, const struct chan_msg *msg)
{
	struct igw_worker_kill order;

	memcpy(&order, msg->payload, sizeof(order));
	if (order.link >= parent->n_workers)
		return;
	/* It is reaped and started again as any worker that ended. One that broke the
	 * protocol is not `expected`: if it does that again and again, it has to wait. */
	if (msg->seq == parent->workers[order.link].generation &&
		parent->workers[order.link].pid > 0)
		kill(parent->workers[order.link].pid, SIGKILL);
}

static void drop_candidate(struct parent *parent)
{
	if (parent->candidate_fd >= 0)
		close(parent->candidate_fd);
	parent->candidate_fd = -1;
}

/*
 * Reads the policy file anew and has the broker judge it, one file at a time: what is
 * asked for meanwhile is read when the answer has come, so that the answer always belongs
 * to the candidate. `wanted_seq` tells the broker which of its clients the outcome is
 * for.
 */
static void reload(struct parent *parent)
{
	const char *path = parent->setup->policy_path;
	struct igw_policy_load load = { 0 };
	struct igw_policy_result result = { 0 };
	char error[IGW_MSG_TEXT_MAX + 1] = "";
	char quoted[2 * IGW_MSG_TEXT_MAX];
	int fd;

	parent->reload_again = parent->candidate_fd >= 0 || parent->channel.fd < 0;
	if (parent->reload_again)
		return;
	fd = files_read(path, POLICY_TEXT_MAX, error, sizeof(error));
	if (fd < 0) {
		log_error("event=policy-refused stays=1 text=%s",
			igw_text_quote(quoted, sizeof(quoted), error));
		result.error = (uint32_t)-fd;
		igw_text_clean(result.text, sizeof(result.text), error);
		chan_send(parent->channel.fd, IGW_POLICY_RESULT, parent->wanted_seq,
			&result, NULL);
		return;
	}
	igw_text_copy(load.path, sizeof(load.path), path);
	if (chan_send(parent->channel.fd, IGW_POLICY_LOAD, parent->wanted_seq, &load,
		    &fd) == 0) {
		parent->candidate_fd = fd;
		return;
	}
	log_error("the broker does not take the policy");
	close(fd);
}

static void on_started(struct parent *parent, const struct chan_msg *msg)
{
	struct igw_started started;

	if (parent->workers_wanted)
		return;
	parent->workers_wanted = true;
	memcpy(&started, msg->payload, sizeof(started));
	parent->n_workers =
		started.workers < IGW_LINKS_MAX ? started.workers : IGW_LINKS_MAX;
	parent->broker_started = true;
	for (size_t i = 0; i < parent->n_workers; i++)
		start_worker(parent, i);
	if (parent->reload_again)
		reload(parent);
}

static void on_policy_result(struct parent *parent, const struct chan_msg *msg)
{
	struct igw_policy_result result;

	memcpy(&result, msg->payload, sizeof(result));
	if (result.error == 0 && parent->candidate_fd >= 0) {
		close(parent->policy_fd);
		parent->policy_fd = parent->candidate_fd;
		parent->candidate_fd = -1;
	}
	drop_candidate(parent);
	if (parent->reload_again)
		reload(parent);
}

static void channel_drop(struct parent *parent)
{
	if (parent->channel.fd < 0)
		return;
	ev_del(parent->ev, &parent->channel);
	close(parent->channel.fd);
	parent->channel.fd = -1;
}

static void on_channel(struct ev_source *source, uint32_t events, int64_t now_ms)
{
	struct parent *parent = ev_container(source, struct parent, channel);
	struct chan_msg msg;
	int r = chan_recv(source->fd, IGW_BROKER, &msg);

	(void)events;
	(void)now_ms;
	if (r == -EAGAIN)
		return;
	if (r <= 0) {
		/* Dead or broken: it is reaped and started again, as one that ended by
		 * itself. */
		channel_drop(parent);
		if (parent->broker.pid > 0)
			kill(parent->broker.pid, SIGKILL);
		return;
	}
	chan_msg_close(&msg);
	if (msg.id == IGW_STARTED) {
		on_started(parent, &msg);
	} else if (msg.id == IGW_READY && !parent->ready) {
		parent->ready = true;
		log_info("event=ready");
		notify_send("READY=1\nSTATUS=serving");
	} else if (msg.id == IGW_WORKER_KILL) {
		on_worker_kill(parent, &msg);
	} else if (msg.id == IGW_POLICY_WANTED) {
		parent->wanted_seq = msg.seq;
		reload(parent);
	} else if (msg.id == IGW_POLICY_RESULT) {
		on_policy_result(parent, &msg);
	}
	parent_schedule(parent);
}

static int send_start(struct parent *parent)
{
	const struct parent_setup *setup = parent->setup;
	struct igw_start start = { .worker_uid = setup->worker_user,
		.check_only = setup->check_only,
		.policy_readable = setup->policy_readable };
	int fds[3] = { setup->config_fd, parent->policy_fd, setup->control_fd };

	/* With check_only nothing listens; any descriptor fills the place. */
	if (fds[2] < 0)
		fds[2] = setup->config_fd;
	igw_text_copy(start.config_path, sizeof(start.config_path), setup->config_path);
	igw_text_copy(start.policy_path, sizeof(start.policy_path), setup->policy_path);
	igw_text_copy(start.uuid, sizeof(start.uuid), setup->uuid);
	return chan_send(parent->channel.fd, IGW_START, 0, &start, fds);
}

static int start_broker(struct parent *parent)
{
	int pair[2];
	int r = chan_pair(pair);

	if (r < 0)
		return r;
	parent->broker.start_at_ms = INT64_MAX;
	parent->workers_wanted = false;
	parent->channel = (struct ev_source){ .fd = pair[0], .ready = on_channel };
	r = ev_add(parent->ev, &parent->channel, EPOLLIN);
	if (r == 0)
		r = child_start(parent, &parent->broker, "igdward-broker", true, pair[1]);
	close(pair[1]);
	if (r == 0)
		r = send_start(parent);
	if (r < 0) {
		channel_drop(parent);
		child_kill(&parent->broker, SIGKILL);
		log_error("cannot start the broker: %s", strerror(-r));
	}
	return r;
}

/* Workers first, so that their farewells still pass and the broker hears their end. */
static void stop_children(struct parent *parent, int64_t now_ms)
{
	bool workers = false;

	if (!parent->stopping) {
		parent->stopping = true;
		parent->stop_by_ms = now_ms + STOP_WORKERS_MS;
		notify_send("STOPPING=1");
		for (size_t i = 0; i < parent->n_workers; i++) {
			parent->workers[i].start_at_ms = INT64_MAX;
			child_kill(&parent->workers[i], SIGTERM);
		}
	}
	for (size_t i = 0; i < parent->n_workers; i++)
		workers = workers || parent->workers[i].pid > 0;
	if (!workers && !parent->broker.expected && parent->broker.pid > 0) {
		child_kill(&parent->broker, SIGTERM);
		parent->stop_by_ms = now_ms + STOP_BROKER_MS;
	}
	if (!workers && parent->broker.pid == 0)
		ev_stop(parent->ev);
}

static void broker_died(struct parent *parent, int status, int64_t now_ms)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : IGW_EXIT_FAILED;

	if (code != IGW_EXIT_INVALID && code != IGW_EXIT_OK)
		code = IGW_EXIT_FAILED;
	channel_drop(parent);
	parent->reload_again = parent->reload_again || parent->candidate_fd >= 0;
	drop_candidate(parent);
	child_died(&parent->broker, now_ms);
	if (parent->stopping)
		return;
	if (!parent->broker_started) {
		/* It has said why. */
		parent->exit_code = code;
		parent->stopping = true;
		ev_stop(parent->ev);
		return;
	}
	log_error(
		"event=broker-died status=%d text=\"starting it again in %d ms; mappings "
		"stay in the kernel\"",
		code, (int)parent->broker.backoff_ms);
	for (size_t i = 0; i < parent->n_workers; i++) {
		parent->workers[i].start_at_ms = INT64_MAX;
		child_kill(&parent->workers[i], SIGKILL);
	}
}

static void worker_died(
	struct parent *parent, struct child *child, int status, int64_t now_ms)
{
	bool cannot = WIFEXITED(status) && WEXITSTATUS(status) == WORKER_CANNOT_SERVE;

	child_died(child, now_ms);
	if (parent->stopping)
		return;
	if (cannot && !parent->ready) {
		/* It has said why; at first start that is for the admin to mend. */
		parent->exit_code = IGW_EXIT_FAILED;
		stop_children(parent, now_ms);
		return;
	}
	if (parent->channel.fd < 0)
		child->start_at_ms = INT64_MAX; /* the new broker will want it */
	log_warning("event=worker-died status=%d signal=%d",
		WIFEXITED(status) ? WEXITSTATUS(status) : 0,
		WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

static void reap(struct parent *parent, int64_t now_ms)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == parent->broker.pid)
			broker_died(parent, status, now_ms);
		for (size_t i = 0; i < parent->n_workers; i++) {
			if (pid == parent->workers[i].pid)
				worker_died(parent, &parent->workers[i], status, now_ms);
		}
	}
	if (parent->stopping)
		stop_children(parent, now_ms);
}

static void on_signal(void *arg, int signal, int64_t now_ms)
{
	struct parent *parent = arg;

	if (signal == SIGCHLD)
		reap(parent, now_ms);
	else if (signal == SIGHUP && parent->broker_started)
		reload(parent);
	else if (signal == SIGTERM || signal == SIGINT)
		stop_children(parent, now_ms);
	parent_schedule(parent);
}

static void on_due(void *arg, int64_t now_ms)
{
	struct parent *parent = arg;

	if (parent->stopping && now_ms >= parent->stop_by_ms) {
		/* The broker was told to stop only when the workers had gone. */
		parent->stop_by_ms = INT64_MAX;
		for (size_t i = 0; i < parent->n_workers; i++)
			child_kill(&parent->workers[i], SIGKILL);
		if (parent->broker.expected)
			child_kill(&parent->broker, SIGKILL);
	}
	if (!parent->stopping && parent->broker.start_at_ms <= now_ms &&
		start_broker(parent) < 0)
		child_died(&parent->broker, now_ms);
	for (size_t i = 0; !parent->stopping && i < parent->n_workers; i++) {
		if (parent->workers[i].start_at_ms <= now_ms && parent->channel.fd >= 0)
			start_worker(parent, i);
	}
	parent_schedule(parent);
}

static void parent_schedule(struct parent *parent)
{
	int64_t at_ms =
		parent->stopping ? parent->stop_by_ms : parent->broker.start_at_ms;

	for (size_t i = 0; !parent->stopping && i < parent->n_workers; i++) {
		if (parent->workers[i].start_at_ms < at_ms && parent->channel.fd >= 0)
			at_ms = parent->workers[i].start_at_ms;
	}
	ev_timer(parent->ev, at_ms, on_due, parent);
}

uint64_t parent_caps(void)
{
	return PARENT_CAPS;
}

int parent_run(const struct parent_setup *setup)
{
	static const int signals[] = { SIGCHLD, SIGHUP, SIGTERM, SIGINT, 0 };
	struct parent parent = { .setup = setup,
		.channel.fd = -1,
		.policy_fd = setup->policy_fd,
		.candidate_fd = -1 };
	int r;

	/* Whoever started us may ignore it, and that would be inherited: children would
	 * be reaped without a word. */
	signal(SIGCHLD, SIG_DFL);
	r = ev_open(&parent.ev);

	for (size_t i = 0; i < IGW_LINKS_MAX; i++)
		parent.workers[i].start_at_ms = INT64_MAX;
	if (r == 0)
		r = ev_signals(parent.ev, signals, on_signal, &parent);
	if (r == 0)
		r = priv_limit(PARENT_CAPS);
	if (r == 0)
		r = start_broker(&parent);
	if (r == 0)
		r = ev_run(parent.ev);
	if (r < 0) {
		log_error("cannot run: %s", strerror(-r));
		parent.exit_code = IGW_EXIT_FAILED;
	}
	channel_drop(&parent);
	drop_candidate(&parent);
	ev_close(parent.ev);
	return parent.exit_code;
}
