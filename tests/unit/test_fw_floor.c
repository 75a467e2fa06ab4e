/* The floor across runs: kept with its counters where it can be, replaced where it
 * cannot, never gone; and who owns the tables. Needs root. */
#include "test_fw_lab.h"

#include <sys/wait.h>

enum { OWNER = 0x2, PERSIST = 0x4 };

static struct fw *reopen(void **state)
{
	struct fw *fw = NULL;

	fw_close(*state);
	*state = NULL;
	assert_int_equal(fw_open(&fw), 0);
	*state = fw;
	return fw;
}

/* Something that is only there as long as the floor is the same table. */
static void leave_trace(void)
{
	run("nft add element inet igdward_floor smb_sources '{ 192.168.1.66 }'");
}

static bool kept(void)
{
	return shows(LAB_RULESET, "192.168.1.66");
}

static void test_kept(void **state)
{
	install(*state);
	leave_trace();
	install(*state);
	assert_true(kept());
	install(reopen(state));
	assert_true(kept());
	assert_int_equal(fw_remove_mappings(*state), 0);
	install(reopen(state));
	assert_true(kept());
}

/* What others have done to it is undone. */
static const char *const harmless[] = {
	"flush table inet igdward_floor",
	"insert rule inet igdward_floor forward accept",
	"add rule inet igdward_floor egress drop",
	"flush chain inet igdward_floor input",
	"flush set inet igdward_floor smb",
	"flush set inet igdward_floor wan; flush set inet igdward_floor lan",
	"add element inet igdward_floor lan { wan }",
	"add chain inet igdward_floor forward { policy drop; }",
	"flush table inet igdward_floor; delete chain inet igdward_floor confined",
	"flush table inet igdward_floor; delete set inet igdward_floor smb_slow6",
	"flush table inet igdward_floor; delete counter inet igdward_floor proxy",
	("add element inet igdward_floor smb { tcp . 4 }; "
	 "delete element inet igdward_floor smb { tcp . 445 }"),
	"flush set inet igdward lan; add element inet igdward wan4 { 1.2.3.4 }",
	"flush table inet igdward; delete chain inet igdward postrouting",
};

static void test_repaired(void **state)
{
	char *before, *after;

	install(*state);
	leave_trace();
	before = output_of(LAB_RULESET " | sort");
	for (size_t i = 0; i < COUNT(harmless); i++) {
		run("nft '%s'", harmless[i]);
		install(*state);
		after = output_of(LAB_RULESET " | sort");
		assert_string_equal(before, after);
		free(after);
	}
	free(before);
}

/* Where it cannot be repaired it is replaced. */
static const char *const harmful[] = {
	"flush table inet igdward_floor; delete chain inet igdward_floor input; "
	"add chain inet igdward_floor input { type filter hook input priority 5; }",
	"flush table inet igdward_floor; delete set inet igdward_floor lan; "
	"add set inet igdward_floor lan { type ipv4_addr; elements = { 1.2.3.4 }; }",
	"flush table inet igdward_floor; delete chain inet igdward_floor confined; "
	"add chain inet igdward_floor confined { type filter hook input priority 5; }",
	"add table inet igdward_floor { flags dormant; }",
	"add chain inet igdward_floor x { type filter hook input priority 5; policy drop; }",
	"add set inet igdward_floor x { type ipv4_addr; }",
	"add chain inet igdward x { type filter hook input priority 5; policy drop; }",
	"flush table inet igdward; delete map inet igdward dnat4s; "
	"add set inet igdward dnat4s { type ipv4_addr; }",
	"delete table inet igdward_floor; add table inet igdward_floor",
};

static void test_replaced(void **state)
{
	char *before, *after;

	install(*state);
	before = output_of(LAB_RULESET " | sort");
	for (size_t i = 0; i < COUNT(harmful); i++) {
		leave_trace();
		run("nft '%s'", harmful[i]);
		install(*state);
		/* Only the table that was spoilt is made anew. */
		assert_int_equal(kept(), strstr(harmful[i], "igdward_floor") == NULL);
		run("nft flush set inet igdward_floor smb_sources");
		after = output_of(LAB_RULESET " | sort");
		assert_string_equal(before, after);
		free(after);
	}
	free(before);
}

/* A version of us with another structure. */
static void test_other_structure(void **state)
{
	struct fw *fw = *state;

	fw->has_counters = !fw->has_counters;
	install(fw);
	leave_trace();
	install(fw);
	assert_true(kept());
	install(reopen(state));
	assert_false(kept());
	assert_true(shows(LAB_RULESET, "\t\tcounter\n"));
}

/* A kernel that cannot count in maps. */
static void test_no_counters(void **state)
{
	struct fw_mapping m = mapping(47669, "192.168.1.10", 8080);
	struct fw *fw = *state;

	fw->has_counters = false;
	install(fw);
	assert_int_equal(map_set(fw, &m), 0);
	assert_int_equal(load(fw).n, 1);
	assert_false(shows(LAB_RULESET, "\t\tcounter\n"));
	assert_false(shows(LAB_RULESET, "47669 counter"));
}

static int own(struct fw *fw, bool yes)
{
	struct fw_settings settings = lab_settings();
	const struct fw_links links = lab_links();

	settings.own_tables = yes;
	return fw_install(fw, &settings, &links, NULL, 0, NULL, 0);
}

static void assert_owned(const struct fw *fw)
{
	assert_true(fw_owned(fw));
	assert_true(shows("nft list table inet igdward", "flags owner"));
	assert_true(shows("nft list table inet igdward_floor", "flags owner"));
	assert_false(works("nft flush table inet igdward"));
	assert_false(works("nft delete table inet igdward_floor"));
	assert_false(works("nft add element inet igdward_floor lan '{ x }'"));
	run("nft flush ruleset");
}

static void test_owned(void **state)
{
	struct fw_mapping m = mapping(47669, "192.168.1.10", 8080);
	const struct fw_links links = lab_links();
	struct fw_counters counters;
	struct fw *fw = *state;

	assert_true(fw->has_persist); /* or the rest shows nothing */
	assert_int_equal(own(fw, true), 0);
	assert_int_equal(map_set(fw, &m), 0);
	assert_owned(fw);
	assert_int_equal(load(fw).n, 1);
	assert_int_equal(fw_counters(fw, &counters), 0);
	assert_int_equal(fw_set_links(fw, &links), 0);
	assert_int_equal(own(fw, true), 0);
	assert_owned(fw);
	assert_int_equal(fw_remove_mappings(fw), 0);
	assert_false(fw_owned(fw));
	assert_int_equal(own(fw, true), 0);
	assert_owned(fw);
	assert_int_equal(fw_teardown(fw), 0);
	assert_false(fw_owned(fw));
	assert_false(shows(LAB_RULESET, "table"));
	assert_int_equal(own(fw, true), 0);
	assert_owned(fw);
}

/* The tables stay when their owner goes, and the next run takes them over. */
static void test_orphans(void **state)
{
	struct fw_mapping m = mapping(47669, "192.168.1.10", 8080);
	struct fw *fw = *state;

	assert_int_equal(own(fw, true), 0);
	assert_int_equal(map_set(fw, &m), 0);
	fw = reopen(state);
	assert_int_equal(load(fw).n, 1);
	leave_trace();
	assert_int_equal(own(fw, true), 0);
	assert_owned(fw);
	assert_true(kept());
	/* To `owner: off`; what an old nft cannot print is gone with the flag. */
	fw = reopen(state);
	assert_int_equal(own(fw, false), 0);
	assert_false(fw_owned(fw));
	assert_false(shows(LAB_RULESET, "flags owner"));
	assert_false(shows(LAB_RULESET, "flags \n"));
	leave_trace();
	assert_int_equal(own(fw, false), 0);
	assert_true(kept());
	/* And back. */
	fw = reopen(state);
	assert_int_equal(own(fw, true), 0);
	assert_owned(fw);
}

/* A process that is killed leaves its tables, too. */
static void test_killed(void **state)
{
	struct fw_mapping m = mapping(47669, "192.168.1.10", 8080);
	int pipes[2], status;
	char c;
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct fw *fw = NULL;

		if (fw_open(&fw) < 0 || own(fw, true) < 0 || map_set(fw, &m) < 0)
			_exit(1);
		if (write(pipes[1], "x", 1) != 1)
			_exit(1);
		pause();
	}
	assert_int_equal(read(pipes[0], &c, 1), 1);
	assert_int_equal(own(*state, true), -EPERM);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(pipes[0]);
	close(pipes[1]);
	assert_int_equal(load(*state).n, 1);
	assert_int_equal(own(*state, true), 0);
	assert_owned(*state);
}

/* Another process that lives keeps what it has. */
static void test_contested(void **state)
{
	struct fw_mapping m = mapping(47669, "192.168.1.10", 8080);
	struct fw_links links = lab_links();
	struct fw_counters counters;
	struct fw *fw = *state, *second = NULL;
	char *before, *after;

	assert_int_equal(own(fw, true), 0);
	assert_int_equal(map_set(fw, &m), 0);
	before = output_of(LAB_RULESET);
	assert_int_equal(fw_open(&second), 0);
	for (int i = 0; i < 2; i++) {
		second->has_destroy = i == 0;
		assert_int_equal(own(second, true), -EPERM);
		assert_int_equal(own(second, false), -EPERM);
		assert_int_equal(map_set(second, &m), -EPERM);
		assert_int_equal(map_del(second, &m), -EPERM);
		links.http_ports[0] = 5000;
		assert_int_equal(fw_set_links(second, &links), 0); /* as it is */
		links.http_ports[0] = 5001;
		assert_int_equal(fw_set_links(second, &links), -EPERM);
		assert_int_equal(fw_remove_mappings(second), -EPERM);
		assert_int_equal(fw_teardown(second), -EPERM);
		assert_false(fw_owned(second));
	}
	assert_int_equal(load(second).n, 1); /* reading is free */
	assert_int_equal(fw_counters(second, &counters), 0);
	after = output_of(LAB_RULESET);
	assert_string_equal(before, after);
	free(before);
	free(after);
	assert_int_equal(map_set(fw, &m), 0);
	fw_close(fw);
	*state = second;
	assert_int_equal(own(second, true), 0);
	assert_owned(second);
}

/* A kernel before 6.9: never OWNER alone, with which the tables would go with us. */
static void test_no_persist(void **state)
{
	struct fw *fw = *state;

	fw->has_persist = false;
	assert_int_equal(own(fw, true), 0);
	assert_false(fw_owned(fw));
	assert_false(shows(LAB_RULESET, "flags owner"));
	reopen(state);
	assert_true(shows(LAB_RULESET, "table inet igdward {"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, lab_open, lab_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_kept),
		TEST(test_repaired),
		TEST(test_replaced),
		TEST(test_other_structure),
		TEST(test_no_counters),
		TEST(test_owned),
		TEST(test_orphans),
		TEST(test_killed),
		TEST(test_contested),
		TEST(test_no_persist),
	};

	return cmocka_run_group_tests(tests, lab_netns, NULL);
}
