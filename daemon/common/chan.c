#include "chan.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int chan_pair(int ret[2])
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) <
		0)
		return -errno;
	ret[0] = pair[0];
	ret[1] = pair[1];
	return 0;
}

int chan_send(int fd, uint32_t id, uint32_t seq, const void *payload, const int *fds)
{
	struct igw_hdr hdr = { .id = id, .seq = seq };
	union {
		struct cmsghdr hdr;
		char room[CMSG_SPACE(IGW_MSG_FDS_MAX * sizeof(int))];
	} control;
	size_t size = igw_msg_size(id);
	size_t fds_size = igw_msg_fds(id) * sizeof(int);
	struct iovec iov[2] = {
		{ .iov_base = &hdr, .iov_len = sizeof(hdr) },
		{ .iov_base = (void *)(uintptr_t)payload, .iov_len = size },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n;

	if (size == 0 || (fds_size > 0 && !fds))
		return -EINVAL;
	if (fds_size > 0) {
		memset(&control, 0, sizeof(control));
		control.hdr.cmsg_level = SOL_SOCKET;
		control.hdr.cmsg_type = SCM_RIGHTS;
		control.hdr.cmsg_len = CMSG_LEN(fds_size);
		memcpy(CMSG_DATA(&control.hdr), fds, fds_size);
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(fds_size);
	}
	do {
		n = sendmsg(fd, &msg, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/*
 * Takes every descriptor that came along, more than any message carries included: the
 * kernel's padding lets more fit than the buffer was sized for, and what is not counted
 * would leak. Surplus ones are closed at once. Returns how many came.
 */
static unsigned chan_take_fds(struct msghdr *msg, int fds[IGW_MSG_FDS_MAX])
{
	unsigned n = 0;
	int fd;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = 0; CMSG_LEN(at + sizeof(fd)) <= c->cmsg_len;
			at += sizeof(fd)) {
			memcpy(&fd, CMSG_DATA(c) + at, sizeof(fd));
			if (n < IGW_MSG_FDS_MAX)
				fds[n] = fd;
			else
				close(fd);
			n++;
		}
	}
	return n;
}

int chan_recv(int fd, enum igw_sender sender, struct chan_msg *ret)
{
	union {
		struct cmsghdr hdr;
		char room[CMSG_SPACE(IGW_MSG_FDS_MAX * sizeof(int))];
	} control;
	uint8_t buf[IGW_MSG_MAX];
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	struct igw_hdr hdr;
	unsigned n_fds;
	ssize_t n;

	do {
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	for (size_t i = 0; i < IGW_MSG_FDS_MAX; i++)
		ret->fds[i] = -1;
	n_fds = chan_take_fds(&msg, ret->fds);
	if (n == 0 && n_fds == 0)
		return 0;
	if ((msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ||
		igw_msg_check(buf, (size_t)n, n_fds, sender) < 0) {
		chan_msg_close(ret);
		return -EBADMSG;
	}
	memcpy(&hdr, buf, sizeof(hdr));
	ret->id = hdr.id;
	ret->seq = hdr.seq;
	memset(ret->payload, 0, sizeof(ret->payload));
	memcpy(ret->payload, buf + sizeof(hdr), (size_t)n - sizeof(hdr));
	return 1;
}

void chan_msg_close(struct chan_msg *msg)
{
	for (size_t i = 0; i < IGW_MSG_FDS_MAX; i++) {
		if (msg->fds[i] >= 0)
			close(msg->fds[i]);
		msg->fds[i] = -1;
	}
}
