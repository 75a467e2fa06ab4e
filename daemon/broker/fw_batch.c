#include "fw_batch.h"

#include <errno.h>
#include <libnftnl/common.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
	BATCH_SIZE = 128 * 1024, /* kept all the time: some 250 operations without heap */
	LENIENT_TRIES = 8,	 /* elements may expire between two tries */
};

/* What came back for one batch. */
struct answers {
	int err;      /* the first error */
	bool lost;    /* ENOBUFS: the socket's buffer was too small for all of them */
	bool last;    /* the last command's has been read */
	bool any;     /* one has been read */
	bool lenient; /* mark deletes of missing elements instead of failing */
	size_t missing;
	size_t cursor; /* answers come in the order of the commands */
	int *results;
	size_t n_results;
};

int fw_batch_init(struct fw *fw)
{
	fw->batch.buf = calloc(1, BATCH_SIZE);
	if (!fw->batch.buf)
		return -ENOMEM;
	fw->batch.size = BATCH_SIZE;
	return 0;
}

void fw_batch_free(struct fw *fw)
{
	free(fw->batch.buf);
	fw->batch.buf = NULL;
}

void fw_batch_fail(struct fw *fw, int err)
{
	if (fw->batch.err == 0)
		fw->batch.err = err;
}

/* A message header in the buffer: libmnl wants 4-byte alignment, malloc() gives more. */
static struct nlmsghdr *msg_at(const struct fw_batch *b, size_t off)
{
	return (struct nlmsghdr *)(void *)(b->buf + off);
}

static size_t msg_space(const struct nlmsghdr *nlh)
{
	return (nlh->nlmsg_len + 3u) & ~(size_t)3;
}

/* Makes room for one more message. Without memory the batch is spoilt and what was in it
 * is overwritten: the buffer is always large enough for one message. */
static void make_room(struct fw_batch *b)
{
	size_t size = b->size;
	uint8_t *buf;

	if (size - b->len >= FW_MSG_ROOM + 2 * sizeof(struct nlmsghdr))
		return;
	buf = size <= SIZE_MAX / 4 ? realloc(b->buf, size * 2) : NULL;
	if (buf) {
		memset(buf + size, 0, size); /* libmnl does not clear the padding */
		b->buf = buf;
		b->size = size * 2;
		return;
	}
	b->len = 0;
	if (b->err == 0)
		b->err = -ENOMEM;
}

void fw_batch_start(struct fw *fw)
{
	struct fw_batch *b = &fw->batch;

	b->len = 0;
	b->n = 0;
	b->err = 0;
	b->first = fw->wr.seq++;
	b->last = b->first;
	b->len = msg_space(nftnl_batch_begin((char *)b->buf, b->first));
}

struct nlmsghdr *fw_batch_msg(struct fw *fw, unsigned type, unsigned flags)
{
	struct fw_batch *b = &fw->batch;

	make_room(b);
	b->last = fw->wr.seq++;
	b->n++;
	return nftnl_nlmsg_build_hdr((char *)b->buf + b->len, (uint16_t)type,
		NFPROTO_INET, (uint16_t)flags, b->last);
}

void fw_batch_close(struct fw *fw, const struct nlmsghdr *nlh)
{
	fw->batch.len += msg_space(nlh);
}

/* Gives back what a big batch needed. */
static void shrink(struct fw_batch *b)
{
	uint8_t *buf;

	if (b->size == BATCH_SIZE)
		return;
	buf = realloc(b->buf, BATCH_SIZE);
	if (!buf)
		return;
	b->buf = buf;
	b->size = BATCH_SIZE;
	b->len = 0;
}

/* The kernel refuses a datagram that is larger than the send buffer (EMSGSIZE). */
static void grow_sndbuf(struct fw *fw, size_t len)
{
	int fd = fw->wr.fd, want;

	if (len < (size_t)fw->sndbuf / 2 || len > INT32_MAX / 4)
		return;
	want = (int)len * 2;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &want, sizeof(want)) == 0)
		fw->sndbuf = want;
	else
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &want, sizeof(want));
}

static int send_batch(struct fw *fw, size_t len)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	ssize_t n;

	grow_sndbuf(fw, len);
	do
		n = sendto(fw->wr.fd, fw->batch.buf, len, 0, (struct sockaddr *)&kernel,
			sizeof(kernel));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

/* Marks the command `seq` as one to leave out, if it deletes elements. */
static bool mark_missing(struct fw_batch *b, struct answers *a, uint32_t seq)
{
	for (; a->cursor < b->len; a->cursor += msg_space(msg_at(b, a->cursor))) {
		struct nlmsghdr *nlh = msg_at(b, a->cursor);

		if (nlh->nlmsg_seq != seq)
			continue;
		if ((nlh->nlmsg_type & 0xff) != NFT_MSG_DELSETELEM)
			return false;
		nlh->nlmsg_flags = 0; /* no NLM_F_REQUEST: see strip_missing() */
		return true;
	}
	return false;
}

static void take_answer(struct fw_batch *b, struct answers *a, const struct nlmsghdr *nlh)
{
	struct nlmsgerr e;
	uint32_t index = nlh->nlmsg_seq - b->first;

	if (nlh->nlmsg_type != NLMSG_ERROR || index > b->last - b->first)
		return; /* an answer to an earlier batch */
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(e))
		return;
	memcpy(&e, mnl_nlmsg_get_payload(nlh), sizeof(e));
	a->any = true;
	if (nlh->nlmsg_seq == b->last)
		a->last = true;
	if (a->results && index > 0) {
		if (index <= a->n_results)
			a->results[index - 1] = e.error;
		return;
	}
	if (e.error == -ENOENT && a->lenient && mark_missing(b, a, nlh->nlmsg_seq)) {
		a->missing++;
		return;
	}
	if (e.error < 0 && a->err == 0)
		a->err = e.error;
}

/*
 * The kernel handles a batch inside sendmsg(), so its answers wait for us: those of
 * failed commands, and that of the last one, which asks for one in any case. When the
 * batch is refused as a whole there is only one, to the begin message.
 */
static int read_answers(struct fw *fw, struct answers *a)
{
	while (!a->last) {
		const struct nlmsghdr *nlh = (const struct nlmsghdr *)(void *)fw->reply.b;
		ssize_t n = nl_receive(
			&fw->wr, &fw->reply, a->any || a->lost ? MSG_DONTWAIT : 0);
		int len = (int)n;

		if (n == -ENOBUFS) {
			a->lost = true;
			continue;
		}
		if (n == -EAGAIN)
			break;
		if (n < 0)
			return (int)n;
		for (; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len))
			take_answer(&fw->batch, a, nlh);
	}
	if (a->err < 0)
		return a->err;
	if (a->lost)
		return -ENOBUFS;
	return a->last ? 0 : -ETIMEDOUT;
}

/* Asks for an answer to the commands from `seq` on; failures are answered anyhow. */
static void ask_answer(struct fw_batch *b, uint32_t seq)
{
	size_t off = msg_space(msg_at(b, 0)); /* never to the begin message */

	for (; off < b->len; off += msg_space(msg_at(b, off))) {
		if (msg_at(b, off)->nlmsg_seq - b->first >= seq - b->first)
			msg_at(b, off)->nlmsg_flags |= NLM_F_ACK;
	}
}

/* Sends what is in the buffer. `end`: with the end message, without which the kernel
 * forgets it all. */
static int transact(struct fw *fw, bool end, struct answers *a)
{
	struct fw_batch *b = &fw->batch;
	size_t len = b->len;
	int r;

	if (b->err < 0)
		return b->err;
	ask_answer(b, b->last);
	if (end)
		len += msg_space(nftnl_batch_end((char *)b->buf + len, fw->wr.seq++));
	r = send_batch(fw, len);
	if (r < 0)
		return r;
	return read_answers(fw, a);
}

int fw_batch_commit(struct fw *fw)
{
	struct answers a = { 0 };
	int r;

	r = fw->batch.n > 0 ? transact(fw, true, &a) : fw->batch.err;
	shrink(&fw->batch);
	return r;
}

/* Closes the gaps of the commands that mark_missing() has marked. */
static void strip_missing(struct fw_batch *b)
{
	size_t off = msg_space(msg_at(b, 0)), to = off, space;

	b->n = 0;
	for (; off < b->len; off += space) {
		struct nlmsghdr *nlh = msg_at(b, off);

		space = msg_space(nlh);
		if (!(nlh->nlmsg_flags & NLM_F_REQUEST))
			continue;
		b->last = nlh->nlmsg_seq;
		b->n++;
		memmove(b->buf + to, nlh, space);
		to += space;
	}
	b->len = to;
}

int fw_batch_commit_lenient(struct fw *fw)
{
	int r = fw->batch.err;

	for (int i = 0; i < LENIENT_TRIES && fw->batch.n > 0; i++) {
		struct answers a = { .lenient = true };

		r = transact(fw, true, &a);
		if (r < 0 || a.missing == 0)
			break;
		strip_missing(&fw->batch);
		r = fw->batch.n > 0 ? -EAGAIN : -ENODATA;
	}
	shrink(&fw->batch);
	return r;
}

int fw_batch_probe(struct fw *fw, int *results, size_t n)
{
	struct answers a = { .results = results, .n_results = n };

	if (fw->batch.err == 0)
		ask_answer(&fw->batch, fw->batch.first + 1);
	return transact(fw, false, &a);
}
