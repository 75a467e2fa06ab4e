/* What the broker does by itself when its time has come: expiry, second tries, and news
 * for the workers. The times are put into the past, so that nothing is waited for. */
#include "fakes_broker.h"
#include "kernel.h"
#include "links.h"

#include <errno.h>
#include <sys/epoll.h>

enum {
	SECOND = 1000,
};

static struct lab *lab;

static int setup(void **state)
{
	(void)state;
	lab = lab_open(NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lab_close(lab);
	return 0;
}

/* Stops the loop from inside: behind whatever the timer did, which comes first. */
struct stopper {
	struct ev_source source;
	unsigned left;
};

static void on_writable(struct ev_source *source, uint32_t events, int64_t now_ms)
{
	struct stopper *stopper = ev_container(source, struct stopper, source);

	(void)events;
	(void)now_ms;
	if (stopper->left-- == 0)
		ev_stop(lab->broker.ev);
}

/* Lets the broker do what is due now. A socket that can always be written to wakes the
 * loop a few times more. */
static void let_it_run(void)
{
	struct stopper stopper = { { lab->parent, on_writable }, 20 };

	broker_schedule(&lab->broker);
	for (int64_t from_ms = ev_now_ms(); ev_now_ms() < from_ms + 2;)
		; /* a timer in the past has run out by then */
	assert_int_equal(ev_add(lab->broker.ev, &stopper.source, EPOLLOUT), 0);
	assert_int_equal(ev_run(lab->broker.ev), 0);
	ev_del(lab->broker.ev, &stopper.source);
}

static void add_due(void)
{
	struct igw_map_add add = add_of(10, 40001, 50001);

	add.lease_s = 60;
	lab->now_ms = ev_now_ms() - 60 * SECOND;
	lab_added(lab, &add);
	lab->broker.changed = false;
	lab->now_ms = ev_now_ms();
	fake.now_ms = lab->now_ms;
}

static void test_nothing_due(void **state)
{
	struct igw_map_add add = add_of(10, 40001, 50001);

	(void)state;
	let_it_run();
	lab_added(lab, &add);
	let_it_run();
	assert_int_equal(table_count(lab->broker.table), 1);
	assert_int_equal(fake.applies, 1);
}

static void test_expiry(void **state)
{
	(void)state;
	add_due();
	let_it_run();
	assert_int_equal(table_count(lab->broker.table), 0);
	assert_int_equal(fake.applies, 2);
}

/* Refused: not again before its time, then again. */
static void test_second_try(void **state)
{
	int64_t before_ms;

	(void)state;
	add_due();
	fake.apply_error = -EBUSY;
	fake.apply_errors = 1;
	before_ms = ev_now_ms();
	let_it_run();
	let_it_run();
	lab->broker.changed = true; /* other things are due before that */
	lab->broker.changed_at_ms = 0;
	let_it_run();
	assert_false(lab->broker.changed);
	assert_int_equal(fake.applies, 2);
	assert_in_range(
		lab->broker.retry_at_ms, before_ms + SECOND, ev_now_ms() + SECOND);
	lab->broker.retry_at_ms = ev_now_ms();
	let_it_run();
	assert_int_equal(fake.applies, 3);
	assert_int_equal(table_count(lab->broker.table), 0);
}

/* The kernel's sets, too, although no mapping is due. */
static void test_second_try_of_links(void **state)
{
	(void)state;
	links_fill(&lab->broker, &lab->broker.fw_links);
	lab->broker.links[0].http_port = 6000;
	fake.links_error = -EBUSY;
	kernel_set_links(&lab->broker, ev_now_ms());
	let_it_run();
	assert_int_equal(fake.set_links, 1);
	fake.links_error = 0;
	lab->broker.retry_at_ms = ev_now_ms();
	let_it_run();
	assert_int_equal(fake.set_links, 2);
	assert_false(kernel_behind(&lab->broker));
}

static unsigned news(void)
{
	struct chan_msg msg;
	unsigned n = 0;

	while (lab_heard(lab->worker[0], &msg))
		n += msg.id == IGW_CHANGED;
	return n;
}

/* Workers hear of changes, but not of each one in a burst. */
static void test_news(void **state)
{
	(void)state;
	lab->broker.links[0].http_port = 5000;
	lab->broker.changed = true;
	let_it_run();
	assert_int_equal(news(), 1);
	assert_false(lab->broker.changed);
	let_it_run();
	assert_int_equal(news(), 0);
	lab->broker.changed_at_ms = ev_now_ms() + SECOND; /* just told */
	lab->broker.changed = true;
	let_it_run();
	assert_int_equal(news(), 0);
	assert_true(lab->broker.changed);
	lab->broker.changed_at_ms = 0;
	let_it_run();
	assert_int_equal(news(), 1);
}

/* Not even when the timer runs out for something else. */
static void test_news_wait(void **state)
{
	(void)state;
	add_due();
	lab->broker.links[0].http_port = 5000;
	lab->broker.changed_at_ms = ev_now_ms() + SECOND;
	let_it_run();
	assert_int_equal(fake.applies, 2);
	assert_true(lab->broker.changed);
	assert_int_equal(news(), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_due),
		TEST(test_expiry),
		TEST(test_second_try),
		TEST(test_second_try_of_links),
		TEST(test_news),
		TEST(test_news_wait),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
