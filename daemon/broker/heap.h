/*
 * A heap of positions ordered by a time, so that the next one to expire is always at
 * hand. Adding, moving and removing cost the logarithm of the number of entries.
 */
#ifndef IGDWARD_BROKER_HEAP_H
#define IGDWARD_BROKER_HEAP_H

#include <stddef.h>
#include <stdint.h>

enum {
	HEAP_NONE = UINT32_MAX,
};

struct heap {
	uint32_t *entries; /* positions, the earliest first */
	uint32_t *places;  /* of each position its place among the entries */
	int64_t *times_ms; /* of each position */
	uint32_t n;
};

/* Memory for positions 0 to `positions` - 1. Returns 0 or -ENOMEM. */
int heap_init(struct heap *heap, uint32_t positions);
void heap_free(struct heap *heap);

/* The earliest position, or HEAP_NONE. */
uint32_t heap_first(const struct heap *heap);

/* Lists up to `max` positions whose time is `time_ms` or earlier, in no order, into
 * `ret`; returns how many. `ret` is also the scratch of the search. */
size_t heap_until(const struct heap *heap, int64_t time_ms, uint32_t *ret, size_t max);

/* Adds a position that is not in the heap. */
void heap_add(struct heap *heap, uint32_t position, int64_t time_ms);

/* Changes the time of a position in the heap. */
void heap_move(struct heap *heap, uint32_t position, int64_t time_ms);

/* Takes a position out of the heap. */
void heap_remove(struct heap *heap, uint32_t position);

#endif
