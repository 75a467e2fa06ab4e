/* Children: what they are started as, and what they say when they cannot be. And the
 * service manager, which is told of it. Needs root. */
#include "fakes_capture.h"
#include "fakes_child.h"
#include "fakes_fds.h"
#include "notify.h"
#include "spawn.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/un.h>

enum {
	NOBODY = 65534,
	GROUP = 54321,
	SPAWN_FAILED = 127,
};

static struct capture out, err;
static char dir[64];

/* Runs it to its end; returns its exit code. Its output is in `out` and `err`. */
static int run(const struct spawn *spawn)
{
	struct spawn with_program = *spawn;
	int status = 0;
	pid_t pid;

	capture_begin(&out, STDOUT_FILENO);
	capture_begin(&err, STDERR_FILENO);
	with_program.program = open(spawn->path, O_PATH | O_CLOEXEC);
	pid = spawn_child(&with_program);
	if (with_program.program >= 0)
		close(with_program.program);
	if (pid > 0)
		waitpid(pid, &status, 0);
	capture_end(&err);
	capture_end(&out);
	assert_true(pid > 0);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int channel(void)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	close(ends[1]);
	return ends[0];
}

static void test_child(void **state)
{
	struct spawn spawn = { .path = "/bin/cat",
		.arg = "/proc/self/status",
		.uid = NOBODY,
		.gid = GROUP,
		.caps = UINT64_C(1) << CAP_NET_ADMIN,
		.channel = channel() };
	sigset_t block, before;

	(void)state;
	sigemptyset(&block);
	sigaddset(&block, SIGTERM);
	sigaddset(&block, SIGHUP);
	assert_int_equal(sigprocmask(SIG_BLOCK, &block, &before), 0);
	assert_int_equal(run(&spawn), 0);
	assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
	expect_caps(out.text, "CapEff", spawn.caps);
	expect_caps(out.text, "CapBnd", spawn.caps);
	expect_status(out.text, "Uid", "65534\t65534\t65534\t65534");
	expect_status(out.text, "Gid", "54321\t54321\t54321\t54321");
	expect_status(out.text, "NoNewPrivs", "1");
	expect_status(out.text, "SigBlk", "0000000000000000");
	assert_string_equal(err.text, "");
	spawn.caps = 0;
	assert_int_equal(run(&spawn), 0);
	expect_caps(out.text, "CapEff", 0);
	close(spawn.channel);
}

static void expect_link(int at, const char *start)
{
	char path[64];
	struct spawn spawn = { .path = "/bin/readlink", .arg = path, .channel = at };

	snprintf(path, sizeof(path), "/proc/self/fd/%s", start[0] == 's' ? "3" : "0");
	assert_int_equal(run(&spawn), 0);
	assert_memory_equal(out.text, start, strlen(start));
}

/* Its channel is 3, wherever it was; nothing else of ours is open in it. */
static void test_descriptors(void **state)
{
	struct spawn spawn = { .path = "/bin/ls", .arg = "/proc/self/fd" };
	int other = channel(), at_3;

	(void)state;
	/* What the test itself was started with. */
	assert_int_equal(close_range(3, ~0U, CLOSE_RANGE_CLOEXEC), 0);
	spawn.channel = channel();
	assert_int_equal(run(&spawn), 0);
	assert_string_equal(out.text, "0\n1\n2\n3\n4\n"); /* 4 is the folder */
	expect_link(spawn.channel, "socket:");
	expect_link(spawn.channel, "/dev/null");
	/* The parent's own flag has not changed. */
	assert_true((fcntl(spawn.channel, F_GETFD) & FD_CLOEXEC) != 0);
	/* When it is 3 already. */
	at_3 = fcntl(3, F_DUPFD_CLOEXEC, 50);
	assert_int_equal(dup3(spawn.channel, 3, O_CLOEXEC), 3);
	expect_link(3, "socket:");
	if (at_3 >= 0)
		assert_int_equal(dup3(at_3, 3, O_CLOEXEC), 3);
	else
		close(3);
	close(at_3);
	close(other);
	close(spawn.channel);
}

static void test_no_argument(void **state)
{
	struct spawn spawn = { .path = "/bin/true", .channel = channel() };

	(void)state;
	assert_int_equal(run(&spawn), 0);
	spawn.path = "/bin/false";
	assert_int_equal(run(&spawn), 1);
	close(spawn.channel);
}

static void expect_failure(const struct spawn *spawn, const char *why)
{
	assert_int_equal(run(spawn), SPAWN_FAILED);
	assert_string_equal(out.text, "");
	if (!strstr(err.text, spawn->path) || !strstr(err.text, why))
		fail_msg("%s", err.text);
}

static void test_cannot_start(void **state)
{
	struct spawn spawn = { .path = "/nonexistent/igdward-broker",
		.channel = channel() };

	(void)state;
	expect_failure(&spawn, "Bad file descriptor");
	spawn.path = "/etc/passwd"; /* not a program */
	expect_failure(&spawn, "Permission denied");
	spawn.path = "/bin/true";
	close(spawn.channel);
	spawn.channel = 150; /* nothing there */
	expect_failure(&spawn, "Bad file descriptor");
}

static int listen_at(struct sockaddr_un *addr, socklen_t size)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)addr, size), 0);
	return fd;
}

static void expect_notice(int fd, const char *text)
{
	char buf[100];
	ssize_t n = recv(fd, buf, sizeof(buf), 0);

	assert_int_equal(n, strlen(text));
	assert_memory_equal(buf, text, strlen(text));
	assert_int_equal(recv(fd, buf, sizeof(buf), 0), -1);
}

static void test_notify(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char name[80];
	int fd;

	(void)state;
	strcpy(dir, "/tmp/igdward-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/notify", dir);
	fd = listen_at(&addr, sizeof(addr));
	setenv("NOTIFY_SOCKET", addr.sun_path, 1);
	notify_send("READY=1");
	expect_notice(fd, "READY=1");
	notify_send("RELOADING=1\nMONOTONIC_USEC=1");
	expect_notice(fd, "RELOADING=1\nMONOTONIC_USEC=1");
	close(fd);
	unlink(addr.sun_path);
	rmdir(dir);
	/* Abstract: no byte more than the name. */
	snprintf(name, sizeof(name), "@igdward-test-%d", getpid());
	memset(addr.sun_path, 0, sizeof(addr.sun_path));
	memcpy(addr.sun_path + 1, name + 1, strlen(name) - 1);
	fd = listen_at(&addr,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name)));
	setenv("NOTIFY_SOCKET", name, 1);
	notify_send("READY=1");
	expect_notice(fd, "READY=1");
	close(fd);
	unsetenv("NOTIFY_SOCKET");
}

static void test_nobody_to_notify(void **state)
{
	static const char *const names[] = { "", "relative", "/nonexistent/socket",
		"@igdward-test-nobody", "@" };
	char name[200];
	unsigned before = fds_open();

	(void)state;
	unsetenv("NOTIFY_SOCKET");
	notify_send("READY=1");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		setenv("NOTIFY_SOCKET", names[i], 1);
		notify_send("READY=1");
	}
	/* Just too long, and much. */
	for (size_t len = 106; len < sizeof(name); len++) {
		memset(name, 'x', len);
		name[0] = '/';
		name[len] = '\0';
		setenv("NOTIFY_SOCKET", name, 1);
		notify_send("READY=1");
	}
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(fds_open(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_child),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_no_argument),
		cmocka_unit_test(test_cannot_start),
		cmocka_unit_test(test_notify),
		cmocka_unit_test(test_nobody_to_notify),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
