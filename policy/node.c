#include "node.h"

#include "igdward/text.h"
#include "nearest.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct node node_root(const struct doc *doc)
{
	return (struct node){ .doc = doc, .value = doc->root };
}

struct node node_member(const struct node *parent, const char *key)
{
	return (struct node){ .doc = parent->doc,
		.parent = parent,
		.key = key,
		.value = json_object_get(parent->value, key) };
}

struct node node_element(const struct node *parent, size_t index)
{
	return (struct node){ .doc = parent->doc,
		.parent = parent,
		.index = index,
		.value = json_array_get(parent->value, index) };
}

/* Appends one step of a JSON pointer (RFC 6901 §3), or nothing when it does not fit. */
static size_t add_step(char pointer[POLICY_POINTER_MAX], size_t at, const char *key)
{
	char step[2 * NODE_STRING_MAX], clean[NODE_STRING_MAX];
	size_t n = 0;

	igw_text_clean(clean, sizeof(clean), key);
	for (const char *c = clean; *c; c++) {
		if (*c == '~' || *c == '/')
			step[n++] = '~';
		step[n++] = *c == '~' ? '0' : *c == '/' ? '1' : *c;
	}
	if (at + 1 + n >= POLICY_POINTER_MAX)
		return at;
	pointer[at] = '/';
	memcpy(pointer + at + 1, step, n);
	pointer[at + 1 + n] = '\0';
	return at + 1 + n;
}

static size_t write_pointer(const struct node *node, char pointer[POLICY_POINTER_MAX])
{
	char number[24];
	size_t at;

	if (!node->parent) {
		pointer[0] = '\0';
		return 0;
	}
	at = write_pointer(node->parent, pointer);
	if (node->key)
		return add_step(pointer, at, node->key);
	snprintf(number, sizeof(number), "%zu", node->index);
	return add_step(pointer, at, number);
}

static void set_message(struct policy_note *note, const char *format, va_list args)
{
	vsnprintf(note->message, sizeof(note->message), format, args);
	/* What comes from the JSON library quotes the file as it is. */
	for (char *c = note->message; *c; c++) {
		if (*c < ' ' || *c > '~')
			*c = '?';
	}
}

static void __attribute__((format(printf, 3, 0))) set_note(struct policy_note *note,
	const struct node *node, const char *format, va_list args)
{
	write_pointer(node, note->pointer);
	doc_place(node->doc, doc_find(node, false), note);
	set_message(note, format, args);
}

int node_fail(const struct node *node, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	set_note(&node->doc->report->error, node, format, args);
	va_end(args);
	return -EINVAL;
}

int node_fail_memory(const struct node *node)
{
	struct policy_note *error = &node->doc->report->error;

	*error = (struct policy_note){ 0 };
	snprintf(error->message, sizeof(error->message), "not enough memory");
	return -ENOMEM;
}

void node_warn(const struct node *node, const char *format, ...)
{
	struct policy_report *report = node->doc->report;
	va_list args;

	if (report->n_warnings++ >= POLICY_WARNINGS_MAX)
		return;
	va_start(args, format);
	set_note(&report->warnings[report->n_warnings - 1], node, format, args);
	va_end(args);
}

/* Says what a value is: "the string "x"", "the number 1.5", "an object". */
static void describe(const json_t *value, char *buf, size_t size)
{
	static const char *const words[] = { [JSON_OBJECT] = "an object",
		[JSON_ARRAY] = "a list",
		[JSON_TRUE] = "true",
		[JSON_FALSE] = "false",
		[JSON_NULL] = "null" };
	char quoted[NODE_STRING_MAX];

	if (json_is_string(value))
		snprintf(buf, size, "the string %s",
			igw_text_quote(quoted, sizeof(quoted), json_string_value(value)));
	else if (json_is_integer(value))
		snprintf(buf, size, "the number %" JSON_INTEGER_FORMAT,
			json_integer_value(value));
	else if (json_is_real(value))
		snprintf(buf, size, "the number %g (with a fraction or exponent)",
			json_real_value(value));
	else
		snprintf(buf, size, "%s", words[json_typeof(value)]);
}

int node_fail_found(const struct node *node, const char *format, ...)
{
	char found[2 * NODE_STRING_MAX], allowed[POLICY_MESSAGE_MAX];
	va_list args;

	describe(node->value, found, sizeof(found));
	va_start(args, format);
	vsnprintf(allowed, sizeof(allowed), format, args);
	va_end(args);
	return node_fail(node, "found %s; must be %s", found, allowed);
}

static int fail_key(
	const struct node *object, const char *key, const struct node_words *known)
{
	struct node node = node_member(object, key);
	struct policy_note *error = &object->doc->report->error;
	char quoted[NODE_STRING_MAX], list[POLICY_MESSAGE_MAX] = "";
	const char *near = nearest_word(key, known->words, known->n);
	size_t at = 0;

	igw_text_quote(quoted, sizeof(quoted), key);
	if (near) {
		node_fail(&node, "unknown key %s; did you mean \"%s\"?", quoted, near);
	} else {
		for (size_t i = 0; i < known->n && at < sizeof(list); i++)
			at += (size_t)snprintf(list + at, sizeof(list) - at, "%s%s",
				i ? ", " : "", known->words[i]);
		node_fail(&node, "unknown key %s; known here: %s", quoted, list);
	}
	doc_place(object->doc, doc_find(&node, true), error);
	return -EINVAL;
}

static bool is_known(const char *key, const struct node_words *known)
{
	for (size_t i = 0; i < known->n; i++) {
		if (strcmp(key, known->words[i]) == 0)
			return true;
	}
	return false;
}

int node_expect_object(const struct node *node, const struct node_words *known)
{
	void *it;

	if (!json_is_object(node->value))
		return node_fail_found(node, "an object");
	for (it = json_object_iter(node->value); it;
		it = json_object_iter_next(node->value, it)) {
		if (!is_known(json_object_iter_key(it), known))
			return fail_key(node, json_object_iter_key(it), known);
	}
	return 0;
}

int node_expect_list(const struct node *node, size_t max, size_t *ret)
{
	size_t n = json_array_size(node->value);

	if (!json_is_array(node->value))
		return node_fail_found(node, "a list");
	if (n == 0)
		return node_fail(
			node, "found an empty list; to leave it open, leave the key out");
	if (n > max)
		return node_fail(node, "found a list of %zu; at most %zu", n, max);
	*ret = n;
	return 0;
}

int node_read_u32(const struct node *node, uint32_t min, uint32_t max, uint32_t *ret)
{
	json_int_t n = json_integer_value(node->value);

	if (!node->value)
		return 0;
	if (!json_is_integer(node->value) || n < min || n > max)
		return node_fail_found(node, "a whole number from %u to %u", min, max);
	*ret = (uint32_t)n;
	return 0;
}

int node_read_bool(const struct node *node, bool *ret)
{
	if (!node->value)
		return 0;
	if (!json_is_boolean(node->value))
		return node_fail_found(node, "true or false");
	*ret = json_is_true(node->value);
	return 0;
}

static int fail_word(const struct node *node, const struct node_words *words)
{
	char list[POLICY_MESSAGE_MAX] = "";
	size_t at = 0;

	for (size_t i = 0; i < words->n && at < sizeof(list); i++)
		at += (size_t)snprintf(list + at, sizeof(list) - at, "%s\"%s\"",
			i ? " or " : "", words->words[i]);
	return node_fail_found(node, "%s", list);
}

int node_read_word(const struct node *node, const struct node_words *words, unsigned *ret)
{
	const char *text = json_string_value(node->value);

	if (!node->value)
		return 0;
	for (unsigned i = 0; text && i < words->n; i++) {
		if (strcmp(text, words->words[i]) == 0) {
			*ret = i;
			return 0;
		}
	}
	return fail_word(node, words);
}

int node_read_word_set(
	const struct node *node, const struct node_words *words, unsigned *ret)
{
	unsigned set = 0, word = 0;
	size_t n = 0;
	int r;

	if (!node->value)
		return 0;
	r = node_expect_list(node, words->n, &n);
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct node element = node_element(node, i);

		r = node_read_word(&element, words, &word);
		if (r == 0 && set & 1U << word)
			r = node_fail(&element, "found \"%s\" a second time",
				words->words[word]);
		set |= 1U << word;
	}
	if (r == 0)
		*ret = set;
	return r;
}

int node_read_text(const struct node *node, size_t max, const char **ret)
{
	const char *text = json_string_value(node->value);
	char clean[512];
	size_t len;

	if (!node->value)
		return 0;
	if (!text)
		return node_fail_found(node, "a string");
	len = strlen(text);
	igw_text_clean(clean, sizeof(clean), text);
	if (len > max || strcmp(text, clean) != 0 || strspn(text, " ") == len)
		return node_fail_found(node,
			"1 to %zu bytes of text, without control or invisible characters",
			max);
	*ret = text;
	return 0;
}

/* As dev_valid_name() of the kernel, and printable. */
static bool is_interface(const char *name)
{
	size_t len = strlen(name);

	for (const char *c = name; *c; c++) {
		if (*c <= ' ' || *c > '~' || *c == '/' || *c == ':')
			return false;
	}
	return len > 0 && len <= IGW_IFNAME_MAX && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0;
}

int node_read_interface(const struct node *node, char ret[IGW_IFNAME_MAX + 1])
{
	const char *name = json_string_value(node->value);

	if (!node->value)
		return 0;
	if (!name || !is_interface(name))
		return node_fail_found(node,
			"an interface name: 1 to %d printable characters without blank, "
			"slash or colon",
			IGW_IFNAME_MAX);
	return igw_text_copy(ret, IGW_IFNAME_MAX + 1, name);
}
