/*
 * Counting open descriptors, so that none leaks, and sending what chan_send() would not:
 * any bytes with any number of descriptors.
 */
#ifndef IGDWARD_TEST_FAKES_FDS_H
#define IGDWARD_TEST_FAKES_FDS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	FAKE_FDS_MAX = 16,
};

static inline unsigned fds_open(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* One packet of `len` bytes with `n` descriptors that the receiver gets copies of. */
static inline void send_raw(int fd, const void *bytes, size_t len, unsigned n)
{
	union {
		struct cmsghdr hdr;
		char room[CMSG_SPACE(FAKE_FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fds[FAKE_FDS_MAX];

	assert_true(n <= FAKE_FDS_MAX);
	for (unsigned i = 0; i < n; i++) {
		fds[i] = open("/dev/null", O_RDONLY);
		assert_true(fds[i] >= 0);
	}
	if (n > 0) {
		memset(&control, 0, sizeof(control));
		control.hdr.cmsg_level = SOL_SOCKET;
		control.hdr.cmsg_type = SCM_RIGHTS;
		control.hdr.cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(&control.hdr), fds, n * sizeof(int));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
	}
	assert_int_equal(sendmsg(fd, &msg, MSG_NOSIGNAL), len);
	for (unsigned i = 0; i < n; i++)
		close(fds[i]);
}

#endif
