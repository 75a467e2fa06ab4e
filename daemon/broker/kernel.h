/*
 * The kernel's tables as the broker wants them: transactions that put lost tables back,
 * and a second try for what the kernel refused.
 */
#ifndef IGDWARD_BROKER_KERNEL_H
#define IGDWARD_BROKER_KERNEL_H

#include "broker.h"

/* Puts both tables into the kernel as the mapping table and broker->fw_links say, in one
 * transaction. The batch's operations are lost by it, its matches are kept. Returns 0 or
 * -errno. */
int kernel_install(struct broker *broker, int64_t now_ms);

/* Fills the batch with the operations of one transaction. */
typedef void (*kernel_collect_fn)(struct broker *broker, void *arg);

/*
 * What `collect` puts into the batch, as one transaction. When a table turns out to be
 * gone, both are put back first and `collect` is asked again; when the kernel's answer
 * was lost, the tables are made to agree with the mapping table and the error is
 * returned. Returns 0 or -errno, with the kernel as it was.
 */
int kernel_apply(
	struct broker *broker, kernel_collect_fn collect, void *arg, int64_t now_ms);

/* Cuts the flows of the batch's matches. A failure is logged. */
void kernel_cut_flows(struct broker *broker);

/*
 * Brings the sets of interfaces, addresses and ports to what links_fill() says. What the
 * kernel refuses is tried again, and no mapping is added meanwhile, as it might not work.
 */
void kernel_set_links(struct broker *broker, int64_t now_ms);

/* True while the kernel does not hold what it should. */
bool kernel_behind(const struct broker *broker);

/* Reads the floor's counters, and puts the tables back if one is gone. Returns 0 or
 * -errno. */
int kernel_counters(struct broker *broker, struct fw_counters *ret, int64_t now_ms);

#endif
