/* Clients of the control socket that are slow, rude, many or gone, and those that wait
 * for a reload. Needs root. */
#include "fakes_control.h"
#include "fakes_random.h"

enum {
	MANY = 3000,
	BEHIND = 2000, /* requests, more than a socket holds answers */
};

/* Straight into the table: the kernel has no part in lists. */
static void fill(uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		struct mapping mapping = { .id = 1U + i,
			.expires_ms = lab->now_ms + 3600000,
			.client = host_of(10),
			.internal_client = host_of(10),
			.external_port = (uint16_t)(2000 + i),
			.internal_port = 50001,
			.protocol = IGW_TCP,
			.enabled = true };

		assert_non_null(table_add(lab->broker.table, &mapping));
	}
}

static void remove_id(uint32_t id)
{
	struct mapping *mapping = table_find_id(lab->broker.table, id);

	assert_non_null(mapping);
	table_remove(lab->broker.table, mapping);
}

/* Takes up to `max` messages of a list; counts each mapping. True at its end. */
static bool take_some(int fd, unsigned max, uint8_t seen[MANY + 1])
{
	struct igw_ctl_mapping mapping;
	struct chan_msg msg;

	for (unsigned i = 0; i < max; i++) {
		if (chan_recv(fd, IGW_BROKER, &msg) != 1)
			return false;
		if (msg.id == IGW_CTL_DONE)
			return true;
		assert_int_equal(msg.id, IGW_CTL_MAPPING_IS);
		memcpy(&mapping, msg.payload, sizeof(mapping));
		assert_in_range(mapping.mapping, 1, MANY);
		assert_int_equal(mapping.external_port, 1999 + mapping.mapping);
		assert_int_equal(mapping.connections, mapping.external_port);
		seen[mapping.mapping]++;
	}
	return false;
}

static void test_list(void **state)
{
	struct igw_ctl_mapping mapping;
	int fd = dial();

	(void)state;
	ask(fd, IGW_CTL_LIST, &empty);
	hear_done(fd, IGW_CTL_LIST, IGW_CTL_OK, "");
	fill(3);
	ask(fd, IGW_CTL_LIST, &empty);
	for (uint32_t i = 1; i <= 3; i++) {
		hear(fd, IGW_CTL_LIST, IGW_CTL_MAPPING_IS, &mapping);
		assert_int_equal(mapping.mapping, i);
	}
	hear_done(fd, IGW_CTL_LIST, IGW_CTL_OK, "");
	/* Conntrack cannot be read: the list comes all the same. */
	fake.cut_error = -ENOBUFS;
	ask(fd, IGW_CTL_LIST, &empty);
	for (uint32_t i = 1; i <= 3; i++) {
		hear(fd, IGW_CTL_LIST, IGW_CTL_MAPPING_IS, &mapping);
		assert_int_equal(mapping.connections, 0);
	}
	hear_done(fd, IGW_CTL_LIST, IGW_CTL_OK, "");
	expect_silence(fd);
	close(fd);
}

static void test_long_list(void **state)
{
	uint8_t seen[MANY + 1] = { 0 };
	unsigned turns = 0;
	int fd = dial(), other = dial();

	(void)state;
	fill(MANY);
	/* Holes, so that places in the order are not positions. */
	for (uint32_t id = 3; id <= MANY; id += 3)
		remove_id(id);
	ask(fd, IGW_CTL_LIST, &empty);
	while (!take_some(fd, 1 + random_below(500), seen)) {
		settle();
		turns++;
	}
	assert_true(turns > 1); /* it had to wait for its reader */
	for (uint32_t id = 1; id <= MANY; id++)
		assert_int_equal(seen[id], id % 3 != 0);
	assert_int_equal(fake.counted, 1);
	/* And again, and meanwhile another one asks and is answered. */
	memset(seen, 0, sizeof(seen));
	ask(fd, IGW_CTL_LIST, &empty);
	ask(other, IGW_CTL_SHOW, &(struct igw_ctl_id){ 3 });
	hear_done(other, IGW_CTL_SHOW, IGW_CTL_NOT_FOUND, NULL);
	while (!take_some(fd, MANY, seen))
		settle();
	for (uint32_t id = 1; id <= MANY; id++)
		assert_int_equal(seen[id], id % 3 != 0);
	close(fd);
	close(other);
}

/* What stays is listed once, whatever comes and goes meanwhile. */
static void test_list_while_it_changes(void **state)
{
	uint8_t seen[MANY + 1] = { 0 };
	int fd = dial();

	(void)state;
	fill(MANY);
	ask(fd, IGW_CTL_LIST, &empty);
	for (uint32_t id = 1; id <= MANY; id += 2)
		remove_id(id);
	while (!take_some(fd, 200, seen))
		settle();
	for (uint32_t id = 2; id <= MANY; id += 2)
		assert_int_equal(seen[id], 1);
	assert_int_equal(seen[MANY - 1], 0);
	close(fd);
}

static void test_request_during_a_list(void **state)
{
	int fd = dial(), other = dial();

	(void)state;
	fill(MANY);
	ask(fd, IGW_CTL_LIST, &empty);
	ask(fd, IGW_CTL_STATUS, &empty);
	expect_dropped(fd);
	/* The place is free again, and the others have noticed nothing. */
	ask(other, IGW_CTL_SHOW, &(struct igw_ctl_id){ MANY + 1 });
	hear_done(other, IGW_CTL_SHOW, IGW_CTL_NOT_FOUND, NULL);
	close(fd);
	close(other);
}

static void test_gone_during_a_list(void **state)
{
	unsigned before;
	int fd;

	(void)state;
	fill(MANY);
	before = fds_open();
	for (unsigned i = 0; i < 2 * CLIENTS; i++) {
		fd = dial();
		ask(fd, IGW_CTL_LIST, &empty);
		close(fd);
		settle();
		assert_int_equal(fds_open(), before);
	}
}

/* Asks on and on and reads nothing: its connection ends, instead of answers that lack
 * their middle. */
static void test_does_not_read(void **state)
{
	struct chan_msg msg;
	int fd = dial(), r = 0;
	unsigned done = 0, status = 0;

	(void)state;
	for (unsigned i = 0; i < BEHIND && r == 0; i++) {
		r = chan_send(fd, IGW_CTL_STATUS, i, &empty, NULL);
		if (i % ROUNDS == 0)
			settle();
	}
	for (unsigned i = 0; i < BEHIND / ROUNDS; i++)
		settle();
	while ((r = chan_recv(fd, IGW_BROKER, &msg)) == 1) {
		status += msg.id == IGW_CTL_STATUS_IS;
		done += msg.id == IGW_CTL_DONE;
		/* Never the next answer before the end of the last. */
		assert_in_range(status - done, 0, 1);
	}
	assert_true(r == 0 || r == -ECONNRESET);
	close(fd);
}

static void test_wrong_messages(void **state)
{
	static const uint32_t ids[] = { 0, IGW_MAP_ADD, IGW_LOG, IGW_START, IGW_CTL_DONE,
		IGW_POLICY_RESULT, IGW_MSG_COUNT, UINT32_MAX };
	uint8_t buf[IGW_MSG_MAX] = { 0 };
	unsigned before = fds_open();
	int fd;

	(void)state;
	for (size_t i = 0; i < COUNT(ids); i++) {
		struct igw_hdr hdr = { .id = ids[i] };

		memcpy(buf, &hdr, sizeof(hdr));
		fd = dial();
		send_raw(fd, buf, sizeof(hdr) + igw_msg_size(ids[i]), 0);
		settle();
		expect_dropped(fd);
		close(fd);
	}
	for (unsigned n = 0; n < 4; n++) {
		struct igw_hdr hdr = { .id = IGW_CTL_STATUS };

		memcpy(buf, &hdr, sizeof(hdr));
		fd = dial();
		/* Too short by one, too long by one, and with descriptors. */
		send_raw(fd, buf, sizeof(hdr) + sizeof(empty) + (n == 0) - (n == 1),
			n > 1 ? n : 0);
		settle();
		expect_dropped(fd);
		close(fd);
	}
	fd = dial();
	ask(fd, IGW_CTL_EXPLAIN, &(struct igw_ctl_explain){ .via = IGW_VIA_PCP + 1 });
	expect_dropped(fd);
	close(fd);
	assert_int_equal(fds_open(), before);
}

static void test_too_many(void **state)
{
	int fds[CLIENTS], ninth;

	(void)state;
	for (size_t i = 0; i < CLIENTS; i++)
		fds[i] = dial();
	ninth = dial();
	expect_dropped(ninth);
	close(ninth);
	for (size_t i = 0; i < CLIENTS; i++) {
		ask(fds[i], IGW_CTL_SHOW, &(struct igw_ctl_id){ 1 });
		hear_done(fds[i], IGW_CTL_SHOW, IGW_CTL_NOT_FOUND, NULL);
	}
	close(fds[3]);
	settle();
	fds[3] = dial();
	ask(fds[3], IGW_CTL_SHOW, &(struct igw_ctl_id){ 1 });
	hear_done(fds[3], IGW_CTL_SHOW, IGW_CTL_NOT_FOUND, NULL);
	for (size_t i = 0; i < CLIENTS; i++)
		close(fds[i]);
	settle();
}

/* The parent is asked; returns the number of the wish. */
static uint32_t expect_wanted(void)
{
	struct chan_msg msg;
	uint32_t seq;

	assert_true(lab_heard(lab->parent, &msg));
	assert_int_equal(msg.id, IGW_POLICY_WANTED);
	seq = msg.seq;
	assert_false(lab_heard(lab->parent, &msg));
	return seq;
}

static void test_reload(void **state)
{
	static const struct {
		uint32_t error;
		enum igw_ctl_code code;
	} cases[] = {
		{ 0, IGW_CTL_OK },
		{ EINVAL, IGW_CTL_INVALID },
		{ EFBIG, IGW_CTL_INVALID },
		{ ENOENT, IGW_CTL_INVALID },
		{ EIO, IGW_CTL_FAILED }, /* the kernel's fault */
		{ UINT32_MAX, IGW_CTL_INVALID },
	};
	int fd = dial(), idle = dial();

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct igw_policy_result result = { .error = cases[i].error,
			.text = "line 3: what\nelse" };
		uint32_t seq;

		if (i == 3) /* the numbers start again some day */
			lab->broker.reloads_wanted = UINT32_MAX;
		ask(fd, IGW_CTL_RELOAD, &empty);
		seq = expect_wanted();
		expect_silence(fd);
		/* A file that was read before it asked. */
		control_reloaded(&lab->broker, seq - 1, &result);
		expect_silence(fd);
		control_reloaded(&lab->broker, seq, &result);
		hear_done(fd, IGW_CTL_RELOAD, cases[i].code, "line 3: what");
		/* Told once; who did not ask is not told. */
		control_reloaded(&lab->broker, seq, &result);
		expect_silence(fd);
		expect_silence(idle);
	}
	close(fd);
	close(idle);
}

static void test_reload_waits(void **state)
{
	struct igw_policy_result result = { 0 };
	int fd = dial(), rude = dial(), gone = dial();
	uint32_t seq;

	(void)state;
	ask(fd, IGW_CTL_RELOAD, &empty);
	expect_wanted();
	ask(rude, IGW_CTL_RELOAD, &empty);
	expect_wanted();
	ask(gone, IGW_CTL_RELOAD, &empty);
	seq = expect_wanted();
	ask(rude, IGW_CTL_STATUS, &empty);
	expect_dropped(rude);
	close(rude);
	close(gone);
	settle();
	/* Their places are others' now, who wait for nothing. */
	rude = dial();
	gone = dial();
	control_reloaded(&lab->broker, seq, &result); /* later than the one it wants */
	hear_done(fd, IGW_CTL_RELOAD, IGW_CTL_OK, "");
	expect_silence(rude);
	expect_silence(gone);
	close(fd);
	close(rude);
	close(gone);
}

static void test_reload_without_parent(void **state)
{
	int fd = dial();

	(void)state;
	close(lab->parent);
	lab->parent = -1;
	ask(fd, IGW_CTL_RELOAD, &empty);
	hear_done(fd, IGW_CTL_RELOAD, IGW_CTL_FAILED, NULL);
	ask(fd, IGW_CTL_SHOW, &(struct igw_ctl_id){ 1 });
	hear_done(fd, IGW_CTL_SHOW, IGW_CTL_NOT_FOUND, NULL);
	close(fd);
}

/* No control socket (yet): a result of a signal's reload has nobody to go to. */
static void test_reloaded_without_control(void **state)
{
	struct igw_policy_result result = { 0 };

	(void)state;
	control_stop(&lab->broker);
	control_reloaded(&lab->broker, lab->broker.reloads_wanted, &result);
	control_stop(&lab->broker);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_list),
		TEST(test_long_list),
		TEST(test_list_while_it_changes),
		TEST(test_request_during_a_list),
		TEST(test_gone_during_a_list),
		TEST(test_does_not_read),
		TEST(test_wrong_messages),
		TEST(test_too_many),
		TEST(test_reload),
		TEST(test_reload_waits),
		TEST(test_reload_without_parent),
		TEST(test_reloaded_without_control),
	};
#undef TEST

	random_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
