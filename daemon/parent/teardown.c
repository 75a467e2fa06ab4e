#include "chan.h"
#include "igdward/exit.h"
#include "parent.h"
#include "spawn.h"

#include <linux/capability.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int parent_teardown(const struct parent_setup *setup)
{
	struct spawn spawn = { .path = "igdward-broker",
		.program = setup->broker_fd,
		.arg = "--teardown",
		.uid = setup->user,
		.gid = setup->group,
		.caps = UINT64_C(1) << CAP_NET_ADMIN };
	int pair[2], status;
	pid_t pid;
	int r = chan_pair(pair);

	if (r < 0)
		return IGW_EXIT_FAILED;
	spawn.channel = pair[1];
	pid = spawn_child(&spawn);
	close(pair[1]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		status = -1;
	close(pair[0]);
	return status < 0 ? IGW_EXIT_FAILED : WEXITSTATUS(status);
}
