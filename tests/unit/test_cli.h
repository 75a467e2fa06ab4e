/*
 * What the tests of the CLI share: a fake broker on a real socket, in a thread, and a run
 * of a whole command line inside the test.
 */
#ifndef IGDWARD_TEST_CLI_H
#define IGDWARD_TEST_CLI_H

#include "cli.h"
#include "igdward/msg.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum {
	FAKE_TIMEOUT_MS = 20000, /* longer than any test takes, valgrind included */
	FAKE_ARGS_MAX = 24,
};

struct fake;
typedef void (*fake_serve_fn)(struct fake *fake, int fd);

struct fake {
	char dir[64];
	char path[96];
	int listen_fd;
	pthread_t thread;
	fake_serve_fn serve; /* answers one request; the connection is closed after it */
	const void *arg;     /* for serve */
	int connections;
	/* The last request, to be looked at after fake_stop(). */
	struct igw_hdr hdr;
	size_t len;
	uint8_t payload[IGW_MSG_MAX];
};

static inline void fake_send_raw(int fd, const void *buf, size_t len)
{
	(void)send(fd, buf, len, MSG_NOSIGNAL);
}

static inline void fake_send_seq(int fd, uint32_t seq, uint32_t id, const void *payload)
{
	struct igw_hdr hdr = { .id = id, .seq = seq };
	uint8_t buf[IGW_MSG_MAX];

	memcpy(buf, &hdr, sizeof(hdr));
	memcpy(buf + sizeof(hdr), payload, igw_msg_size(id));
	fake_send_raw(fd, buf, sizeof(hdr) + igw_msg_size(id));
}

static inline void fake_send(struct fake *fake, int fd, uint32_t id, const void *payload)
{
	fake_send_seq(fd, fake->hdr.seq, id, payload);
}

static inline void fake_done(struct fake *fake, int fd, uint32_t code, const char *text)
{
	struct igw_ctl_done done = { .code = code };

	snprintf(done.text, sizeof(done.text), "%s", text);
	fake_send(fake, fd, IGW_CTL_DONE, &done);
}

static inline void fake_ok(struct fake *fake, int fd)
{
	fake_done(fake, fd, IGW_CTL_OK, "");
}

/* Waits until the client has gone. */
static inline void fake_wait(int fd)
{
	char byte;

	while (recv(fd, &byte, 1, 0) > 0)
		;
}

static inline void *fake_main(void *arg)
{
	struct fake *fake = arg;
	uint8_t buf[2 * IGW_MSG_MAX];
	ssize_t n;
	int fd;

	while ((fd = accept(fake->listen_fd, NULL, NULL)) >= 0) {
		fake->connections++;
		n = recv(fd, buf, sizeof(buf), 0);
		fake->len = 0;
		if (n >= (ssize_t)sizeof(fake->hdr)) {
			memcpy(&fake->hdr, buf, sizeof(fake->hdr));
			fake->len = (size_t)n - sizeof(fake->hdr);
			memcpy(fake->payload, buf + sizeof(fake->hdr), fake->len);
			fake->serve(fake, fd);
		}
		close(fd);
	}
	return NULL;
}

/* A listening socket in a folder of its own, nobody behind it yet. */
static inline void fake_listen(struct fake *fake, int type)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	*fake = (struct fake){ .dir = "/tmp/igdward-test-XXXXXX" };
	assert_non_null(mkdtemp(fake->dir));
	assert_int_equal(chmod(fake->dir, 0755), 0);
	snprintf(fake->path, sizeof(fake->path), "%s/ctl.sock", fake->dir);
	memcpy(addr.sun_path, fake->path, sizeof(fake->path));
	fake->listen_fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	assert_true(fake->listen_fd >= 0);
	assert_int_equal(
		bind(fake->listen_fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fake->listen_fd, 0), 0);
}

static inline void fake_unlink(struct fake *fake)
{
	close(fake->listen_fd);
	unlink(fake->path);
	rmdir(fake->dir);
}

static inline void fake_start(struct fake *fake, fake_serve_fn serve, const void *arg)
{
	fake_listen(fake, SOCK_SEQPACKET);
	fake->serve = serve;
	fake->arg = arg;
	assert_int_equal(pthread_create(&fake->thread, NULL, fake_main, fake), 0);
}

static inline void fake_stop(struct fake *fake)
{
	shutdown(fake->listen_fd, SHUT_RDWR); /* ends accept() */
	pthread_join(fake->thread, NULL);
	fake_unlink(fake);
}

/* One run of the CLI and what it printed. */
struct run {
	struct cli cli; /* set before run_cli() what should differ from the defaults */
	char *out;
	char *err;
	enum igw_exit code;
};

static inline void run_init(struct run *run, const char *socket)
{
	*run = (struct run){ .cli = { .exe = "",
				     .socket = socket,
				     .timeout_ms = FAKE_TIMEOUT_MS,
				     .columns = CLI_COLUMNS } };
}

/* Runs "igdward ARGS"; `args` ends with NULL. */
static inline void run_cli(struct run *run, const char *const *args)
{
	char *argv[FAKE_ARGS_MAX] = { (char *)(uintptr_t) "igdward" };
	size_t out_len, err_len;
	int argc = 1;

	for (; *args; args++) {
		assert_true(argc < FAKE_ARGS_MAX - 1);
		argv[argc++] = (char *)(uintptr_t)*args;
	}
	free(run->out);
	free(run->err);
	run->cli.out = open_memstream(&run->out, &out_len);
	run->cli.err = open_memstream(&run->err, &err_len);
	assert_non_null(run->cli.out);
	assert_non_null(run->cli.err);
	run->code = cli_run(&run->cli, argc, argv);
	fclose(run->cli.out);
	fclose(run->cli.err);
}

static inline void run_free(struct run *run)
{
	free(run->out);
	free(run->err);
	run->out = run->err = NULL;
}

#define ARGS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* The usual test: a broker that serves so, one command, then its code and its texts. */
static inline void expect(fake_serve_fn serve, const void *arg, const char *const *args,
	enum igw_exit code, const char *out, const char *err)
{
	struct fake fake;
	struct run run;

	fake_start(&fake, serve, arg);
	run_init(&run, fake.path);
	run_cli(&run, args);
	fake_stop(&fake);
	assert_string_equal(run.out, out);
	assert_string_equal(run.err, err);
	assert_int_equal(run.code, code);
	run_free(&run);
}

#endif
