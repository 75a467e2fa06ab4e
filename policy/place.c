/* Where a value stands in a text that is known to be valid JSON: a JSON library knows
 * places of syntax errors only. */
#include "node.h"

#include <string.h>

static char peek(const struct doc *doc, size_t at)
{
	return at < doc->len ? doc->text[at] : '\0';
}

static size_t skip_blanks(const struct doc *doc, size_t at)
{
	while (at < doc->len && strchr(" \t\r\n", doc->text[at]))
		at++;
	return at;
}

/* From an opening quote to behind the closing one. */
static size_t skip_string(const struct doc *doc, size_t at)
{
	for (at++; at < doc->len && doc->text[at] != '"'; at++) {
		if (doc->text[at] == '\\')
			at++;
	}
	return at + 1;
}

static size_t skip_value(const struct doc *doc, size_t at)
{
	size_t depth = 0;
	char c;

	do {
		c = peek(doc, at);
		if (c == '"') {
			at = skip_string(doc, at);
			continue;
		}
		if (c == '{' || c == '[')
			depth++;
		if (c == '}' || c == ']')
			depth--;
		at++;
	} while (at < doc->len && (depth > 0 || !strchr(",]} \t\r\n", peek(doc, at))));
	return at;
}

/* True when the string token at `at` spells `key`, escapes and all. */
static bool is_key(const struct doc *doc, size_t at, const char *key)
{
	size_t len = skip_string(doc, at) - at;
	const char *token = doc->text + at;
	json_t *name;
	bool same;

	if (!memchr(token, '\\', len))
		return len == strlen(key) + 2 && memcmp(token + 1, key, len - 2) == 0;
	if (!doc_has_memory(len))
		return false;
	name = json_loadb(token, len, JSON_DECODE_ANY, NULL);
	same = name && strcmp(json_string_value(name), key) == 0;
	json_decref(name);
	return same;
}

/* Finds the node's key in the object that begins at `at`. */
static size_t find_key(const struct doc *doc, size_t at, const char *key)
{
	at = skip_blanks(doc, at + 1);
	while (peek(doc, at) == '"' && !is_key(doc, at, key)) {
		at = skip_blanks(doc, skip_string(doc, at)); /* the colon */
		at = skip_blanks(doc, at + 1);		     /* the value */
		at = skip_blanks(doc, skip_value(doc, at));  /* the comma */
		at = skip_blanks(doc, at + 1);
	}
	return at;
}

static size_t find_element(const struct doc *doc, size_t at, size_t index)
{
	at = skip_blanks(doc, at + 1);
	for (size_t i = 0; i < index; i++) {
		at = skip_blanks(doc, skip_value(doc, at)); /* the comma */
		at = skip_blanks(doc, at + 1);
	}
	return at;
}

void doc_place(const struct doc *doc, size_t offset, struct policy_note *ret)
{
	ret->line = 1;
	ret->column = 1;
	for (size_t i = 0; i < offset && i < doc->len; i++) {
		ret->column++;
		if (doc->text[i] == '\n') {
			ret->line++;
			ret->column = 1;
		}
	}
}

size_t doc_find(const struct node *node, bool at_key)
{
	const struct doc *doc = node->doc;
	size_t at;

	if (!node->parent)
		return skip_blanks(doc, 0);
	at = doc_find(node->parent, false);
	if (!node->key)
		return find_element(doc, at, node->index);
	at = find_key(doc, at, node->key);
	if (at_key)
		return at;
	at = skip_blanks(doc, skip_string(doc, at)); /* the colon */
	return skip_blanks(doc, at + 1);
}
