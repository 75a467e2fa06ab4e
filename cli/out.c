#include "out.h"

#include "igdward/text.h"

#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

enum {
	PIECE_MAX = 5, /* bytes of a UTF-8 character or of \xNN, with a NUL */
};

/*
 * The first character of `src` as it may be shown, in `piece`. Returns how many bytes of
 * `src` it stands for: a whole character, or one byte that had to be escaped.
 */
static size_t piece_take(const char *src, bool utf8, char piece[PIECE_MAX])
{
	unsigned char c = (unsigned char)src[0];
	size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	/* Room for just this character: what is kept of the text is it, or nothing. */
	igw_text_clean(piece, len + 1, src);
	if (strlen(piece) == len && (len == 1 || utf8))
		return len;
	snprintf(piece, PIECE_MAX, "\\x%02x", c);
	return 1;
}

/* Columns that a character takes; 0 for one that stacks on another or is not known. */
static size_t piece_width(const char *piece)
{
	mbstate_t state = { 0 };
	wchar_t wide;
	int width;

	if ((unsigned char)piece[0] < 0x80)
		return strlen(piece);
	if (mbrtowc(&wide, piece, strlen(piece), &state) > PIECE_MAX)
		return 0;
	width = wcwidth(wide);
	return width > 0 ? (size_t)width : 0;
}

const char *out_text(char *dst, size_t size, const char *src, size_t columns, bool utf8)
{
	static const char dots[] = "...";
	size_t at = 0, width = 0, cut = 0, taken, w;
	char piece[PIECE_MAX];

	for (; *src; src += taken) {
		taken = piece_take(src, utf8, piece);
		w = piece_width(piece);
		if (w == 0) {
			taken = piece_take(src, false, piece);
			w = piece_width(piece);
		}
		if (width + w > columns || at + strlen(piece) + sizeof(dots) > size) {
			memcpy(dst + cut, dots, sizeof(dots));
			return dst;
		}
		memcpy(dst + at, piece, strlen(piece));
		at += strlen(piece);
		width += w;
		if (width + strlen(dots) <= columns)
			cut = at;
	}
	dst[at] = '\0';
	return dst;
}

const char *out_time(int64_t wall_s, char buf[OUT_TIME_TEXT])
{
	time_t t = (time_t)wall_s;
	struct tm tm;

	buf[0] = '\0';
	if (wall_s <= 0 || t != wall_s || !gmtime_r(&t, &tm) || tm.tm_year > 9999 - 1900)
		return buf;
	if (strftime(buf, OUT_TIME_TEXT, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		buf[0] = '\0';
	return buf;
}

const char *out_span(uint32_t span_s, char buf[OUT_SPAN_TEXT])
{
	static const struct {
		uint32_t s;
		char letter;
	} units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
	size_t i = 0;
	uint32_t rest;

	while (i < 3 && span_s < units[i].s)
		i++;
	rest = i < 3 ? span_s % units[i].s / units[i + 1].s : 0;
	if (rest == 0)
		snprintf(
			buf, OUT_SPAN_TEXT, "%u%c", span_s / units[i].s, units[i].letter);
	else
		snprintf(buf, OUT_SPAN_TEXT, "%u%c %u%c", span_s / units[i].s,
			units[i].letter, rest, units[i + 1].letter);
	return buf;
}

const char *out_colour_on(const struct cli *cli, enum out_colour colour)
{
	static const char *const sequences[] = {
		[OUT_BOLD] = "\x1b[1m",
		[OUT_RED] = "\x1b[31m",
		[OUT_GREEN] = "\x1b[32m",
		[OUT_YELLOW] = "\x1b[33m",
	};

	return cli->colour ? sequences[colour] : "";
}

const char *out_colour_off(const struct cli *cli)
{
	return cli->colour ? "\x1b[0m" : "";
}

void out_field(struct cli *cli, const char *label, const char *format, ...)
{
	char raw[OUT_LINE_MAX], safe[OUT_LINE_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(raw, sizeof(raw), format, args);
	va_end(args);
	fprintf(cli->out, "%-*s%s\n", OUT_LABEL_WIDTH, label,
		out_text(safe, sizeof(safe), raw, SIZE_MAX, cli->utf8));
}

json_t *out_json_text(const char *text)
{
	char safe[OUT_LINE_MAX], piece[PIECE_MAX];
	size_t at = 0, taken;

	for (; *text && at + PIECE_MAX < sizeof(safe); text += taken) {
		taken = piece_take(text, true, piece);
		memcpy(safe + at, piece, strlen(piece));
		at += strlen(piece);
	}
	return json_stringn(safe, at);
}

json_t *out_json_addr(const struct igw_addr *addr)
{
	char buf[IGW_ADDR_TEXT];

	return json_string(igw_addr_format(addr, buf));
}

json_t *out_json_time(int64_t wall_s)
{
	char buf[OUT_TIME_TEXT];

	return json_string(out_time(wall_s, buf));
}

/* Prints the document and frees it. ASCII only: no terminal, whatever its character set,
 * finds a control sequence in it. */
static enum igw_exit print_json(struct cli *cli, json_t *document, enum igw_exit code)
{
	if (!document ||
		json_dumpf(document, cli->out, JSON_COMPACT | JSON_ENSURE_ASCII) < 0) {
		fputs("igdward: out of memory\n", cli->err);
		code = IGW_EXIT_FAILED;
	}
	json_decref(document);
	fputc('\n', cli->out);
	return code;
}

enum igw_exit out_data(struct cli *cli, json_t *data, enum igw_exit code)
{
	return print_json(cli, json_pack("{s:i,s:o}", "schema", 1, "data", data), code);
}

static const char *exit_word(enum igw_exit code)
{
	switch (code) {
	case IGW_EXIT_OK:
		return "ok";
	case IGW_EXIT_FAILED:
		return "failed";
	case IGW_EXIT_USAGE:
		return "usage";
	case IGW_EXIT_NOT_RUNNING:
		return "not-running";
	case IGW_EXIT_PERMISSION:
		return "no-permission";
	case IGW_EXIT_NOT_FOUND:
		return "not-found";
	case IGW_EXIT_INVALID:
		return "invalid";
	case IGW_EXIT_DEGRADED:
		return "degraded";
	}
	return "?";
}

enum igw_exit out_json_error(struct cli *cli, enum igw_exit code, const char *message,
	const char *path, json_t *more)
{
	json_t *error = json_pack("{s:s,s:o,s:o}", "code", exit_word(code), "message",
		out_json_text(message), "path", out_json_text(path));

	if (error && more)
		json_object_update(error, more);
	json_decref(more);
	return print_json(cli, json_pack("{s:o}", "error", error), code);
}

enum igw_exit out_error(struct cli *cli, enum igw_exit code, const char *format, ...)
{
	char raw[OUT_LINE_MAX], safe[OUT_LINE_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(raw, sizeof(raw), format, args);
	va_end(args);
	if (cli->json)
		return out_json_error(cli, code, raw, "", NULL);
	fprintf(cli->err, "igdward: %s\n",
		out_text(safe, sizeof(safe), raw, SIZE_MAX, cli->utf8));
	return code;
}
