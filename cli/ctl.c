#include "ctl.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

_Static_assert(
	sizeof(((struct sockaddr_un *)0)->sun_path) == CTL_PATH_MAX + 1, "sun_path");

enum {
	REQUEST_SEQ = 1, /* one request is all a connection is used for */
};

int ctl_connect(const char *path, int timeout_ms)
{
	struct timeval timeout = { .tv_sec = timeout_ms / 1000,
		.tv_usec = timeout_ms % 1000 * 1000 };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd, r;

	if (igw_text_copy(addr.sun_path, sizeof(addr.sun_path), path) < 0)
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* Before connect(), which waits as long as sending may when the queue of
	 * connections is full. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0 ||
		connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

static int send_request(int fd, uint32_t id, const void *payload)
{
	struct igw_hdr hdr = { .id = id, .seq = REQUEST_SEQ };
	struct iovec iov[2] = {
		{ .iov_base = &hdr, .iov_len = sizeof(hdr) },
		{ .iov_base = (void *)(uintptr_t)payload, .iov_len = igw_msg_size(id) },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n;

	do {
		n = sendmsg(fd, &msg, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

#define TEXT_OK(field) igw_msg_text_ok(field, sizeof(field))

/* True when every text of a message ends inside its field; false for a message that is
 * not part of any answer. */
static bool texts_are_ok(uint32_t id, const union ctl_data *data)
{
	const struct igw_ctl_status *s = &data->status;
	const struct igw_ctl_mapping *m = &data->mapping;
	const struct igw_ctl_verdict *v = &data->verdict;

	switch (id) {
	case IGW_CTL_STATUS_IS:
		return TEXT_OK(s->wan) && TEXT_OK(s->policy_path) &&
		       TEXT_OK(s->last_refusal) && TEXT_OK(s->version);
	case IGW_CTL_LINK_IS:
		return TEXT_OK(data->link.interface);
	case IGW_CTL_MAPPING_IS:
		return TEXT_OK(m->interface) && TEXT_OK(m->rule) &&
		       TEXT_OK(m->description);
	case IGW_CTL_VERDICT_IS:
		return TEXT_OK(v->rule) && TEXT_OK(v->interface);
	case IGW_CTL_DONE:
		return TEXT_OK(data->done.text);
	default:
		return false;
	}
}

/* Receives one message. No room for descriptors: the kernel closes what comes along and
 * says MSG_CTRUNC. */
static int receive(int fd, uint32_t *ret_id, union ctl_data *ret)
{
	uint8_t buf[IGW_MSG_MAX];
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct igw_hdr hdr;
	ssize_t n;

	do {
		n = recvmsg(fd, &msg, 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n == 0)
		return -EPIPE;
	if ((msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ||
		igw_msg_check(buf, (size_t)n, 0, IGW_BROKER) < 0 ||
		(size_t)n > sizeof(hdr) + sizeof(*ret))
		return -EBADMSG;
	memcpy(&hdr, buf, sizeof(hdr));
	memset(ret, 0, sizeof(*ret));
	memcpy(ret, buf + sizeof(hdr), (size_t)n - sizeof(hdr));
	if (hdr.seq != REQUEST_SEQ || !texts_are_ok(hdr.id, ret))
		return -EBADMSG;
	*ret_id = hdr.id;
	return 0;
}

int ctl_ask(int fd, uint32_t id, const void *payload, ctl_take_fn take, void *arg,
	struct igw_ctl_done *ret)
{
	union ctl_data data;
	uint32_t got = IGW_MSG_NONE;
	int r;

	r = send_request(fd, id, payload);
	while (r == 0) {
		r = receive(fd, &got, &data);
		if (r == 0 && got == IGW_CTL_DONE)
			break;
		if (r == 0)
			r = take ? take(got, &data, arg) : -EBADMSG;
	}
	if (r == -ECONNRESET)
		return -EPIPE;
	if (r < 0)
		return r;
	if (data.done.code > IGW_CTL_INVALID)
		return -EBADMSG;
	*ret = data.done;
	return 0;
}
