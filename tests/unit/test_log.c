/* Log lines: what reaches the sink and stderr, and what never does. */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static unsigned lines;
static char last[4096];
static enum log_level last_level;

static void sink(enum log_level level, const char *line)
{
	lines++;
	last_level = level;
	snprintf(last, sizeof(last), "%s", line);
	errno = EXDEV;
}

static int setup(void **state)
{
	(void)state;
	lines = 0;
	last[0] = '\0';
	log_set_level(LOG_LEVEL_DEBUG);
	log_set_sink(sink);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	log_set_sink(NULL);
	log_set_level(LOG_LEVEL_INFO);
	return 0;
}

static void all(void)
{
	log_error("e%d", 1);
	log_warning("w%d", 2);
	log_info("i%d", 3);
	log_debug("d%d", 4);
}

static void test_levels(void **state)
{
	(void)state;
	for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
		log_set_level((enum log_level)level);
		assert_int_equal(log_get_level(), level);
		lines = 0;
		all();
		assert_int_equal(lines, level + 1);
		assert_int_equal(last_level, level);
	}
	assert_string_equal(last, "d4");
	log_at(LOG_LEVEL_WARNING, "%s", "at");
	assert_string_equal(last, "at");
	assert_int_equal(last_level, LOG_LEVEL_WARNING);
}

static void test_errno_stays(void **state)
{
	(void)state;
	errno = ENOTDIR;
	log_info("x");
	assert_int_equal(errno, ENOTDIR);
	log_set_level(LOG_LEVEL_ERROR);
	log_info("x");
	assert_int_equal(errno, ENOTDIR);
}

static void test_control_characters(void **state)
{
	char text[] = "a\nb\rc\td\x1b[2J\x7f\x01z\xc3\xa4";

	(void)state;
	log_info("%s", text);
	assert_string_equal(last, "a?b?c?d?[2J??z\xc3\xa4");
}

static void test_cut(void **state)
{
	char text[3000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_info("%s", text);
	assert_int_equal(strlen(last), 1000);
	log_info("%.1000s", text);
	assert_int_equal(strlen(last), 1000);
	log_info("%.999s", text);
	assert_int_equal(strlen(last), 999);
	log_info("%s", "");
	assert_string_equal(last, "");
}

/* What `write_lines` puts on stderr. */
static void capture(void (*write_lines)(void), char *ret, size_t size)
{
	int saved = dup(STDERR_FILENO), ends[2];
	ssize_t n;

	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
	write_lines();
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	close(ends[1]);
	n = read(ends[0], ret, size - 1);
	ret[n > 0 ? n : 0] = '\0';
	close(ends[0]);
}

static void longest(void)
{
	char text[3000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_error("%s", text);
}

static void test_stderr(void **state)
{
	char out[4096];

	(void)state;
	unsetenv("JOURNAL_STREAM");
	log_set_sink(NULL);
	log_init("program");
	capture(all, out, sizeof(out));
	/* 2026-11-01T00:00:00.000Z program error: e1 */
	assert_int_equal(out[4], '-');
	assert_int_equal(out[10], 'T');
	assert_int_equal(out[23], 'Z');
	assert_memory_equal(out + 24, " program error: e1\n", 19);
	assert_non_null(strstr(out, " program warning: w2\n"));
	assert_non_null(strstr(out, " program info: i3\n"));
	assert_non_null(strstr(out, " program debug: d4\n"));
	capture(longest, out, sizeof(out));
	assert_non_null(strstr(out, "program error: xxx"));
	assert_int_equal(out[strlen(out) - 1], '\n');
	assert_int_equal(strlen(strstr(out, "xxx")), 1001);
}

static void test_journal(void **state)
{
	char out[4096];

	(void)state;
	setenv("JOURNAL_STREAM", "8:1", 1);
	log_set_sink(NULL);
	log_init("program");
	capture(all, out, sizeof(out));
	assert_string_equal(
		out, "<3>program: e1\n<4>program: w2\n<6>program: i3\n<7>program: d4\n");
	unsetenv("JOURNAL_STREAM");
}

/* stderr may be gone; nobody is to notice. */
static void test_no_stderr(void **state)
{
	int saved = dup(STDERR_FILENO);

	(void)state;
	log_set_sink(NULL);
	close(STDERR_FILENO);
	errno = ENOTDIR;
	log_error("nobody reads this");
	assert_int_equal(errno, ENOTDIR);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_levels),
		TEST(test_errno_stays),
		TEST(test_control_characters),
		TEST(test_cut),
		TEST(test_stderr),
		TEST(test_journal),
		TEST(test_no_stderr),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
