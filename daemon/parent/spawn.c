#include "spawn.h"

#include "igdward/msg.h"
#include "log.h"
#include "priv.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	SPAWN_FAILED = 127,
};

static int spawn_descriptors(int channel)
{
	int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0)
		return -errno;
	if (channel == IGW_CHANNEL_FD)
		return fcntl(channel, F_SETFD, 0) < 0 ? -errno : 0;
	return dup2(channel, IGW_CHANNEL_FD) < 0 ? -errno : 0;
}

static void spawn_exec(const struct spawn *spawn)
{
	char *argv[] = { (char *)(uintptr_t)spawn->path, (char *)(uintptr_t)spawn->arg,
		NULL };
	sigset_t none;
	int program, r;

	/* The parent's blocked signals would otherwise be the child's. */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* Without a session of its own a child could type into the terminal that the
	 * daemon was started from (TIOCSTI). */
	r = setsid() < 0 ? -errno : 0;
	/* Out of the way of the channel. */
	program = fcntl(spawn->program, F_DUPFD_CLOEXEC, IGW_CHANNEL_FD + 1);
	if (program < 0)
		r = -errno;
	if (r == 0)
		r = spawn_descriptors(spawn->channel);
	if (r == 0)
		r = priv_become(spawn->uid, spawn->gid, spawn->caps);
	if (r == 0) {
		/* Readiness is the parent's to tell. */
		unsetenv("NOTIFY_SOCKET");
		execveat(program, "", argv, environ, AT_EMPTY_PATH);
		r = -errno;
	}
	log_error("cannot start %s: %s", spawn->path, strerror(-r));
	_exit(SPAWN_FAILED);
}

pid_t spawn_child(const struct spawn *spawn)
{
	pid_t pid = fork();

	if (pid == 0)
		spawn_exec(spawn);
	return pid < 0 ? -errno : pid;
}
