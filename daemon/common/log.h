/*
 * The daemon's log: lines on stderr, `<N>` priority prefix under systemd (JOURNAL_STREAM
 * is set), else time, program and level. A worker, whose words must pass the broker,
 * replaces the sink.
 *
 * Text from the network is never put into a line as it is: quote it (igw_text_quote).
 * The level and the sink are the only global state of the daemon's processes.
 */
#ifndef IGDWARD_COMMON_LOG_H
#define IGDWARD_COMMON_LOG_H

#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

/* A sink takes one finished line, without a newline. It must not call log functions. */
typedef void (*log_sink_fn)(enum log_level level, const char *line);

/* Sets the program's name as it stands in each line; a string that stays. */
void log_init(const char *program);

void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* Sends lines elsewhere; NULL = stderr again. */
void log_set_sink(log_sink_fn sink);

/* One line each, cut at 1,000 bytes; control characters in it become '?'. errno stays. */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_at(enum log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
