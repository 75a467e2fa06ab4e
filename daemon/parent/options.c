#include "options.h"

#include "igdward/text.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void options_usage(void)
{
	printf("usage: igdwardd [OPTION]...\n"
	       "An Internet Gateway Device daemon that cannot be turned into a proxy.\n\n"
	       "  --config FILE      configuration (default /etc/igdward/igdward.json)\n"
	       "  --policy FILE      policy (default: as configured)\n"
	       "  --run-dir DIR      control socket and lock (default /run/igdward)\n"
	       "  --state-dir DIR    what is kept over reboots (default /var/lib/igdward)\n"
	       "  --external IF      the interface towards the internet\n"
	       "  --internal IF      a LAN interface to serve; may be repeated\n"
	       "  --log-level LEVEL  error, warning, info or debug\n"
	       "  --check            read everything, say what is wrong, change nothing\n"
	       "  --teardown         remove both nftables tables, the floor included\n"
	       "  --version, --help\n");
}

static int take_path(char *into, const char *option, const char *path)
{
	if (igw_text_copy(into, OPTIONS_PATH_MAX + 1, path) == 0 && path[0] != '\0')
		return 0;
	fprintf(stderr, "igdwardd: --%s: a path of 1 to %d bytes is needed\n", option,
		OPTIONS_PATH_MAX);
	return -EINVAL;
}

static int take_option(int option, struct options *options)
{
	switch (option) {
	case 'c':
		return take_path(options->config, "config", optarg);
	case 'p':
		return take_path(options->policy, "policy", optarg);
	case 'r':
		return take_path(options->run_dir, "run-dir", optarg);
	case 's':
		return take_path(options->state_dir, "state-dir", optarg);
	case 'e':
		options->external = optarg;
		return 0;
	case 'i':
		if (options->n_internal == IGW_LINKS_MAX) {
			fprintf(stderr, "igdwardd: at most %d --internal are served\n",
				IGW_LINKS_MAX);
			return -EINVAL;
		}
		options->internal[options->n_internal++] = optarg;
		return 0;
	case 'l':
		options->log_level = optarg;
		return 0;
	case 'C':
		options->check = true;
		return 0;
	case 'T':
		options->teardown = true;
		return 0;
	case 'V':
		options->version = true;
		return 0;
	case 'h':
		options->help = true;
		return 0;
	default: /* getopt_long has said what is wrong */
		fprintf(stderr, "igdwardd: see igdwardd --help\n");
		return -EINVAL;
	}
}

int options_parse(int argc, char **argv, struct options *ret)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "policy", required_argument, NULL, 'p' },
		{ "run-dir", required_argument, NULL, 'r' },
		{ "state-dir", required_argument, NULL, 's' },
		{ "external", required_argument, NULL, 'e' },
		{ "internal", required_argument, NULL, 'i' },
		{ "log-level", required_argument, NULL, 'l' },
		{ "check", no_argument, NULL, 'C' },
		{ "teardown", no_argument, NULL, 'T' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct options options = { .run_dir = "/run/igdward",
		.state_dir = "/var/lib/igdward" };
	int option;

	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (take_option(option, &options) < 0)
			return -EINVAL;
	}
	if (optind < argc) {
		fprintf(stderr,
			"igdwardd: unexpected argument \"%s\"; see igdwardd --help\n",
			argv[optind]);
		return -EINVAL;
	}
	*ret = options;
	return 0;
}

static int take_interface(char into[IGW_IFNAME_MAX + 1], const char *name)
{
	if (name[0] != '\0' && !strpbrk(name, "/: \t\n") &&
		igw_text_copy(into, IGW_IFNAME_MAX + 1, name) == 0)
		return 0;
	fprintf(stderr,
		"igdwardd: \"%s\" is no interface name: 1 to %d bytes, no '/', ':' "
		"or blank\n",
		name, IGW_IFNAME_MAX);
	return -EINVAL;
}

/* A config names its policy by an absolute path; the command line need not. */
static int take_policy(struct config *config, const char *path)
{
	char folder[OPTIONS_PATH_MAX + 1] = "";
	int n;

	if (path[0] != '/' && !getcwd(folder, sizeof(folder))) {
		fprintf(stderr,
			"igdwardd: --policy %s: the working folder's path is too long\n",
			path);
		return -EINVAL;
	}
	n = snprintf(config->policy, sizeof(config->policy), "%s%s%s", folder,
		path[0] == '/' ? "" : "/", path);
	if (n < 0 || (size_t)n >= sizeof(config->policy)) {
		fprintf(stderr, "igdwardd: --policy %s: the path is too long\n", path);
		return -EINVAL;
	}
	return 0;
}

int options_apply(const struct options *options, struct config *config)
{
	if (options->external && take_interface(config->external, options->external) < 0)
		return -EINVAL;
	if (options->n_internal > 0) {
		memset(config->internal, 0, sizeof(config->internal));
		config->n_internal = options->n_internal;
	}
	for (size_t i = 0; i < options->n_internal; i++) {
		if (take_interface(config->internal[i], options->internal[i]) < 0)
			return -EINVAL;
		for (size_t j = 0; j < i; j++) {
			if (strcmp(config->internal[i], config->internal[j]) == 0) {
				fprintf(stderr,
					"igdwardd: --internal %s is given twice\n",
					config->internal[i]);
				return -EINVAL;
			}
		}
	}
	if (options->policy[0] != '\0' && take_policy(config, options->policy) < 0)
		return -EINVAL;
	if (options->log_level &&
		config_log_level_parse(options->log_level, &config->log_level) < 0) {
		fprintf(stderr,
			"igdwardd: --log-level: error, warning, info or debug, not \"%s\"\n",
			options->log_level);
		return -EINVAL;
	}
	return 0;
}
