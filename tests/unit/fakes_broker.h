/*
 * What the tests of the broker share: a kernel that is a few arrays, which the linker
 * takes instead of fw.c, ct.c and net.c, and a broker around it with a worker's channel
 * whose other end is the test's. After every step the arrays can be held against the
 * mapping table: what is listed is what the kernel has.
 */
#ifndef IGDWARD_TEST_FAKES_BROKER_H
#define IGDWARD_TEST_FAKES_BROKER_H

#include "broker.h"
#include "chan.h"
#include "dispatch.h"
#include "mapping.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define WAN   "wan0"
#define LAN   "br-lan" /* 192.168.1.1/24, link 0 */
#define GUEST "guest"  /* 192.168.2.1/24, link 1 */

/* 2026-11-01T00:00:00Z */
#define WALL INT64_C(1793491200)

enum {
	FAKE_MAPS = 4096,
	FAKE_OPS = 4096,
	FAKE_IFACES = 4,
};

struct fake_op {
	enum fw_op_kind kind;
	struct fw_mapping mapping;
	struct fw_endpoint endpoint;
};

/* One element, with the moment at which its timeout ends. */
struct fake_map {
	struct fw_mapping mapping;
	int64_t expires_ms;
};

struct fake_end {
	struct fw_endpoint end;
	int64_t expires_ms;
};

struct fake_kernel {
	int64_t now_ms; /* set by the helpers below */
	int64_t wall_s;
	int64_t slack_ms; /* how far the kernel's times may be from the table's */

	/* nftables. An error is given that many times, then no more. */
	bool there;
	struct fake_map maps[FAKE_MAPS];
	size_t n_maps;
	struct fake_end ends[FAKE_MAPS];
	size_t n_ends;
	int apply_error, install_error, load_error, links_error;
	unsigned apply_errors;
	unsigned applies, installs, set_links; /* calls, failed ones too */
	struct fake_op ops[FAKE_OPS];	       /* of the last call of fw_apply() */
	size_t n_ops;
	void (*during_apply)(void *arg);
	void *during_arg;
	struct fw_links links; /* as last set or installed */
	/* What fw_load() finds: n_load times what this fills in. */
	void (*load)(size_t i, struct fw_mapping *ret);
	size_t n_load;

	/* conntrack */
	int cut_error;
	unsigned cuts, counted;
	struct ct_match matches[FAKE_OPS]; /* of the last call of ct_cut() */
	size_t n_matches;

	/* network */
	struct net_iface ifaces[FAKE_IFACES];
	size_t n_ifaces;
	const char *default_name;
	bool no_neighbours;
	uint8_t card; /* of all hosts: the fifth byte of their MAC addresses */
	int on_link_error;
	uint16_t listens_port;
	uint8_t listens_protocol;

	unsigned scheduled; /* calls of broker_schedule() */
};

extern struct fake_kernel fake;

struct lab {
	struct broker broker;
	int worker[2]; /* the other ends of the links' channels */
	int parent;
	int64_t now_ms;
};

/* The policy of most tests: one rule, small limits. In all of these texts ' stands for ".
 */
extern const char policy_open[];

/* A broker that runs: two links, told and not yet serving. `policy` NULL = policy_open.
 */
struct lab *lab_open(const char *policy);
void lab_close(struct lab *lab);

struct policy *lab_policy(const char *text);
void lab_set_policy(struct lab *lab, const char *text);

struct igw_addr addr_of(const char *text);
/* 192.168.1.`host` */
struct igw_addr host_of(unsigned host);

/* A message as chan_recv() hands it to the broker. */
struct chan_msg msg_of(uint32_t id, const void *payload);

/* One message of the worker of link `i`; returns what dispatch() does. */
int lab_tell(struct lab *lab, size_t i, uint32_t id, const void *payload);

/* The same and its answer, which must be there, of id `reply` and the right size. */
void lab_ask(struct lab *lab, size_t i, uint32_t id, const void *payload, uint32_t reply,
	void *ret, size_t size);

/* Takes the message that waits at the test's end `fd`; false when there is none. */
bool lab_heard(int fd, struct chan_msg *ret);

/* A request of 192.168.1.`host` for itself, TCP, an hour. */
struct igw_map_add add_of(unsigned host, uint16_t external_port, uint16_t internal_port);
struct igw_map_result lab_add(struct lab *lab, const struct igw_map_add *add);
/* Adds and expects success; returns the table's entry. */
struct mapping *lab_added(struct lab *lab, const struct igw_map_add *add);
enum igw_reason lab_delete(
	struct lab *lab, unsigned host, uint8_t protocol, uint16_t external_port);

/* The same as in the table: not one element more, less or other in the kernel. */
void lab_check(struct lab *lab);

/* Of the last fw_apply(): how many operations of that kind. */
size_t fake_count(enum fw_op_kind kind);
const struct fake_op *fake_op(enum fw_op_kind kind);
const struct fake_end *fake_find_end(uint8_t protocol, const char *addr, uint16_t port);

#endif
