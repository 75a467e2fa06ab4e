/*
 * igdwardd: started by the init system or by hand as root, in the foreground.
 */
#include "files.h"
#include "igdward/exit.h"
#include "igdward/text.h"
#include "log.h"
#include "options.h"
#include "parent.h"
#include "policy.h"
#include "priv.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	ERROR_TEXT = 512,
};

/* The whole of a memfd as a string, to be freed; NULL when that fails. */
static char *text_of(int fd, size_t *ret_len)
{
	struct stat stat;
	char *text;

	if (fstat(fd, &stat) < 0)
		return NULL;
	*ret_len = (size_t)stat.st_size;
	text = calloc(1, *ret_len + 1);
	if (text && pread(fd, text, *ret_len, 0) != (ssize_t)*ret_len) {
		free(text);
		return NULL;
	}
	return text;
}

static int parse_config(int fd, const char *path, struct config *ret)
{
	struct policy_report report = { 0 };
	char line[POLICY_REPORT_TEXT];
	size_t len = 0;
	char *text = text_of(fd, &len);
	int r = text ? config_parse(text, len, ret, &report) : -ENOMEM;

	if (r < 0)
		log_error("%s", report.error.message[0] == '\0'
					? strerror(-r)
					: policy_note_format(&report.error, path, line,
						  sizeof(line)));
	free(text);
	return r;
}

/* The config file, or the defaults when none was named and there is none. */
static int read_config(const struct options *options, struct parent_setup *setup)
{
	char error[ERROR_TEXT];
	bool named = options->config[0] != '\0';
	int fd, r;

	if (named)
		igw_text_copy(
			setup->config_path, sizeof(setup->config_path), options->config);
	else
		snprintf(setup->config_path, sizeof(setup->config_path), "%.200s/%s",
			setup->places.etc, "igdward.json");
	config_init(&setup->config);
	if (!named && access(setup->config_path, F_OK) < 0 && errno == ENOENT)
		return 0;
	fd = files_read(setup->config_path, CONFIG_TEXT_MAX, error, sizeof(error));
	if (fd < 0) {
		log_error("%s", error);
		return fd;
	}
	r = parse_config(fd, setup->config_path, &setup->config);
	close(fd);
	return r;
}

static int hand_on_config(struct parent_setup *setup)
{
	char text[8192];
	int len = config_format(&setup->config, text, sizeof(text));

	if (len < 0)
		return len;
	setup->config_fd = files_memfd("igdward-config", text, (size_t)len);
	return setup->config_fd < 0 ? setup->config_fd : 0;
}

static int choose_policy(struct parent_setup *setup)
{
	char *path = setup->policy_path;
	size_t size = sizeof(setup->policy_path);
	char error[ERROR_TEXT];

	if (setup->config.policy[0] != '\0') {
		igw_text_copy(path, size, setup->config.policy);
	} else {
		snprintf(path, size, "%.200s/policy.json", setup->places.etc);
		if (access(path, F_OK) < 0 && errno == ENOENT)
			snprintf(path, size, "%.200s/policy.json", setup->places.share);
	}
	setup->policy_fd = files_read(path, POLICY_TEXT_MAX, error, sizeof(error));
	if (setup->policy_fd >= 0) {
		setup->policy_readable = true;
		return 0;
	}
	/* The broker still closes what is open and puts the floor in place. */
	log_error("%s", error);
	setup->policy_fd = files_memfd("igdward-policy", "", 0);
	return setup->policy_fd < 0 ? setup->policy_fd : 0;
}

static int check_policy(const struct parent_setup *setup)
{
	struct policy_report report = { 0 };
	struct policy *policy = NULL;
	char line[POLICY_REPORT_TEXT];
	size_t len = 0;
	char *text = setup->policy_readable ? text_of(setup->policy_fd, &len) : NULL;
	int r = text ? policy_parse(text, len, &policy, &report) : -ENOENT;

	if (text && r < 0)
		log_error("%s", policy_note_format(&report.error, setup->policy_path,
					line, sizeof(line)));
	policy_free(policy);
	free(text);
	return r;
}

static int find_user(const char *name, uid_t *uid, gid_t *gid)
{
	const struct passwd *user = getpwnam(name);

	if (!user) {
		log_error("there is no user \"%s\"; make it with: useradd --system "
			  "--no-create-home --shell /usr/sbin/nologin %s",
			name, name);
		return -ENOENT;
	}
	if (user->pw_uid == 0) {
		log_error("user \"%s\" is root; an unprivileged one is needed", name);
		return -EINVAL;
	}
	*uid = user->pw_uid;
	*gid = user->pw_gid;
	return 0;
}

static int find_users(struct parent_setup *setup)
{
	const struct config *config = &setup->config;

	if (find_user(config->user, &setup->user, &setup->group) < 0 ||
		find_user(config->worker_user, &setup->worker_user,
			&setup->worker_group) < 0)
		return -ENOENT;
	if (setup->user == setup->worker_user) {
		log_error(
			"user and worker_user must be two users: the kernel confines the "
			"workers by theirs");
		return -EINVAL;
	}
	return 0;
}

static int open_program(const struct parent_setup *setup, const char *name)
{
	char path[2 * FILES_PATH_MAX];
	int fd, r;

	snprintf(path, sizeof(path), "%s/%s", setup->places.libexec, name);
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	r = -errno;
	log_error("%s: %s; is igdward installed as a whole?", path, strerror(-r));
	return r;
}

/* Found while root may still look everywhere. */
static int find_programs(struct parent_setup *setup)
{
	setup->broker_fd = open_program(setup, "igdward-broker");
	if (setup->broker_fd < 0)
		return setup->broker_fd;
	setup->worker_fd = open_program(setup, "igdward-upnp");
	return setup->worker_fd < 0 ? setup->worker_fd : 0;
}

/* Folders, lock, UUID and control socket. */
static int prepare(const struct options *options, struct parent_setup *setup)
{
	int r = files_make_dir(options->run_dir);

	if (r < 0) {
		log_error("run folder %s: %s", options->run_dir, strerror(-r));
		return r;
	}
	r = files_lock(options->run_dir);
	if (r < 0) {
		log_error("run folder %s: %s", options->run_dir,
			r == -EWOULDBLOCK ? "another igdwardd is running" : strerror(-r));
		return r;
	}
	if (options->teardown)
		return 0;
	r = files_make_dir(options->state_dir);
	if (r == 0 && setup->config.uuid[0] == '\0')
		r = files_uuid(options->state_dir, setup->uuid);
	else
		igw_text_copy(setup->uuid, sizeof(setup->uuid), setup->config.uuid);
	if (r < 0) {
		log_error("state folder %s: %s", options->state_dir, strerror(-r));
		return r;
	}
	setup->control_fd = files_control_socket(options->run_dir, setup->group);
	if (setup->control_fd < 0) {
		log_error("control socket in %s: %s", options->run_dir,
			strerror(-setup->control_fd));
		return setup->control_fd;
	}
	return 0;
}

static int run_check(struct parent_setup *setup)
{
	if (check_policy(setup) < 0)
		return IGW_EXIT_INVALID;
	if (geteuid() != 0) {
		log_info("configuration and policy are valid; interfaces and users are "
			 "checked for root only");
		return IGW_EXIT_OK;
	}
	if (find_users(setup) < 0 || find_programs(setup) < 0 ||
		hand_on_config(setup) < 0)
		return IGW_EXIT_FAILED;
	setup->check_only = true;
	return parent_run(setup);
}

static int run(const struct options *options, struct parent_setup *setup)
{
	int r = files_find_places(&setup->places);
	char name[PRIV_NAME_MAX];
	int missing;

	if (r < 0) {
		log_error("cannot find where igdwardd is installed: %s", strerror(-r));
		return IGW_EXIT_FAILED;
	}
	if (read_config(options, setup) < 0)
		return IGW_EXIT_INVALID;
	if (options_apply(options, &setup->config) < 0)
		return IGW_EXIT_USAGE;
	log_set_level((enum log_level)setup->config.log_level);
	if (!options->check && geteuid() != 0) {
		log_error("must be started as root: it hands CAP_NET_ADMIN and two "
			  "unprivileged users down to its children");
		return IGW_EXIT_PERMISSION;
	}
	missing = options->check ? -1 : priv_missing(parent_caps());
	if (missing >= 0) {
		log_error("%s is missing: start with it, or give it to the container",
			priv_name(missing, name));
		return IGW_EXIT_PERMISSION;
	}
	if (options->teardown)
		return find_users(setup) < 0 || find_programs(setup) < 0 ||
				       prepare(options, setup) < 0
			       ? IGW_EXIT_FAILED
			       : parent_teardown(setup);
	if (choose_policy(setup) < 0)
		return IGW_EXIT_FAILED;
	if (options->check)
		return run_check(setup);
	if (find_users(setup) < 0 || find_programs(setup) < 0 ||
		prepare(options, setup) < 0 || hand_on_config(setup) < 0)
		return IGW_EXIT_FAILED;
	return parent_run(setup);
}

int main(int argc, char **argv)
{
	struct options options;
	struct parent_setup setup = {
		.config_fd = -1, .policy_fd = -1, .control_fd = -1
	};

	log_init("igdwardd");
	if (options_parse(argc, argv, &options) < 0)
		return IGW_EXIT_USAGE;
	if (options.help) {
		options_usage();
		return IGW_EXIT_OK;
	}
	if (options.version) {
		printf("igdwardd %s\n", IGDWARD_VERSION);
		return IGW_EXIT_OK;
	}
	signal(SIGPIPE, SIG_IGN);
	umask(022);
	return run(&options, &setup);
}
