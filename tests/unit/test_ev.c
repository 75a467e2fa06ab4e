/* The event loop: who is called, and who is not any more. Every wait ends by an event
 * that is there already or by a timer that is due. */
#include "ev.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	SOURCES = 4,
	IDLE_ROUNDS = 3,
	MANY = 200, /* more than are fetched at once */
};

struct probe {
	struct ev_source source; /* first, so that the one is the other */
	unsigned calls;
	int64_t last_ms;
};

static struct ev *ev;
static struct probe probes[MANY];
static unsigned calls, due_calls, signals_seen;
static int last_signal;
static int64_t due_ms;

static void raise_fd(int fd)
{
	uint64_t one = 1;

	assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
}

static void lower_fd(int fd)
{
	uint64_t count;

	assert_int_equal(read(fd, &count, sizeof(count)), sizeof(count));
}

static void note(struct ev_source *source, uint32_t events, int64_t now_ms)
{
	struct probe *probe = (struct probe *)source;

	assert_true((events & EPOLLIN) != 0);
	lower_fd(source->fd);
	probe->calls++;
	probe->last_ms = now_ms;
	calls++;
}

static int setup(void **state)
{
	(void)state;
	calls = due_calls = signals_seen = 0;
	due_ms = 0;
	for (size_t i = 0; i < MANY; i++)
		probes[i] = (struct probe){
			.source = { eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), note }
		};
	return ev_open(&ev);
}

static int teardown(void **state)
{
	(void)state;
	ev_close(ev);
	for (size_t i = 0; i < MANY; i++)
		close(probes[i].source.fd);
	return 0;
}

static void stop_when_due(void *arg, int64_t now_ms)
{
	(void)arg;
	due_calls++;
	due_ms = now_ms;
	ev_stop(ev);
}

/* Stops when nothing was called for a few wake-ups: in each of them all was fetched. */
static void stop_when_idle(void *arg, int64_t now_ms)
{
	static unsigned before, idle;
	unsigned now = calls + signals_seen;

	idle = arg || now != before ? 0 : idle + 1;
	before = now;
	if (idle == IDLE_ROUNDS)
		ev_stop(ev);
	else
		ev_timer(ev, now_ms, stop_when_idle, NULL);
}

/* Runs until nothing waits any more. */
static void settle(void)
{
	ev_timer(ev, 0, stop_when_idle, ev);
	assert_int_equal(ev_run(ev), 0);
}

static void test_ready(void **state)
{
	int64_t before_ms = ev_now_ms();

	(void)state;
	assert_int_equal(ev_add(ev, &probes[0].source, EPOLLIN), 0);
	assert_int_equal(ev_add(ev, &probes[1].source, EPOLLIN), 0);
	raise_fd(probes[1].source.fd);
	settle();
	assert_int_equal(probes[0].calls, 0);
	assert_int_equal(probes[1].calls, 1);
	assert_true(probes[1].last_ms >= before_ms);
	assert_true(probes[1].last_ms <= ev_now_ms());
	raise_fd(probes[0].source.fd);
	raise_fd(probes[1].source.fd);
	settle();
	assert_int_equal(probes[0].calls, 1);
	assert_int_equal(probes[1].calls, 2);
	/* One reading of the clock for all of a wake-up. */
	assert_int_equal(probes[0].last_ms, probes[1].last_ms);
}

static void test_errors(void **state)
{
	struct ev_source bad = { .fd = -1, .ready = note };

	(void)state;
	assert_int_equal(ev_add(ev, &bad, EPOLLIN), -EBADF);
	assert_int_equal(ev_change(ev, &bad, EPOLLIN), -EBADF);
	ev_del(ev, &bad);
	assert_int_equal(ev_change(ev, &probes[0].source, EPOLLIN), -ENOENT);
	ev_del(ev, &probes[0].source);
	assert_int_equal(ev_add(ev, &probes[0].source, EPOLLIN), 0);
	assert_int_equal(ev_add(ev, &probes[0].source, EPOLLIN), -EEXIST);
	ev_del(ev, &probes[0].source);
	ev_del(ev, &probes[0].source);
	raise_fd(probes[0].source.fd);
	settle();
	assert_int_equal(probes[0].calls, 0);
	ev_close(NULL);
}

static void delete_others(struct ev_source *source, uint32_t events, int64_t now_ms)
{
	note(source, events, now_ms);
	for (size_t i = 0; i < SOURCES; i++) {
		if (&probes[i].source != source)
			ev_del(ev, &probes[i].source);
	}
}

/* All are ready at once; the first one called takes the others away. */
static void test_deleted_while_fetched(void **state)
{
	(void)state;
	for (size_t i = 0; i < SOURCES; i++) {
		probes[i].source.ready = delete_others;
		assert_int_equal(ev_add(ev, &probes[i].source, EPOLLIN), 0);
		raise_fd(probes[i].source.fd);
	}
	settle();
	assert_int_equal(calls, 1);
	/* Added again they are called again. */
	for (size_t i = 0; i < SOURCES; i++) {
		if (probes[i].calls == 1)
			continue;
		probes[i].source.ready = note;
		assert_int_equal(ev_add(ev, &probes[i].source, EPOLLIN), 0);
	}
	settle();
	assert_int_equal(calls, SOURCES);
}

static void delete_itself(struct ev_source *source, uint32_t events, int64_t now_ms)
{
	note(source, events, now_ms);
	ev_del(ev, source);
}

static void test_deletes_itself(void **state)
{
	(void)state;
	probes[0].source.ready = delete_itself;
	assert_int_equal(ev_add(ev, &probes[0].source, EPOLLIN), 0);
	raise_fd(probes[0].source.fd);
	settle();
	raise_fd(probes[0].source.fd);
	settle();
	assert_int_equal(calls, 1);
}

/* The memory and the descriptor of a deleted source are used for another at once: the old
 * one's event is not the new one's. */
static void replace_others(struct ev_source *source, uint32_t events, int64_t now_ms)
{
	note(source, events, now_ms);
	for (size_t i = 0; i < SOURCES; i++) {
		int fd = probes[i].source.fd;

		if (&probes[i].source == source)
			continue;
		ev_del(ev, &probes[i].source);
		close(fd);
		probes[i].source =
			(struct ev_source){ .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
				.ready = note };
		assert_int_equal(ev_add(ev, &probes[i].source, EPOLLIN), 0);
	}
}

static void test_replaced_while_fetched(void **state)
{
	(void)state;
	for (size_t i = 0; i < SOURCES; i++) {
		probes[i].source.ready = replace_others;
		assert_int_equal(ev_add(ev, &probes[i].source, EPOLLIN), 0);
		raise_fd(probes[i].source.fd);
	}
	settle(); /* an event out of the past would fail in lower_fd() */
	assert_int_equal(calls, 1);
	for (size_t i = 0; i < SOURCES; i++) {
		if (probes[i].source.ready == note)
			raise_fd(probes[i].source.fd);
	}
	settle();
	assert_int_equal(calls, SOURCES);
}

static void add_next(struct ev_source *source, uint32_t events, int64_t now_ms)
{
	struct probe *next = (struct probe *)source + 1;

	note(source, events, now_ms);
	raise_fd(next->source.fd);
	assert_int_equal(ev_add(ev, &next->source, EPOLLIN), 0);
}

static void test_added_inside(void **state)
{
	(void)state;
	probes[0].source.ready = add_next;
	assert_int_equal(ev_add(ev, &probes[0].source, EPOLLIN), 0);
	raise_fd(probes[0].source.fd);
	settle();
	assert_int_equal(probes[1].calls, 1);
}

static void test_more_than_a_batch(void **state)
{
	(void)state;
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(ev_add(ev, &probes[i].source, EPOLLIN), 0);
		raise_fd(probes[i].source.fd);
	}
	settle();
	settle();
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(probes[i].calls, 1);
}

static void writable(struct ev_source *source, uint32_t events, int64_t now_ms)
{
	(void)now_ms;
	assert_int_equal(events, EPOLLOUT);
	calls++;
	assert_int_equal(ev_change(ev, source, EPOLLIN), 0);
}

static void test_change(void **state)
{
	(void)state;
	probes[0].source.ready = writable;
	assert_int_equal(ev_add(ev, &probes[0].source, EPOLLIN), 0);
	settle();
	assert_int_equal(calls, 0);
	assert_int_equal(ev_change(ev, &probes[0].source, EPOLLIN | EPOLLOUT), 0);
	settle();
	assert_int_equal(calls, 1);
}

static void test_timer(void **state)
{
	int64_t at_ms = ev_now_ms() + 3;

	(void)state;
	ev_timer(ev, at_ms, stop_when_due, NULL);
	assert_int_equal(ev_run(ev), 0);
	assert_int_equal(due_calls, 1);
	assert_true(due_ms >= at_ms);
	/* In the past, at zero, before it: at once; and once each. */
	ev_timer(ev, at_ms - 1000, stop_when_due, NULL);
	assert_int_equal(ev_run(ev), 0);
	ev_timer(ev, 0, stop_when_due, NULL);
	assert_int_equal(ev_run(ev), 0);
	ev_timer(ev, INT64_MIN, stop_when_due, NULL);
	assert_int_equal(ev_run(ev), 0);
	assert_int_equal(due_calls, 4);
}

static void never_called(void *arg, int64_t now_ms)
{
	(void)arg;
	(void)now_ms;
	fail();
}

static void delete_itself_and_stop(
	struct ev_source *source, uint32_t events, int64_t now_ms)
{
	delete_itself(source, events, now_ms);
	ev_stop(ev);
}

/* A later call replaces an earlier one, "never" included. */
static void test_timer_replaced(void **state)
{
	(void)state;
	ev_timer(ev, 0, never_called, NULL);
	ev_timer(ev, ev_now_ms() + 1, stop_when_due, NULL);
	assert_int_equal(ev_run(ev), 0);
	assert_int_equal(due_calls, 1);
	ev_timer(ev, 0, never_called, NULL);
	ev_timer(ev, INT64_MAX, never_called, NULL);
	probes[0].source.ready = delete_itself_and_stop;
	assert_int_equal(ev_add(ev, &probes[0].source, EPOLLIN), 0);
	raise_fd(probes[0].source.fd);
	assert_int_equal(ev_run(ev), 0);
	assert_int_equal(calls, 1);
}

static void again_twice(void *arg, int64_t now_ms)
{
	(void)arg;
	if (++due_calls < 3)
		ev_timer(ev, now_ms, again_twice, NULL);
	else
		stop_when_due(NULL, now_ms);
}

static void test_timer_inside_itself(void **state)
{
	(void)state;
	ev_timer(ev, ev_now_ms(), again_twice, NULL);
	assert_int_equal(ev_run(ev), 0);
	assert_int_equal(due_calls, 4);
}

static void postpone(struct ev_source *source, uint32_t events, int64_t now_ms)
{
	note(source, events, now_ms);
	ev_timer(ev, INT64_MAX, never_called, NULL);
	ev_stop(ev);
}

static void put_off(struct ev_source *source, uint32_t events, int64_t now_ms)
{
	note(source, events, now_ms);
	ev_timer(ev, INT64_MAX, never_called, NULL);
	raise_fd(probes[1].source.fd);
}

/* A timer that another callback of the same wake-up puts off is not called. */
static void test_timer_put_off_while_fetched(void **state)
{
	(void)state;
	probes[0].source.ready = put_off;
	probes[1].source.ready = postpone; /* in the wake-up after that */
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(ev_add(ev, &probes[i].source, EPOLLIN), 0);
	raise_fd(probes[0].source.fd);
	ev_timer(ev, 0, never_called, NULL);
	for (int64_t from_ms = ev_now_ms(); ev_now_ms() < from_ms + 2;)
		; /* the timer has run out, behind the other one */
	assert_int_equal(ev_run(ev), 0);
	assert_int_equal(calls, 2);
}

static void test_stop_keeps_the_rest(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		probes[i].source.ready = postpone;
		assert_int_equal(ev_add(ev, &probes[i].source, EPOLLIN), 0);
		raise_fd(probes[i].source.fd);
	}
	assert_int_equal(ev_run(ev), 0);
	assert_int_equal(ev_run(ev), 0);
	assert_int_equal(calls, 2); /* ev_stop() keeps the rest for the next run */
}

static void caught(void *arg, int signal, int64_t now_ms)
{
	assert_ptr_equal(arg, &calls);
	assert_true(now_ms > 0);
	signals_seen++;
	last_signal = signal;
}

static void test_signals(void **state)
{
	static const int signals[] = { SIGUSR1, SIGUSR2, 0 };
	sigset_t before;

	(void)state;
	assert_int_equal(sigprocmask(SIG_SETMASK, NULL, &before), 0);
	assert_int_equal(ev_signals(ev, signals, caught, &calls), 0);
	assert_int_equal(kill(getpid(), SIGUSR2), 0);
	settle();
	assert_int_equal(signals_seen, 1);
	assert_int_equal(last_signal, SIGUSR2);
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	assert_int_equal(kill(getpid(), SIGUSR2), 0);
	settle();
	assert_int_equal(signals_seen, 3);
	assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_ready),
		TEST(test_errors),
		TEST(test_deleted_while_fetched),
		TEST(test_deletes_itself),
		TEST(test_replaced_while_fetched),
		TEST(test_added_inside),
		TEST(test_more_than_a_batch),
		TEST(test_change),
		TEST(test_timer),
		TEST(test_timer_replaced),
		TEST(test_timer_inside_itself),
		TEST(test_timer_put_off_while_fetched),
		TEST(test_stop_keeps_the_rest),
		TEST(test_signals),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
