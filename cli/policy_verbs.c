#include "ask.h"
#include "out.h"
#include "policy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	PATH_TEXT = 4096,
};

/* ---- the file -------------------------------------------------------------------- */

/*
 * Where the installed policy is: below /etc for an installation in /usr, else below the
 * prefix that this program was started from; there, the default policy if no other was
 * written.
 */
static void default_path(const char *exe, char ret[PATH_TEXT])
{
	static const char *const places[] = { "etc", "share" };
	size_t len = strlen(exe);

	snprintf(ret, PATH_TEXT, "/etc/igdward/policy.json");
	/* PREFIX/bin/igdward: two names off its end. */
	for (int names = 0; names < 2; names++) {
		while (len > 0 && exe[len - 1] != '/')
			len--;
		if (len > 0)
			len--;
	}
	if (len == 0 || len > PATH_TEXT / 2 || (len == 4 && memcmp(exe, "/usr", 4) == 0))
		return;
	for (size_t i = 0; i < 2; i++) {
		snprintf(ret, PATH_TEXT, "%.*s/%s/igdward/policy.json", (int)len, exe,
			places[i]);
		if (access(ret, F_OK) == 0)
			return;
	}
}

/* Reads a file, at most one byte more than a policy may have (policy_parse() refuses that
 * with a text of its own). Returns the length, or -errno; *ret is the caller's to free.
 */
static ssize_t file_read(const char *path, char **ret)
{
	size_t size = POLICY_TEXT_MAX + 1, len = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;
	char *text;
	int error;

	if (fd < 0)
		return -errno;
	text = malloc(size);
	while (text && len < size) {
		n = read(fd, text + len, size - len);
		if (n == 0)
			break;
		if (n > 0)
			len += (size_t)n;
		else if (errno != EINTR)
			break;
	}
	error = text ? errno : ENOMEM;
	close(fd);
	if (n < 0) {
		free(text);
		return -error;
	}
	*ret = text;
	return (ssize_t)len;
}

static enum igw_exit file_error(struct cli *cli, const char *path, int error)
{
	enum igw_exit code = IGW_EXIT_FAILED;

	if (error == ENOENT)
		code = IGW_EXIT_NOT_FOUND;
	else if (error == EACCES)
		code = IGW_EXIT_PERMISSION;
	return out_error(cli, code, "cannot read %s: %s", path, strerror(error));
}

/* ---- what is said of it ----------------------------------------------------------- */

static size_t warnings_kept(const struct policy_report *report)
{
	size_t n = report->n_warnings;

	return n < POLICY_WARNINGS_MAX ? n : POLICY_WARNINGS_MAX;
}

static void print_note(struct cli *cli, const struct policy_note *note, const char *file)
{
	char raw[POLICY_REPORT_TEXT], safe[OUT_LINE_MAX];

	policy_note_format(note, file, raw, sizeof(raw));
	fprintf(cli->err, "%s\n", out_text(safe, sizeof(safe), raw, SIZE_MAX, cli->utf8));
}

static void print_warnings(
	struct cli *cli, const struct policy_report *report, const char *file)
{
	size_t kept = warnings_kept(report);

	for (size_t i = 0; i < kept; i++) {
		struct policy_note note = report->warnings[i];

		snprintf(note.message, sizeof(note.message), "warning: %.*s",
			(int)sizeof(note.message) - 16, report->warnings[i].message);
		print_note(cli, &note, file);
	}
	if (report->n_warnings > kept)
		fprintf(cli->err, "and %zu more warnings\n", report->n_warnings - kept);
}

static json_t *warnings_json(const struct policy_report *report)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < warnings_kept(report); i++) {
		const struct policy_note *note = &report->warnings[i];

		json_array_append_new(list, json_pack("{s:o,s:o,s:I,s:I}", "message",
						    out_json_text(note->message), "path",
						    out_json_text(note->pointer), "line",
						    (json_int_t)note->line, "column",
						    (json_int_t)note->column));
	}
	return list;
}

static enum igw_exit invalid(
	struct cli *cli, const char *path, const struct policy_report *report)
{
	const struct policy_note *error = &report->error;

	if (!cli->json) {
		print_note(cli, error, path);
		print_warnings(cli, report, path);
		return IGW_EXIT_INVALID;
	}
	return out_json_error(cli, IGW_EXIT_INVALID, error->message, error->pointer,
		json_pack("{s:o,s:I,s:I,s:o,s:I}", "file", out_json_text(path), "line",
			(json_int_t)error->line, "column", (json_int_t)error->column,
			"warnings", warnings_json(report), "warnings_total",
			(json_int_t)report->n_warnings));
}

static enum igw_exit valid(struct cli *cli, const char *path, size_t rules,
	const struct policy_report *report)
{
	if (!cli->json) {
		char safe[OUT_LINE_MAX];

		print_warnings(cli, report, path);
		fprintf(cli->out, "%s: valid, %zu rule%s\n",
			out_text(safe, sizeof(safe), path, SIZE_MAX, cli->utf8), rules,
			rules == 1 ? "" : "s");
		return IGW_EXIT_OK;
	}
	return out_data(cli,
		json_pack("{s:o,s:b,s:I,s:o,s:I}", "file", out_json_text(path), "valid",
			1, "rules", (json_int_t)rules, "warnings", warnings_json(report),
			"warnings_total", (json_int_t)report->n_warnings),
		IGW_EXIT_OK);
}

/* ---- verbs ------------------------------------------------------------------------ */

enum igw_exit verb_policy_check(struct cli *cli, struct args *args)
{
	struct policy_report report = { 0 };
	struct policy *policy = NULL;
	char installed[PATH_TEXT], *text = NULL;
	const char *path = args->words[0];
	enum igw_exit code;
	ssize_t len;
	int r;

	if (args->n_words == 0) {
		default_path(cli->exe, installed);
		path = installed;
	}
	len = file_read(path, &text);
	if (len < 0)
		return file_error(cli, path, (int)-len);
	r = policy_parse(text, (size_t)len, &policy, &report);
	free(text);
	if (r == -ENOMEM)
		return out_error(cli, IGW_EXIT_FAILED, "out of memory");
	if (r < 0)
		return invalid(cli, path, &report);
	code = valid(cli, path, policy_rule_count(policy), &report);
	policy_free(policy);
	return code;
}

enum igw_exit verb_reload(struct cli *cli, struct args *args)
{
	struct igw_ctl_done done;
	enum igw_exit code;

	(void)args;
	code = ask_broker(
		cli, IGW_CTL_RELOAD, &(struct igw_empty){ 0 }, NULL, NULL, &done);
	if (code != IGW_EXIT_OK)
		return code;
	if (cli->json)
		return out_data(cli,
			json_pack("{s:b,s:o}", "reloaded", 1, "warning",
				out_json_text(done.text)),
			IGW_EXIT_OK);
	fputs("policy reloaded\n", cli->out);
	if (done.text[0])
		out_field(cli, "warning", "%s", done.text);
	return IGW_EXIT_OK;
}
