/*
 * igdward(8), the command line: it asks the broker over the control socket and prints the
 * answer for people or, with --json, for programs. Only `policy check` works without a
 * daemon.
 *
 * Everything that a run depends on stands in struct cli, so that tests can run a whole
 * command in their own process.
 */
#ifndef IGDWARD_CLI_H
#define IGDWARD_CLI_H

#include "args.h"
#include "igdward/exit.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum {
	CLI_TIMEOUT_MS = 10000, /* a broker that is well answers within milliseconds */
	CLI_COLUMNS = 80,
};

#define CLI_SOCKET_PATH "/run/igdward/ctl.sock"

struct cli {
	FILE *out;
	FILE *err;
	const char *exe;    /* path of this program, "" = not known */
	const char *socket; /* path of the control socket */
	int timeout_ms;	    /* how long to wait for each message of the broker */
	size_t columns;	    /* width of a table */
	bool json;
	bool colour;
	bool utf8; /* the locale that the caller has set is a UTF-8 one */
};

struct cli_verb {
	const char *name;  /* one word or two */
	const char *usage; /* what stands behind the name, "" = nothing */
	const char *help;  /* one line */
	enum igw_exit (*run)(struct cli *cli, struct args *args);
	size_t min_words, max_words; /* behind the name */
	unsigned options; /* ARGS_BIT of each that it takes besides the global ones */
	unsigned needed;  /* and of each that must be there */
};

/* The table of verbs, in the order in which the help shows them. Returns their number. */
size_t cli_verbs(const struct cli_verb **ret);

/* The verb that the words begin with, with the number of words that are its name; NULL
 * when there is none. */
const struct cli_verb *cli_verb_find(
	const char *const *words, size_t n_words, size_t *ret_words);

/* "igdward: no such verb: …", with the one that was probably meant. Returns
 * IGW_EXIT_USAGE. */
enum igw_exit cli_verb_unknown(struct cli *cli, const char *const *words, size_t n_words);

/* Runs a command line as main() was given it and returns the exit code. Sets cli->json
 * and cli->socket where the command line names them. */
enum igw_exit cli_run(struct cli *cli, int argc, char **argv);

/* The verbs. `args` is checked against the verb's line in the table, the words are only
 * those behind its name. */
enum igw_exit verb_status(struct cli *cli, struct args *args);
enum igw_exit verb_list(struct cli *cli, struct args *args);
enum igw_exit verb_show(struct cli *cli, struct args *args);
enum igw_exit verb_delete(struct cli *cli, struct args *args);
enum igw_exit verb_explain(struct cli *cli, struct args *args);
enum igw_exit verb_reload(struct cli *cli, struct args *args);
enum igw_exit verb_policy_check(struct cli *cli, struct args *args);
enum igw_exit verb_version(struct cli *cli, struct args *args);
enum igw_exit verb_help(struct cli *cli, struct args *args);

#endif
