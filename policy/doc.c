/* The checks that come before any value of a document is looked at. */
#include "node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* There is no tree yet, so a node without value stands for the whole text. */
static int fail_at(const struct doc *doc, size_t offset, const char *message)
{
	struct node whole = { .doc = doc };

	node_fail(&whole, "%s", message);
	doc_place(doc, offset, &doc->report->error);
	return -EINVAL;
}

_Static_assert(DOC_DEPTH_MAX == 8, "the message below names the number");

/* Bounds the nesting before the library, which recurses, sees the text. Brackets inside
 * strings do not count; of text that is no JSON it may count too much, never too little.
 */
static int check_depth(const struct doc *doc)
{
	size_t depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < doc->len; i++) {
		char c = doc->text[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == '{' || c == '['))
			depth++;
		else if (!quoted && (c == '}' || c == ']') && depth > 0)
			depth--;
		if (depth > DOC_DEPTH_MAX)
			return fail_at(doc, i, "nested too deeply; at most 8 levels");
	}
	return 0;
}

static int check_text(const struct doc *doc)
{
	const char *nul = memchr(doc->text, '\0', doc->len);

	if (nul)
		return fail_at(doc, (size_t)(nul - doc->text), "a NUL byte in the text");
	if (doc->len >= 3 && memcmp(doc->text, "\xef\xbb\xbf", 3) == 0)
		return fail_at(doc, 0, "a byte order mark; save the file without it");
	return check_depth(doc);
}

bool doc_has_memory(size_t len)
{
	/* Volatile, or the compiler may leave the pair of calls out. */
	void *volatile room = malloc(len * 32 + 65536);

	free(room);
	return room;
}

static int load(struct doc *doc)
{
	json_error_t error;
	struct node whole = { .doc = doc };

	if (!doc_has_memory(doc->len))
		return node_fail_memory(&whole);
	doc->root = json_loadb(doc->text, doc->len, JSON_REJECT_DUPLICATES, &error);
	if (doc->root)
		return 0;
	/* The library is not consistent in saying so; no text at all means the same. */
	if (json_error_code(&error) == json_error_out_of_memory || error.text[0] == '\0')
		return node_fail_memory(&whole);
	/* `position` counts the bytes read, so the last of them is the culprit. */
	return fail_at(
		doc, error.position > 0 ? (size_t)error.position - 1 : 0, error.text);
}

int doc_open(struct doc *doc, const char *text, size_t len, size_t max,
	struct policy_report *report)
{
	struct node whole = { .doc = doc };
	int r;

	/* An empty file may come without an address. */
	*doc = (struct doc){ .text = len > 0 ? text : "", .len = len, .report = report };
	*report = (struct policy_report){ 0 };
	if (len > max) {
		node_fail(&whole, "%zu bytes; at most %zu", len, max);
		return -EFBIG;
	}
	r = check_text(doc);
	return r < 0 ? r : load(doc);
}

void doc_close(struct doc *doc)
{
	json_decref(doc->root);
	doc->root = NULL;
}
