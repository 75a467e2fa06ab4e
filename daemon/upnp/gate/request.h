/*
 * The gate: what a client really sent. A request is read more than once on its way to the
 * policy, and two readers that disagree are a way past a check. So what a thread of the
 * library receives is kept (recv() is defined here under the name of libc's) until its
 * callback asks whether it reads the same for everybody: plain elements and plain text.
 */
#ifndef IGDWARD_UPNP_GATE_REQUEST_H
#define IGDWARD_UPNP_GATE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

enum {
	REQUEST_MAX = 24 * 1024, /* header, and a body of SERVE_CONTENT_MAX */
};

/*
 * NULL when the request that the calling thread has received last reads the same for
 * everybody; else what it came with that does not, as words for the log ("with ...").
 * Also not NULL when it was too long to be kept.
 */
const char *request_trouble(void);

/*
 * The same for a request of `size` bytes. The header must end at one place for libupnp
 * and for us, the body have no transfer coding, and be as request_body_is_plain() wants
 * it. Pure; fuzzed.
 */
const char *request_find_trouble(const char *text, size_t size);

/*
 * True when elements hold either text or other elements and never both, text is not
 * mixed with comments, and there is neither a CDATA section, a declaration ("<!") nor a
 * processing instruction but the first "<?xml". Not a check of well-formedness, which is
 * the parser's. Pure; fuzzed.
 */
bool request_body_is_plain(const char *body, size_t size);

#endif
