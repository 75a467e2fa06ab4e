/*
 * Scratch memory for one transaction, reserved at start for the largest there can be, so
 * that nothing is allocated while running.
 */
#ifndef IGDWARD_BROKER_BATCH_H
#define IGDWARD_BROKER_BATCH_H

#include "ct.h"
#include "fw.h"
#include "table.h"

#include <stddef.h>

struct batch {
	struct fw_mapping *mappings;
	struct fw_endpoint *endpoints;
	struct fw_op *ops;
	struct ct_match *matches;
	struct mapping **ended; /* room to list the mappings that it ends */
	size_t n_mappings, n_endpoints, n_ops, n_matches;
};

/* Returns 0 or -ENOMEM. */
int batch_init(struct batch *batch);
void batch_free(struct batch *batch);

/* Empties it for the next transaction. */
void batch_clear(struct batch *batch);

/* The same, but the flows to be cut are kept. */
void batch_clear_ops(struct batch *batch);

/* One operation on the element of `mapping`; `now_ms` gives the lease that is left. */
void batch_map(struct batch *batch, enum fw_op_kind kind, const struct mapping *mapping,
	int64_t now_ms);

/* One operation on an internal end. */
void batch_end(struct batch *batch, enum fw_op_kind kind, uint8_t protocol,
	const struct igw_addr *addr, uint16_t port, int64_t expires_ms, int64_t now_ms);

/* The flows of `mapping` are to be cut afterwards. */
void batch_cut(struct batch *batch, const struct mapping *mapping);

/* A mapping in the kernel's form. */
void batch_fw_mapping(
	const struct mapping *mapping, int64_t now_ms, struct fw_mapping *ret);

/* The flows of a mapping. */
struct ct_match batch_match(const struct mapping *mapping);

#endif
