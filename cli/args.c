#include "args.h"

#include "igdward/text.h"
#include "igdward/types.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
	OPTION_BASE = 256, /* above every letter, so that '?' and ':' stay free */
	ID_DIGITS = 8,
};

static const struct option long_options[] = {
#define X(id, name, has_value) [id] = { name, has_value, NULL, OPTION_BASE + (id) },
	ARGS_OPTIONS(X)
#undef X
		[ARGS_OPTION_COUNT] = { NULL, 0, NULL, 0 },
};

__attribute__((format(printf, 2, 3))) static int refuse(
	struct args *args, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(args->why, sizeof(args->why), format, list);
	va_end(list);
	return -EINVAL;
}

static int word_add(struct args *args, const char *word)
{
	if (args->n_words == ARGS_WORDS_MAX)
		return refuse(args, "too many arguments: %s", word);
	args->words[args->n_words++] = word;
	return 0;
}

static int option_set(struct args *args, int option, const char *value)
{
	if (args->values[option])
		return refuse(args, "--%s is given twice", long_options[option].name);
	args->values[option] = value ? value : "";
	return 0;
}

/* What getopt_long() returns for '?': `opt` is the option's number when it took a value
 * that it must not have, a letter, or 0 for a long one that nobody knows. */
static int refuse_unknown(struct args *args, int opt, const char *word)
{
	if (opt >= OPTION_BASE)
		return refuse(args, "--%s takes no value",
			long_options[opt - OPTION_BASE].name);
	if (opt != 0)
		return refuse(args, "unknown option: -%c", opt);
	return refuse(args, "unknown option: %s", word);
}

int args_parse(struct args *args, int argc, char **argv)
{
	int c, r = 0;

	*args = (struct args){ 0 };
	opterr = 0;
	optind = 0; /* from the start, in both glibc and musl */
	/* '-': words come in their place, whatever POSIXLY_CORRECT says. */
	while (r == 0 && (c = getopt_long(argc, argv, "-:h", long_options, NULL)) != -1) {
		if (c == 1)
			r = word_add(args, optarg);
		else if (c == 'h')
			args->values[ARGS_HELP] = "";
		else if (c == ':')
			r = refuse(args, "--%s needs a value",
				long_options[optopt - OPTION_BASE].name);
		else if (c == '?')
			r = refuse_unknown(args, optopt, argv[optind - 1]);
		else
			r = option_set(args, c - OPTION_BASE, optarg);
	}
	while (r == 0 && optind < argc) /* behind "--" */
		r = word_add(args, argv[optind++]);
	return r;
}

int args_check(struct args *args, unsigned allowed, unsigned needed)
{
	for (unsigned i = 0; i < ARGS_OPTION_COUNT; i++) {
		if (args->values[i] && (allowed & ARGS_BIT(i)) == 0)
			return refuse(
				args, "--%s has no meaning here", long_options[i].name);
	}
	for (unsigned i = 0; i < ARGS_OPTION_COUNT; i++) {
		if (!args->values[i] && (needed & ARGS_BIT(i)) != 0)
			return refuse(args, "--%s is missing", long_options[i].name);
	}
	return 0;
}

static int refuse_value(struct args *args, enum args_option option, const char *wanted)
{
	return refuse(args, "--%s: %.64s: not %s", long_options[option].name,
		args->values[option], wanted);
}

int args_addr(struct args *args, enum args_option option, struct igw_addr *ret)
{
	const char *text = args->values[option];

	if (text && igw_addr_parse(text, ret) < 0)
		return refuse_value(args, option, "an IPv4 or IPv6 address");
	return 0;
}

int args_port(struct args *args, enum args_option option, uint16_t *ret)
{
	const char *text = args->values[option];

	if (text && igw_u16_parse(text, 1, UINT16_MAX, ret) < 0)
		return refuse_value(args, option, "a port from 1 to 65535");
	return 0;
}

int args_seconds(struct args *args, enum args_option option, uint32_t *ret)
{
	const char *text = args->values[option];

	if (text && igw_u32_parse(text, 0, UINT32_MAX, ret) < 0)
		return refuse_value(args, option, "a number of seconds");
	return 0;
}

int args_protocol(struct args *args, enum args_option option, uint8_t *ret)
{
	const char *text = args->values[option];

	if (!text)
		return 0;
	if (strcasecmp(text, "tcp") != 0 && strcasecmp(text, "udp") != 0)
		return refuse_value(args, option, "tcp or udp");
	*ret = strcasecmp(text, "tcp") == 0 ? IGW_TCP : IGW_UDP;
	return 0;
}

int args_via(struct args *args, enum args_option option, uint8_t *ret)
{
	const char *text = args->values[option];

	if (!text)
		return 0;
	for (uint8_t via = IGW_VIA_UPNP; via <= IGW_VIA_PCP; via++) {
		if (strcmp(text, igw_via_word(via)) == 0) {
			*ret = via;
			return 0;
		}
	}
	return refuse_value(args, option, "upnp, natpmp or pcp");
}

int args_mapping(struct args *args, uint32_t *ret)
{
	const char *text = args->words[0];
	uint32_t id = 0;

	if (strlen(text) != ID_DIGITS ||
		strspn(text, "0123456789abcdefABCDEF") != ID_DIGITS)
		return refuse(args, "%.64s: not an id of eight hexadecimal digits", text);
	for (; *text; text++)
		id = id << 4 |
		     (uint32_t)(*text <= '9' ? *text - '0' : (*text | 32) - 'a' + 10);
	*ret = id;
	return 0;
}
