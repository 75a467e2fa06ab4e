/*
 * Strict reading of numbers, and text from the network made harmless.
 *
 * Numbers are decimal digits and nothing else: no sign, blank, leading zero or trailing
 * text, because an attacker's "0445" or "65981" must never become 445 by conversion.
 */
#ifndef IGDWARD_TEXT_H
#define IGDWARD_TEXT_H

#include <stddef.h>
#include <stdint.h>

enum {
	IGW_DESCRIPTION_MAX = 64, /* bytes of a mapping's description we keep */
	IGW_QUOTE_MAX = 4,	  /* bytes one input byte can need when quoted: \xNN */
};

/*
 * Reads a decimal number between `min` and `max`. Returns 0, -EINVAL when the text is
 * not a number (also for NULL and ""), or -ERANGE when it is out of bounds, however many
 * digits it has. *ret is set only on 0.
 */
int igw_u32_parse(const char *text, uint32_t min, uint32_t max, uint32_t *ret);

/* The same for a port in host order. */
int igw_u16_parse(const char *text, uint16_t min, uint16_t max, uint16_t *ret);

/*
 * Copies `src` into `dst` (of `size` bytes, NUL included) up to the first byte that has
 * no place in a name shown to people: control characters, invalid UTF-8, and code points
 * that reorder, hide or break a line (bidirectional controls, zero-width characters, line
 * separators). Too long a text is cut between characters. Always ends with a NUL; the
 * rest of `dst` is zeroed so that it can travel in a message.
 */
void igw_text_clean(char *dst, size_t size, const char *src);

/*
 * Writes `src` between double quotes with everything but printable ASCII as \xNN, and
 * quote and backslash escaped, for a log line. `size` must be at least 3; what does not
 * fit is cut before the closing quote. Returns `dst`.
 */
const char *igw_text_quote(char *dst, size_t size, const char *src);

/*
 * Copies a NUL-terminated string into a fixed field and zeroes its rest. Returns 0, or
 * -ENAMETOOLONG with `dst` all zero when it does not fit.
 */
int igw_text_copy(char *dst, size_t size, const char *src);

#endif
