#include "cli.h"

#include "nearest.h"
#include "out.h"

#include <string.h>

enum {
	NAME_MAX_BYTES = 64, /* of a verb, more than any has */
	EXPLAIN_NEEDS = ARGS_BIT(ARGS_CLIENT) | ARGS_BIT(ARGS_PROTOCOL) |
			ARGS_BIT(ARGS_EXTERNAL_PORT) | ARGS_BIT(ARGS_INTERNAL_PORT),
	EXPLAIN_TAKES = EXPLAIN_NEEDS | ARGS_BIT(ARGS_INTERNAL_CLIENT) |
			ARGS_BIT(ARGS_VIA) | ARGS_BIT(ARGS_REMOTE_HOST) |
			ARGS_BIT(ARGS_LEASE),
	GLOBAL = ARGS_BIT(ARGS_SOCKET) | ARGS_BIT(ARGS_JSON) | ARGS_BIT(ARGS_HELP),
};

static const struct cli_verb verbs[] = {
	{ .name = "status",
		.usage = "",
		.help = "how the daemon and its links are doing",
		.run = verb_status },
	{ .name = "list",
		.usage = "[--client ADDRESS] [--protocol tcp|udp]",
		.help = "the live mappings",
		.run = verb_list,
		.options = ARGS_BIT(ARGS_CLIENT) | ARGS_BIT(ARGS_PROTOCOL) },
	{ .name = "show",
		.usage = "ID",
		.help = "everything about one mapping",
		.run = verb_show,
		.min_words = 1,
		.max_words = 1 },
	{ .name = "explain",
		.usage = "--client ADDRESS --protocol tcp|udp --external-port PORT\n"
			 "    --internal-port PORT [--internal-client ADDRESS]\n"
			 "    [--via upnp|natpmp|pcp] [--remote-host ADDRESS] "
			 "[--lease SECONDS]",
		.help = "how a request would be answered, and why; maps nothing",
		.run = verb_explain,
		.options = EXPLAIN_TAKES,
		.needed = EXPLAIN_NEEDS },
	{ .name = "delete",
		.usage = "ID",
		.help = "end one mapping and cut its connections",
		.run = verb_delete,
		.min_words = 1,
		.max_words = 1 },
	{ .name = "reload",
		.usage = "",
		.help = "load the policy file again and judge all mappings by it",
		.run = verb_reload },
	{ .name = "policy check",
		.usage = "[FILE]",
		.help = "check a policy file; needs no daemon",
		.run = verb_policy_check,
		.max_words = 1 },
	{ .name = "version",
		.usage = "",
		.help = "the version of this program",
		.run = verb_version },
	{ .name = "help",
		.usage = "[VERB]",
		.help = "this list, or the usage of one verb",
		.run = verb_help,
		.max_words = 2 },
};

enum {
	N_VERBS = sizeof(verbs) / sizeof(verbs[0]),
};

size_t cli_verbs(const struct cli_verb **ret)
{
	*ret = verbs;
	return N_VERBS;
}

/* The first words as one text, to be compared with names. */
static void words_join(char *buf, size_t size, const char *const *words, size_t n)
{
	snprintf(buf, size, "%s%s%s", words[0], n > 1 ? " " : "", n > 1 ? words[1] : "");
}

const struct cli_verb *cli_verb_find(
	const char *const *words, size_t n_words, size_t *ret_words)
{
	char text[NAME_MAX_BYTES];

	for (size_t n = 1; n <= n_words && n <= 2; n++) {
		words_join(text, sizeof(text), words, n);
		for (size_t i = 0; i < N_VERBS; i++) {
			if (strcmp(text, verbs[i].name) == 0) {
				*ret_words = n;
				return &verbs[i];
			}
		}
	}
	return NULL;
}

/* The verb that was meant: one that begins like this, or the nearest by spelling. */
static const char *verb_meant(const char *const *words, size_t n_words)
{
	const char *names[N_VERBS], *meant;
	char text[NAME_MAX_BYTES];

	for (size_t i = 0; i < N_VERBS; i++) {
		names[i] = verbs[i].name;
		if (strncmp(names[i], words[0], strlen(words[0])) == 0)
			return names[i];
	}
	meant = nearest_word(words[0], names, N_VERBS);
	if (meant || n_words < 2)
		return meant;
	words_join(text, sizeof(text), words, 2);
	return nearest_word(text, names, N_VERBS);
}

enum igw_exit cli_verb_unknown(struct cli *cli, const char *const *words, size_t n_words)
{
	const char *meant = words[0][0] ? verb_meant(words, n_words) : NULL;

	if (meant)
		return out_error(cli, IGW_EXIT_USAGE,
			"no such verb: %s; did you mean '%s'?", words[0], meant);
	return out_error(
		cli, IGW_EXIT_USAGE, "no such verb: %s; see 'igdward help'", words[0]);
}

static enum igw_exit usage_error(
	struct cli *cli, const struct cli_verb *verb, const char *why)
{
	out_error(cli, IGW_EXIT_USAGE, "%s", why);
	if (!cli->json)
		fprintf(cli->err, "usage: igdward %s%s%s\n", verb->name,
			verb->usage[0] ? " " : "", verb->usage);
	return IGW_EXIT_USAGE;
}

/* The words behind a verb's name become args' words. */
static void words_drop(struct args *args, size_t n)
{
	args->n_words -= n;
	memmove(args->words, args->words + n, args->n_words * sizeof(args->words[0]));
}

static enum igw_exit run_verb(
	struct cli *cli, const struct cli_verb *verb, struct args *args)
{
	if (args_check(args, verb->options | GLOBAL, verb->needed) < 0)
		return usage_error(cli, verb, args->why);
	if (args->n_words < verb->min_words)
		return usage_error(cli, verb, "an argument is missing");
	if (args->n_words > verb->max_words)
		return usage_error(cli, verb, "too many arguments");
	return verb->run(cli, args);
}

/* Whether --json is meant has to be known before the first error can be printed. */
static bool json_is_wanted(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--json") == 0)
			return true;
	}
	return false;
}

static enum igw_exit run_args(struct cli *cli, struct args *args)
{
	const struct cli_verb *verb;
	size_t n;

	if (args->values[ARGS_SOCKET])
		cli->socket = args->values[ARGS_SOCKET];
	if (args->n_words == 0) {
		if (args->values[ARGS_HELP])
			return verb_help(cli, args);
		return out_error(
			cli, IGW_EXIT_USAGE, "a verb is missing; see 'igdward help'");
	}
	verb = cli_verb_find(args->words, args->n_words, &n);
	if (!verb)
		return cli_verb_unknown(cli, args->words, args->n_words);
	if (args->values[ARGS_HELP])
		return verb_help(cli, args);
	words_drop(args, n);
	return run_verb(cli, verb, args);
}

enum igw_exit cli_run(struct cli *cli, int argc, char **argv)
{
	struct args args;
	enum igw_exit code;

	cli->json = json_is_wanted(argc, argv);
	if (args_parse(&args, argc, argv) < 0)
		code = out_error(cli, IGW_EXIT_USAGE, "%s; see 'igdward help'", args.why);
	else
		code = run_args(cli, &args);
	if (fflush(cli->out) != 0 || ferror(cli->out)) {
		fputs("igdward: cannot write the output\n", cli->err);
		return IGW_EXIT_FAILED;
	}
	return code;
}
