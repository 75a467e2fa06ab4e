#include "batch.h"

#include "record.h"

#include <errno.h>
#include <stdlib.h>

enum {
	/* A mapping needs two operations on its element and two on internal ends at
	 * most: its old end and its new one. */
	BATCH_OPS = 4 * TABLE_MAPPINGS_MAX,
};

int batch_init(struct batch *batch)
{
	*batch = (struct batch){ 0 };
	batch->mappings = calloc(TABLE_MAPPINGS_MAX, sizeof(*batch->mappings));
	batch->endpoints = calloc(2 * TABLE_MAPPINGS_MAX, sizeof(*batch->endpoints));
	batch->ops = calloc(BATCH_OPS, sizeof(*batch->ops));
	batch->matches = calloc(TABLE_MAPPINGS_MAX, sizeof(*batch->matches));
	batch->ended = calloc(TABLE_MAPPINGS_MAX, sizeof(struct mapping *));
	if (!batch->mappings || !batch->endpoints || !batch->ops || !batch->matches ||
		!batch->ended) {
		batch_free(batch);
		return -ENOMEM;
	}
	return 0;
}

void batch_free(struct batch *batch)
{
	free(batch->mappings);
	free(batch->endpoints);
	free(batch->ops);
	free(batch->matches);
	free(batch->ended);
	*batch = (struct batch){ 0 };
}

void batch_clear_ops(struct batch *batch)
{
	batch->n_mappings = 0;
	batch->n_endpoints = 0;
	batch->n_ops = 0;
}

void batch_clear(struct batch *batch)
{
	batch_clear_ops(batch);
	batch->n_matches = 0;
}

static uint64_t left_ms(int64_t expires_ms, int64_t now_ms)
{
	return expires_ms > now_ms ? (uint64_t)(expires_ms - now_ms) : 1;
}

void batch_fw_mapping(
	const struct mapping *mapping, int64_t now_ms, struct fw_mapping *ret)
{
	ret->protocol = mapping->protocol;
	ret->enabled = mapping->enabled;
	ret->external_port = mapping->external_port;
	ret->internal_port = mapping->internal_port;
	ret->remote_host = mapping->remote_host;
	ret->internal_client = mapping->internal_client;
	ret->timeout_ms = left_ms(mapping->expires_ms, now_ms);
	ret->record_len = record_write(mapping, ret->record, sizeof(ret->record));
}

void batch_map(struct batch *batch, enum fw_op_kind kind, const struct mapping *mapping,
	int64_t now_ms)
{
	struct fw_mapping *into = &batch->mappings[batch->n_mappings++];

	batch_fw_mapping(mapping, now_ms, into);
	batch->ops[batch->n_ops++] = (struct fw_op){ .kind = kind, .mapping = into };
}

void batch_end(struct batch *batch, enum fw_op_kind kind, uint8_t protocol,
	const struct igw_addr *addr, uint16_t port, int64_t expires_ms, int64_t now_ms)
{
	struct fw_endpoint *into = &batch->endpoints[batch->n_endpoints++];

	into->protocol = protocol;
	into->addr = *addr;
	into->port = port;
	into->timeout_ms = left_ms(expires_ms, now_ms);
	batch->ops[batch->n_ops++] = (struct fw_op){ .kind = kind, .endpoint = into };
}

struct ct_match batch_match(const struct mapping *mapping)
{
	return (struct ct_match){ .protocol = mapping->protocol,
		.external_port = mapping->external_port,
		.internal_port = mapping->internal_port,
		.internal_client = mapping->internal_client,
		.remote_host = mapping->remote_host };
}

void batch_cut(struct batch *batch, const struct mapping *mapping)
{
	batch->matches[batch->n_matches++] = batch_match(mapping);
}
