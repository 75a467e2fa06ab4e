/*
 * A command line taken apart, and its values read strictly. Options may stand before and
 * behind the verb. Nothing is printed here: what is wrong is told in a text.
 */
#ifndef IGDWARD_CLI_ARGS_H
#define IGDWARD_CLI_ARGS_H

#include "igdward/addr.h"

#include <stddef.h>
#include <stdint.h>

/* X(constant, name, does it take a value) */
#define ARGS_OPTIONS(X)                                                                  \
	X(ARGS_SOCKET, "socket", 1)                                                      \
	X(ARGS_JSON, "json", 0)                                                          \
	X(ARGS_HELP, "help", 0)                                                          \
	X(ARGS_CLIENT, "client", 1)                                                      \
	X(ARGS_PROTOCOL, "protocol", 1)                                                  \
	X(ARGS_EXTERNAL_PORT, "external-port", 1)                                        \
	X(ARGS_INTERNAL_PORT, "internal-port", 1)                                        \
	X(ARGS_INTERNAL_CLIENT, "internal-client", 1)                                    \
	X(ARGS_VIA, "via", 1)                                                            \
	X(ARGS_REMOTE_HOST, "remote-host", 1)                                            \
	X(ARGS_LEASE, "lease", 1)

enum args_option {
#define X(id, name, has_value) id,
	ARGS_OPTIONS(X)
#undef X
		ARGS_OPTION_COUNT
};

#define ARGS_BIT(option) (1U << (option))

enum {
	ARGS_WORDS_MAX = 4, /* that are no options */
	ARGS_WHY_MAX = 256, /* bytes of the text that tells what is wrong */
};

/* The texts are argv's. */
struct args {
	const char *words[ARGS_WORDS_MAX];
	size_t n_words;
	const char *values[ARGS_OPTION_COUNT]; /* NULL = not given; a flag's is "" */
	char why[ARGS_WHY_MAX]; /* set by every function that returns -EINVAL */
};

/* Takes a command line apart. Returns 0, or -EINVAL for an unknown or repeated option, a
 * missing value or too many words. */
int args_parse(struct args *args, int argc, char **argv);

/* Refuses options outside `allowed` and the lack of one in `needed` (sets of ARGS_BIT).
 * Returns 0 or -EINVAL. */
int args_check(struct args *args, unsigned allowed, unsigned needed);

/*
 * An option's value. All return 0, with *ret untouched when the option was not given, or
 * -EINVAL. Ports are 1 to 65535; protocols "tcp" and "udp"; ways in "upnp", "natpmp" and
 * "pcp"; an address is IPv4 or IPv6 text.
 */
int args_addr(struct args *args, enum args_option option, struct igw_addr *ret);
int args_port(struct args *args, enum args_option option, uint16_t *ret);
int args_seconds(struct args *args, enum args_option option, uint32_t *ret);
int args_protocol(struct args *args, enum args_option option, uint8_t *ret);
int args_via(struct args *args, enum args_option option, uint8_t *ret);

/* The first word as a mapping's id: exactly eight hexadecimal digits. */
int args_mapping(struct args *args, uint32_t *ret);

#endif
