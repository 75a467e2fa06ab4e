#include "parent_link.h"

#include "chan.h"
#include "control.h"
#include "log.h"
#include "rejudge.h"
#include "workers.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

int parent_link_receive_start(int fd, struct igw_start *ret, int fds[PARENT_FDS])
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	struct chan_msg msg;
	struct igw_start start;
	int r;

	do {
		if (poll(&wait, 1, -1) < 0 && errno != EINTR)
			return -errno;
		r = chan_recv(fd, IGW_PARENT, &msg);
	} while (r == -EAGAIN);
	if (r == 0)
		return -EPIPE;
	if (r < 0)
		return r;
	memcpy(&start, msg.payload, sizeof(start));
	if (msg.id != IGW_START ||
		!igw_msg_text_ok(start.config_path, sizeof(start.config_path)) ||
		!igw_msg_text_ok(start.policy_path, sizeof(start.policy_path)) ||
		!igw_msg_text_ok(start.uuid, sizeof(start.uuid))) {
		chan_msg_close(&msg);
		return -EBADMSG;
	}
	*ret = start;
	memcpy(fds, msg.fds, PARENT_FDS * sizeof(int));
	return 0;
}

int parent_link_read_all(int fd, size_t max, char **ret, size_t *ret_len)
{
	struct stat stat;
	size_t size, len = 0;
	char *text;

	if (fstat(fd, &stat) < 0)
		return -errno;
	if (stat.st_size < 0 || (uintmax_t)stat.st_size > max)
		return -EFBIG;
	size = (size_t)stat.st_size;
	text = malloc(size + 1);
	if (!text)
		return -ENOMEM;
	while (len < size) {
		ssize_t n = pread(fd, text + len, size - len, (off_t)len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			free(text);
			return n < 0 ? -errno : -EIO;
		}
		len += (size_t)n;
	}
	text[len] = '\0';
	*ret = text;
	*ret_len = len;
	return 0;
}

int parent_link_read_policy(
	int fd, const char *path, struct policy **ret, char text[IGW_MSG_TEXT_MAX + 1])
{
	struct policy_report report = { 0 };
	char formatted[POLICY_REPORT_TEXT] = "";
	const struct policy_note *note = NULL;
	char *json = NULL;
	size_t len = 0;
	int r = parent_link_read_all(fd, POLICY_TEXT_MAX, &json, &len);

	if (r == 0)
		r = policy_parse(json, len, ret, &report);
	free(json);
	if (r < 0 && report.error.message[0] == '\0')
		igw_text_copy(
			report.error.message, sizeof(report.error.message), strerror(-r));
	if (r < 0)
		note = &report.error;
	else if (report.n_warnings > 0)
		note = &report.warnings[0];
	if (note)
		policy_note_format(note, path, formatted, sizeof(formatted));
	igw_text_clean(text, IGW_MSG_TEXT_MAX + 1, formatted);
	return r;
}

static int on_worker_started(struct broker *broker, struct chan_msg *msg)
{
	struct igw_worker worker;

	memcpy(&worker, msg->payload, sizeof(worker));
	if (worker.link >= broker->n_links)
		return -EBADMSG;
	workers_attach(broker, &broker->links[worker.link], msg->fds[0], msg->seq);
	msg->fds[0] = -1;
	return 0;
}

/* Puts a new policy in force: live mappings that it no longer allows end first. */
static int take_policy(struct broker *broker, struct policy *policy, int64_t now_ms)
{
	int ended = rejudge_all(broker, policy, NULL, now_ms);

	if (ended < 0)
		return ended;
	policy_free(broker->policy);
	broker->policy = policy;
	broker->policy_loaded_s = broker_wall_s();
	broker->policy_stale = false;
	log_info("event=policy-loaded rules=%zu ended=%d", policy_rule_count(policy),
		ended);
	return 0;
}

static int on_policy_load(
	struct broker *broker, const struct chan_msg *msg, int64_t now_ms)
{
	struct igw_policy_load load;
	struct igw_policy_result result = { 0 };
	struct policy *policy = NULL;
	char quoted[2 * IGW_MSG_TEXT_MAX];
	int r;

	memcpy(&load, msg->payload, sizeof(load));
	if (!igw_msg_text_ok(load.path, sizeof(load.path)))
		return -EBADMSG;
	r = parent_link_read_policy(msg->fds[0], load.path, &policy, result.text);
	if (r == 0) {
		r = take_policy(broker, policy, now_ms);
		if (r < 0) {
			policy_free(policy);
			r = -EIO;
			igw_text_copy(result.text, sizeof(result.text),
				"the kernel did not take the change");
		}
	}
	if (r < 0) {
		result.error = (uint32_t)-r;
		broker->policy_stale = true;
		log_error("event=policy-refused stays=1 text=%s",
			igw_text_quote(quoted, sizeof(quoted), result.text));
	} else if (result.text[0] != '\0') {
		log_warning("event=policy-warning text=%s",
			igw_text_quote(quoted, sizeof(quoted), result.text));
	}
	control_reloaded(broker, msg->seq, &result);
	return chan_send(broker->parent.fd, IGW_POLICY_RESULT, msg->seq, &result, NULL);
}

static int on_policy_result(struct broker *broker, const struct chan_msg *msg)
{
	struct igw_policy_result result;

	memcpy(&result, msg->payload, sizeof(result));
	if (!igw_msg_text_ok(result.text, sizeof(result.text)))
		return -EBADMSG;
	broker->policy_stale = true;
	control_reloaded(broker, msg->seq, &result);
	return 0;
}

static void on_parent(struct ev_source *source, uint32_t events, int64_t now_ms)
{
	struct broker *broker = ev_container(source, struct broker, parent);
	struct chan_msg msg;
	int r = chan_recv(source->fd, IGW_PARENT, &msg);

	(void)events;
	if (r == -EAGAIN)
		return;
	if (r == 1) {
		if (msg.id == IGW_WORKER)
			r = on_worker_started(broker, &msg);
		else if (msg.id == IGW_POLICY_LOAD)
			r = on_policy_load(broker, &msg, now_ms);
		else if (msg.id == IGW_POLICY_RESULT)
			r = on_policy_result(broker, &msg);
		else
			r = -EBADMSG;
		chan_msg_close(&msg);
	} else if (r == 0) {
		r = -EPIPE;
	}
	if (r < 0) {
		/* Without its parent the broker cannot have workers; a new parent starts
		 * a new broker, which finds the mappings in the kernel. */
		log_error("the parent is gone: %s", strerror(-r));
		broker->exit_code = IGW_EXIT_FAILED;
		broker->orphaned = true;
		ev_stop(broker->ev);
	}
	broker_schedule(broker);
}

int parent_link_watch(struct broker *broker)
{
	broker->parent.ready = on_parent;
	return ev_add(broker->ev, &broker->parent, EPOLLIN);
}
