/*
 * What a child process has become: code run in a fork, and what /proc says of it there.
 */
#ifndef IGDWARD_TEST_FAKES_CHILD_H
#define IGDWARD_TEST_FAKES_CHILD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	STATUS_MAX = 4096,
};

/* The value behind "Name:\t" of a status text, into `ret`. */
static inline const char *status_of(const char *status, const char *name, char ret[256])
{
	char key[64];
	const char *at;

	snprintf(key, sizeof(key), "\n%s:\t", name);
	at = strstr(status, key);
	if (!at)
		fail_msg("no %s in %s", name, status);
	snprintf(
		ret, 256, "%.*s", (int)strcspn(at + strlen(key), "\n"), at + strlen(key));
	return ret;
}

static inline void expect_status(const char *status, const char *name, const char *value)
{
	char is[256];

	if (strcmp(status_of(status, name, is), value) != 0)
		fail_msg("%s is \"%s\", not \"%s\"", name, is, value);
}

static inline void expect_caps(const char *status, const char *name, uint64_t caps)
{
	char is[256];

	if (strtoull(status_of(status, name, is), NULL, 16) != caps)
		fail_msg("%s is %s, not %llx", name, is, (unsigned long long)caps);
}

static inline void read_status(char status[STATUS_MAX])
{
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, status, STATUS_MAX - 1);

	status[n > 0 ? n : 0] = '\0';
	close(fd);
}

/* Runs `code` in a fork and returns what it returns; it may write up to STATUS_MAX - 1
 * bytes to the descriptor it is given. */
static inline int in_child(int (*code)(int fd), char output[STATUS_MAX])
{
	int ends[2], wait_status = 0;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(ends[0]);
		_exit(code(ends[1]));
	}
	close(ends[1]);
	n = read(ends[0], output, STATUS_MAX - 1);
	output[n > 0 ? n : 0] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(pid, &wait_status, 0), pid);
	assert_true(WIFEXITED(wait_status));
	return WEXITSTATUS(wait_status);
}

#endif
