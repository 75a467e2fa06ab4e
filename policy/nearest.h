/* The known word a mistyped one was meant to be. For keys of files, and for the CLI. */
#ifndef IGDWARD_POLICY_NEAREST_H
#define IGDWARD_POLICY_NEAREST_H

#include <stddef.h>

/* Returns the nearest of `n` words by edit distance, or NULL when none is near. */
const char *nearest_word(const char *text, const char *const *words, size_t n);

#endif
