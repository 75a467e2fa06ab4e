/*
 * What one worker process knows: the link it serves, its device tree with the names that
 * the broker gave it, and its broker. Everything but `broker` and `events`, which have
 * locks of their own, is set before the first request can come and never changes.
 */
#ifndef IGDWARD_UPNP_WORKER_H
#define IGDWARD_UPNP_WORKER_H

#include "broker.h"
#include "describe.h"
#include "events.h"
#include "igdward/addr.h"
#include "igdward/msg.h"
#include "tree.h"

/* How the process ends. The parent starts it again but after 0, and after
 * WORKER_CANNOT_SERVE at the first start. */
enum worker_exit {
	WORKER_STOPPED = 0,
	WORKER_FAILED = 1,
	WORKER_USAGE = 2,
	WORKER_CANNOT_SERVE = 3,
};

struct worker {
	struct igw_link link;
	struct igw_prefix lan;
	struct names names;
	struct documents documents;
	struct broker broker;
	struct events events;
	int device; /* libupnp's handle, 0 = not registered yet */
};

/*
 * Takes the broker's word for what to serve and makes names and documents of it. Returns
 * 0; -EINVAL when the message makes no sense; or another -errno.
 */
int worker_set_link(struct worker *worker, const struct igw_link *link);

/* True when this is the address of a host in the link's network. */
bool worker_is_lan_host(const struct worker *worker, const struct igw_addr *addr);

#endif
