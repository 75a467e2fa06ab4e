/* The files of the parent: what is read and what is refused, the UUID, lock and socket.
 * Needs root. */
#include "fakes_fds.h"
#include "files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/un.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum {
	NOBODY = 65534,
	MAX = 5000, /* more than is copied at once */
	SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE,
};

static char dir[64];
static char path[128];
static char error[200];
static unsigned opened;

static int setup(void **state)
{
	(void)state;
	opened = fds_open();
	umask(022);
	strcpy(dir, "/tmp/igdward-test-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[200];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command) == 0 && fds_open() == opened ? 0 : -1;
}

static const char *place(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void make(const char *name, const char *text, size_t len)
{
	int fd = open(place(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	close(fd);
}

static void read_text(const char *name, char *ret, size_t size)
{
	int fd = open(place(name), O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, ret, size - 1);

	assert_true(fd >= 0 && n >= 0);
	ret[n] = '\0';
	close(fd);
}

static int read_file(const char *name)
{
	error[0] = '\0';
	return files_read(place(name), MAX, error, sizeof(error));
}

static void expect_memfd(int fd, const char *text, size_t len)
{
	char buf[MAX + 1];

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, buf, sizeof(buf), 0), len);
	assert_memory_equal(buf, text, len);
	assert_int_equal(fcntl(fd, F_GET_SEALS), SEALS);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	/* Whoever gets it cannot change it for the others. */
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(ftruncate(fd, (off_t)len + 1), -1);
	assert_int_equal(ftruncate(fd, 0), len > 0 ? -1 : 0);
	close(fd);
}

static void test_read(void **state)
{
	char text[MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i % 26);
	for (size_t i = 0; i < 4; i++) {
		static const size_t lens[] = { 0, 1, 4096, MAX };

		make("file", text, lens[i]);
		expect_memfd(read_file("file"), text, lens[i]);
		assert_string_equal(error, "");
	}
	assert_int_equal(symlink("file", place("link")), 0);
	expect_memfd(read_file("link"), text, MAX);
	/* The admin's own, when igdwardd is tried as somebody else. */
	assert_int_equal(chown(place("file"), NOBODY, NOBODY), 0);
	assert_int_equal(chmod(dir, 0755), 0);
	assert_int_equal(seteuid(NOBODY), 0);
	expect_memfd(read_file("file"), text, MAX);
	assert_int_equal(seteuid(0), 0);
}

static void expect_unread(const char *name, int expected, const char *text)
{
	assert_int_equal(read_file(name), expected);
	assert_non_null(strstr(error, place(name)));
	if (!strstr(error, text))
		fail_msg("%s", error);
}

static void test_not_read(void **state)
{
	char text[MAX + 1] = { 0 };

	(void)state;
	expect_unread("missing", -ENOENT, "No such file");
	expect_unread("", -EINVAL, "not a regular file");
	assert_int_equal(mkfifo(place("fifo"), 0644), 0);
	expect_unread("fifo", -EINVAL, "not a regular file");
	assert_int_equal(symlink("/dev/zero", place("zero")), 0);
	expect_unread("zero", -EINVAL, "not a regular file");
	make("big", text, MAX + 1);
	expect_unread("big", -EFBIG, "5000");
	make("world", "x", 1);
	assert_int_equal(chmod(path, 0646), 0);
	expect_unread("world", -EACCES, "chmod");
	assert_int_equal(chmod(path, 0664), 0);
	expect_memfd(read_file("world"), "x", 1);
	assert_int_equal(chown(place("world"), NOBODY, 0), 0);
	expect_unread("world", -EACCES, "chown");
	/* Larger than it says: as files in /proc are. */
	assert_int_equal(symlink("/proc/kallsyms", place("proc")), 0);
	expect_unread("proc", -EFBIG, "large");
	/* A sentence that does not fit is cut, and no more. */
	assert_int_equal(files_read(place("missing"), MAX, error, 5), -ENOENT);
	assert_int_equal(strlen(error), 4);
}

static void test_memfd(void **state)
{
	(void)state;
	expect_memfd(files_memfd("name", "text", 4), "text", 4);
	expect_memfd(files_memfd("name", "", 0), "", 0);
}

static void test_make_dir(void **state)
{
	struct stat stat_is;

	(void)state;
	assert_int_equal(files_make_dir(place("new")), 0);
	assert_int_equal(stat(path, &stat_is), 0);
	assert_int_equal(stat_is.st_mode & 07777, 0755);
	assert_int_equal(files_make_dir(path), 0);
	assert_int_equal(files_make_dir(place("no/new")), -ENOENT);
	make("file", "", 0);
	assert_int_equal(files_make_dir(place("file")), -ENOTDIR);
	assert_int_equal(symlink("new", place("link")), 0);
	assert_int_equal(files_make_dir(place("link")), 0);
	assert_int_equal(symlink("nowhere", place("broken")), 0);
	assert_int_equal(files_make_dir(place("broken")), -ENOENT);
}

static void test_lock(void **state)
{
	struct stat stat_is;
	int fd = files_lock(dir);

	(void)state;
	assert_true(fd >= 0);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	assert_int_equal(stat(place("igdwardd.lock"), &stat_is), 0);
	assert_int_equal(stat_is.st_mode & 07777, 0600);
	assert_int_equal(files_lock(dir), -EWOULDBLOCK);
	assert_int_equal(files_lock(dir), -EWOULDBLOCK);
	close(fd);
	fd = files_lock(dir);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(files_lock(place("missing")), -ENOENT);
	assert_int_equal(unlink(place("igdwardd.lock")), 0);
	assert_int_equal(symlink("elsewhere", place("igdwardd.lock")), 0);
	assert_int_equal(files_lock(dir), -ELOOP);
}

static int dial(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int r;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/ctl.sock", dir);
	r = connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;
	close(fd);
	return r;
}

static void test_control_socket(void **state)
{
	struct stat stat_is;
	int fd = files_control_socket(dir, 1234);

	(void)state;
	assert_true(fd >= 0);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	assert_int_equal(stat(place("ctl.sock"), &stat_is), 0);
	assert_true(S_ISSOCK(stat_is.st_mode));
	assert_int_equal(stat_is.st_mode & 07777, 0660);
	assert_int_equal(stat_is.st_uid, 0);
	assert_int_equal(stat_is.st_gid, 1234);
	assert_int_equal(umask(022), 022);
	assert_int_equal(dial(), 0);
	assert_int_equal(chmod(dir, 0755), 0);
	assert_int_equal(seteuid(NOBODY), 0);
	assert_int_equal(dial(), -EACCES);
	assert_int_equal(seteuid(0), 0);
	/* A dead daemon's is replaced. */
	close(fd);
	assert_int_equal(dial(), -ECONNREFUSED);
	fd = files_control_socket(dir, 0);
	assert_true(fd >= 0);
	assert_int_equal(dial(), 0);
	close(fd);
}

static void test_control_socket_fails(void **state)
{
	char longer[120];

	(void)state;
	assert_int_equal(files_control_socket(place("missing"), 0), -ENOENT);
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(files_control_socket(longer, 0), -ENAMETOOLONG);
	assert_int_equal(mkdir(place("ctl.sock"), 0700), 0);
	assert_true(files_control_socket(dir, 0) < 0);
	assert_int_equal(umask(022), 022);
}

static void expect_uuid(const char *uuid)
{
	static const char form[] = "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx";

	assert_int_equal(strlen(uuid), IGW_UUID_TEXT - 1);
	for (size_t i = 0; form[i]; i++) {
		const char *allowed = form[i] == 'x'   ? "0123456789abcdef"
				      : form[i] == 'y' ? "89ab"
						       : (char[]){ form[i], '\0' };

		assert_non_null(strchr(allowed, uuid[i]));
	}
}

static void test_uuid(void **state)
{
	char first[IGW_UUID_TEXT], again[IGW_UUID_TEXT], file[100];
	struct stat stat_is;

	(void)state;
	assert_int_equal(files_uuid(dir, first), 0);
	expect_uuid(first);
	read_text("uuid", file, sizeof(file));
	assert_int_equal(strlen(file), IGW_UUID_TEXT);
	assert_memory_equal(file, first, IGW_UUID_TEXT - 1);
	assert_int_equal(file[IGW_UUID_TEXT - 1], '\n');
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(files_uuid(dir, again), 0);
		assert_string_equal(again, first);
	}
	assert_int_equal(stat(place("uuid"), &stat_is), 0);
	assert_int_equal(stat_is.st_mode & 0022, 0);
	assert_int_equal(stat(place("uuid.new"), &stat_is), -1);
	/* Without the line's end it is the same. */
	make("uuid", first, IGW_UUID_TEXT - 1);
	assert_int_equal(files_uuid(dir, again), 0);
	assert_string_equal(again, first);
	/* Another device has another. */
	assert_int_equal(unlink(place("uuid")), 0);
	assert_int_equal(files_uuid(dir, again), 0);
	assert_string_not_equal(again, first);
}

static void test_damaged_uuid(void **state)
{
	static const char *const damaged[] = { "", "\n", "0",
		"01234567-0123-4123-8123-0123456789a\n",
		"01234567-0123-4123-8123-0123456789aB\n",
		"01234567-0123-4123-8123-0123456789az\n",
		"01234567-0123-4123-8123-0123456789ab0\n",
		"01234567-0123-4123-8123-0123456789ab \n",
		"01234567-0123-4123-8123-0123456789ab\n\n",
		"012345670123-4123-8123-0123-456789ab\n",
		"------------------------------------\n",
		"0123456789abcdef0123456789abcdef0123\n",
		" 01234567-0123-4123-8123-0123456789ab\n" };
	char uuid[IGW_UUID_TEXT], again[IGW_UUID_TEXT];

	(void)state;
	for (size_t i = 0; i < COUNT(damaged); i++) {
		make("uuid", damaged[i], strlen(damaged[i]));
		assert_int_equal(files_uuid(dir, uuid), 0);
		expect_uuid(uuid);
		if (strncmp(uuid, damaged[i], IGW_UUID_TEXT - 1) == 0)
			fail_msg("taken: \"%s\"", damaged[i]);
		assert_int_equal(files_uuid(dir, again), 0);
		assert_string_equal(again, uuid);
	}
	/* 36 zero bytes, as a power cut leaves them. */
	make("uuid", (const char[IGW_UUID_TEXT]){ 0 }, IGW_UUID_TEXT);
	assert_int_equal(files_uuid(dir, uuid), 0);
	expect_uuid(uuid);
}

static void test_uuid_fails(void **state)
{
	char uuid[IGW_UUID_TEXT], text[10];

	(void)state;
	assert_int_equal(files_uuid(place("missing"), uuid), -ENOENT);
	/* Nobody's link leads the parent to another file. */
	make("other", "other", 5);
	assert_int_equal(symlink("other", place("uuid.new")), 0);
	assert_int_equal(files_uuid(dir, uuid), -ELOOP);
	assert_int_equal(unlink(place("uuid.new")), 0);
	assert_int_equal(symlink("other", place("uuid")), 0);
	assert_int_equal(files_uuid(dir, uuid), 0);
	read_text("other", text, sizeof(text));
	assert_string_equal(text, "other");
	assert_int_equal(unlink(place("uuid")), 0);
	assert_int_equal(mkdir(place("uuid"), 0700), 0);
	assert_int_equal(files_uuid(dir, uuid), -EISDIR);
}

static void test_places(void **state)
{
	char exe[FILES_PATH_MAX + 1], expected[2 * FILES_PATH_MAX];
	struct places places;
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	(void)state;
	assert_true(n > 0);
	exe[n] = '\0';
	*strrchr(exe, '/') = '\0';
	*strrchr(exe, '/') = '\0';
	assert_int_equal(files_find_places(&places), 0);
	snprintf(expected, sizeof(expected), "%s/libexec/igdward", exe);
	assert_string_equal(places.libexec, expected);
	snprintf(expected, sizeof(expected), "%s/share/igdward", exe);
	assert_string_equal(places.share, expected);
	snprintf(expected, sizeof(expected), "%s/etc/igdward", exe);
	assert_string_equal(places.etc, expected);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_read),
		TEST(test_not_read),
		TEST(test_memfd),
		TEST(test_make_dir),
		TEST(test_lock),
		TEST(test_control_socket),
		TEST(test_control_socket_fails),
		TEST(test_uuid),
		TEST(test_damaged_uuid),
		TEST(test_uuid_fails),
		TEST(test_places),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
