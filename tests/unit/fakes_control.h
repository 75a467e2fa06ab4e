/*
 * What the tests of the control socket share: the socket in a folder of its own, the
 * CLI's end of a connection, and the loop run until nothing moves any more.
 */
#ifndef IGDWARD_TEST_FAKES_CONTROL_H
#define IGDWARD_TEST_FAKES_CONTROL_H

#include "control.h"
#include "fakes_broker.h"
#include "fakes_fds.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/un.h>

enum {
	CLIENTS = 8, /* that are let in at once */
	ROUNDS = 40,
	NOBODY = 65534,
};

static struct lab *lab;
static char dir[64];
static struct sockaddr_un at;
static unsigned rounds, opened;

static inline int setup(void **state)
{
	int fd;

	(void)state;
	opened = fds_open();
	lab = lab_open(NULL);
	at = (struct sockaddr_un){ .sun_family = AF_UNIX };
	strcpy(dir, "/tmp/igdward-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chmod(dir, 0755), 0);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/ctl.sock", dir);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(chmod(at.sun_path, 0666), 0);
	assert_int_equal(listen(fd, 32), 0);
	return control_start(&lab->broker, fd);
}

static inline int teardown(void **state)
{
	(void)state;
	control_stop(&lab->broker);
	control_stop(&lab->broker);
	lab_close(lab);
	unlink(at.sun_path);
	rmdir(dir);
	return fds_open() == opened ? 0 : -1;
}

static inline void round_and_round(void *arg, int64_t now_ms)
{
	struct ev *ev = arg;

	if (rounds-- == 0)
		ev_stop(ev);
	else
		ev_timer(ev, now_ms, round_and_round, ev);
}

/* Each wake-up takes all that is ready; there are more of them than a test needs. */
static inline void settle(void)
{
	rounds = ROUNDS;
	ev_timer(lab->broker.ev, 0, round_and_round, lab->broker.ev);
	assert_int_equal(ev_run(lab->broker.ev), 0);
}

static inline int dial(void)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	settle();
	return fd;
}

/* SO_PEERCRED is who called connect(). */
static inline int dial_as_nobody(void)
{
	int fd;

	assert_int_equal(seteuid(NOBODY), 0);
	fd = dial();
	assert_int_equal(seteuid(0), 0);
	return fd;
}

static inline void ask(int fd, uint32_t id, const void *payload)
{
	assert_int_equal(chan_send(fd, id, 1000 + id, payload, NULL), 0);
	settle();
}

static inline void hear(int fd, uint32_t request, uint32_t id, void *ret)
{
	struct chan_msg msg;
	int r = chan_recv(fd, IGW_BROKER, &msg);

	if (r != 1 || msg.id != id)
		fail_msg("%d: %s instead of %s", r, r == 1 ? igw_msg_name(msg.id) : "-",
			igw_msg_name(id));
	assert_int_equal(msg.seq, 1000 + request);
	memcpy(ret, msg.payload, igw_msg_size(id));
}

static inline void hear_done(
	int fd, uint32_t request, enum igw_ctl_code code, const char *text)
{
	struct igw_ctl_done done;

	hear(fd, request, IGW_CTL_DONE, &done);
	assert_int_equal(done.code, code);
	if (text)
		assert_string_equal(done.text, text);
	else
		assert_string_not_equal(done.text, "");
}

static inline void expect_silence(int fd)
{
	struct chan_msg msg;

	assert_int_equal(chan_recv(fd, IGW_BROKER, &msg), -EAGAIN);
}

static inline void expect_dropped(int fd)
{
	struct chan_msg msg;
	int r;

	do
		r = chan_recv(fd, IGW_BROKER, &msg);
	while (r == 1);
	assert_true(r == 0 || r == -ECONNRESET);
}

static const struct igw_empty empty;

#endif
