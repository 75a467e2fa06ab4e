#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	LOG_LINE_MAX = 1000,
};

static const char *log_program = "igdward";
static enum log_level log_level = LOG_LEVEL_INFO;
static log_sink_fn log_sink;

/* Level words, and the priorities of sd-daemon(3). */
static const struct {
	const char *word;
	int priority;
} log_levels[] = {
	[LOG_LEVEL_ERROR] = { "error", 3 },
	[LOG_LEVEL_WARNING] = { "warning", 4 },
	[LOG_LEVEL_INFO] = { "info", 6 },
	[LOG_LEVEL_DEBUG] = { "debug", 7 },
};

void log_init(const char *program)
{
	log_program = program;
}

void log_set_level(enum log_level level)
{
	log_level = level;
}

enum log_level log_get_level(void)
{
	return log_level;
}

void log_set_sink(log_sink_fn sink)
{
	log_sink = sink;
}

static void log_to_stderr(enum log_level level, const char *line)
{
	char out[LOG_LINE_MAX + 100];
	struct timespec now;
	struct tm tm;
	char stamp[32] = "";
	int n;

	if (getenv("JOURNAL_STREAM")) {
		n = snprintf(out, sizeof(out), "<%d>%s: %s\n", log_levels[level].priority,
			log_program, line);
	} else {
		clock_gettime(CLOCK_REALTIME, &now);
		if (gmtime_r(&now.tv_sec, &tm))
			strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
		n = snprintf(out, sizeof(out), "%s.%03ldZ %s %s: %s\n", stamp,
			now.tv_nsec / 1000000, log_program, log_levels[level].word, line);
	}
	/* One write per line, so that lines of several processes do not mix. */
	if (n >= (int)sizeof(out))
		n = sizeof(out) - 1;
	if (n > 0 && write(STDERR_FILENO, out, (size_t)n) < 0)
		return;
}

static void log_line(enum log_level level, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

static void log_line(enum log_level level, const char *format, va_list args)
{
	char line[LOG_LINE_MAX + 1];
	int saved = errno;

	if (level > log_level)
		return;
	vsnprintf(line, sizeof(line), format, args);
	for (char *c = line; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	}
	if (log_sink)
		log_sink(level, line);
	else
		log_to_stderr(level, line);
	errno = saved;
}

void log_at(enum log_level level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_line(level, format, args);
	va_end(args);
}

void log_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_line(LOG_LEVEL_ERROR, format, args);
	va_end(args);
}

void log_warning(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_line(LOG_LEVEL_WARNING, format, args);
	va_end(args);
}

void log_info(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_line(LOG_LEVEL_INFO, format, args);
	va_end(args);
}

void log_debug(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_line(LOG_LEVEL_DEBUG, format, args);
	va_end(args);
}
