#include "ask.h"
#include "out.h"

#include <errno.h>
#include <string.h>

enum {
	TROUBLES_MAX = IGW_LINKS_MAX + 7,
	TROUBLE_TEXT = 128,
};

struct status {
	bool have; /* the first message has come */
	struct igw_ctl_status s;
	struct igw_ctl_link links[IGW_LINKS_MAX];
	size_t n_links;
	/* What is not as it should be, a sentence each. */
	char troubles[TROUBLES_MAX][TROUBLE_TEXT];
	size_t n_troubles;
};

static int status_take(uint32_t id, const union ctl_data *data, void *arg)
{
	struct status *st = arg;

	if (id == IGW_CTL_STATUS_IS && !st->have) {
		st->s = data->status;
		st->have = true;
		return 0;
	}
	if (id != IGW_CTL_LINK_IS || !st->have || st->n_links == IGW_LINKS_MAX)
		return -EBADMSG;
	st->links[st->n_links++] = data->link;
	return 0;
}

__attribute__((format(printf, 2, 3))) static void trouble(
	struct status *st, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(st->troubles[st->n_troubles++], TROUBLE_TEXT, format, args);
	va_end(args);
}

static void troubles_find(struct status *st)
{
	const struct igw_ctl_status *s = &st->s;

	if (s->wan[0] == '\0')
		trouble(st, "no WAN interface is known");
	else if (igw_addr_is_none(&s->wan_addr))
		trouble(st, "the WAN link %s has no address", s->wan);
	else if (!s->wan_up)
		trouble(st, "the WAN link %s is down", s->wan);
	if (st->n_links == 0)
		trouble(st, "there is no LAN link to serve");
	for (size_t i = 0; i < st->n_links; i++) {
		if (st->links[i].http_port == 0)
			trouble(st, "the LAN link %s is not being served",
				st->links[i].interface);
	}
	if (s->tables_missing)
		trouble(st, "the nftables tables are missing or cannot be read");
	if (s->contested_by[0] != '\0')
		trouble(st, "the nftables tables are contested by %s", s->contested_by);
	if (s->kernel_behind)
		trouble(st, "the kernel refused a change, which is tried again");
	if (s->policy_loaded_s == 0)
		trouble(st, "no valid policy was ever loaded: every request is refused");
	else if (s->policy_stale)
		trouble(st, "the policy file was refused; an older policy is in force");
}

/* ---- JSON ------------------------------------------------------------------------ */

static json_t *links_json(const struct status *st)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < st->n_links; i++) {
		const struct igw_ctl_link *l = &st->links[i];

		json_array_append_new(list,
			json_pack("{s:o,s:o,s:i,s:i,s:b,s:I}", "interface",
				out_json_text(l->interface), "address",
				out_json_addr(&l->addr), "prefix_length", l->prefix_len,
				"http_port", l->http_port, "serving", l->http_port != 0,
				"restarts", (json_int_t)l->restarts));
	}
	return list;
}

static json_t *refused_json(const struct igw_ctl_status *s)
{
	json_t *object = json_object();

	for (unsigned i = 0; object && i < IGW_REASON_COUNT; i++) {
		if (i != IGW_OK && s->refused[i] > 0)
			json_object_set_new(object, igw_reason_word((enum igw_reason)i),
				json_integer(s->refused[i]));
	}
	return object;
}

static json_t *troubles_json(const struct status *st)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < st->n_troubles; i++)
		json_array_append_new(list, out_json_text(st->troubles[i]));
	return list;
}

/* The members that are objects of their own. */
static json_t *parts_json(const struct status *st)
{
	const struct igw_ctl_status *s = &st->s;

	return json_pack(
		"{s:{s:o,s:o,s:b,s:I}, s:o, s:{s:I,s:I}, s:{s:o,s:I,s:o,s:b}, s:o,"
		"s:{s:I,s:I,s:I,s:I,s:I}, s:o}",
		"wan", "interface", out_json_text(s->wan), "address",
		out_json_addr(&s->wan_addr), "up", s->wan_up != 0, "uptime_s",
		(json_int_t)s->wan_uptime_s, "links", links_json(st), "limits", "total",
		(json_int_t)s->limit_total, "per_client", (json_int_t)s->limit_per_client,
		"policy", "path", out_json_text(s->policy_path), "rules",
		(json_int_t)s->rules, "loaded", out_json_time(s->policy_loaded_s),
		"stale", s->policy_stale != 0, "refused", refused_json(s), "floor", "smb",
		(json_int_t)s->floor_smb, "proxy", (json_int_t)s->floor_proxy, "router",
		(json_int_t)s->floor_router, "control", (json_int_t)s->floor_control,
		"egress", (json_int_t)s->floor_egress, "degraded", troubles_json(st));
}

static json_t *status_json(const struct status *st)
{
	const struct igw_ctl_status *s = &st->s;
	json_t *object, *parts = parts_json(st);

	object = json_pack("{s:o,s:I,s:o,s:I,s:I,s:I,s:I,s:o,s:b}", "version",
		out_json_text(s->version), "uptime_s", (json_int_t)s->uptime_s, "started",
		out_json_time(s->started_s), "mappings", (json_int_t)s->mappings,
		"clients", (json_int_t)s->clients, "restarts", (json_int_t)s->restarts,
		"granted", (json_int_t)s->granted, "last_refusal",
		out_json_text(s->last_refusal), "tables_owned", s->tables_owned != 0);
	if (!object || !parts || json_object_update(object, parts) < 0) {
		json_decref(object);
		object = NULL;
	}
	json_decref(parts);
	return object;
}

/* ---- text ------------------------------------------------------------------------ */

static void print_links(struct cli *cli, const struct status *st)
{
	const struct igw_ctl_status *s = &st->s;
	char addr[IGW_ADDR_TEXT], span[OUT_SPAN_TEXT], serving[48];

	igw_addr_format(&s->wan_addr, addr);
	if (s->wan[0] == '\0')
		out_field(cli, "WAN link", "none");
	else if (s->wan_up && addr[0])
		out_field(cli, "WAN link", "%s, %s, up for %s", s->wan, addr,
			out_span(s->wan_uptime_s, span));
	else
		out_field(cli, "WAN link", "%s, %s", s->wan,
			addr[0] ? "down" : "no address");
	for (size_t i = 0; i < st->n_links; i++) {
		const struct igw_ctl_link *l = &st->links[i];

		snprintf(serving, sizeof(serving), "served on port %u", l->http_port);
		out_field(cli, i == 0 ? "LAN links" : "", "%s, %s/%u, %s, restarts: %u",
			l->interface, igw_addr_format(&l->addr, addr), l->prefix_len,
			l->http_port ? serving : "not served", l->restarts);
	}
}

/* The reasons, with line breaks where the next one would not fit. */
static void print_refused(struct cli *cli, const struct igw_ctl_status *s)
{
	size_t width = 0, n;
	char text[64];

	for (unsigned i = 0; i < IGW_REASON_COUNT; i++) {
		if (i == IGW_OK || s->refused[i] == 0)
			continue;
		n = (size_t)snprintf(text, sizeof(text), "%s %u",
			igw_reason_word((enum igw_reason)i), s->refused[i]);
		if (width == 0) {
			fprintf(cli->out, "%-*s%s", OUT_LABEL_WIDTH, "refused", text);
			width = OUT_LABEL_WIDTH + n;
		} else if (width + n + strlen(", ,") > cli->columns) {
			fprintf(cli->out, ",\n%*s%s", OUT_LABEL_WIDTH, "", text);
			width = OUT_LABEL_WIDTH + n;
		} else {
			fprintf(cli->out, ", %s", text);
			width += strlen(", ") + n;
		}
	}
	if (width > 0)
		fputc('\n', cli->out);
}

static void print_state(struct cli *cli, const struct status *st)
{
	bool good = st->n_troubles == 0;

	fprintf(cli->out, "%-*s%s%s%s\n", OUT_LABEL_WIDTH, "state",
		out_colour_on(cli, good ? OUT_GREEN : OUT_RED), good ? "ok" : "degraded",
		out_colour_off(cli));
	for (size_t i = 0; i < st->n_troubles; i++)
		out_field(cli, "", "%s", st->troubles[i]);
}

static void print_status(struct cli *cli, const struct status *st)
{
	const struct igw_ctl_status *s = &st->s;
	char when[OUT_TIME_TEXT], span[OUT_SPAN_TEXT];

	out_field(cli, "igdwardd", "%s, up for %s, since %s", s->version,
		out_span(s->uptime_s, span), out_time(s->started_s, when));
	print_state(cli, st);
	print_links(cli, st);
	out_field(cli, "mappings", "%u of %u, clients: %u, each at most %u", s->mappings,
		s->limit_total, s->clients, s->limit_per_client);
	out_field(cli, "policy", "%s", s->policy_path[0] ? s->policy_path : "none");
	if (s->policy_loaded_s != 0)
		out_field(cli, "", "rules: %u, loaded %s", s->rules,
			out_time(s->policy_loaded_s, when));
	out_field(cli, "granted", "%u", s->granted);
	print_refused(cli, s);
	if (s->last_refusal[0])
		out_field(cli, "last refusal", "%s", s->last_refusal);
	out_field(cli, "floor dropped",
		"smb %llu, proxy %llu, router %llu, control %llu, egress %llu",
		(unsigned long long)s->floor_smb, (unsigned long long)s->floor_proxy,
		(unsigned long long)s->floor_router, (unsigned long long)s->floor_control,
		(unsigned long long)s->floor_egress);
	out_field(cli, "tables", "%s",
		s->tables_owned ? "owned: no other program can change them"
				: "not owned: other programs can change them");
}

enum igw_exit verb_status(struct cli *cli, struct args *args)
{
	struct status st = { 0 };
	struct igw_ctl_done done;
	enum igw_exit code;

	(void)args;
	code = ask_broker(
		cli, IGW_CTL_STATUS, &(struct igw_empty){ 0 }, status_take, &st, &done);
	if (code != IGW_EXIT_OK)
		return code;
	if (!st.have)
		return ask_nonsense(cli);
	troubles_find(&st);
	code = st.n_troubles > 0 ? IGW_EXIT_DEGRADED : IGW_EXIT_OK;
	if (cli->json)
		return out_data(cli, status_json(&st), code);
	print_status(cli, &st);
	return code;
}
