#include "priv.h"

#include <cap-ng.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PRIV_CAPS_MAX = 64, /* bits of a capability mask */
};

#if defined(__SANITIZE_ADDRESS__)
#define PRIV_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PRIV_SANITIZED 1
#endif
#endif

bool priv_strict(void)
{
#ifdef PRIV_SANITIZED
	return false;
#else
	return true;
#endif
}

static int priv_apply(uint64_t caps, capng_type_t types)
{
	for (unsigned cap = 0; cap < PRIV_CAPS_MAX; cap++) {
		if ((caps & (UINT64_C(1) << cap)) != 0 &&
			capng_update(CAPNG_ADD, types, cap) < 0)
			return -EINVAL;
	}
	return 0;
}

int priv_become(uid_t uid, gid_t gid, uint64_t caps)
{
	capng_type_t kept = CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_INHERITABLE |
			    CAPNG_BOUNDING_SET | CAPNG_AMBIENT;

	capng_clear(CAPNG_SELECT_ALL);
	if (priv_apply(caps, kept) < 0)
		return -EINVAL;
	/* The bounding set needs CAP_SETPCAP, so it goes before the user does. */
	if (capng_apply(CAPNG_SELECT_BOUNDS) < 0)
		return -EPERM;
	if (caps != 0 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return -errno;
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 ||
		setresuid(uid, uid, uid) < 0)
		return -errno;
	if (capng_apply(CAPNG_SELECT_CAPS) < 0 || capng_apply(CAPNG_SELECT_AMBIENT) < 0)
		return -EPERM;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return 0;
}

int priv_missing(uint64_t caps)
{
	capng_get_caps_process();
	for (int cap = 0; cap < PRIV_CAPS_MAX; cap++) {
		if ((caps & (UINT64_C(1) << cap)) != 0 &&
			!capng_have_capability(CAPNG_EFFECTIVE, (unsigned)cap))
			return cap;
	}
	return -1;
}

const char *priv_name(int cap, char buf[PRIV_NAME_MAX])
{
	const char *word = capng_capability_to_name((unsigned)cap);
	size_t i = 0;

	snprintf(buf, PRIV_NAME_MAX, "CAP_%s", word ? word : "?");
	for (; buf[i]; i++)
		buf[i] = (char)toupper((unsigned char)buf[i]);
	return buf;
}

int priv_limit(uint64_t caps)
{
	capng_clear(CAPNG_SELECT_ALL);
	if (priv_apply(caps, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET) < 0)
		return -EINVAL;
	if (capng_apply(CAPNG_SELECT_BOTH) < 0)
		return -EPERM;
	return 0;
}

int priv_harden(int keep_fd)
{
	struct rlimit none = { 0, 0 };
	pid_t parent = getppid();

	/* Set after exec, as a change of user clears it. A parent that died before this
	 * counted is noticed by the end of the channel. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return -errno;
	if (getppid() != parent)
		return -ESRCH;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	if (priv_strict() && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
	if (setrlimit(RLIMIT_CORE, &none) < 0)
		return -errno;
	if (keep_fd > 3 && close_range(3, (unsigned)keep_fd - 1, 0) < 0)
		return -errno;
	if (close_range((unsigned)keep_fd + 1, ~0U, 0) < 0)
		return -errno;
	if (fcntl(keep_fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	umask(077);
	if (chdir("/") < 0)
		return -errno;
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return -errno;
	return 0;
}

int priv_limits(uint64_t address_space, unsigned descriptors)
{
	struct rlimit as = { .rlim_cur = address_space, .rlim_max = address_space };
	struct rlimit files = { .rlim_cur = descriptors, .rlim_max = descriptors };

	if (setrlimit(RLIMIT_NOFILE, &files) < 0)
		return -errno;
	if (address_space > 0 && priv_strict() && setrlimit(RLIMIT_AS, &as) < 0)
		return -errno;
	return 0;
}
