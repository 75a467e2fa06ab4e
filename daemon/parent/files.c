#include "files.h"

#include "igdward/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	CONTROL_BACKLOG = 8,
};

static int path_join(char *into, const char *dir, const char *name)
{
	int n = snprintf(into, FILES_PATH_MAX + 1, "%s/%s", dir, name);

	return n < 0 || n > FILES_PATH_MAX ? -ENAMETOOLONG : 0;
}

int files_find_places(struct places *ret)
{
	char prefix[FILES_PATH_MAX + 1];
	ssize_t n = readlink("/proc/self/exe", prefix, FILES_PATH_MAX);

	if (n < 0)
		return -errno;
	prefix[n] = '\0';
	/* PREFIX/sbin/igdwardd: two names off the end. */
	for (int i = 0; i < 2; i++) {
		char *slash = strrchr(prefix, '/');

		if (!slash)
			return -ENOENT;
		*slash = '\0';
	}
	if (path_join(ret->libexec, prefix, IGDWARD_LIBEXEC) < 0 ||
		path_join(ret->share, prefix, IGDWARD_SHARE) < 0)
		return -ENAMETOOLONG;
	if (strcmp(prefix, "/usr") == 0)
		return path_join(ret->etc, "/etc", "igdward");
	return path_join(ret->etc, prefix, "etc/igdward");
}

int files_memfd(const char *name, const char *text, size_t len)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t done = 0;
	int r;

	if (fd < 0)
		return -errno;
	while (done < len) {
		ssize_t n = write(fd, text + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			goto fail;
		done += (size_t)n;
	}
	if (fcntl(fd, F_ADD_SEALS,
		    F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		goto fail;
	return fd;
fail:
	r = -errno;
	close(fd);
	return r;
}

/* Copies what is read from one descriptor, up to `max` bytes, to the other. */
static int copy_all(int from, int to, size_t max)
{
	char buf[4096];
	size_t total = 0;

	for (;;) {
		ssize_t n = read(from, buf, sizeof(buf));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		total += (size_t)n;
		if (total > max)
			return -EFBIG;
		if (write(to, buf, (size_t)n) != n)
			return -EIO;
	}
}

static int check_file(int fd, const char *path, size_t max, char *error, size_t size)
{
	struct stat stat;

	if (fstat(fd, &stat) < 0) {
		snprintf(error, size, "%s: %s", path, strerror(errno));
		return -errno;
	}
	if (!S_ISREG(stat.st_mode)) {
		snprintf(error, size, "%s: not a regular file", path);
		return -EINVAL;
	}
	if ((uintmax_t)stat.st_size > max) {
		snprintf(error, size, "%s: larger than %zu bytes", path, max);
		return -EFBIG;
	}
	if ((stat.st_mode & S_IWOTH) != 0 ||
		(stat.st_uid != 0 && stat.st_uid != geteuid())) {
		snprintf(error, size,
			"%s: refused, as others than root can change it (chown root, chmod "
			"o-w)",
			path);
		return -EACCES;
	}
	return 0;
}

int files_read(const char *path, size_t max, char *error, size_t error_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int mem = -1, r;

	if (fd < 0) {
		r = -errno;
		snprintf(error, error_size, "%s: %s", path, strerror(-r));
		return r;
	}
	r = check_file(fd, path, max, error, error_size);
	if (r < 0)
		goto out;
	mem = memfd_create("igdward-file", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	r = mem < 0 ? -errno : copy_all(fd, mem, max);
	if (r == 0 &&
		fcntl(mem, F_ADD_SEALS,
			F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		r = -errno;
	if (r < 0)
		snprintf(error, error_size, "%s: %s", path, strerror(-r));
out:
	close(fd);
	if (r < 0 && mem >= 0)
		close(mem);
	return r < 0 ? r : mem;
}

int files_make_dir(const char *path)
{
	struct stat stat_is;

	if (mkdir(path, 0755) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	if (stat(path, &stat_is) < 0)
		return -errno;
	if (!S_ISDIR(stat_is.st_mode))
		return -ENOTDIR;
	/* Whoever can put a link there could have root follow it. */
	if ((stat_is.st_uid != 0 && stat_is.st_uid != geteuid()) ||
		(stat_is.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return -EACCES;
	return 0;
}

int files_lock(const char *run_dir)
{
	char path[FILES_PATH_MAX + 1];
	int fd;

	if (path_join(path, run_dir, "igdwardd.lock") < 0)
		return -ENAMETOOLONG;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	return fd;
}

int files_control_socket(const char *run_dir, gid_t gid)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	mode_t mask;
	int fd, r;

	r = snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/ctl.sock", run_dir);
	if (r < 0 || (size_t)r >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	/* The lock is ours, so a socket that is there was left by a dead daemon. */
	if (unlink(addr.sun_path) < 0 && errno != ENOENT)
		return -errno;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	mask = umask(0777);
	r = bind(fd, (struct sockaddr *)&addr, sizeof(addr));
	umask(mask);
	if (r < 0 || chown(addr.sun_path, 0, gid) < 0 || chmod(addr.sun_path, 0660) < 0 ||
		listen(fd, CONTROL_BACKLOG) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

/* 8-4-4-4-12 hexadecimal digits. */
static bool uuid_ok(const char *text)
{
	for (size_t i = 0; i < IGW_UUID_TEXT - 1; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (text[i] == '\0' || !strchr(dash ? "-" : "0123456789abcdef", text[i]))
			return false;
	}
	return text[IGW_UUID_TEXT - 1] == '\0';
}

static int uuid_read(const char *path, char ret[IGW_UUID_TEXT])
{
	char text[IGW_UUID_TEXT + 1] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text));
	close(fd);
	/* The line, with its end or without, and nothing behind it. */
	if (n == IGW_UUID_TEXT && text[n - 1] == '\n')
		text[--n] = '\0';
	if (n != IGW_UUID_TEXT - 1 || !uuid_ok(text))
		return -EINVAL;
	memcpy(ret, text, IGW_UUID_TEXT);
	return 0;
}

/* Written beside and renamed, so that a power cut leaves the old one or the new one. */
static int uuid_write(const char *path, const char uuid[IGW_UUID_TEXT])
{
	char tmp[FILES_PATH_MAX + 1];
	char line[IGW_UUID_TEXT + 1];
	int fd, r = 0;

	if (snprintf(tmp, sizeof(tmp), "%s.new", path) >= (int)sizeof(tmp))
		return -ENAMETOOLONG;
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	snprintf(line, sizeof(line), "%s\n", uuid);
	if (write(fd, line, IGW_UUID_TEXT) != IGW_UUID_TEXT || fsync(fd) < 0 ||
		rename(tmp, path) < 0)
		r = errno != 0 ? -errno : -EIO;
	close(fd);
	return r;
}

int files_uuid(const char *state_dir, char ret[IGW_UUID_TEXT])
{
	char path[FILES_PATH_MAX + 1];
	uint8_t b[16];

	if (path_join(path, state_dir, "uuid") < 0)
		return -ENAMETOOLONG;
	if (uuid_read(path, ret) == 0)
		return 0;
	if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
		return -EIO;
	/* RFC 9562 §5.4: version 4, variant 10. */
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	snprintf(ret, IGW_UUID_TEXT,
		"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11],
		b[12], b[13], b[14], b[15]);
	return uuid_write(path, ret);
}
