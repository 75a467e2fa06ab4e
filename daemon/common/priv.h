/*
 * Giving up privilege, in the order in which it must happen. The parent drops a child's
 * users and capabilities between fork and exec (priv_become); the child, as the first
 * thing it does, closes the doors that exec opens again (priv_harden).
 */
#ifndef IGDWARD_COMMON_PRIV_H
#define IGDWARD_COMMON_PRIV_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	PRIV_NAME_MAX = 32, /* bytes of a capability's name, NUL included */
};

/*
 * In a forked child: groups, gid and uid of the user, then only the capabilities of the
 * bit mask `caps` (1 << CAP_…; kept through exec as ambient ones), an empty bounding set
 * but for them, and PR_SET_NO_NEW_PRIVS. Returns 0 or -errno; after a failure the child
 * must exit.
 */
int priv_become(uid_t uid, gid_t gid, uint64_t caps);

/* The lowest capability of `caps` that this process does not have, or -1. */
int priv_missing(uint64_t caps);

/* Writes "CAP_NET_ADMIN" and the like into `buf` and returns it. */
const char *priv_name(int cap, char buf[PRIV_NAME_MAX]);

/*
 * In the parent: keeps only the capabilities of `caps` and loses the others for good.
 * Returns 0 or -errno.
 */
int priv_limit(uint64_t caps);

/*
 * First call of an exec'd child: dies with its parent, no core dumps, not dumpable (so
 * that no other process of the same user can trace it), no descriptors but 0-2 and
 * the channel `keep_fd`, working folder /, umask 077, SIGPIPE ignored. Returns 0; -ESRCH
 * when the parent is gone already; or another -errno. (The seccomp filter of a later
 * stage comes after it.)
 */
int priv_harden(int keep_fd);

/* Bounds for a process that parses hostile input: address space in bytes (0 = leave) and
 * number of descriptors. Returns 0 or -errno. */
int priv_limits(uint64_t address_space, unsigned descriptors);

/* False in builds with AddressSanitizer, which needs terabytes of address space and a
 * process it can trace; such builds are for tests only. */
bool priv_strict(void);

#endif
