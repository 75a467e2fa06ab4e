/* An action's element from bytes: whatever is taken stands there once, as plain text and
 * in its one form. */
#include "arguments.h"

#include <sanitizer/lsan_interface.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct igd_argument wanted[] = {
	{ "NewRemoteHost", NULL },
	{ "NewProtocol", NULL },
	{ "NewEnabled", NULL },
	{ NULL, NULL },
};

static void check_values(const char *text)
{
	char shown[IGW_ADDR_TEXT];
	struct igw_addr addr = { 0 };
	uint8_t protocol = 0;
	bool value;
	uint32_t v4;

	if (argument_protocol(text, &protocol) < 0) {
		if (protocol != 0)
			abort();
	} else if (strcmp(text, protocol == IGW_TCP ? "TCP" : "UDP") != 0) {
		abort();
	}
	if (argument_boolean(text, &value) == 0 &&
		(strchr(value ? "1tTyY" : "0fFnN", text[0]) == NULL || strlen(text) > 5))
		abort();
	if (argument_remote_host(text, &addr) < 0) {
		if (!igw_addr_is_none(&addr))
			abort();
		return;
	}
	/* Only nothing at all means any host. */
	if (igw_addr_is_none(&addr) != (text[0] == '\0') ||
		strcmp(igw_addr_format(&addr, shown), text) != 0)
		abort();
	v4 = igw_addr_to_v4(&addr);
	if (text[0] != '\0' && (v4 >> 24 == 0 || v4 >> 24 == 127 || v4 >> 28 >= 0xe))
		abort();
}

/* How many children have this name, under any prefix, and what the last one holds. */
static unsigned count(IXML_Node *action, const char *name, IXML_Node **ret_inside)
{
	unsigned n = 0;

	for (IXML_Node *node = ixmlNode_getFirstChild(action); node;
		node = ixmlNode_getNextSibling(node)) {
		const char *full = ixmlNode_getNodeName(node);
		size_t len = strlen(full), tail = strlen(name);

		if (ixmlNode_getNodeType(node) != eELEMENT_NODE || len < tail ||
			strcmp(full + len - tail, name) != 0 ||
			(len > tail && full[len - tail - 1] != ':'))
			continue;
		*ret_inside = ixmlNode_getFirstChild(node);
		n++;
	}
	return n;
}

static void check_element(IXML_Node *action)
{
	const char *texts[IGD_ARGUMENTS_MAX];
	const struct igd_argument *bad = arguments_read(action, wanted, texts);

	if (bad) {
		if (bad < wanted || bad >= wanted + 3)
			abort();
		return;
	}
	for (size_t i = 0; wanted[i].name; i++) {
		IXML_Node *inside = NULL;

		if (count(action, wanted[i].name, &inside) != 1)
			abort();
		if (!inside && texts[i][0] != '\0')
			abort();
		if (inside &&
			(ixmlNode_getNextSibling(inside) ||
				ixmlNode_getNodeType(inside) != eTEXT_NODE ||
				strcmp(ixmlNode_getNodeValue(inside), texts[i]) != 0))
			abort();
		check_values(texts[i]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	IXML_Document *document = NULL;
	char *text = malloc(size + 1);
	int r;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	check_values(text);
	/* Our own memory is what is looked at here. */
	__lsan_disable();
	r = ixmlParseBufferEx(text, &document);
	__lsan_enable();
	if (r == IXML_SUCCESS)
		check_element(ixmlNode_getFirstChild((IXML_Node *)document));
	ixmlDocument_free(document);
	free(text);
	return 0;
}
