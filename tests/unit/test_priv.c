/* What is given up, and that it is: each step in a child of its own, whose state /proc
 * tells. Needs root. */
#include "fakes_child.h"
#include "priv.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define CAP(name) (UINT64_C(1) << (name))

enum {
	NOBODY = 65534,
	GROUP = 54321,
};

static char output[STATUS_MAX];
static uint64_t asked;

/* Code 0: done, and the status is written. */
static int tell_status(int fd, int r)
{
	char status[STATUS_MAX];

	if (r < 0)
		return -r;
	read_status(status);
	return write(fd, status, strlen(status)) < 0 ? 255 : 0;
}

static int become(int fd)
{
	gid_t groups[] = { 1, 2, 3 };

	if (setgroups(3, groups) < 0)
		return 254;
	return tell_status(fd, priv_become(NOBODY, GROUP, asked));
}

static void expect_become(uint64_t caps)
{
	static const char *const sets[] = { "CapInh", "CapPrm", "CapEff", "CapBnd",
		"CapAmb" };

	asked = caps;
	assert_int_equal(in_child(become, output), 0);
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		expect_caps(output, sets[i], caps);
	expect_status(output, "Uid", "65534\t65534\t65534\t65534");
	expect_status(output, "Gid", "54321\t54321\t54321\t54321");
	expect_status(output, "Groups", " ");
	expect_status(output, "NoNewPrivs", "1");
}

static void test_become(void **state)
{
	(void)state;
	expect_become(0);
	expect_become(CAP(CAP_NET_ADMIN));
	expect_become(CAP(CAP_NET_ADMIN) | CAP(CAP_NET_RAW) | CAP(CAP_CHOWN));
}

/* Root is a user like others: with the capabilities it was left. */
static int become_root(int fd)
{
	return tell_status(fd, priv_become(0, 0, asked));
}

static void test_become_root(void **state)
{
	(void)state;
	asked = CAP(CAP_NET_ADMIN);
	assert_int_equal(in_child(become_root, output), 0);
	expect_caps(output, "CapEff", asked);
	expect_caps(output, "CapBnd", asked);
	asked = 0;
	assert_int_equal(in_child(become_root, output), 0);
	expect_caps(output, "CapEff", 0);
	expect_caps(output, "CapPrm", 0);
	expect_caps(output, "CapBnd", 0);
}

static int no_way_back(int fd)
{
	(void)fd;
	if (priv_become(NOBODY, GROUP, CAP(CAP_NET_ADMIN)) < 0)
		return 1;
	if (setuid(0) == 0 || seteuid(0) == 0 || setresuid(0, 0, 0) == 0)
		return 2;
	if (setgid(0) == 0 || setgroups(0, NULL) == 0)
		return 3;
	if (chown("/tmp", NOBODY, NOBODY) == 0)
		return 4;
	/* And what it has not, it cannot hand down. */
	return priv_become(NOBODY, GROUP, CAP(CAP_SYS_ADMIN)) == 0 ? 5 : 0;
}

static void test_no_way_back(void **state)
{
	(void)state;
	assert_int_equal(in_child(no_way_back, output), 0);
}

/* Kept by a program that is started then, although it is nobody's and has no file
 * capabilities; and of a program that has set-user-id root nothing comes. */
static int become_and_exec(int fd)
{
	if (priv_become(NOBODY, GROUP, asked) < 0 || dup2(fd, STDOUT_FILENO) < 0)
		return 1;
	execl("/bin/cat", "cat", "/proc/self/status", (char *)NULL);
	return 2;
}

static void test_become_then_exec(void **state)
{
	(void)state;
	asked = CAP(CAP_NET_ADMIN);
	assert_int_equal(in_child(become_and_exec, output), 0);
	expect_caps(output, "CapEff", asked);
	expect_caps(output, "CapPrm", asked);
	expect_caps(output, "CapBnd", asked);
	expect_status(output, "NoNewPrivs", "1");
	asked = 0;
	assert_int_equal(in_child(become_and_exec, output), 0);
	expect_caps(output, "CapEff", 0);
	expect_caps(output, "CapPrm", 0);
}

static int become_without_right(int fd)
{
	(void)fd;
	if (setresuid(NOBODY, NOBODY, NOBODY) < 0)
		return 255;
	return priv_become(NOBODY, NOBODY, 0) == -EPERM ? 0 : 1;
}

static void test_become_without_right(void **state)
{
	(void)state;
	assert_int_equal(in_child(become_without_right, output), 0);
}

static int limit(int fd)
{
	return tell_status(fd, priv_limit(asked));
}

static void test_limit(void **state)
{
	(void)state;
	asked = CAP(CAP_SETUID) | CAP(CAP_SETGID) | CAP(CAP_NET_ADMIN);
	assert_int_equal(in_child(limit, output), 0);
	expect_caps(output, "CapEff", asked);
	expect_caps(output, "CapPrm", asked);
	expect_caps(output, "CapBnd", asked);
	expect_caps(output, "CapInh", 0);
	expect_status(output, "Uid", "0\t0\t0\t0");
}

/* As igdwardd does it: it limits itself, and its children still become what they must. */
static int limit_then_become(int fd)
{
	uint64_t parent = CAP(CAP_SETUID) | CAP(CAP_SETGID) | CAP(CAP_NET_ADMIN) |
			  CAP(CAP_SETPCAP) | CAP(CAP_KILL);

	if (priv_limit(parent) < 0)
		return 255;
	return tell_status(fd, priv_become(NOBODY, GROUP, CAP(CAP_NET_ADMIN)));
}

static void test_limit_then_become(void **state)
{
	(void)state;
	assert_int_equal(in_child(limit_then_become, output), 0);
	expect_caps(output, "CapEff", CAP(CAP_NET_ADMIN));
	expect_caps(output, "CapBnd", CAP(CAP_NET_ADMIN));
	expect_caps(output, "CapAmb", CAP(CAP_NET_ADMIN));
}

/* Returns the number of the first thing that is not as it must be. */
static int check_hardened(int keep)
{
	struct rlimit core;
	struct sigaction action;
	int death = 0;

	if (fcntl(keep, F_GETFD) != FD_CLOEXEC)
		return 10;
	for (int fd = 3; fd < 200; fd++) {
		if (fd != keep && fcntl(fd, F_GETFD) >= 0)
			return 11;
	}
	for (int fd = 0; fd < 3; fd++) {
		if (fcntl(fd, F_GETFD) < 0)
			return 12;
	}
	if (prctl(PR_GET_PDEATHSIG, &death) < 0 || death != SIGKILL)
		return 13;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 14;
	if (prctl(PR_GET_DUMPABLE) != (priv_strict() ? 0 : 1))
		return 15;
	if (getrlimit(RLIMIT_CORE, &core) < 0 || core.rlim_cur != 0 || core.rlim_max != 0)
		return 16;
	if (umask(0) != 077)
		return 17;
	if (sigaction(SIGPIPE, NULL, &action) < 0 || action.sa_handler != SIG_IGN)
		return 18;
	return 0;
}

static int harden_at(int fd, int keep)
{
	for (int extra = 20; extra < 150; extra += 7) {
		if (extra != keep && dup2(fd, extra) < 0)
			return 1;
	}
	if (dup2(fd, keep) < 0)
		return 2;
	if (priv_harden(keep) < 0)
		return 3;
	return check_hardened(keep);
}

static int harden_3(int fd)
{
	return harden_at(fd, 3);
}

static int harden_4(int fd)
{
	return harden_at(fd, 4);
}

static int harden_100(int fd)
{
	return harden_at(fd, 100);
}

static int harden_nothing(int fd)
{
	(void)fd;
	return priv_harden(199) == -EBADF ? 0 : 1;
}

static void test_harden(void **state)
{
	(void)state;
	assert_int_equal(in_child(harden_3, output), 0);
	assert_int_equal(in_child(harden_4, output), 0);
	assert_int_equal(in_child(harden_100, output), 0);
	assert_int_equal(in_child(harden_nothing, output), 0);
}

static int limits(int fd)
{
	struct rlimit files, as;

	(void)fd;
	if (priv_limits(UINT64_C(64) << 20, 40) < 0)
		return 1;
	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur != 40 ||
		files.rlim_max != 40)
		return 2;
	if (getrlimit(RLIMIT_AS, &as) < 0 ||
		(as.rlim_cur == (rlim_t)64 << 20) != priv_strict() ||
		(as.rlim_max == (rlim_t)64 << 20) != priv_strict())
		return 3;
	return 0;
}

static int limits_of_files_only(int fd)
{
	struct rlimit before, as;

	(void)fd;
	if (getrlimit(RLIMIT_AS, &before) < 0 || priv_limits(0, 40) < 0 ||
		getrlimit(RLIMIT_AS, &as) < 0)
		return 1;
	return as.rlim_cur == before.rlim_cur && as.rlim_max == before.rlim_max ? 0 : 2;
}

/* Under valgrind the system itself refuses. */
static int limit_by_hand(int fd)
{
	struct rlimit files = { 40, 40 };

	(void)fd;
	return setrlimit(RLIMIT_NOFILE, &files) < 0;
}

static void test_limits(void **state)
{
	(void)state;
	if (in_child(limit_by_hand, output) != 0)
		skip();
	assert_int_equal(in_child(limits, output), 0);
	assert_int_equal(in_child(limits_of_files_only, output), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_become),
		cmocka_unit_test(test_become_root),
		cmocka_unit_test(test_no_way_back),
		cmocka_unit_test(test_become_then_exec),
		cmocka_unit_test(test_become_without_right),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_limit_then_become),
		cmocka_unit_test(test_harden),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
