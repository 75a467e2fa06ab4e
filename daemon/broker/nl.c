#include "nl.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
	TYPE_BITS = 0x3fff, /* of nla_type; the two above are flags */
};

static int set_up(int fd, uint32_t *ret_portid)
{
	struct sockaddr_nl own = { .nl_family = AF_NETLINK };
	const struct timeval wait = { .tv_sec = NL_WAIT_S };
	socklen_t size = sizeof(own);
	const int on = 1;

	if (bind(fd, (const struct sockaddr *)&own, sizeof(own)) < 0)
		return -errno;
	if (getsockname(fd, (struct sockaddr *)&own, &size) < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0)
		return -errno;
	/* An acknowledgement need not repeat our question; older kernels do it anyway. */
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	*ret_portid = own.nl_pid;
	return 0;
}

int nl_open(int bus, struct nl *ret)
{
	struct nl nl = { .seq = 1 };
	int r;

	nl.fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, bus);
	if (nl.fd < 0)
		return -errno;
	r = set_up(nl.fd, &nl.portid);
	if (r < 0) {
		close(nl.fd);
		return r;
	}
	*ret = nl;
	return 0;
}

void nl_close(struct nl *nl)
{
	if (nl->fd >= 0)
		close(nl->fd);
	nl->fd = -1;
}

ssize_t nl_receive(const struct nl *nl, struct nl_reply *buf, int flags)
{
	struct sockaddr_nl from = { 0 };
	struct iovec part = { .iov_base = buf->b, .iov_len = sizeof(buf->b) };
	struct msghdr msg = {
		.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &part,
		.msg_iovlen = 1,
	};
	ssize_t n;

	do
		n = recvmsg(nl->fd, &msg, flags);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (msg.msg_namelen != sizeof(from) || from.nl_pid != 0)
		return 0; /* not the kernel: somebody privileged wrote to our port */
	if (msg.msg_flags & MSG_TRUNC)
		return -EMSGSIZE;
	return n;
}

struct nlmsghdr *nl_begin(struct nl_ask *ask, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *nlh;

	/* libmnl does not clear the padding behind attributes. */
	memset(ask, 0, sizeof(*ask));
	nlh = mnl_nlmsg_put_header(ask->b);
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	return nlh;
}

/* One question's progress. */
struct talk {
	const struct nl *nl;
	nl_take *take;
	void *data;
	bool torn; /* the kernel changed while it was dumping */
	bool done;
	int err; /* the first */
};

static void note(struct talk *talk, int err)
{
	if (talk->err == 0)
		talk->err = err;
}

/* The end of the answers: an acknowledgement, an error, or a dump's last message, which
 * also carries the error that stopped the dump. */
static void take_end(struct talk *talk, const struct nlmsghdr *nlh)
{
	int err = 0;

	talk->done = true;
	if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(err))
		memcpy(&err, mnl_nlmsg_get_payload(nlh), sizeof(err));
	else if (nlh->nlmsg_type == NLMSG_ERROR)
		err = -EBADMSG;
	if (err < 0)
		note(talk, err);
}

static void take_one(struct talk *talk, const struct nlmsghdr *nlh)
{
	if (nlh->nlmsg_seq != talk->nl->seq || nlh->nlmsg_pid != talk->nl->portid)
		return; /* the answer to something we gave up waiting for */
	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		talk->torn = true;
	if (nlh->nlmsg_type == NLMSG_ERROR || nlh->nlmsg_type == NLMSG_DONE)
		take_end(talk, nlh);
	else if (nlh->nlmsg_type >= NLMSG_MIN_TYPE && !talk->done)
		talk->take(nlh, talk->data);
}

static void take_datagram(struct talk *talk, const struct nl_reply *buf, size_t size)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)(const void *)buf->b;
	int left = (int)size;

	while (mnl_nlmsg_ok(nlh, left)) {
		take_one(talk, nlh);
		nlh = mnl_nlmsg_next(nlh, &left);
	}
}

/* Reads away what an abandoned question left, so that a dump in progress comes to its
 * end: the kernel allows one at a time on a socket. */
static void drain(struct nl *nl, struct nl_reply *buf)
{
	ssize_t n;

	do
		n = nl_receive(nl, buf, MSG_DONTWAIT);
	while (n >= 0 || n == -EMSGSIZE || n == -ENOBUFS);
	nl->stale = false;
}

int nl_talk(struct nl *nl, struct nlmsghdr *ask, struct nl_reply *buf, nl_take *take,
	void *data)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct talk talk = { .nl = nl, .take = take, .data = data };
	ssize_t n;

	if (nl->stale)
		drain(nl, buf);
	ask->nlmsg_seq = ++nl->seq;
	do
		n = sendto(nl->fd, ask, ask->nlmsg_len, 0, (struct sockaddr *)&kernel,
			sizeof(kernel));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	while (!talk.done) {
		n = nl_receive(nl, buf, 0);
		if (n >= 0) {
			take_datagram(&talk, buf, (size_t)n);
			continue;
		}
		note(&talk, n == -EAGAIN ? -ETIMEDOUT : (int)n);
		if (n != -EMSGSIZE) {
			nl->stale = true;
			break;
		}
	}
	if (talk.err == 0 && talk.torn)
		return -EINTR;
	return talk.err;
}

static size_t align(size_t size)
{
	return (size + NLA_ALIGNTO - 1) & ~(size_t)(NLA_ALIGNTO - 1);
}

const void *nl_value(const struct nlattr *attr, size_t *ret_size)
{
	*ret_size = attr->nla_len - sizeof(*attr);
	return attr + 1;
}

/* Offsets, not pointers: nothing is ever computed behind the end. */
static void read_attrs(
	const uint8_t *from, size_t size, const struct nlattr **tb, uint16_t max)
{
	struct nlattr head;

	for (size_t i = 0; i <= max; i++)
		tb[i] = NULL;
	for (size_t at = 0; at < size && size - at >= sizeof(head);
		at += align(head.nla_len)) {
		const void *attr = from + at;
		unsigned type;

		memcpy(&head, attr, sizeof(head));
		if (head.nla_len < sizeof(head) || head.nla_len > size - at)
			return;
		type = head.nla_type & TYPE_BITS;
		if (type <= max)
			tb[type] = attr;
	}
}

bool nl_read(const struct nlmsghdr *nlh, void *header, size_t size,
	const struct nlattr **tb, uint16_t max)
{
	const size_t start = sizeof(*nlh) + align(size);

	if (nlh->nlmsg_len < sizeof(*nlh) + size)
		return false;
	memcpy(header, nlh + 1, size);
	if (nlh->nlmsg_len > start)
		read_attrs((const uint8_t *)nlh + start, nlh->nlmsg_len - start, tb, max);
	else
		read_attrs(NULL, 0, tb, max);
	return true;
}

void nl_read_nested(const struct nlattr *nest, const struct nlattr **tb, uint16_t max)
{
	size_t size = 0;
	const void *from = nest ? nl_value(nest, &size) : NULL;

	read_attrs(from, size, tb, max);
}

bool nl_get_head(const struct nlattr *attr, void *ret, size_t size)
{
	size_t has;
	const void *value;

	if (!attr)
		return false;
	value = nl_value(attr, &has);
	if (has < size)
		return false;
	memcpy(ret, value, size);
	return true;
}

bool nl_get(const struct nlattr *attr, void *ret, size_t size)
{
	return attr && attr->nla_len == sizeof(*attr) + size &&
	       nl_get_head(attr, ret, size);
}
