/* Workers' channels, the parent's channel, and what follows a change of the network: the
 * loop is run until nothing moves any more, the parent and the workers are the test. */
#include "fakes_broker.h"
#include "fakes_fds.h"
#include "igdward/text.h"
#include "links.h"
#include "parent_link.h"
#include "workers.h"

#include <errno.h>
#include <sys/mman.h>

#define OPEN_RULE                                                                        \
	"{\"version\":1,\"rules\":[{\"name\":\"open\",\"action\":\"allow\","             \
	"\"external_ports\":[\"1024-65535\"],\"internal_ports\":[\"1024-65535\"]}]}"

enum {
	ROUNDS = 20,
};

static struct lab *lab;
static unsigned rounds, opened;

static int setup(void **state)
{
	(void)state;
	opened = fds_open();
	lab = lab_open(NULL);
	fake.slack_ms = 60000; /* the loop has its own clock */
	/* Not yet attached: the tests do that. */
	for (size_t i = 0; i < lab->broker.n_links; i++) {
		close(lab->broker.links[i].channel.fd);
		close(lab->worker[i]);
		lab->worker[i] = -1;
		lab->broker.links[i].channel.fd = -1;
		lab->broker.links[i].told = false;
		lab->broker.links[i].workers = 0;
	}
	return parent_link_watch(&lab->broker);
}

static int teardown(void **state)
{
	(void)state;
	lab_close(lab);
	return fds_open() == opened ? 0 : -1;
}

static void round_and_round(void *arg, int64_t now_ms)
{
	if (rounds-- == 0)
		ev_stop(arg);
	else
		ev_timer(arg, now_ms, round_and_round, arg);
}

static void settle(void)
{
	rounds = ROUNDS;
	ev_timer(lab->broker.ev, 0, round_and_round, lab->broker.ev);
	assert_int_equal(ev_run(lab->broker.ev), 0);
}

/* As the parent does when it has started a worker. */
static void start_worker(size_t i)
{
	struct igw_worker worker = { .link = (uint32_t)i };
	int pair[2];

	assert_int_equal(chan_pair(pair), 0);
	assert_int_equal(chan_send(lab->parent, IGW_WORKER, 0, &worker, &pair[0]), 0);
	close(pair[0]);
	if (lab->worker[i] >= 0)
		close(lab->worker[i]);
	lab->worker[i] = pair[1];
	settle();
}

static void expect_told(size_t i, struct igw_link *ret)
{
	struct chan_msg msg;

	assert_true(lab_heard(lab->worker[i], &msg));
	assert_int_equal(msg.id, IGW_LINK);
	memcpy(ret, msg.payload, sizeof(*ret));
	assert_false(lab_heard(lab->worker[i], &msg));
}

static void expect_replaced(size_t i, const char *why)
{
	struct igw_worker_kill kill;
	struct chan_msg msg;

	assert_true(lab_heard(lab->parent, &msg));
	assert_int_equal(msg.id, IGW_WORKER_KILL);
	memcpy(&kill, msg.payload, sizeof(kill));
	assert_int_equal(kill.link, i);
	assert_string_equal(kill.why, why);
	assert_false(lab_heard(lab->parent, &msg));
	assert_int_equal(lab->broker.links[i].channel.fd, -1);
	assert_int_equal(lab->broker.links[i].http_port, 0);
	assert_false(lab->broker.links[i].told);
}

static void serve(size_t i)
{
	struct igw_serving serving = { .http_port = 5000 };

	assert_int_equal(chan_send(lab->worker[i], IGW_SERVING, 0, &serving, NULL), 0);
	settle();
	assert_int_equal(lab->broker.links[i].http_port, 5000);
}

static void test_start(void **state)
{
	struct igw_link link;
	struct chan_msg msg;

	(void)state;
	igw_text_copy(lab->broker.start.uuid, sizeof(lab->broker.start.uuid),
		"01234567-0123-4123-8123-0123456789ab");
	start_worker(1);
	expect_told(1, &link);
	assert_int_equal(link.link, 1);
	assert_string_equal(link.interface, GUEST);
	assert_true(igw_addr_equal(&link.addr, &lab->broker.links[1].addrs[0].addr));
	assert_int_equal(link.prefix_len, 24);
	assert_int_equal(link.http_port, 5000);
	assert_int_equal(link.igd_version, 1);
	assert_string_equal(link.uuid, "01234567-0123-4123-8123-0123456789ab");
	assert_int_equal(lab->broker.links[1].workers, 1);
	start_worker(0);
	expect_told(0, &link);
	serve(0);
	assert_false(lab_heard(lab->parent, &msg));
	serve(1);
	assert_true(lab_heard(lab->parent, &msg));
	assert_int_equal(msg.id, IGW_READY);
	/* Another one for the same link: the former channel is closed. */
	start_worker(0);
	expect_told(0, &link);
	assert_int_equal(lab->broker.links[0].workers, 2);
	assert_int_equal(lab->broker.links[0].http_port, 0);
}

/* A whole request, from the worker's channel to its answer. */
static void test_request(void **state)
{
	struct igw_map_add add = add_of(10, 40001, 50001);
	struct igw_map_result result;
	struct igw_link link;
	struct chan_msg msg;

	(void)state;
	start_worker(0);
	expect_told(0, &link);
	serve(0);
	assert_int_equal(chan_send(lab->worker[0], IGW_MAP_ADD, 99, &add, NULL), 0);
	settle();
	assert_true(lab_heard(lab->worker[0], &msg));
	assert_int_equal(msg.id, IGW_MAP_RESULT);
	assert_int_equal(msg.seq, 99);
	memcpy(&result, msg.payload, sizeof(result));
	assert_int_equal(result.reason, IGW_OK);
	/* Told of changes are those that serve. */
	start_worker(1);
	expect_told(1, &link);
	lab->broker.update_id = 7;
	workers_changed(&lab->broker);
	assert_true(lab_heard(lab->worker[0], &msg));
	assert_int_equal(msg.id, IGW_CHANGED);
	assert_int_equal(((struct igw_changed *)msg.payload)->mappings, 1);
	assert_int_equal(((struct igw_changed *)msg.payload)->update_id, 7);
	assert_false(lab_heard(lab->worker[1], &msg));
}

/* Mappings and the other worker do not notice. */
static void test_breach(void **state)
{
	struct igw_map_add add = add_of(10, 40001, 50001);
	uint32_t raw[] = { IGW_WAN_GET, 0, 0 };
	struct igw_link link;
	struct chan_msg msg;
	unsigned before;

	(void)state;
	start_worker(0);
	expect_told(0, &link);
	start_worker(1);
	expect_told(1, &link);
	serve(0);
	assert_int_equal(chan_send(lab->worker[0], IGW_MAP_ADD, 1, &add, NULL), 0);
	add.enabled = 2;
	assert_int_equal(chan_send(lab->worker[0], IGW_MAP_ADD, 2, &add, NULL), 0);
	add.enabled = 1;
	add.external_port = 40002; /* behind the breach: not read any more */
	assert_int_equal(chan_send(lab->worker[0], IGW_MAP_ADD, 3, &add, NULL), 0);
	settle();
	expect_replaced(0, "it broke the protocol");
	assert_int_equal(table_count(lab->broker.table), 1);
	serve(1);
	assert_true(lab_heard(lab->parent, &msg)); /* each was served once */
	assert_int_equal(msg.id, IGW_READY);
	/* Descriptors of a hostile message are closed. */
	before = fds_open();
	send_raw(lab->worker[1], raw, sizeof(raw), 3);
	settle();
	expect_replaced(1, "it broke the protocol");
	assert_int_equal(fds_open(), before - 1);
	assert_int_equal(table_count(lab->broker.table), 1);
	lab_check(lab);
}

static void test_worker_ends(void **state)
{
	struct igw_link link;

	(void)state;
	start_worker(0);
	expect_told(0, &link);
	close(lab->worker[0]);
	lab->worker[0] = -1;
	settle();
	expect_replaced(0, "it ended");
	start_worker(0);
	expect_told(0, &link);
	serve(0);
}

static void parent_says(uint32_t id, const void *payload, const int *fds)
{
	assert_int_equal(chan_send(lab->parent, id, 5, payload, fds), 0);
	settle();
}

static struct igw_policy_result load(const char *text)
{
	struct igw_policy_load order = { .path = "/etc/policy.json" };
	struct igw_policy_result result;
	struct chan_msg msg;
	int fd = memfd_create("policy", MFD_CLOEXEC);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	parent_says(IGW_POLICY_LOAD, &order, &fd);
	close(fd);
	assert_true(lab_heard(lab->parent, &msg));
	assert_int_equal(msg.id, IGW_POLICY_RESULT);
	assert_int_equal(msg.seq, 5);
	memcpy(&result, msg.payload, sizeof(result));
	return result;
}

static void test_policy_load(void **state)
{
	struct igw_map_add add = add_of(10, 40001, 50001);
	struct igw_link link;
	struct chan_msg msg;
	struct igw_policy_result result;
	const struct policy *before;
	unsigned n;

	(void)state;
	start_worker(0);
	expect_told(0, &link);
	assert_int_equal(chan_send(lab->worker[0], IGW_MAP_ADD, 1, &add, NULL), 0);
	settle();
	assert_true(lab_heard(lab->worker[0], &msg));
	n = fds_open();
	assert_int_equal(load(OPEN_RULE).error, 0);
	assert_int_equal(table_count(lab->broker.table), 1);
	/* A bad one: the one in force stays, and so do the mappings. */
	before = lab->broker.policy;
	result = load("{\"version\":1,\"rules\":[{]}");
	assert_int_equal(result.error, EINVAL);
	assert_non_null(strstr(result.text, "/etc/policy.json"));
	assert_ptr_equal(lab->broker.policy, before);
	assert_true(lab->broker.policy_stale);
	/* The kernel does not take it: the same. */
	fake.apply_error = -EBUSY;
	fake.apply_errors = 1;
	result = load("{\"version\":1,\"rules\":[]}");
	assert_int_not_equal(result.error, 0);
	assert_string_not_equal(result.text, "");
	assert_ptr_equal(lab->broker.policy, before);
	assert_int_equal(table_count(lab->broker.table), 1);
	assert_int_equal(load("{\"version\":1,\"rules\":[]}").error, 0);
	assert_int_equal(table_count(lab->broker.table), 0);
	assert_false(lab->broker.policy_stale);
	assert_int_equal(load("").error, EINVAL);
	assert_int_equal(fds_open(), n);
	lab_check(lab);
}

static void test_parent_result(void **state)
{
	struct igw_policy_result result = { .error = ENOENT, .text = "no such file" };

	(void)state;
	parent_says(IGW_POLICY_RESULT, &result, NULL);
	assert_true(lab->broker.policy_stale);
	assert_int_equal(lab->broker.exit_code, 0);
}

/* A parent that is gone, or talks nonsense, ends the broker; a new one finds the mappings
 * in the kernel. */
static void test_parent_gone(void **state)
{
	(void)state;
	close(lab->parent);
	lab->parent = -1;
	assert_int_equal(ev_run(lab->broker.ev), 0);
	assert_int_equal(lab->broker.exit_code, IGW_EXIT_FAILED);
}

static void test_parent_nonsense(void **state)
{
	struct igw_worker worker = { .link = 2 };
	int fd = memfd_create("x", MFD_CLOEXEC);
	unsigned before = fds_open();

	(void)state;
	assert_int_equal(chan_send(lab->parent, IGW_WORKER, 0, &worker, &fd), 0);
	assert_int_equal(ev_run(lab->broker.ev), 0);
	assert_int_equal(lab->broker.exit_code, IGW_EXIT_FAILED);
	assert_int_equal(fds_open(), before);
	close(fd);
}

static void test_receive_start(void **state)
{
	struct igw_start start = { .worker_uid = 7, .config_path = "/c" }, got = { 0 };
	int pair[2], fds[] = { 0, 1, 2 }, ret[PARENT_FDS] = { -1, -1, -1 };
	unsigned before;

	(void)state;
	assert_int_equal(chan_pair(pair), 0);
	before = fds_open();
	assert_int_equal(chan_send(pair[1], IGW_START, 0, &start, fds), 0);
	assert_int_equal(parent_link_receive_start(pair[0], &got, ret), 0);
	assert_int_equal(got.worker_uid, 7);
	assert_string_equal(got.config_path, "/c");
	for (size_t i = 0; i < PARENT_FDS; i++)
		assert_int_equal(close(ret[i]), 0);
	/* Texts without end, and another message than the first one must be. */
	memset(start.uuid, 'x', sizeof(start.uuid));
	assert_int_equal(chan_send(pair[1], IGW_START, 0, &start, fds), 0);
	assert_int_equal(parent_link_receive_start(pair[0], &got, ret), -EBADMSG);
	assert_int_equal(
		chan_send(pair[1], IGW_WORKER, 0, &(struct igw_worker){ 0 }, fds), 0);
	assert_int_equal(parent_link_receive_start(pair[0], &got, ret), -EBADMSG);
	assert_int_equal(fds_open(), before);
	assert_int_equal(got.worker_uid, 7);
	close(pair[1]);
	assert_int_equal(parent_link_receive_start(pair[0], &got, ret), -EPIPE);
	close(pair[0]);
}

static void test_read_all(void **state)
{
	int fd = memfd_create("x", MFD_CLOEXEC);
	char *text = NULL;
	size_t len = 99;

	(void)state;
	assert_int_equal(write(fd, "hello", 5), 5);
	assert_int_equal(parent_link_read_all(fd, 4, &text, &len), -EFBIG);
	assert_null(text);
	assert_int_equal(parent_link_read_all(fd, 5, &text, &len), 0);
	assert_int_equal(len, 5);
	assert_string_equal(text, "hello");
	free(text);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(parent_link_read_all(fd, 5, &text, &len), 0);
	assert_int_equal(len, 0);
	assert_string_equal(text, "");
	free(text);
	close(fd);
	text = NULL;
	assert_int_equal(parent_link_read_all(-1, 5, &text, &len), -EBADF);
	assert_null(text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_start),
		TEST(test_request),
		TEST(test_breach),
		TEST(test_worker_ends),
		TEST(test_policy_load),
		TEST(test_parent_result),
		TEST(test_parent_gone),
		TEST(test_parent_nonsense),
		TEST(test_receive_start),
		TEST(test_read_all),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
