#undef _FORTIFY_SOURCE /* its inline recv() stands in the way of ours */
#include "request.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- the body -------------------------------------------------------------- */

enum tag {
	TAG_NONE,
	TAG_OPEN,
	TAG_CLOSE, /* an end tag, or an element that is empty */
};

struct scan {
	const char *at, *end;
	enum tag last;
	bool text;    /* since the last tag */
	bool comment; /* likewise */
};

static bool begins(const struct scan *scan, const char *with)
{
	size_t n = strlen(with);

	return (size_t)(scan->end - scan->at) >= n && memcmp(scan->at, with, n) == 0;
}

/* Moves behind the next `mark`; false when there is none. */
static bool skip_behind(struct scan *scan, const char *mark)
{
	size_t n = strlen(mark);
	const char *found = memmem(scan->at, (size_t)(scan->end - scan->at), mark, n);

	if (!found)
		return false;
	scan->at = found + n;
	return true;
}

/* A comment may stand between tags, and next to no text. */
static bool skip_comment(struct scan *scan)
{
	scan->comment = true;
	return !scan->text && skip_behind(scan, "-->");
}

/* Text must stand between the two tags of one element. */
static bool skip_tag(struct scan *scan)
{
	bool closes = begins(scan, "</");
	char quote = '\0';

	if (scan->text && (!closes || scan->last != TAG_OPEN))
		return false;
	for (scan->at++; scan->at < scan->end; scan->at++) {
		char c = *scan->at;

		/* libixml takes "<a b=''</a>" for two tags, and XML has no such thing. */
		if (c == '<')
			return false;
		if (quote != '\0')
			quote = c == quote ? '\0' : quote;
		else if (c == '"' || c == '\'')
			quote = c;
		else if (c == '>')
			break;
	}
	if (scan->at == scan->end)
		return false;
	scan->last = closes || scan->at[-1] == '/' ? TAG_CLOSE : TAG_OPEN;
	scan->text = false;
	scan->comment = false;
	scan->at++;
	return true;
}

static bool skip_markup(struct scan *scan)
{
	if (begins(scan, "<!--"))
		return skip_comment(scan);
	if (begins(scan, "<!") || begins(scan, "<?"))
		return false;
	return skip_tag(scan);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool request_body_is_plain(const char *body, size_t size)
{
	struct scan scan = { .at = body, .end = body + size };

	if (begins(&scan, "<?xml") && !skip_behind(&scan, "?>"))
		return false;
	while (scan.at < scan.end) {
		if (*scan.at == '<') {
			if (!skip_markup(&scan))
				return false;
			continue;
		}
		if (!is_blank(*scan.at)) {
			scan.text = true;
			if (scan.comment)
				return false;
		}
		scan.at++;
	}
	return !scan.text && scan.last == TAG_CLOSE;
}

/* ---- the whole request ----------------------------------------------------- */

/* The body as libupnp finds it, which takes a bare line feed for the end of a line; a
 * search for CR LF CR LF would go on into the body. NULL when there is none. */
static const char *find_body(const char *text, size_t size)
{
	const char *end = text + size;

	for (const char *at = text; (at = memchr(at, '\n', (size_t)(end - at)));) {
		at++;
		if (end - at >= 1 && at[0] == '\n')
			return at + 1;
		if (end - at >= 2 && at[0] == '\r' && at[1] == '\n')
			return at + 2;
	}
	return NULL;
}

/* To libupnp a blank line between quotes, which may hold escapes, ends no header: quotes
 * must close in their line, and hold no backslash. */
static bool quotes_close(const char *header, size_t size)
{
	bool quoted = false;

	for (size_t i = 0; i < size; i++) {
		if (header[i] == '"')
			quoted = !quoted;
		else if (quoted && (header[i] == '\\' || header[i] == '\n'))
			return false;
	}
	return !quoted;
}

/* A chunked body has lines of the coding in its text. */
static bool is_coded(const char *header, size_t size)
{
	static const char name[] = "transfer-encoding";
	size_t n = strlen(name);

	for (size_t i = 0; i + n <= size; i++) {
		if (strncasecmp(header + i, name, n) == 0)
			return true;
	}
	return false;
}

const char *request_find_trouble(const char *text, size_t size)
{
	const char *body = find_body(text, size);
	size_t n;

	if (!body)
		return "with no end of its header";
	n = (size_t)(body - text);
	if (!quotes_close(text, n))
		return "with unclosed quotes in its header";
	if (is_coded(text, n))
		return "with a Transfer-Encoding";
	if (!request_body_is_plain(body, size - n))
		return "with markup in its text";
	return NULL;
}

/* ---- what was received ----------------------------------------------------- */

/* The library receives and answers a request in one thread, and has one request for each
 * connection. State outside of any struct, as libc's recv() has no argument for one. */
static _Thread_local struct {
	uint64_t connection; /* the kernel's number of it, which is never used again */
	size_t size;
	bool too_long;
	char text[REQUEST_MAX];
} request;

static void keep(int fd, const char *text, size_t size)
{
	uint64_t connection = 0;
	socklen_t len = sizeof(connection);

	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &connection, &len) < 0 ||
		connection != request.connection) {
		request.connection = connection;
		request.size = 0;
		request.too_long = false;
	}
	if (size > sizeof(request.text) - request.size) {
		request.too_long = true;
		return;
	}
	memcpy(request.text + request.size, text, size);
	request.size += size;
}

const char *request_trouble(void)
{
	if (request.too_long)
		return "with too long a request";
	return request_find_trouble(request.text, request.size);
}

/* Stands before libc's for libupnp, be that static or shared. */
__attribute__((visibility("default"))) ssize_t recv(
	int fd, void *buf, size_t size, int flags)
{
	ssize_t n = syscall(SYS_recvfrom, fd, buf, size, flags, NULL, NULL);

	if (n > 0 && (flags & MSG_PEEK) == 0)
		keep(fd, buf, (size_t)n);
	return n;
}
