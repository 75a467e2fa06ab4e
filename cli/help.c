#include "cli.h"
#include "out.h"

enum igw_exit verb_version(struct cli *cli, struct args *args)
{
	(void)args;
	if (cli->json)
		return out_data(
			cli, json_pack("{s:s}", "version", IGDWARD_VERSION), IGW_EXIT_OK);
	fprintf(cli->out, "igdward %s\n", IGDWARD_VERSION);
	return IGW_EXIT_OK;
}

static enum igw_exit help_all(struct cli *cli)
{
	const struct cli_verb *verbs;
	size_t n = cli_verbs(&verbs);

	fputs("usage: igdward [--socket PATH] [--json] VERB [ARGUMENT]...\n\n", cli->out);
	for (size_t i = 0; i < n; i++)
		fprintf(cli->out, "  %-*s%s\n", OUT_LABEL_WIDTH, verbs[i].name,
			verbs[i].help);
	fprintf(cli->out,
		"\n"
		"  --socket PATH  the daemon's control socket, default %s\n"
		"  --json         print a JSON document, errors too\n"
		"  --help         print this, or the usage of a verb\n"
		"\n"
		"Exit codes: 0 ok, 1 failed or refused, 2 usage, 3 daemon not running,\n"
		"4 no permission, 5 not found, 6 policy invalid, 7 degraded (status).\n",
		CLI_SOCKET_PATH);
	return IGW_EXIT_OK;
}

static enum igw_exit help_verb(struct cli *cli, const struct cli_verb *verb)
{
	fprintf(cli->out, "usage: igdward %s%s%s\n\n%s\n", verb->name,
		verb->usage[0] ? " " : "", verb->usage, verb->help);
	return IGW_EXIT_OK;
}

static json_t *verb_json(const struct cli_verb *verb)
{
	return json_pack("{s:s,s:s,s:s}", "name", verb->name, "usage", verb->usage,
		"help", verb->help);
}

static json_t *verbs_json(void)
{
	const struct cli_verb *verbs;
	size_t n = cli_verbs(&verbs);
	json_t *list = json_array();

	for (size_t i = 0; list && i < n; i++)
		json_array_append_new(list, verb_json(&verbs[i]));
	return list;
}

enum igw_exit verb_help(struct cli *cli, struct args *args)
{
	const struct cli_verb *verb;
	size_t n;

	if (args->n_words == 0)
		return cli->json ? out_data(cli, verbs_json(), IGW_EXIT_OK)
				 : help_all(cli);
	verb = cli_verb_find(args->words, args->n_words, &n);
	if (!verb)
		return cli_verb_unknown(cli, args->words, args->n_words);
	return cli->json ? out_data(cli, verb_json(verb), IGW_EXIT_OK)
			 : help_verb(cli, verb);
}
