/*
 * The files that the parent handles for its children, which open none themselves: config
 * and policy, handed on as memfds; the device's UUID; run folder, lock and control
 * socket.
 */
#ifndef IGDWARD_PARENT_FILES_H
#define IGDWARD_PARENT_FILES_H

#include "igdward/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum {
	FILES_PATH_MAX = 511,
};

/* Where the daemon is installed, found from its own program file. */
struct places {
	char libexec[FILES_PATH_MAX + 1]; /* PREFIX/libexec/igdward */
	char share[FILES_PATH_MAX + 1];	  /* PREFIX/share/igdward */
	char etc[FILES_PATH_MAX + 1]; /* /etc/igdward, or PREFIX/etc/igdward when PREFIX
					 is not /usr */
};

/* Returns 0 or -errno. */
int files_find_places(struct places *ret);

/*
 * Reads a file that belongs to the admin into a fresh memfd. Refuses, with a sentence in
 * `error`, what is not a regular file, larger than `max` bytes, writable by everybody, or
 * owned by neither root nor the caller. Returns the memfd or -errno.
 */
int files_read(const char *path, size_t max, char *error, size_t error_size);

/* A memfd that holds these bytes. Returns it or -errno. */
int files_memfd(const char *name, const char *text, size_t len);

/* Makes a folder if need be, mode 0755. Returns 0; -EACCES for one that others than root
 * can write to; or another -errno. */
int files_make_dir(const char *path);

/*
 * Takes the lock of the run folder for as long as the descriptor lives. Returns it,
 * -EWOULDBLOCK when another daemon has it, or another -errno.
 */
int files_lock(const char *run_dir);

/* Listens on RUN_DIR/ctl.sock for root and the group `gid`. Returns the socket or -errno.
 */
int files_control_socket(const char *run_dir, gid_t gid);

/* The UUID kept in STATE_DIR/uuid, made and written on first use. Returns 0 or -errno. */
int files_uuid(const char *state_dir, char ret[IGW_UUID_TEXT]);

#endif
