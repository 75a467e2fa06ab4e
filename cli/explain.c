#include "ask.h"
#include "out.h"

#include <errno.h>
#include <string.h>

struct verdict {
	bool have;
	struct igw_ctl_verdict v;
	char word[64]; /* the reason as logs have it */
};

static int verdict_take(uint32_t id, const union ctl_data *data, void *arg)
{
	struct verdict *verdict = arg;

	if (id != IGW_CTL_VERDICT_IS || verdict->have)
		return -EBADMSG;
	verdict->v = data->verdict;
	verdict->have = true;
	return 0;
}

static int request_read(struct args *args, struct igw_ctl_explain *ret)
{
	if (args_addr(args, ARGS_CLIENT, &ret->client) < 0 ||
		args_addr(args, ARGS_INTERNAL_CLIENT, &ret->internal_client) < 0 ||
		args_addr(args, ARGS_REMOTE_HOST, &ret->remote_host) < 0 ||
		args_protocol(args, ARGS_PROTOCOL, &ret->protocol) < 0 ||
		args_port(args, ARGS_EXTERNAL_PORT, &ret->external_port) < 0 ||
		args_port(args, ARGS_INTERNAL_PORT, &ret->internal_port) < 0 ||
		args_via(args, ARGS_VIA, &ret->via) < 0 ||
		args_seconds(args, ARGS_LEASE, &ret->lease_s) < 0)
		return -EINVAL;
	return 0;
}

/* Who the mapping would lead to: the requester, if it is not said. */
static const struct igw_addr *request_target(const struct igw_ctl_explain *request)
{
	return igw_addr_is_none(&request->internal_client) ? &request->client
							   : &request->internal_client;
}

static json_t *verdict_json(
	const struct igw_ctl_explain *request, const struct verdict *verdict)
{
	const struct igw_ctl_verdict *v = &verdict->v;
	bool allowed = v->reason == IGW_OK;
	char mac[IGW_MAC_TEXT] = "";

	if (!igw_mac_is_none(&v->mac))
		igw_mac_format(&v->mac, mac);
	return json_pack("{s:b,s:s,s:o,s:s,s:o,s:I,s:o,s:o,s:s,s:i,s:i,s:o,s:s,s:o,s:s}",
		"allowed", allowed, "verdict", allowed ? "allowed" : "refused", "reason",
		out_json_text(verdict->word), "sentence",
		igw_reason_sentence((enum igw_reason)v->reason), "rule",
		out_json_text(v->rule), "lease_s", (json_int_t)v->lease_s, "client",
		out_json_addr(&request->client), "internal_client",
		out_json_addr(request_target(request)), "protocol",
		igw_protocol_word(request->protocol), "external_port",
		request->external_port, "internal_port", request->internal_port,
		"remote_host", out_json_addr(&request->remote_host), "via",
		igw_via_word(request->via), "interface", out_json_text(v->interface),
		"mac", mac);
}

static void print_verdict(struct cli *cli, const struct igw_ctl_explain *request,
	const struct verdict *verdict)
{
	const struct igw_ctl_verdict *v = &verdict->v;
	bool allowed = v->reason == IGW_OK;
	char client[IGW_ADDR_TEXT], target[IGW_ADDR_TEXT], mac[IGW_MAC_TEXT];
	char span[OUT_SPAN_TEXT];

	out_field(cli, "request", "%s %u to %s port %u, from %s by %s",
		igw_protocol_word(request->protocol), request->external_port,
		igw_addr_format(request_target(request), target), request->internal_port,
		igw_addr_format(&request->client, client), igw_via_word(request->via));
	fprintf(cli->out, "%-*s%s%s%s\n", OUT_LABEL_WIDTH, "verdict",
		out_colour_on(cli, allowed ? OUT_GREEN : OUT_RED),
		allowed ? "allowed" : "refused", out_colour_off(cli));
	out_field(cli, "reason", "%s", verdict->word);
	out_field(cli, "", "%s", igw_reason_sentence((enum igw_reason)v->reason));
	out_field(cli, "rule", "%s", v->rule[0] ? v->rule : "none");
	out_field(cli, "lease", "%s", allowed ? out_span(v->lease_s, span) : "none");
	if (v->interface[0])
		out_field(cli, "link", "%s, %s", v->interface,
			igw_mac_is_none(&v->mac) ? "MAC address not known"
						 : igw_mac_format(&v->mac, mac));
}

enum igw_exit verb_explain(struct cli *cli, struct args *args)
{
	struct igw_ctl_explain request = { .via = IGW_VIA_UPNP };
	struct verdict verdict = { 0 };
	struct igw_ctl_done done;
	enum igw_exit code;
	bool by_rule;

	if (request_read(args, &request) < 0)
		return out_error(cli, IGW_EXIT_USAGE, "%s", args->why);
	code = ask_broker(cli, IGW_CTL_EXPLAIN, &request, verdict_take, &verdict, &done);
	if (code != IGW_EXIT_OK)
		return code;
	if (!verdict.have || verdict.v.reason >= IGW_REASON_COUNT)
		return ask_nonsense(cli);
	by_rule = verdict.v.reason == IGW_RULE && verdict.v.rule[0];
	snprintf(verdict.word, sizeof(verdict.word), "%s%s%s",
		igw_reason_word((enum igw_reason)verdict.v.reason), by_rule ? ":" : "",
		by_rule ? verdict.v.rule : "");
	code = verdict.v.reason == IGW_OK ? IGW_EXIT_OK : IGW_EXIT_FAILED;
	if (cli->json)
		return out_data(cli, verdict_json(&request, &verdict), code);
	print_verdict(cli, &request, &verdict);
	return code;
}
