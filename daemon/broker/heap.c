#include "heap.h"

#include <errno.h>
#include <stdlib.h>

int heap_init(struct heap *heap, uint32_t positions)
{
	heap->n = 0;
	heap->entries = calloc(positions, sizeof(*heap->entries));
	heap->places = calloc(positions, sizeof(*heap->places));
	heap->times_ms = calloc(positions, sizeof(*heap->times_ms));
	if (!heap->entries || !heap->places || !heap->times_ms) {
		heap_free(heap);
		return -ENOMEM;
	}
	return 0;
}

void heap_free(struct heap *heap)
{
	free(heap->entries);
	free(heap->places);
	free(heap->times_ms);
	*heap = (struct heap){ 0 };
}

uint32_t heap_first(const struct heap *heap)
{
	return heap->n > 0 ? heap->entries[0] : (uint32_t)HEAP_NONE;
}

size_t heap_until(const struct heap *heap, int64_t time_ms, uint32_t *ret, size_t max)
{
	size_t n = 0;

	/* `ret` first holds places: what is due lies together at the top of the heap, so
	 * each place found is looked below once. */
	if (max > 0 && heap->n > 0 && heap->times_ms[heap->entries[0]] <= time_ms)
		ret[n++] = 0;
	for (size_t i = 0; i < n; i++) {
		for (uint32_t down = 2 * ret[i] + 1; down <= 2 * ret[i] + 2; down++) {
			if (n < max && down < heap->n &&
				heap->times_ms[heap->entries[down]] <= time_ms)
				ret[n++] = down;
		}
	}
	for (size_t i = 0; i < n; i++)
		ret[i] = heap->entries[ret[i]];
	return n;
}

static void heap_put(struct heap *heap, uint32_t place, uint32_t position)
{
	heap->entries[place] = position;
	heap->places[position] = place;
}

static void heap_rise(struct heap *heap, uint32_t place)
{
	uint32_t position = heap->entries[place];

	while (place > 0) {
		uint32_t up = (place - 1) / 2;

		if (heap->times_ms[heap->entries[up]] <= heap->times_ms[position])
			break;
		heap_put(heap, place, heap->entries[up]);
		place = up;
	}
	heap_put(heap, place, position);
}

static void heap_sink(struct heap *heap, uint32_t place)
{
	uint32_t position = heap->entries[place];

	for (;;) {
		uint32_t down = 2 * place + 1;

		if (down >= heap->n)
			break;
		if (down + 1 < heap->n && heap->times_ms[heap->entries[down + 1]] <
						  heap->times_ms[heap->entries[down]])
			down++;
		if (heap->times_ms[position] <= heap->times_ms[heap->entries[down]])
			break;
		heap_put(heap, place, heap->entries[down]);
		place = down;
	}
	heap_put(heap, place, position);
}

void heap_add(struct heap *heap, uint32_t position, int64_t time_ms)
{
	heap->times_ms[position] = time_ms;
	heap_put(heap, heap->n, position);
	heap->n++;
	heap_rise(heap, heap->n - 1);
}

void heap_move(struct heap *heap, uint32_t position, int64_t time_ms)
{
	heap->times_ms[position] = time_ms;
	heap_rise(heap, heap->places[position]);
	heap_sink(heap, heap->places[position]);
}

void heap_remove(struct heap *heap, uint32_t position)
{
	uint32_t place = heap->places[position];
	uint32_t last;

	heap->n--;
	last = heap->entries[heap->n];
	if (last == position)
		return;
	heap_put(heap, place, last);
	heap_rise(heap, place);
	heap_sink(heap, heap->places[last]);
}
