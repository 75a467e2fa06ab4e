/* A request as it came in: what the gate takes must read the same before and after
 * libupnp has printed and parsed it anew, and its body begin where libupnp finds it. */
#include "gate/request.h"

#include <sanitizer/lsan_interface.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <upnp/ixml.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_blank(const char *text)
{
	return text[strspn(text, " \t\r\n")] == '\0';
}

/* The text that stands alone in an element; NULL when there is none. */
static const char *text_of(IXML_Node *element)
{
	IXML_Node *first = ixmlNode_getFirstChild(element);

	for (IXML_Node *node = first; node; node = ixmlNode_getNextSibling(node)) {
		switch (ixmlNode_getNodeType(node)) {
		case eELEMENT_NODE:
		case eCOMMENT_NODE:
			break;
		case eTEXT_NODE:
			if (is_blank(ixmlNode_getNodeValue(node)))
				break;
			if (node != first || ixmlNode_getNextSibling(node))
				abort();
			return ixmlNode_getNodeValue(node);
		default:
			abort();
		}
	}
	return NULL;
}

static IXML_Node *element_from(IXML_Node *node)
{
	while (node && ixmlNode_getNodeType(node) != eELEMENT_NODE)
		node = ixmlNode_getNextSibling(node);
	return node;
}

static void compare(IXML_Node *a, IXML_Node *b)
{
	for (;;) {
		const char *text;

		a = element_from(a);
		b = element_from(b);
		if (!a && !b)
			return;
		if (!a || !b ||
			strcmp(ixmlNode_getNodeName(a), ixmlNode_getNodeName(b)) != 0)
			abort();
		text = text_of(a);
		if (text && (!text_of(b) || strcmp(text, text_of(b)) != 0))
			abort();
		if (!text && text_of(b))
			abort();
		compare(ixmlNode_getFirstChild(a), ixmlNode_getFirstChild(b));
		a = ixmlNode_getNextSibling(a);
		b = ixmlNode_getNextSibling(b);
	}
}

/* What libupnp does to the action's element on its way to us. */
static void check_body(const char *body)
{
	IXML_Document *document = NULL, *again = NULL;
	char *printed = NULL;
	int r;

	/* Our own memory is what is looked at here. */
	__lsan_disable();
	r = ixmlParseBufferEx(body, &document);
	__lsan_enable();
	if (r == IXML_SUCCESS)
		printed = ixmlPrintNode(
			element_from(ixmlNode_getFirstChild((IXML_Node *)document)));
	if (printed && ixmlParseBufferEx(printed, &again) == IXML_SUCCESS)
		compare(ixmlNode_getFirstChild((IXML_Node *)document),
			ixmlNode_getFirstChild((IXML_Node *)again));
	ixmlFreeDOMString(printed);
	ixmlDocument_free(document);
	ixmlDocument_free(again);
}

/* Reads the header as libupnp's scanner does: by tokens, of which quoted text is one.
 * Returns the body, or NULL when the header does not end. */
static const char *body_by_tokens(const char *text, size_t size)
{
	bool line_ended = false;

	for (size_t i = 0; i < size; i++) {
		if (text[i] == '\r' && i + 1 < size && text[i + 1] == '\n')
			i++;
		if (text[i] == '\n') {
			if (line_ended)
				return text + i + 1;
			line_ended = true;
			continue;
		}
		line_ended = false;
		if (text[i] != '"')
			continue;
		for (i++; i < size && text[i] != '"'; i++) {
			if (text[i] == '\\')
				i++;
		}
	}
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (request_body_is_plain(text, size))
		check_body(text);
	if (!request_find_trouble(text, size)) {
		const char *body = body_by_tokens(text, size);

		if (!body || !request_body_is_plain(body, size - (size_t)(body - text)))
			abort();
		check_body(body);
	}
	free(text);
	return 0;
}
