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
 * True when the body of the request that the calling thread has received last reads the
 * same for everybody; see request_body_is_plain(). Also false when it was too long to be
 * kept or came in chunks.
 */
bool request_is_plain(void);

/*
 * True when elements hold either text or other elements and never both, text is not
 * mixed with comments, and there is neither a CDATA section, a declaration ("<!") nor a
 * processing instruction but the first "<?xml". Not a check of well-formedness, which is
 * the parser's. Pure; fuzzed.
 */
bool request_body_is_plain(const char *body, size_t size);

#endif
