#include "ask.h"
#include "out.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	MAPPINGS_MAX = 65535,	/* as many as a policy's "total" can be */
	DESCRIPTION_LEAST = 12, /* columns it gets, however wide the others are */
	CELL_TEXT = 64,
};

struct mappings {
	struct igw_ctl_mapping *list;
	size_t n, room;
	struct igw_addr client; /* none = of all */
	uint8_t protocol;	/* 0 = of all */
};

/* ---- the answer ------------------------------------------------------------------ */

static bool mapping_fits(const struct mappings *m, const struct igw_ctl_mapping *one)
{
	if (m->protocol != 0 && one->protocol != m->protocol)
		return false;
	return igw_addr_is_none(&m->client) || igw_addr_equal(&m->client, &one->client) ||
	       igw_addr_equal(&m->client, &one->internal_client);
}

static int mappings_take(uint32_t id, const union ctl_data *data, void *arg)
{
	struct mappings *m = arg;
	struct igw_ctl_mapping *grown;
	size_t room;

	if (id != IGW_CTL_MAPPING_IS || m->n == MAPPINGS_MAX)
		return -EBADMSG;
	if (!mapping_fits(m, &data->mapping))
		return 0;
	if (m->n == m->room) {
		room = m->room ? m->room * 2 : 64;
		grown = reallocarray(m->list, room, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		m->list = grown;
		m->room = room;
	}
	m->list[m->n++] = data->mapping;
	return 0;
}

/* By external port, protocol and remote host: the order of an answer of the broker is not
 * promised, and people compare lists. */
static int mapping_compare(const void *a, const void *b)
{
	const struct igw_ctl_mapping *x = a, *y = b;

	if (x->external_port != y->external_port)
		return x->external_port < y->external_port ? -1 : 1;
	if (x->protocol != y->protocol)
		return x->protocol < y->protocol ? -1 : 1;
	return memcmp(&x->remote_host, &y->remote_host, sizeof(x->remote_host));
}

/* ---- JSON ------------------------------------------------------------------------ */

static json_t *mapping_json(const struct igw_ctl_mapping *m)
{
	char id[9], mac[IGW_MAC_TEXT] = "";

	snprintf(id, sizeof(id), "%08x", m->mapping);
	if (!igw_mac_is_none(&m->mac))
		igw_mac_format(&m->mac, mac);
	return json_pack(
		"{s:s,s:s,s:i,s:o,s:i,s:o,s:o,s:s,s:I,s:o,s:o,s:I,s:o,s:s,s:o,s:b,"
		"s:I}",
		"id", id, "protocol", igw_protocol_word(m->protocol), "external_port",
		m->external_port, "internal_client", out_json_addr(&m->internal_client),
		"internal_port", m->internal_port, "remote_host",
		out_json_addr(&m->remote_host), "description",
		out_json_text(m->description), "via", igw_via_word(m->via),
		"lease_remaining_s", (json_int_t)m->lease_remaining_s, "created",
		out_json_time(m->created_s), "rule", out_json_text(m->rule),
		"connections", (json_int_t)m->connections, "client",
		out_json_addr(&m->client), "mac", mac, "interface",
		out_json_text(m->interface), "enabled", m->enabled != 0, "lease_s",
		(json_int_t)m->lease_s);
}

static json_t *mappings_json(const struct mappings *m)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < m->n; i++) {
		if (json_array_append_new(list, mapping_json(&m->list[i])) < 0) {
			json_decref(list);
			list = NULL;
		}
	}
	return list;
}

/* ---- text ------------------------------------------------------------------------ */

enum column {
	COL_ID,
	COL_PROTOCOL,
	COL_EXTERNAL,
	COL_INTERNAL,
	COL_REMOTE,
	COL_LEASE,
	COL_FLOWS,
	COL_COUNT
};

static const char *const column_heads[COL_COUNT] = {
	[COL_ID] = "ID",
	[COL_PROTOCOL] = "PROTO",
	[COL_EXTERNAL] = "EXTERNAL",
	[COL_INTERNAL] = "INTERNAL",
	[COL_REMOTE] = "REMOTE",
	[COL_LEASE] = "LEASE",
	[COL_FLOWS] = "CONN",
};

/* An address and a port: 192.0.2.1:80, [2001:db8::1]:80. */
static const char *endpoint_format(
	const struct igw_addr *addr, uint16_t port, char buf[CELL_TEXT])
{
	char text[IGW_ADDR_TEXT];
	bool v4 = igw_addr_is_v4(addr);

	igw_addr_format(addr, text);
	snprintf(buf, CELL_TEXT, v4 ? "%s:%u" : "[%s]:%u", text, port);
	return buf;
}

static void cells_fill(const struct igw_ctl_mapping *m, char cells[COL_COUNT][CELL_TEXT])
{
	char span[OUT_SPAN_TEXT], remote[IGW_ADDR_TEXT];

	snprintf(cells[COL_ID], CELL_TEXT, "%08x", m->mapping);
	snprintf(cells[COL_PROTOCOL], CELL_TEXT, "%s", igw_protocol_word(m->protocol));
	snprintf(cells[COL_EXTERNAL], CELL_TEXT, "%u%s", m->external_port,
		m->enabled ? "" : " off");
	endpoint_format(&m->internal_client, m->internal_port, cells[COL_INTERNAL]);
	snprintf(cells[COL_REMOTE], CELL_TEXT, "%s",
		igw_addr_format(&m->remote_host, remote));
	snprintf(cells[COL_LEASE], CELL_TEXT, "%s", out_span(m->lease_remaining_s, span));
	snprintf(cells[COL_FLOWS], CELL_TEXT, "%u", m->connections);
}

/* The width of each column; 0 for one that nothing stands in. Returns what is left of a
 * line for the description. */
static size_t widths_find(
	const struct cli *cli, const struct mappings *m, size_t widths[COL_COUNT])
{
	char cells[COL_COUNT][CELL_TEXT];
	size_t used = 0;

	for (size_t i = 0; i < m->n; i++) {
		cells_fill(&m->list[i], cells);
		for (size_t c = 0; c < COL_COUNT; c++)
			widths[c] = widths[c] > strlen(cells[c]) ? widths[c]
								 : strlen(cells[c]);
	}
	for (size_t c = 0; c < COL_COUNT; c++) {
		if (widths[c] > 0 && widths[c] < strlen(column_heads[c]))
			widths[c] = strlen(column_heads[c]);
		used += widths[c] > 0 ? widths[c] + 2 : 0;
	}
	return used + DESCRIPTION_LEAST < cli->columns ? cli->columns - used
						       : DESCRIPTION_LEAST;
}

static void print_row(struct cli *cli, const size_t widths[COL_COUNT],
	char cells[COL_COUNT][CELL_TEXT], const char *last)
{
	for (size_t c = 0; c < COL_COUNT; c++) {
		if (widths[c] > 0)
			fprintf(cli->out, c == COL_FLOWS ? "%*s  " : "%-*s  ",
				(int)widths[c], cells[c]);
	}
	fprintf(cli->out, "%s\n", last);
}

static void print_mappings(struct cli *cli, const struct mappings *m)
{
	char cells[COL_COUNT][CELL_TEXT], text[OUT_LINE_MAX];
	size_t widths[COL_COUNT] = { 0 }, rest = widths_find(cli, m, widths);

	if (m->n == 0) {
		fputs("no mappings\n", cli->out);
		return;
	}
	for (size_t c = 0; c < COL_COUNT; c++)
		snprintf(cells[c], CELL_TEXT, "%s", column_heads[c]);
	fputs(out_colour_on(cli, OUT_BOLD), cli->out);
	print_row(cli, widths, cells, "DESCRIPTION");
	fputs(out_colour_off(cli), cli->out);
	for (size_t i = 0; i < m->n; i++) {
		cells_fill(&m->list[i], cells);
		print_row(cli, widths, cells,
			out_text(text, sizeof(text), m->list[i].description, rest,
				cli->utf8));
	}
}

static void print_mapping(struct cli *cli, const struct igw_ctl_mapping *m)
{
	char addr[IGW_ADDR_TEXT], mac[IGW_MAC_TEXT], end[CELL_TEXT];
	char left[OUT_SPAN_TEXT], span[OUT_SPAN_TEXT], when[OUT_TIME_TEXT];

	out_field(cli, "id", "%08x", m->mapping);
	out_field(cli, "protocol", "%s", igw_protocol_word(m->protocol));
	out_field(cli, "external port", "%u%s", m->external_port,
		m->enabled ? "" : ", not enabled");
	out_field(cli, "internal", "%s",
		endpoint_format(&m->internal_client, m->internal_port, end));
	igw_addr_format(&m->remote_host, addr);
	out_field(cli, "remote host", "%s", addr[0] ? addr : "any");
	out_field(cli, "asked for by", "%s, by %s", igw_addr_format(&m->client, addr),
		igw_via_word(m->via));
	out_field(cli, "link", "%s, %s", m->interface,
		igw_mac_is_none(&m->mac) ? "MAC address not known"
					 : igw_mac_format(&m->mac, mac));
	out_field(cli, "lease", "%s left of %s", out_span(m->lease_remaining_s, left),
		out_span(m->lease_s, span));
	out_field(cli, "created", "%s", out_time(m->created_s, when));
	out_field(cli, "rule", "%s", m->rule[0] ? m->rule : "none");
	out_field(cli, "connections", "%u", m->connections);
	out_field(cli, "description", "%s", m->description);
}

/* ---- verbs ----------------------------------------------------------------------- */

enum igw_exit verb_list(struct cli *cli, struct args *args)
{
	struct mappings m = { 0 };
	struct igw_ctl_done done;
	enum igw_exit code;

	if (args_addr(args, ARGS_CLIENT, &m.client) < 0 ||
		args_protocol(args, ARGS_PROTOCOL, &m.protocol) < 0)
		return out_error(cli, IGW_EXIT_USAGE, "%s", args->why);
	code = ask_broker(
		cli, IGW_CTL_LIST, &(struct igw_empty){ 0 }, mappings_take, &m, &done);
	if (code == IGW_EXIT_OK) {
		if (m.n > 1)
			qsort(m.list, m.n, sizeof(*m.list), mapping_compare);
		if (cli->json)
			code = out_data(cli, mappings_json(&m), IGW_EXIT_OK);
		else
			print_mappings(cli, &m);
	}
	free(m.list);
	return code;
}

struct one_mapping {
	bool have;
	struct igw_ctl_mapping mapping;
};

static int one_take(uint32_t id, const union ctl_data *data, void *arg)
{
	struct one_mapping *one = arg;

	if (id != IGW_CTL_MAPPING_IS || one->have)
		return -EBADMSG;
	one->mapping = data->mapping;
	one->have = true;
	return 0;
}

enum igw_exit verb_show(struct cli *cli, struct args *args)
{
	struct one_mapping one = { 0 };
	struct igw_ctl_done done;
	struct igw_ctl_id id;
	enum igw_exit code;

	if (args_mapping(args, &id.mapping) < 0)
		return out_error(cli, IGW_EXIT_USAGE, "%s", args->why);
	code = ask_broker(cli, IGW_CTL_SHOW, &id, one_take, &one, &done);
	if (code != IGW_EXIT_OK)
		return code;
	if (!one.have || one.mapping.mapping != id.mapping)
		return ask_nonsense(cli);
	if (cli->json)
		return out_data(cli, mapping_json(&one.mapping), IGW_EXIT_OK);
	print_mapping(cli, &one.mapping);
	return IGW_EXIT_OK;
}

enum igw_exit verb_delete(struct cli *cli, struct args *args)
{
	struct igw_ctl_done done;
	struct igw_ctl_id id;
	enum igw_exit code;
	char text[9];

	if (args_mapping(args, &id.mapping) < 0)
		return out_error(cli, IGW_EXIT_USAGE, "%s", args->why);
	code = ask_broker(cli, IGW_CTL_DELETE, &id, NULL, NULL, &done);
	if (code != IGW_EXIT_OK)
		return code;
	snprintf(text, sizeof(text), "%08x", id.mapping);
	if (cli->json)
		return out_data(cli, json_pack("{s:s,s:b}", "id", text, "deleted", 1),
			IGW_EXIT_OK);
	fprintf(cli->out, "deleted %s\n", text);
	return IGW_EXIT_OK;
}
