/*
 * What a piece of code, or a child it starts, writes to a standard descriptor.
 */
#ifndef IGDWARD_TEST_FAKES_CAPTURE_H
#define IGDWARD_TEST_FAKES_CAPTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

struct capture {
	int fd, saved, file;
	char text[8192];
};

static inline void capture_begin(struct capture *capture, int fd)
{
	fflush(NULL);
	capture->fd = fd;
	capture->saved = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	capture->file = memfd_create("capture", MFD_CLOEXEC);
	assert_true(capture->saved >= 0 && capture->file >= 0);
	assert_true(dup2(capture->file, fd) >= 0);
}

/* Ends it; returns the text. */
static inline const char *capture_end(struct capture *capture)
{
	ssize_t n;

	fflush(NULL);
	assert_true(dup2(capture->saved, capture->fd) >= 0);
	n = pread(capture->file, capture->text, sizeof(capture->text) - 1, 0);
	assert_true(n >= 0);
	capture->text[n] = '\0';
	close(capture->saved);
	close(capture->file);
	return capture->text;
}

#endif
