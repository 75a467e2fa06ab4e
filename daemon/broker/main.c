/*
 * igdward-broker: decides about every request and is the only process that changes the
 * kernel. Started by igdwardd as an unprivileged user with CAP_NET_ADMIN alone.
 */
#include "broker.h"
#include "chan.h"
#include "control.h"
#include "kernel_watch.h"
#include "links.h"
#include "log.h"
#include "mapping.h"
#include "parent_link.h"
#include "priv.h"
#include "rejudge.h"
#include "workers.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <unistd.h>

static void on_net(struct ev_source *source, uint32_t events, int64_t now_ms)
{
	struct broker *broker = ev_container(source, struct broker, network);
	int r = net_poll(broker->net);

	(void)events;
	if (r < 0)
		log_error("event=network-unread text=\"rtnetlink: %s\"", strerror(-r));
	if (r != 0)
		links_update(broker, now_ms);
	broker_schedule(broker);
}

static void on_signal(void *arg, int signal, int64_t now_ms)
{
	struct broker *broker = arg;

	(void)now_ms;
	/* SIGINT and SIGHUP of a terminal are for the parent, which sends SIGTERM. */
	if (signal == SIGTERM)
		ev_stop(broker->ev);
}

static int read_config(struct broker *broker, int fd)
{
	struct policy_report report = { 0 };
	char *text = NULL;
	size_t len = 0;
	int r = parent_link_read_all(fd, CONFIG_TEXT_MAX, &text, &len);

	if (r == 0)
		r = config_parse(text, len, &broker->config, &report);
	free(text);
	if (r < 0) {
		log_error("cannot read the configuration handed down: %s %s",
			strerror(-r), report.error.message);
		return r;
	}
	log_set_level((enum log_level)broker->config.log_level);
	if (broker->config.sandbox == CONFIG_SANDBOX_REQUIRE)
		log_debug("system calls are not filtered yet, whatever sandbox says");
	if (broker->config.persist == CONFIG_PERSIST_REBOOT)
		log_warning("persist: reboot has no effect yet; mappings outlive the "
			    "daemon, but not a reboot");
	broker->fw_settings = (struct fw_settings){
		.mark = broker->config.mark,
		.worker_uid = broker->start.worker_uid,
		.hairpin = broker->config.hairpin,
		.block_smb_egress = broker->config.block_smb_egress,
		.own_tables = broker->config.owner == CONFIG_OWNER_AUTO,
	};
	return 0;
}

/* A policy that cannot be used is an error at start; the floor is put in place all the
 * same, and what an earlier run left open is closed. */
static int read_policy(struct broker *broker, int fd)
{
	char text[IGW_MSG_TEXT_MAX + 1];
	int r;

	if (!broker->start.policy_readable) {
		/* The parent has said why. */
		r = -ENOENT;
	} else {
		r = parent_link_read_policy(
			fd, broker->start.policy_path, &broker->policy, text);
		if (r < 0)
			log_error("%s", text);
		else if (text[0] != '\0')
			log_warning("%s", text);
	}
	if (r == 0) {
		broker->policy_loaded_s = broker_wall_s();
		return 0;
	}
	broker->exit_code = IGW_EXIT_INVALID;
	if (policy_deny_all(&broker->policy) < 0)
		return -ENOMEM;
	return 0;
}

static int open_kernel(struct broker *broker)
{
	int r = net_open(&broker->net);

	if (r < 0) {
		log_error("cannot ask the kernel for its network interfaces: %s",
			strerror(-r));
		return r;
	}
	r = fw_open(&broker->fw);
	if (r == -EPERM) {
		log_error("no permission to change nftables: CAP_NET_ADMIN is missing");
		return r;
	}
	if (r < 0) {
		log_error("this kernel has no nf_tables (%s): load or build the module",
			strerror(-r));
		return r;
	}
	r = kernel_watch_open(broker);
	if (r < 0) {
		log_error("cannot listen to nf_tables: %s", strerror(-r));
		return r;
	}
	r = ct_open(&broker->ct);
	if (r < 0)
		log_error("this kernel has no ctnetlink (%s): load or build the module "
			  "nf_conntrack_netlink, without which flows cannot be cut",
			strerror(-r));
	return r;
}

static int open_state(struct broker *broker)
{
	uint64_t seed = 0;
	int r = ev_open(&broker->ev);

	if (r < 0)
		return r;
	if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return -EIO;
	r = table_new(seed, &broker->table);
	return r < 0 ? r : batch_init(&broker->batch);
}

/* Everything up to the moment at which the workers can be started. */
static int broker_start(struct broker *broker, int fds[PARENT_FDS])
{
	struct igw_started started;
	int64_t now_ms = ev_now_ms();
	int r;

	broker->exit_code = IGW_EXIT_FAILED;
	broker->started_ms = now_ms;
	broker->started_s = broker_wall_s();
	r = read_config(broker, fds[0]);
	if (r == 0)
		r = open_state(broker);
	if (r == 0)
		r = open_kernel(broker);
	if (r == 0)
		r = links_choose(broker);
	if (r == 0)
		r = read_policy(broker, fds[1]);
	if (r < 0 || broker->start.check_only)
		return r;
	links_fill(broker, &broker->fw_links);
	r = rejudge_restore(broker, now_ms);
	if (r < 0)
		return r;
	broker->installed = true;
	if (broker->exit_code == IGW_EXIT_INVALID)
		return -EINVAL;
	r = control_start(broker, fds[2]);
	if (r < 0)
		return r;
	fds[2] = -1;
	started.workers = (uint32_t)broker->n_links;
	return chan_send(broker->parent.fd, IGW_STARTED, 0, &started, NULL);
}

static int broker_run(struct broker *broker)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, 0 };
	int r = ev_signals(broker->ev, signals, on_signal, broker);

	if (r == 0)
		r = parent_link_watch(broker);
	broker->network =
		(struct ev_source){ .fd = net_fd(broker->net), .ready = on_net };
	if (r == 0)
		r = ev_add(broker->ev, &broker->network, EPOLLIN);
	if (r == 0)
		r = kernel_watch_start(broker);
	if (r < 0) {
		log_error("cannot start the event loop: %s", strerror(-r));
		return r;
	}
	broker->exit_code = IGW_EXIT_OK;
	broker_schedule(broker);
	return ev_run(broker->ev);
}

/* Mappings stay for the next run unless the admin wants them gone. A table without any
 * is of no use to anybody and goes; the floor always stays. */
static void broker_stop(struct broker *broker)
{
	if (!broker->installed || broker->orphaned)
		return;
	if (broker->config.on_stop == CONFIG_ON_STOP_FLUSH &&
		mapping_flush(broker, ev_now_ms()) < 0)
		log_error("event=flush-failed text=\"mappings stay until their leases "
			  "end\"");
	if (table_count(broker->table) == 0)
		fw_remove_mappings(broker->fw);
	log_info("event=stopped mappings=%u", table_count(broker->table));
}

static void broker_free(struct broker *broker)
{
	if (broker->control)
		control_stop(broker);
	policy_free(broker->policy);
	batch_free(&broker->batch);
	table_free(broker->table);
	ct_close(broker->ct);
	kernel_watch_close(broker);
	fw_close(broker->fw);
	net_close(broker->net);
	ev_close(broker->ev);
	free(broker);
}

/* igdwardd --teardown: both tables go. */
static int teardown(void)
{
	struct fw *fw;
	int r = fw_open(&fw);

	if (r == 0) {
		r = fw_teardown(fw);
		fw_close(fw);
	}
	if (r < 0) {
		log_error("cannot remove the nftables tables: %s", strerror(-r));
		return IGW_EXIT_FAILED;
	}
	log_info("event=torn-down text=\"tables inet igdward and inet igdward_floor are "
		 "gone\"");
	return IGW_EXIT_OK;
}

int main(int argc, char **argv)
{
	struct broker *broker;
	int fds[PARENT_FDS] = { -1, -1, -1 };
	int r, code;

	log_init("igdward-broker");
	prctl(PR_SET_NAME, "igdward-broker"); /* started by descriptor, it has none */
	r = priv_harden(IGW_CHANNEL_FD);
	if (r < 0) {
		log_error("cannot start: %s (this program is started by igdwardd)",
			strerror(-r));
		return IGW_EXIT_FAILED;
	}
	if (argc > 1 && strcmp(argv[1], "--teardown") == 0)
		return teardown();
	broker = calloc(1, sizeof(*broker));
	if (!broker)
		return IGW_EXIT_FAILED;
	broker->parent.fd = IGW_CHANNEL_FD;
	r = parent_link_receive_start(IGW_CHANNEL_FD, &broker->start, fds);
	if (r < 0)
		log_error("no order from the parent: %s", strerror(-r));
	else
		r = broker_start(broker, fds);
	for (size_t i = 0; i < PARENT_FDS; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	if (r == 0 && !broker->start.check_only)
		r = broker_run(broker);
	else if (r == 0 && broker->exit_code != IGW_EXIT_INVALID)
		broker->exit_code = IGW_EXIT_OK;
	broker_stop(broker);
	code = broker->exit_code;
	broker_free(broker);
	return r < 0 && code == IGW_EXIT_OK ? IGW_EXIT_FAILED : code;
}
