/*
 * What the fw_*.c files share: the open firewall handle and the names of the tables.
 */
#ifndef IGDWARD_BROKER_FW_INTERNAL_H
#define IGDWARD_BROKER_FW_INTERNAL_H

#include "fw.h"
#include "nl.h"

#include <libmnl/libmnl.h>

#define FW_TABLE "igdward"
#define FW_FLOOR "igdward_floor"

enum {
	FW_SOCKET_BUFFER = 4 * 1024 * 1024, /* answers and dumps waiting to be read */
	FW_DUMP_TRIES = 20, /* other programs may change their tables meanwhile */

	FW_MSG_DESTROYSETELEM = 30, /* NFT_MSG_*, kernel 6.3, too new for some headers */
	FW_OWNER_FLAGS = 0x2 | 0x4, /* NFT_TABLE_F_OWNER, and _PERSIST (kernel 6.9) */
};

/* How an element that may be there or not is deleted. */
enum fw_deletes {
	FW_DELETE_DESTROY, /* DESTROYSETELEM */
	FW_DELETE_IF_SEEN, /* DELSETELEM of those that a look-up finds */
	FW_DELETE_PLAIN,   /* DELSETELEM, see fw_batch_commit_lenient() */
};

/* One nf_tables transaction under construction. */
struct fw_batch {
	uint8_t *buf;
	size_t size;
	size_t len;	/* bytes used, without the end message */
	size_t n;	/* commands */
	uint32_t first; /* sequence numbers of the begin message and the last command */
	uint32_t last;
	int err; /* the first failure while building; sticks until the next start */
};

struct fw {
	struct nl wr; /* every change goes through this one: it owns the tables */
	struct nl rd;
	int sndbuf;
	bool has_destroy;  /* DESTROYSETELEM, kernel 6.3 */
	bool has_persist;  /* OWNER|PERSIST, kernel 6.9 */
	bool has_counters; /* a counter in each element of a map */
	bool owned;
	enum fw_deletes deletes;
	struct fw_batch batch;
	struct nl_reply reply;
};

#endif
