/* A broker that is not there, may not be asked, or has no time. */
#include "test_cli.h"

enum {
	SHORT_MS = 60, /* for a broker that never accepts */
};

static void run_at(const char *path, int timeout_ms, enum igw_exit code, const char *err)
{
	struct run run;

	run_init(&run, "/nowhere");
	run.cli.timeout_ms = timeout_ms;
	run_cli(&run, ARGS("status", "--socket", path));
	assert_string_equal(run.out, "");
	assert_non_null(strstr(run.err, err));
	assert_int_equal(run.code, code);
	run_free(&run);
}

static void test_not_running(void **state)
{
	struct fake fake;
	char below[128];

	(void)state;
	run_at("/tmp/igdward-no-such/ctl.sock", FAKE_TIMEOUT_MS, IGW_EXIT_NOT_RUNNING,
		"igdward: igdwardd is not running: there is no socket "
		"/tmp/igdward-no-such/ctl.sock\n");
	fake_listen(&fake, SOCK_SEQPACKET);
	snprintf(below, sizeof(below), "%s/below", fake.path);
	run_at(below, FAKE_TIMEOUT_MS, IGW_EXIT_NOT_RUNNING, "there is no socket");
	close(fake.listen_fd);
	run_at(fake.path, FAKE_TIMEOUT_MS, IGW_EXIT_NOT_RUNNING,
		"igdwardd is not running: nobody listens on");
	fake_unlink(&fake);
}

static void test_not_running_json(void **state)
{
	struct run run;

	(void)state;
	run_init(&run, "/nowhere");
	run_cli(&run, ARGS("--json", "list"));
	assert_string_equal(run.err, "");
	assert_string_equal(run.out,
		"{\"error\":{\"code\":\"not-running\",\"message\":\"igdwardd is not "
		"running: there is no socket /nowhere\",\"path\":\"\"}}\n");
	assert_int_equal(run.code, IGW_EXIT_NOT_RUNNING);
	run_free(&run);
}

static void test_no_permission(void **state)
{
	struct fake fake;
	bool root = geteuid() == 0;

	(void)state;
	fake_listen(&fake, SOCK_SEQPACKET);
	assert_int_equal(chmod(fake.path, root ? 0600 : 0), 0);
	if (root)
		assert_int_equal(seteuid(65534), 0);
	run_at(fake.path, FAKE_TIMEOUT_MS, IGW_EXIT_PERMISSION, "no permission to use");
	if (root)
		assert_int_equal(seteuid(0), 0);
	fake_unlink(&fake);
}

static void test_wrong_socket(void **state)
{
	char path[110];
	struct fake fake;

	(void)state;
	fake_listen(&fake, SOCK_STREAM);
	run_at(fake.path, FAKE_TIMEOUT_MS, IGW_EXIT_FAILED,
		"is not igdward's control socket\n");
	fake_unlink(&fake);
	memset(path, 'p', sizeof(path));
	path[108] = '\0';
	run_at(path, FAKE_TIMEOUT_MS, IGW_EXIT_USAGE, "at most 107 bytes");
	path[107] = '\0';
	run_at(path, FAKE_TIMEOUT_MS, IGW_EXIT_NOT_RUNNING, "there is no socket");
	run_at("", FAKE_TIMEOUT_MS, IGW_EXIT_NOT_RUNNING, "nobody listens");
}

/* Connections queue up and nobody accepts them. */
static void test_queue_full(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fds[4], r = 0;
	struct fake fake;

	(void)state;
	fake_listen(&fake, SOCK_SEQPACKET);
	memcpy(addr.sun_path, fake.path, sizeof(fake.path));
	for (size_t i = 0; i < COUNT(fds); i++) {
		fds[i] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
		r = connect(fds[i], (struct sockaddr *)&addr, sizeof(addr));
	}
	assert_int_equal(r, -1);
	run_at(fake.path, SHORT_MS, IGW_EXIT_FAILED, "igdwardd is too busy to answer\n");
	for (size_t i = 0; i < COUNT(fds); i++)
		close(fds[i]);
	fake_unlink(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_not_running),
		cmocka_unit_test(test_not_running_json),
		cmocka_unit_test(test_no_permission),
		cmocka_unit_test(test_wrong_socket),
		cmocka_unit_test(test_queue_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
