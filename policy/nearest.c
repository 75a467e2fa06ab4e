#include "nearest.h"

#include <string.h>

enum {
	WORD_MAX = 32, /* our longest key has 19 bytes; longer text is near to none */
};

static size_t least(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Levenshtein distance; both texts at most WORD_MAX bytes. */
static size_t distance(const char *a, const char *b)
{
	size_t row[WORD_MAX + 1], len = strlen(b), corner, above;

	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		corner = row[0];
		row[0] = i + 1;
		for (size_t j = 0; j < len; j++) {
			above = row[j + 1];
			row[j + 1] =
				least(above + 1, row[j] + 1, corner + (a[i] != b[j]));
			corner = above;
		}
	}
	return row[len];
}

const char *nearest_word(const char *text, const char *const *words, size_t n)
{
	const char *best = NULL;
	size_t least_far = WORD_MAX, len = strlen(text), longer, far;

	if (len > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		far = distance(text, words[i]);
		longer = strlen(words[i]) > len ? strlen(words[i]) : len;
		/* With more than half of it wrong it is another word. */
		if (far < least_far && far <= longer / 2) {
			least_far = far;
			best = words[i];
		}
	}
	return best;
}
