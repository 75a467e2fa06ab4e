#include "arguments.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* The name without its namespace prefix. libixml leaves the local name of an element
 * without any prefix empty, so it is of no use here. */
static const char *local_name(IXML_Node *node)
{
	const char *name = ixmlNode_getNodeName(node);
	const char *colon = name ? strrchr(name, ':') : NULL;

	if (!name)
		return "";
	return colon ? colon + 1 : name;
}

/* The text of a leaf element: one text node or nothing, and no other node, as a number
 * with a comment or a CDATA section in it is two numbers to two readers. */
static const char *leaf_text(IXML_Node *node)
{
	IXML_Node *child = ixmlNode_getFirstChild(node);
	const char *text;

	if (!child)
		return "";
	if (ixmlNode_getNextSibling(child) || ixmlNode_getNodeType(child) != eTEXT_NODE)
		return NULL;
	text = ixmlNode_getNodeValue(child);
	return text ? text : "";
}

const struct igd_argument *arguments_read(IXML_Node *action,
	const struct igd_argument *wanted, const char *ret[IGD_ARGUMENTS_MAX])
{
	memset(ret, 0, IGD_ARGUMENTS_MAX * sizeof(ret[0]));
	for (IXML_Node *node = ixmlNode_getFirstChild(action); node;
		node = ixmlNode_getNextSibling(node)) {
		if (ixmlNode_getNodeType(node) != eELEMENT_NODE)
			continue;
		for (size_t i = 0; wanted[i].name; i++) {
			if (strcmp(local_name(node), wanted[i].name) != 0)
				continue;
			if (ret[i])
				return &wanted[i];
			ret[i] = leaf_text(node);
			if (!ret[i])
				return &wanted[i];
		}
	}
	for (size_t i = 0; wanted[i].name; i++) {
		if (!ret[i])
			return &wanted[i];
	}
	return NULL;
}

int argument_protocol(const char *text, uint8_t *ret)
{
	if (strcmp(text, "TCP") == 0)
		*ret = IGW_TCP;
	else if (strcmp(text, "UDP") == 0)
		*ret = IGW_UDP;
	else
		return -EINVAL;
	return 0;
}

int argument_boolean(const char *text, bool *ret)
{
	static const char *const words[] = { "0", "1", "false", "true", "no", "yes" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(text, words[i]) == 0) {
			*ret = i % 2 == 1;
			return 0;
		}
	}
	return -EINVAL;
}

int argument_remote_host(const char *text, struct igw_addr *ret)
{
	struct igw_addr addr = { 0 };
	uint32_t v4;

	if (text[0] == '\0') {
		*ret = addr;
		return 0;
	}
	if (igw_addr_parse_v4(text, &addr) < 0)
		return -EINVAL;
	v4 = igw_addr_to_v4(&addr);
	/* 0/8, 127/8, and from 224.0.0.0 on: multicast, class E, broadcast */
	if (v4 >> 24 == 0 || v4 >> 24 == 127 || v4 >> 24 >= 224)
		return -EDOM;
	*ret = addr;
	return 0;
}
