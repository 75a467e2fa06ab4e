/*
 * What the CLI prints: JSON documents, errors, and text of others made safe for a
 * terminal. Every result goes to cli->out; errors go to cli->err, or with --json to
 * cli->out, so that a program finds one document there whatever happened.
 */
#ifndef IGDWARD_CLI_OUT_H
#define IGDWARD_CLI_OUT_H

#include "cli.h"

#include "igdward/addr.h"

#include <jansson.h>
#include <stdint.h>

enum {
	OUT_TIME_TEXT = 24,   /* bytes of a point in time as text, with its NUL */
	OUT_SPAN_TEXT = 24,   /* bytes of a span of time, likewise */
	OUT_LINE_MAX = 8192,  /* bytes of the longest text made safe, likewise */
	OUT_LABEL_WIDTH = 14, /* columns of the labels in front of fields */
};

enum out_colour { OUT_BOLD, OUT_RED, OUT_GREEN, OUT_YELLOW };

/*
 * Copies text that others chose into `dst`: what is not printable, is not valid UTF-8, or
 * reorders or hides what stands around it becomes \xNN; so does all but ASCII when `utf8`
 * is false. Cut with "..." where it needs more than `columns` (at least 3) or `size`.
 * Returns `dst`.
 */
const char *out_text(char *dst, size_t size, const char *src, size_t columns, bool utf8);

/* Writes "2026-01-31T23:59:59Z" (RFC 3339, UTC), "" for 0 and for times out of range. */
const char *out_time(int64_t wall_s, char buf[OUT_TIME_TEXT]);

/* Writes the two largest units of a span: "6d 23h", "59m 12s", "7d". */
const char *out_span(uint32_t span_s, char buf[OUT_SPAN_TEXT]);

/* The escape sequences that begin and end a colour; "" where the output has none. */
const char *out_colour_on(const struct cli *cli, enum out_colour colour);
const char *out_colour_off(const struct cli *cli);

/* Prints a line: a label, then the text made safe. */
void out_field(struct cli *cli, const char *label, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A text of others as a JSON string. NULL only for lack of memory; so are the next two.
 */
json_t *out_json_text(const char *text);
json_t *out_json_addr(const struct igw_addr *addr);
json_t *out_json_time(int64_t wall_s);

/* Prints {"schema":1,"data":…} and returns `code`. Takes over `data`; NULL, which jansson
 * returns when memory ends, is an error. */
enum igw_exit out_data(struct cli *cli, json_t *data, enum igw_exit code);

/* Prints an error and returns `code`. The message may hold text of others. */
enum igw_exit out_error(struct cli *cli, enum igw_exit code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Prints {"error":{code, message, path}} and returns `code`. `path` is a JSON pointer, ""
 * where no place in a file is at fault; `more` has further members and is taken over. */
enum igw_exit out_json_error(struct cli *cli, enum igw_exit code, const char *message,
	const char *path, json_t *more);

#endif
