#include "igdward/text.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

int igw_u32_parse(const char *text, uint32_t min, uint32_t max, uint32_t *ret)
{
	bool big = false;
	uint64_t n = 0;

	if (!text || text[0] == '\0' || (text[0] == '0' && text[1] != '\0'))
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		n = n * 10 + (uint64_t)(*text - '0');
		/* Read on to the end: "99999999999x" is no number, rather than a big one.
		 */
		if (n > UINT32_MAX) {
			big = true;
			n = 0;
		}
	}
	if (big || n < min || n > max)
		return -ERANGE;
	*ret = (uint32_t)n;
	return 0;
}

int igw_u16_parse(const char *text, uint16_t min, uint16_t max, uint16_t *ret)
{
	uint32_t n;
	int r = igw_u32_parse(text, min, max, &n);

	if (r == 0)
		*ret = (uint16_t)n;
	return r;
}

/*
 * Decodes one UTF-8 character (RFC 3629: no overlong form, no surrogate, nothing above
 * U+10FFFF). Returns its length, 0 when it is invalid or the text ends.
 */
static size_t utf8_decode(const char *text, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0x01, 0x80, 0x800, 0x10000 };
	const unsigned char *s = (const unsigned char *)text;
	uint32_t c = s[0];
	size_t len;

	if (c < 0x80)
		len = 1;
	else if (c >= 0xc2 && c < 0xe0)
		len = 2;
	else if (c >= 0xe0 && c < 0xf0)
		len = 3;
	else if (c >= 0xf0 && c < 0xf5)
		len = 4;
	else
		return 0;
	if (len > 1)
		c &= 0x7fU >> len;
	/* A NUL is no continuation byte, so this never reads past the end. */
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[len] || (c >= 0xd800 && c < 0xe000) || c > 0x10ffff)
		return 0;
	*ret = c;
	return len;
}

/* Code points that control, reorder, hide or break a line, or that XML 1.0 forbids. */
static bool has_no_place(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{ 0x0000, 0x001f }, /* C0 */
		{ 0x007f, 0x009f }, /* DEL and C1 */
		{ 0x00ad, 0x00ad }, /* soft hyphen */
		{ 0x034f, 0x034f }, /* combining grapheme joiner */
		{ 0x061c, 0x061c }, /* Arabic letter mark */
		{ 0x115f, 0x1160 }, /* Hangul fillers */
		{ 0x17b4, 0x17b5 }, /* Khmer inherent vowels, invisible */
		{ 0x180b, 0x180f }, /* Mongolian selectors and vowel separator */
		{ 0x200b, 0x200f }, /* zero width; left-to-right, right-to-left mark */
		{ 0x2028, 0x202e }, /* line, paragraph separator; embeddings, overrides */
		{ 0x2060, 0x206f }, /* word joiner to deprecated format controls */
		{ 0x3164, 0x3164 }, /* Hangul filler */
		{ 0xfdd0, 0xfdef }, /* not characters */
		{ 0xfe00, 0xfe0f }, /* variation selectors */
		{ 0xfeff, 0xfeff }, /* zero width no-break space, byte order mark */
		{ 0xffa0, 0xffa0 }, /* halfwidth Hangul filler */
		{ 0xfff0, 0xfffb }, /* unassigned, invisible; interlinear annotation */
		{ 0x1d173, 0x1d17a }, /* musical format controls */
		{ 0xe0000, 0xe0fff }, /* tags and more variation selectors */
	};

	if ((c & 0xfffe) == 0xfffe)
		return true;
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	}
	return false;
}

void igw_text_clean(char *dst, size_t size, const char *src)
{
	size_t at = 0, n;
	uint32_t c = 0;

	for (; size > 0; at += n) {
		n = utf8_decode(src + at, &c);
		if (n == 0 || has_no_place(c) || n >= size - at)
			break;
		memcpy(dst + at, src + at, n);
	}
	memset(dst + at, 0, size - at);
}

/* Writes one byte of quoted text, at most IGW_QUOTE_MAX bytes. Returns how many. */
static size_t quote_byte(char out[IGW_QUOTE_MAX], unsigned char c)
{
	static const char hex[] = "0123456789abcdef";

	out[0] = '\\';
	out[1] = (char)c;
	if (c == '"' || c == '\\')
		return 2;
	out[0] = (char)c;
	if (c >= 0x20 && c < 0x7f)
		return 1;
	memcpy(out, "\\x", 2);
	out[2] = hex[c >> 4];
	out[3] = hex[c & 0xf];
	return IGW_QUOTE_MAX;
}

const char *igw_text_quote(char *dst, size_t size, const char *src)
{
	size_t at = 0, n;
	char out[IGW_QUOTE_MAX];

	dst[at++] = '"';
	for (; *src; src++) {
		n = quote_byte(out, (unsigned char)*src);
		if (n > size - at - 2)
			break;
		memcpy(dst + at, out, n);
		at += n;
	}
	dst[at++] = '"';
	dst[at] = '\0';
	return dst;
}

int igw_text_copy(char *dst, size_t size, const char *src)
{
	size_t n = strlen(src);

	memset(dst, 0, size);
	if (n >= size)
		return -ENAMETOOLONG;
	memcpy(dst, src, n);
	return 0;
}
