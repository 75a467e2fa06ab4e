/* News of nf_tables: what others do to our tables is told, with their name; what they do
 * to other tables, and what we do ourselves, is not. */
#include "fw_watch.h"

#include "test_fw_lab.h"

#include <sys/socket.h>

static struct fw_watch *watch;

/* The kernel tells a transaction before the call that made it returns, so whatever there
 * is to be told is there. */
static int news(struct fw *fw, struct fw_culprit *ret)
{
	memset(ret, 0, sizeof(*ret));
	return fw_watch_poll(watch, fw, ret);
}

static int open_watch(void **state)
{
	struct fw_culprit culprit;

	if (lab_open(state) != 0 || fw_watch_open(&watch) < 0)
		return -1;
	install(*state);
	return news(*state, &culprit);
}

static int close_watch(void **state)
{
	fw_watch_close(watch);
	return lab_close(state);
}

static void expect_nft(void **state, const char *change)
{
	struct fw_culprit culprit;

	run("nft '%s'", change);
	assert_int_equal(news(*state, &culprit), 1);
	assert_string_equal(culprit.name, "nft");
	assert_true(culprit.pid > 1);
	/* Told once. */
	assert_int_equal(news(*state, &culprit), 0);
}

static void test_others(void **state)
{
	static const char *const changes[] = {
		"add element inet igdward lan { eth7 }",
		"delete element inet igdward lan { eth7 }",
		"add rule inet igdward forward accept",
		"flush chain inet igdward forward",
		"add chain inet igdward_floor early",
		"add set inet igdward_floor more { type ipv4_addr; }",
		"delete table inet igdward",
		"delete table inet igdward_floor",
		"add table inet igdward",
	};

	for (size_t i = 0; i < COUNT(changes); i++)
		expect_nft(state, changes[i]);
}

static void test_other_tables(void **state)
{
	struct fw_culprit culprit;

	run("nft 'add table inet igdwar; add table inet igdward_; add table ip other;"
	    "add set ip other s { type ipv4_addr; }; delete table ip other'");
	assert_int_equal(news(*state, &culprit), 0);
	/* In one transaction with ours it counts. */
	expect_nft(state, "add table ip other; delete table inet igdward");
	run("nft 'delete table inet igdwar; delete table inet igdward_;"
	    "delete table ip other'");
	assert_int_equal(news(*state, &culprit), 0);
}

static void test_own(void **state)
{
	struct fw_mapping m = mapping(1, "192.168.1.10", 80);
	const struct fw_links links = lab_links();
	struct fw_culprit culprit;

	assert_int_equal(map_set(*state, &m), 0);
	assert_int_equal(map_del(*state, &m), 0);
	assert_int_equal(fw_set_links(*state, &links), 0);
	install(*state);
	assert_int_equal(fw_remove_mappings(*state), 0);
	assert_int_equal(news(*state, &culprit), 0);
}

static void test_lost(void **state)
{
	const int tiny = 1, roomy = 1 << 20;
	struct fw_culprit culprit;

	assert_int_equal(setsockopt(fw_watch_fd(watch), SOL_SOCKET, SO_RCVBUFFORCE, &tiny,
				 sizeof(tiny)),
		0);
	for (int i = 0; i < 20; i++)
		run("nft 'add table ip other; delete table ip other'");
	/* What was lost may have been about us; nobody is named. */
	assert_int_equal(news(*state, &culprit), 1);
	assert_string_equal(culprit.name, "");
	assert_int_equal(culprit.pid, 0);
	assert_int_equal(setsockopt(fw_watch_fd(watch), SOL_SOCKET, SO_RCVBUFFORCE,
				 &roomy, sizeof(roomy)),
		0);
	assert_int_equal(news(*state, &culprit), 0);
	expect_nft(state, "delete table inet igdward");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_watch, close_watch)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_others),
		TEST(test_other_tables),
		TEST(test_own),
		TEST(test_lost),
	};

	return cmocka_run_group_tests(tests, lab_netns, NULL);
}
