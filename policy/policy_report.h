/*
 * What a reader of JSON has to say about a file: one error at most, and warnings, each
 * with its place. Shared by policy and config.
 */
#ifndef IGDWARD_POLICY_REPORT_H
#define IGDWARD_POLICY_REPORT_H

#include <stddef.h>

enum {
	POLICY_POINTER_MAX = 128,
	POLICY_MESSAGE_MAX = 320,
	POLICY_WARNINGS_MAX = 8,
	POLICY_REPORT_TEXT = 512, /* a note formatted with its file name, NUL included */
};

struct policy_note {
	unsigned line;			  /* from 1; 0 = no place known */
	unsigned column;		  /* from 1, in bytes */
	char pointer[POLICY_POINTER_MAX]; /* JSON pointer (RFC 6901), "" = whole file */
	char message[POLICY_MESSAGE_MAX]; /* what was found, and what is allowed */
};

struct policy_report {
	struct policy_note error; /* message "" = none */
	struct policy_note warnings[POLICY_WARNINGS_MAX];
	size_t n_warnings; /* may be larger than the array: the rest was not kept */
};

/* Formats "FILE:LINE:COLUMN: POINTER: MESSAGE" (parts not known are left out) into `buf`
 * of POLICY_REPORT_TEXT bytes, cut if need be. Returns `buf`. */
const char *policy_note_format(
	const struct policy_note *note, const char *file, char *buf, size_t size);

#endif
