/*
 * Strict reading of a JSON document, with the place of everything that is wrong in it.
 *
 * Refused before a value is looked at: too long a text, a byte order mark, a NUL, nesting
 * deeper than DOC_DEPTH_MAX, duplicate keys, NaN, anything behind the document. A node is
 * a value together with the way to it, so that any reader can say where it stands: the
 * JSON library knows places of syntax errors only, so the text is walked again for the
 * one place that is asked for. No I/O. Internal to the policy library.
 */
#ifndef IGDWARD_POLICY_NODE_H
#define IGDWARD_POLICY_NODE_H

#include "igdward/types.h"
#include "policy_report.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	DOC_DEPTH_MAX = 8,    /* our deepest key is at 4; the library itself recurses */
	NODE_STRING_MAX = 64, /* bytes of a quoted value in a message */
};

struct doc {
	const char *text;
	size_t len;
	json_t *root;
	struct policy_report *report;
};

/* A value and its place. `parent` must live as long as the node. */
struct node {
	const struct doc *doc;
	const struct node *parent; /* NULL: the document's root */
	const char *key;	   /* NULL: element `index` of a list */
	size_t index;
	json_t *value; /* NULL: there is no such member */
};

/* Words for an enum: value i is words[i]. */
struct node_words {
	const char *const *words;
	size_t n;
};

/*
 * Reads `text`. Clears the report first. Returns 0, then doc_close() is due; or -EFBIG
 * (longer than `max`), -EINVAL or -ENOMEM with the error in the report.
 */
int doc_open(struct doc *doc, const char *text, size_t len, size_t max,
	struct policy_report *report);

void doc_close(struct doc *doc);

/*
 * True when there is memory enough for the JSON library's tree of a text of `len` bytes:
 * 32 for each, which "0," in a list comes near to. The memory is not touched, so asking
 * costs nothing. When memory runs out inside the library it may drop a character of a
 * value, abort, or write past its buffer (jansson issue 362): better not to begin.
 */
bool doc_has_memory(size_t len);

/* Line and column of an offset, both from 1. */
void doc_place(const struct doc *doc, size_t offset, struct policy_note *ret);

/* Returns the offset of the node's value in the text, or, with `at_key`, of its key. */
size_t doc_find(const struct node *node, bool at_key);

struct node node_root(const struct doc *doc);
struct node node_member(const struct node *parent, const char *key);
struct node node_element(const struct node *parent, size_t index);

/* Puts the error into the report, with the node's place. Returns -EINVAL. */
int node_fail(const struct node *node, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The same for want of memory, without a place in the text. Returns -ENOMEM. */
int node_fail_memory(const struct node *node);

/* "found the string "x"; must be ..." with what the node holds. Returns -EINVAL. */
int node_fail_found(const struct node *node, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Puts a warning into the report, with the node's place. */
void node_warn(const struct node *node, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Fails unless the node is an object whose every key is in `known`. */
int node_expect_object(const struct node *node, const struct node_words *known);

/* Fails unless the node is a list of 1 to `max` elements; sets *ret to their number. */
int node_expect_list(const struct node *node, size_t max, size_t *ret);

/*
 * Readers of one value. An absent one leaves *ret as it is and returns 0; a wrong one
 * fails and says what is allowed.
 */
int node_read_u32(const struct node *node, uint32_t min, uint32_t max, uint32_t *ret);
int node_read_bool(const struct node *node, bool *ret);
int node_read_word(
	const struct node *node, const struct node_words *words, unsigned *ret);

/* A list of words without repetition, as a set of bits. */
int node_read_word_set(
	const struct node *node, const struct node_words *words, unsigned *ret);

/* A string of 1 to `max` bytes, UTF-8 without characters that hide or break a line. *ret
 * lives as long as the document. */
int node_read_text(const struct node *node, size_t max, const char **ret);

/* A name the kernel takes for a network interface; `ret` is zeroed behind it. */
int node_read_interface(const struct node *node, char ret[IGW_IFNAME_MAX + 1]);

#endif
