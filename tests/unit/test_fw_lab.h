/*
 * What the tests of the firewall share: a network namespace of their own, nft(8) as a
 * second opinion, and mappings to put in. A test is skipped where there is no root.
 */
#ifndef IGDWARD_TEST_FW_LAB_H
#define IGDWARD_TEST_FW_LAB_H

#include "fw.h"
#include "fw_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define UNUSED	 __attribute__((unused))

enum {
	LAB_MARK = 0x40000000,
	LAB_WORKER = 64802,
	LAB_WAIT_MS = 20000, /* longer than anything takes, valgrind included */
	LAB_TEXT = 1 << 20,
};

/* Runs a shell command; the test fails when that fails. */
__attribute__((format(printf, 1, 2))) UNUSED static void run(const char *format, ...)
{
	char line[4096];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (system(line) != 0)
		fail_msg("failed: %s", line);
}

/* The same, and whether it worked. */
__attribute__((format(printf, 1, 2))) UNUSED static bool works(const char *format, ...)
{
	char line[4096];
	va_list args;
	size_t n;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	n = strlen(line);
	snprintf(line + n, sizeof(line) - n, " 2>/dev/null");
	return system(line) == 0;
}

/* What a command prints, malloc()ed. */
UNUSED static char *output_of(const char *command)
{
	char *text = calloc(1, LAB_TEXT);
	FILE *f = popen(command, "r");
	size_t n;

	assert_non_null(text);
	assert_non_null(f);
	n = fread(text, 1, LAB_TEXT - 1, f);
	text[n] = '\0';
	assert_int_equal(pclose(f), 0);
	return text;
}

/* Whether a command prints `needle`. */
UNUSED static bool shows(const char *command, const char *needle)
{
	char *text = output_of(command);
	bool found = strstr(text, needle) != NULL;

	free(text);
	return found;
}

/* The ruleset without what changes by itself. */
#define LAB_RULESET "nft list ruleset | sed 's/ expires [^ ,:}]*//'"

UNUSED static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

UNUSED static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* A moment between two looks at something that sends no event. */
UNUSED static void tick(void)
{
	poll(NULL, 0, 2);
}

UNUSED static int lab_netns(void **state)
{
	*state = NULL;
	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0) {
		puts("skipped: needs root");
		exit(77);
	}
	return 0;
}

/* A firewall in an empty namespace of its own. */
UNUSED static int lab_open(void **state)
{
	struct fw *fw = NULL;

	if (unshare(CLONE_NEWNET) < 0)
		return -1;
	assert_int_equal(fw_open(&fw), 0);
	*state = fw;
	return 0;
}

UNUSED static int lab_close(void **state)
{
	fw_close(*state);
	*state = NULL;
	return 0;
}

UNUSED static struct fw_settings lab_settings(void)
{
	return (struct fw_settings){
		.mark = LAB_MARK,
		.worker_uid = LAB_WORKER,
		.hairpin = true,
		.block_smb_egress = true,
	};
}

UNUSED static struct igw_addr v4(const char *text)
{
	struct in_addr in;

	assert_int_equal(inet_pton(AF_INET, text, &in), 1);
	return igw_addr_from_v4(ntohl(in.s_addr));
}

UNUSED static struct fw_links lab_links(void)
{
	struct fw_links links = {
		.wan = "wan",
		.n_wan_addrs = 1,
		.lan = { "br-lan" },
		.n_lan = 1,
		.http_ports = { 5000 },
		.n_http_ports = 1,
	};

	links.wan_addrs[0] = v4("203.0.113.2");
	return links;
}

/* tcp, external -> addr:internal, enabled, an hour, any remote host. */
UNUSED static struct fw_mapping mapping(
	uint16_t external, const char *addr, uint16_t internal)
{
	return (struct fw_mapping){
		.protocol = IGW_TCP,
		.enabled = true,
		.external_port = external,
		.internal_port = internal,
		.internal_client = v4(addr),
		.timeout_ms = 3600000,
		.record = "record",
		.record_len = 6,
	};
}

UNUSED static struct fw_endpoint endpoint(const struct fw_mapping *m)
{
	return (struct fw_endpoint){
		.protocol = m->protocol,
		.port = m->internal_port,
		.addr = m->internal_client,
		.timeout_ms = m->timeout_ms,
	};
}

UNUSED static void install(struct fw *fw)
{
	const struct fw_settings settings = lab_settings();
	const struct fw_links links = lab_links();

	assert_int_equal(fw_install(fw, &settings, &links, NULL, 0, NULL, 0), 0);
}

UNUSED static int map_set(struct fw *fw, const struct fw_mapping *m)
{
	const struct fw_op op = { .kind = FW_MAP_SET, .mapping = m };

	return fw_apply(fw, &op, 1);
}

UNUSED static int map_del(struct fw *fw, const struct fw_mapping *m)
{
	const struct fw_op op = { .kind = FW_MAP_DEL, .mapping = m };

	return fw_apply(fw, &op, 1);
}

/* Mappings as fw_load() reports them. */
struct loaded {
	struct fw_mapping v[16];
	size_t n;
};

UNUSED static int keep(const struct fw_mapping *m, void *arg)
{
	struct loaded *l = arg;

	if (l->n < COUNT(l->v))
		l->v[l->n] = *m;
	l->n++;
	return 0;
}

UNUSED static struct loaded load(struct fw *fw)
{
	struct loaded l = { .n = 0 };

	assert_int_equal(fw_load(fw, keep, &l), 0);
	return l;
}

/* What load() found under the key of `m`, or NULL. */
UNUSED static const struct fw_mapping *find(
	const struct loaded *l, const struct fw_mapping *m)
{
	for (size_t i = 0; i < l->n && i < COUNT(l->v); i++) {
		if (l->v[i].protocol == m->protocol &&
			l->v[i].external_port == m->external_port &&
			igw_addr_equal(&l->v[i].remote_host, &m->remote_host))
			return &l->v[i];
	}
	return NULL;
}

/* Both are the same but for the time that has passed since. */
UNUSED static void assert_mapping(const struct fw_mapping *a, const struct fw_mapping *b)
{
	assert_non_null(a);
	assert_int_equal(a->protocol, b->protocol);
	assert_int_equal(a->enabled, b->enabled);
	assert_int_equal(a->external_port, b->external_port);
	assert_int_equal(a->internal_port, b->internal_port);
	assert_true(igw_addr_equal(&a->remote_host, &b->remote_host));
	assert_true(igw_addr_equal(&a->internal_client, &b->internal_client));
	assert_int_equal(a->record_len, b->record_len);
	assert_memory_equal(a->record, b->record, b->record_len);
	assert_true(a->timeout_ms > 0 && a->timeout_ms <= b->timeout_ms);
}

#endif
