/* The channel: whole messages of the right form or none, and no descriptor left over from
 * the wrong ones. */
#include "chan.h"
#include "fakes_fds.h"

#include <errno.h>
#include <signal.h>

enum {
	FULL_MAX = 100000,
};

static int ends[2];
static unsigned opened;

static int setup(void **state)
{
	(void)state;
	opened = fds_open();
	return chan_pair(ends);
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		if (ends[i] >= 0)
			close(ends[i]);
	}
	/* What a test has not closed, the channel has. */
	return fds_open() == opened ? 0 : -1;
}

static void test_pair(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_true((fcntl(ends[i], F_GETFD) & FD_CLOEXEC) != 0);
		assert_true((fcntl(ends[i], F_GETFL) & O_NONBLOCK) != 0);
	}
}

/* The senders of an id, as igw_msg_check() has them. */
static enum igw_sender sender_of(uint32_t id)
{
	static const enum igw_sender all[] = { IGW_PARENT, IGW_BROKER, IGW_UPNP,
		IGW_CTL };
	struct igw_hdr hdr = { .id = id };
	uint8_t buf[IGW_MSG_MAX] = { 0 };

	memcpy(buf, &hdr, sizeof(hdr));
	for (size_t i = 0; i < 4; i++) {
		if (igw_msg_check(buf, sizeof(hdr) + igw_msg_size(id), igw_msg_fds(id),
			    all[i]) == 0)
			return all[i];
	}
	fail_msg("nobody may send %s", igw_msg_name(id));
	return 0;
}

static void test_every_message(void **state)
{
	uint8_t payload[IGW_MSG_MAX];
	int fds[IGW_MSG_FDS_MAX];
	struct chan_msg msg;

	(void)state;
	for (size_t i = 0; i < IGW_MSG_FDS_MAX; i++)
		fds[i] = open("/dev/null", O_RDONLY);
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 7 + 1);
	for (uint32_t id = 1; id < IGW_MSG_COUNT; id++) {
		size_t size = igw_msg_size(id);

		memset(&msg, 0xaa, sizeof(msg));
		assert_int_equal(chan_send(ends[0], id, id * 3, payload, fds), 0);
		assert_int_equal(chan_recv(ends[1], sender_of(id), &msg), 1);
		assert_int_equal(msg.id, id);
		assert_int_equal(msg.seq, id * 3);
		assert_memory_equal(msg.payload, payload, size);
		for (size_t i = size; i < sizeof(msg.payload); i++)
			assert_int_equal(msg.payload[i], 0);
		for (unsigned i = 0; i < IGW_MSG_FDS_MAX; i++) {
			assert_int_equal(msg.fds[i] >= 0, i < igw_msg_fds(id));
			if (msg.fds[i] >= 0)
				assert_true(
					(fcntl(msg.fds[i], F_GETFD) & FD_CLOEXEC) != 0);
		}
		chan_msg_close(&msg);
		for (unsigned i = 0; i < IGW_MSG_FDS_MAX; i++)
			assert_int_equal(msg.fds[i], -1);
		chan_msg_close(&msg);
		assert_int_equal(chan_recv(ends[1], sender_of(id), &msg), -EAGAIN);
	}
	for (size_t i = 0; i < IGW_MSG_FDS_MAX; i++)
		close(fds[i]); /* still the caller's */
}

static void test_wrong_fds(void **state)
{
	uint8_t buf[IGW_MSG_MAX] = { 0 };
	struct chan_msg msg;
	unsigned before = fds_open();

	(void)state;
	for (uint32_t id = 1; id < IGW_MSG_COUNT; id++) {
		struct igw_hdr hdr = { .id = id };

		memcpy(buf, &hdr, sizeof(hdr));
		for (unsigned n = 0; n <= 12; n++) {
			if (n == igw_msg_fds(id))
				continue;
			send_raw(ends[0], buf, sizeof(hdr) + igw_msg_size(id), n);
			memset(&msg, 0, sizeof(msg));
			assert_int_equal(
				chan_recv(ends[1], sender_of(id), &msg), -EBADMSG);
			assert_int_equal(fds_open(), before);
			for (size_t i = 0; i < IGW_MSG_FDS_MAX; i++)
				assert_int_equal(msg.fds[i], -1);
		}
	}
}

static void test_wrong_sender(void **state)
{
	uint8_t buf[IGW_MSG_MAX] = { 0 };
	struct chan_msg msg;
	unsigned before = fds_open();

	(void)state;
	for (uint32_t id = 1; id < IGW_MSG_COUNT; id++) {
		for (unsigned sender = IGW_PARENT; sender <= IGW_CTL; sender *= 2) {
			struct igw_hdr hdr = { .id = id };
			size_t len = sizeof(hdr) + igw_msg_size(id);

			memcpy(buf, &hdr, sizeof(hdr));
			if (igw_msg_check(buf, len, igw_msg_fds(id),
				    (enum igw_sender)sender) == 0)
				continue;
			send_raw(ends[0], buf, len, igw_msg_fds(id));
			assert_int_equal(
				chan_recv(ends[1], (enum igw_sender)sender, &msg),
				-EBADMSG);
			assert_int_equal(fds_open(), before);
		}
	}
}

static void test_wrong_length(void **state)
{
	static const size_t others[] = { 1, 4, 7, 8, IGW_MSG_MAX - 1, IGW_MSG_MAX,
		IGW_MSG_MAX + 1, 4 * IGW_MSG_MAX };
	uint8_t buf[4 * IGW_MSG_MAX] = { 0 };
	struct chan_msg msg;

	(void)state;
	for (uint32_t id = 1; id < IGW_MSG_COUNT; id++) {
		struct igw_hdr hdr = { .id = id };
		size_t right = sizeof(hdr) + igw_msg_size(id);
		unsigned fds = igw_msg_fds(id);

		memcpy(buf, &hdr, sizeof(hdr));
		for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
			if (others[i] == right)
				continue;
			send_raw(ends[0], buf, others[i], fds);
			assert_int_equal(
				chan_recv(ends[1], sender_of(id), &msg), -EBADMSG);
		}
		send_raw(ends[0], buf, right - 1, fds);
		assert_int_equal(chan_recv(ends[1], sender_of(id), &msg), -EBADMSG);
		send_raw(ends[0], buf, right + 1, fds);
		assert_int_equal(chan_recv(ends[1], sender_of(id), &msg), -EBADMSG);
	}
}

static void test_unknown_id(void **state)
{
	static const uint32_t ids[] = { 0, IGW_MSG_COUNT, 255, UINT32_MAX };
	uint8_t buf[IGW_MSG_MAX] = { 0 };
	struct chan_msg msg;

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		struct igw_hdr hdr = { .id = ids[i] };

		memcpy(buf, &hdr, sizeof(hdr));
		for (unsigned n = 0; n < 4; n++) {
			send_raw(ends[0], buf, sizeof(hdr) + n, n);
			assert_int_equal(
				chan_recv(ends[1], (enum igw_sender)15, &msg), -EBADMSG);
		}
		assert_int_equal(chan_send(ends[0], ids[i], 0, buf, NULL), -EINVAL);
	}
	assert_int_equal(chan_recv(ends[1], IGW_UPNP, &msg), -EAGAIN);
}

/* A packet without bytes cannot be told from the end; with descriptors it is a breach. */
static void test_empty_packet(void **state)
{
	unsigned before = fds_open();
	struct chan_msg msg;

	(void)state;
	send_raw(ends[0], "", 0, 0);
	assert_int_equal(chan_recv(ends[1], IGW_UPNP, &msg), 0);
	for (unsigned n = 1; n <= 5; n++) {
		send_raw(ends[0], "", 0, n);
		assert_int_equal(chan_recv(ends[1], IGW_UPNP, &msg), -EBADMSG);
		assert_int_equal(fds_open(), before);
	}
}

static void test_send_needs_fds(void **state)
{
	struct igw_start start = { 0 };
	struct chan_msg msg;
	int bad[] = { -1, -1, -1 };

	(void)state;
	assert_int_equal(chan_send(ends[0], IGW_START, 1, &start, NULL), -EINVAL);
	assert_int_equal(chan_send(ends[0], IGW_START, 1, &start, bad), -EBADF);
	assert_int_equal(chan_recv(ends[1], IGW_PARENT, &msg), -EAGAIN);
	assert_int_equal(chan_send(-1, IGW_READY, 1, &start, NULL), -EBADF);
	assert_int_equal(chan_recv(-1, IGW_BROKER, &msg), -EBADF);
}

/* The peer has gone: an error, never a signal, which would end the test. */
static void test_peer_gone(void **state)
{
	struct igw_empty empty = { 0 };
	struct chan_msg msg;

	(void)state;
	signal(SIGPIPE, SIG_DFL);
	assert_int_equal(chan_send(ends[0], IGW_READY, 9, &empty, NULL), 0);
	close(ends[0]);
	ends[0] = -1;
	assert_int_equal(chan_recv(ends[1], IGW_BROKER, &msg), 1);
	assert_int_equal(msg.seq, 9);
	assert_int_equal(chan_recv(ends[1], IGW_BROKER, &msg), 0);
	assert_int_equal(chan_recv(ends[1], IGW_BROKER, &msg), 0);
	assert_int_equal(chan_send(ends[1], IGW_READY, 1, &empty, NULL), -EPIPE);
}

/* Unread messages at the other end make it ECONNRESET. */
static void test_peer_gone_without_reading(void **state)
{
	struct igw_empty empty = { 0 };
	struct chan_msg msg;
	int r;

	(void)state;
	assert_int_equal(chan_send(ends[1], IGW_READY, 1, &empty, NULL), 0);
	close(ends[0]);
	ends[0] = -1;
	r = chan_recv(ends[1], IGW_BROKER, &msg);
	assert_true(r == -ECONNRESET || r == 0);
	r = chan_send(ends[1], IGW_READY, 1, &empty, NULL);
	assert_true(r == -EPIPE || r == -ECONNRESET);
}

static void test_full(void **state)
{
	struct igw_ctl_status status = { 0 };
	struct chan_msg msg;
	uint32_t n = 0;
	int r = 0;

	(void)state;
	while (n < FULL_MAX && r == 0) {
		r = chan_send(ends[0], IGW_CTL_STATUS_IS, n, &status, NULL);
		n += r == 0;
	}
	assert_int_equal(r, -EAGAIN);
	assert_int_equal(
		chan_send(ends[0], IGW_CTL_STATUS_IS, n, &status, NULL), -EAGAIN);
	/* What was sent is there, in order, and whole; what was not, is not. */
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(chan_recv(ends[1], IGW_BROKER, &msg), 1);
		assert_int_equal(msg.seq, i);
	}
	assert_int_equal(chan_recv(ends[1], IGW_BROKER, &msg), -EAGAIN);
	assert_int_equal(chan_send(ends[0], IGW_CTL_STATUS_IS, n, &status, NULL), 0);
	assert_int_equal(chan_recv(ends[1], IGW_BROKER, &msg), 1);
}

/* Descriptors of messages that nobody takes are closed with the channel. */
static void test_fds_in_flight(void **state)
{
	struct igw_worker worker = { 0 };
	int fd = open("/dev/null", O_RDONLY);
	unsigned before = fds_open();

	(void)state;
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(chan_send(ends[0], IGW_WORKER, 0, &worker, &fd), 0);
	assert_int_equal(fds_open(), before);
	close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_pair),
		TEST(test_every_message),
		TEST(test_wrong_fds),
		TEST(test_wrong_sender),
		TEST(test_wrong_length),
		TEST(test_unknown_id),
		TEST(test_empty_packet),
		TEST(test_send_needs_fds),
		TEST(test_peer_gone),
		TEST(test_peer_gone_without_reading),
		TEST(test_full),
		TEST(test_fds_in_flight),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
