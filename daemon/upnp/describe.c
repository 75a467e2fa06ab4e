#include "describe.h"

#include "igdward/text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	UUID_DIGITS = 32,
	UUID_NODE_AT = 24, /* where the last field of a UUID's text begins */
	DESCRIPTION = -1,  /* instead of the index of a service */
};

static const char xml_head[] = "<?xml version=\"1.0\"?>\n";
static const char spec_version[] =
	"<specVersion><major>1</major><minor>0</minor></specVersion>\n";

static void put_escaped(FILE *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '&':
			fputs("&amp;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		case '\'':
			fputs("&apos;", out);
			break;
		default:
			fputc(*text, out);
		}
	}
}

static void put_element(FILE *out, const char *name, const char *text)
{
	fprintf(out, "<%s>", name);
	put_escaped(out, text);
	fprintf(out, "</%s>\n", name);
}

/* ---- device description ---------------------------------------------------- */

/* Clients of old read serviceType before the URLs; UDA 1.0 §2.1 has this order. */
static void put_service(
	FILE *out, const struct names *names, const struct igd_service *service)
{
	fprintf(out, "<service>\n<serviceType>%s:%u</serviceType>\n", service->type,
		service->version);
	put_element(out, "serviceId", service->id);
	fprintf(out,
		"<SCPDURL>/%s/%s.xml</SCPDURL>\n"
		"<controlURL>/%s/%s/control</controlURL>\n"
		"<eventSubURL>/%s/%s/event</eventSubURL>\n</service>\n",
		names->token, service->path, names->token, service->path, names->token,
		service->path);
}

static void put_services(FILE *out, const struct names *names, unsigned device)
{
	const struct igd_tree *tree = names->tree;
	bool any = false;

	for (size_t i = 0; i < tree->n_services; i++) {
		if (tree->services[i].device != device)
			continue;
		if (!any)
			fputs("<serviceList>\n", out);
		any = true;
		put_service(out, names, &tree->services[i]);
	}
	if (any)
		fputs("</serviceList>\n", out);
}

static void put_device_head(FILE *out, const struct names *names, unsigned i)
{
	const struct igd_device *device = &names->tree->devices[i];

	fprintf(out, "<device>\n<deviceType>%s:%u</deviceType>\n", device->type,
		device->version);
	fputs("<friendlyName>", out);
	put_escaped(out, device->label ? device->label : names->friendly_name);
	fputs("</friendlyName>\n", out);
	put_element(out, "manufacturer", "igdward");
	put_element(
		out, "modelDescription", "Internet gateway with filtered port mapping");
	put_element(out, "modelName", "igdward");
	put_element(out, "UDN", names->udn[i]);
}

/* Devices from `i` on that are children of `parent`, each with what it contains. The
 * depth is that of our own table. */
static void put_devices(FILE *out, const struct names *names, int parent)
{
	const struct igd_tree *tree = names->tree;
	bool any = false;

	for (unsigned i = 0; i < tree->n_devices; i++) {
		if (tree->devices[i].parent != parent)
			continue;
		if (!any && parent >= 0)
			fputs("<deviceList>\n", out);
		any = true;
		put_device_head(out, names, i);
		put_services(out, names, i);
		put_devices(out, names, (int)i);
		if (parent < 0)
			put_element(out, "presentationURL", names->presentation);
		fputs("</device>\n", out);
	}
	if (any && parent >= 0)
		fputs("</deviceList>\n", out);
}

static void put_description(FILE *out, const struct names *names)
{
	fprintf(out, "%s<root xmlns=\"urn:schemas-upnp-org:device-1-0\">\n%s", xml_head,
		spec_version);
	put_devices(out, names, -1);
	fputs("</root>\n", out);
}

/* ---- service descriptions -------------------------------------------------- */

static void put_arguments(FILE *out, const struct igd_action *action)
{
	const struct igd_argument *lists[] = { action->in, action->out };
	static const char *const ways[] = { "in", "out" };

	if (!action->in->name && !action->out->name)
		return;
	fputs("<argumentList>\n", out);
	for (size_t way = 0; way < 2; way++) {
		for (const struct igd_argument *a = lists[way]; a->name; a++)
			fprintf(out,
				"<argument><name>%s</name><direction>%s</direction>"
				"<relatedStateVariable>%s</relatedStateVariable>"
				"</argument>\n",
				a->name, ways[way], a->variable);
	}
	fputs("</argumentList>\n", out);
}

static void put_variable(FILE *out, const struct igd_variable *variable)
{
	static const char *const types[] = {
		[IGD_STRING] = "string",
		[IGD_BOOLEAN] = "boolean",
		[IGD_UI2] = "ui2",
		[IGD_UI4] = "ui4",
	};

	/* sendEvents is "yes" where it is missing. */
	fprintf(out, "<stateVariable sendEvents=\"%s\">\n",
		variable->value ? "yes" : "no");
	put_element(out, "name", variable->name);
	put_element(out, "dataType", types[variable->type]);
	if (variable->initial)
		put_element(out, "defaultValue", variable->initial);
	if (variable->allowed) {
		fputs("<allowedValueList>\n", out);
		for (const char *const *word = variable->allowed; *word; word++)
			put_element(out, "allowedValue", *word);
		fputs("</allowedValueList>\n", out);
	}
	if (variable->max > 0)
		fprintf(out,
			"<allowedValueRange><minimum>%" PRIu32 "</minimum>"
			"<maximum>%" PRIu32 "</maximum><step>1</step>"
			"</allowedValueRange>\n",
			variable->min, variable->max);
	fputs("</stateVariable>\n", out);
}

static void put_scpd(FILE *out, const struct igd_service *service)
{
	fprintf(out,
		"%s<scpd xmlns=\"urn:schemas-upnp-org:service-1-0\">\n%s<actionList>\n",
		xml_head, spec_version);
	for (const struct igd_action *a = service->actions; a->name; a++) {
		fprintf(out, "<action><name>%s</name>\n", a->name);
		put_arguments(out, a);
		fputs("</action>\n", out);
	}
	fputs("</actionList>\n<serviceStateTable>\n", out);
	for (const struct igd_variable *v = service->variables; v->name; v++)
		put_variable(out, v);
	fputs("</serviceStateTable>\n</scpd>\n", out);
}

/* ---- names and documents --------------------------------------------------- */

/* Checks the form 8-4-4-4-12 and gives the hexadecimal digits. */
static int uuid_digits(const char *uuid, char digits[UUID_DIGITS + 1])
{
	size_t n = 0;

	if (strlen(uuid) != IGW_UUID_TEXT - 1)
		return -EINVAL;
	for (size_t i = 0; uuid[i]; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? uuid[i] != '-' : !isxdigit((unsigned char)uuid[i]))
			return -EINVAL;
		if (!dash)
			digits[n++] = uuid[i];
	}
	digits[n] = '\0';
	return 0;
}

int names_make(
	const struct igd_tree *tree, const struct igw_link *link, struct names *ret)
{
	char digits[UUID_DIGITS + 1], addr[IGW_ADDR_TEXT];
	struct names names = { .tree = tree };
	uint64_t node;

	if (uuid_digits(link->uuid, digits) < 0)
		return -EINVAL;
	memcpy(names.token, digits, sizeof(names.token) - 1);
	node = strtoull(link->uuid + UUID_NODE_AT, NULL, 16);
	for (unsigned i = 0; i < tree->n_devices; i++)
		snprintf(names.udn[i], sizeof(names.udn[i]), "uuid:%.*s%012" PRIx64,
			UUID_NODE_AT, link->uuid, (node + i) & 0xffffffffffff);
	igw_text_clean(
		names.friendly_name, sizeof(names.friendly_name), link->friendly_name);
	if (names.friendly_name[0] == '\0')
		snprintf(names.friendly_name, sizeof(names.friendly_name), "igdward");
	/* The router's own page: Windows lists no gateway without one. */
	snprintf(names.presentation, sizeof(names.presentation), "http://%s/",
		igw_addr_format(&link->addr, addr));
	igd_default_connection(
		tree, names.udn[tree->connection_device], names.default_connection);
	*ret = names;
	return 0;
}

/* Makes one document; `service` is an index, or DESCRIPTION. */
static int document_make(const struct names *names, int service, struct document *ret)
{
	const char *file = "gateway";
	FILE *out = open_memstream(&ret->text, &ret->size);
	bool bad;

	if (!out)
		return -ENOMEM;
	if (service == DESCRIPTION) {
		put_description(out, names);
	} else {
		file = names->tree->services[service].path;
		put_scpd(out, &names->tree->services[service]);
	}
	bad = ferror(out) != 0;
	if (fclose(out) != 0 || bad)
		return -ENOMEM;
	snprintf(ret->path, sizeof(ret->path), "/%s/%s.xml", names->token, file);
	return 0;
}

int documents_make(const struct names *names, struct documents *ret)
{
	struct documents documents = { 0 };
	int r = 0;

	for (int i = DESCRIPTION; i < (int)names->tree->n_services && r == 0; i++)
		r = document_make(names, i, &documents.list[documents.n++]);
	if (r < 0) {
		documents_free(&documents);
		return r;
	}
	*ret = documents;
	return 0;
}

void documents_free(struct documents *documents)
{
	for (size_t i = 0; i < documents->n; i++)
		free(documents->list[i].text);
	memset(documents, 0, sizeof(*documents));
}

const struct document *documents_find(const struct documents *documents, const char *path)
{
	for (size_t i = 0; i < documents->n; i++) {
		if (strcmp(documents->list[i].path, path) == 0)
			return &documents->list[i];
	}
	return NULL;
}
