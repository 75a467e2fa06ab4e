/* The broker's client: many askers, answers in any order, late, wrong or never. */
#include "broker.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	SHORT_MS = 20,	     /* where the deadline is what is tested */
	LONG_MS = 30 * 1000, /* where it must not matter */
};

struct fixture {
	struct broker broker;
	int ours, theirs; /* ends of the channel */
};

static void fixture_open(struct fixture *f, int deadline_ms)
{
	int pair[2];

	assert_int_equal(chan_pair(pair), 0);
	f->ours = pair[0];
	f->theirs = pair[1];
	assert_int_equal(broker_init(&f->broker, f->ours, deadline_ms), 0);
}

static void fixture_close(struct fixture *f)
{
	broker_destroy(&f->broker);
	close(f->ours);
	if (f->theirs >= 0)
		close(f->theirs);
}

/* One thread that asks. */
struct asker {
	struct broker *broker;
	struct igw_map_index index;
	struct igw_map_entry entry;
	int r;
	pthread_t thread;
};

static void *ask(void *arg)
{
	struct asker *asker = arg;

	asker->r = broker_ask(asker->broker, IGW_MAP_INDEX, &asker->index, IGW_MAP_ENTRY,
		&asker->entry);
	return NULL;
}

static void asker_start(struct asker *asker, struct fixture *f, uint32_t index)
{
	memset(asker, 0, sizeof(*asker));
	asker->broker = &f->broker;
	asker->index.index = index;
	asker->r = 1;
	assert_int_equal(pthread_create(&asker->thread, NULL, ask, asker), 0);
}

static int asker_join(struct asker *asker)
{
	assert_int_equal(pthread_join(asker->thread, NULL), 0);
	return asker->r;
}

/* The next message at one end, waiting for it. */
static void receive(int fd, enum igw_sender sender, struct chan_msg *ret)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&poll_fd, 1, LONG_MS), 1);
	assert_int_equal(chan_recv(fd, sender, ret), 1);
}

/* The broker answers, and the worker's reader takes it. */
static bool answer(struct fixture *f, uint32_t seq, uint32_t id, uint32_t mark)
{
	union {
		struct igw_map_entry entry;
		struct igw_map_result result;
	} payload = { .entry = { 0 } };
	struct chan_msg msg;

	if (id == IGW_MAP_ENTRY)
		payload.entry.lease_s = mark;
	assert_int_equal(chan_send(f->theirs, id, seq, &payload, NULL), 0);
	receive(f->ours, IGW_BROKER, &msg);
	return broker_answered(&f->broker, &msg);
}

static void test_any_order(void **state)
{
	enum { N = BROKER_CALLS_MAX };
	struct asker askers[N];
	struct chan_msg asked[N];
	struct fixture f;

	(void)state;
	fixture_open(&f, LONG_MS);
	for (uint32_t i = 0; i < N; i++)
		asker_start(&askers[i], &f, i);
	for (size_t i = 0; i < N; i++)
		receive(f.theirs, IGW_UPNP, &asked[i]);
	for (size_t i = N; i-- > 0;) {
		struct igw_map_index index;

		memcpy(&index, asked[i].payload, sizeof(index));
		assert_true(answer(&f, asked[i].seq, IGW_MAP_ENTRY, index.index + 100));
	}
	for (uint32_t i = 0; i < N; i++) {
		assert_int_equal(asker_join(&askers[i]), 0);
		assert_int_equal(askers[i].entry.lease_s, i + 100);
	}
	fixture_close(&f);
}

/* More askers than places: the surplus one fails at once; places become free again. */
static void test_too_many(void **state)
{
	struct asker askers[BROKER_CALLS_MAX], late;
	struct chan_msg msg;
	struct fixture f;

	(void)state;
	fixture_open(&f, LONG_MS);
	for (uint32_t i = 0; i < BROKER_CALLS_MAX; i++)
		asker_start(&askers[i], &f, i);
	for (size_t i = 0; i < BROKER_CALLS_MAX; i++)
		receive(f.theirs, IGW_UPNP, &msg);
	asker_start(&late, &f, 99);
	assert_int_equal(asker_join(&late), -EAGAIN);
	/* They got consecutive numbers; which of them got which is open. */
	for (uint32_t i = 0; i < BROKER_CALLS_MAX; i++)
		assert_true(answer(&f, msg.seq - i, IGW_MAP_ENTRY, 1));
	for (size_t i = 0; i < BROKER_CALLS_MAX; i++)
		assert_int_equal(asker_join(&askers[i]), 0);
	asker_start(&late, &f, 99);
	receive(f.theirs, IGW_UPNP, &msg);
	assert_true(answer(&f, msg.seq, IGW_MAP_ENTRY, 1));
	assert_int_equal(asker_join(&late), 0);
	fixture_close(&f);
}

static void test_silence_and_late(void **state)
{
	struct asker asker, next;
	struct chan_msg first, second;
	struct fixture f;

	(void)state;
	fixture_open(&f, SHORT_MS);
	asker_start(&asker, &f, 1);
	receive(f.theirs, IGW_UPNP, &first);
	assert_int_equal(asker_join(&asker), -ETIMEDOUT);
	assert_int_equal(asker.entry.lease_s, 0);
	/* The late answer finds nobody, nor the next asker, who has another number. */
	f.broker.deadline_ms = LONG_MS;
	asker_start(&next, &f, 2);
	receive(f.theirs, IGW_UPNP, &second);
	assert_int_not_equal(first.seq, second.seq);
	assert_false(answer(&f, first.seq, IGW_MAP_ENTRY, 111));
	assert_true(answer(&f, second.seq, IGW_MAP_ENTRY, 222));
	assert_int_equal(asker_join(&next), 0);
	assert_int_equal(next.entry.lease_s, 222);
	/* An answer twice */
	assert_false(answer(&f, second.seq, IGW_MAP_ENTRY, 333));
	assert_int_equal(next.entry.lease_s, 222);
	fixture_close(&f);
}

static void test_wrong_answer(void **state)
{
	struct asker asker;
	struct chan_msg msg;
	struct fixture f;

	(void)state;
	fixture_open(&f, LONG_MS);
	asker_start(&asker, &f, 1);
	receive(f.theirs, IGW_UPNP, &msg);
	assert_false(answer(&f, 0, IGW_MAP_ENTRY, 5));
	assert_false(answer(&f, msg.seq + 1, IGW_MAP_ENTRY, 5));
	assert_true(answer(&f, msg.seq, IGW_MAP_RESULT, 5));
	assert_int_equal(asker_join(&asker), -EPROTO);
	assert_int_equal(asker.entry.lease_s, 0);
	fixture_close(&f);
}

/* A flood of answers that nobody asked for does nothing. */
static void test_flood(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, LONG_MS);
	for (uint32_t i = 0; i < 10000; i++)
		assert_false(answer(&f, i, IGW_MAP_ENTRY, i));
	fixture_close(&f);
}

static void test_end(void **state)
{
	struct asker askers[3];
	struct chan_msg msg;
	struct fixture f;

	(void)state;
	fixture_open(&f, LONG_MS);
	for (uint32_t i = 0; i < 3; i++)
		asker_start(&askers[i], &f, i);
	for (size_t i = 0; i < 3; i++)
		receive(f.theirs, IGW_UPNP, &msg);
	close(f.theirs);
	f.theirs = -1;
	assert_int_equal(chan_recv(f.ours, IGW_BROKER, &msg), 0);
	broker_ended(&f.broker);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(asker_join(&askers[i]), -EPIPE);
	asker_start(&askers[0], &f, 0);
	assert_int_equal(asker_join(&askers[0]), -EPIPE);
	fixture_close(&f);
}

/* Nobody reads at the other end: the channel fills, and asking fails without waiting. */
static void test_full_channel(void **state)
{
	const struct igw_log_line line = { .text = "x" };
	struct igw_map_index index = { 0 };
	struct igw_map_entry entry;
	struct fixture f;
	int n = 0;

	(void)state;
	fixture_open(&f, LONG_MS);
	while (broker_tell(&f.broker, IGW_LOG, &line) == 0)
		assert_true(++n < 100000);
	assert_int_equal(
		broker_ask(&f.broker, IGW_MAP_INDEX, &index, IGW_MAP_ENTRY, &entry),
		-EAGAIN);
	fixture_close(&f);
}

/* After 2^32 requests the numbers begin again, without 0. */
static void test_number_wraps(void **state)
{
	struct asker asker;
	struct chan_msg msg;
	struct fixture f;

	(void)state;
	fixture_open(&f, LONG_MS);
	f.broker.last_seq = UINT32_MAX;
	asker_start(&asker, &f, 1);
	receive(f.theirs, IGW_UPNP, &msg);
	assert_int_equal(msg.seq, 1);
	assert_true(answer(&f, msg.seq, IGW_MAP_ENTRY, 1));
	assert_int_equal(asker_join(&asker), 0);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_order),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_silence_and_late),
		cmocka_unit_test(test_wrong_answer),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_full_channel),
		cmocka_unit_test(test_number_wraps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
