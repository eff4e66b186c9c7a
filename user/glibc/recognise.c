/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Shapes of glibc's malloc/arena.c and malloc/malloc.c, the same from 2.17 on. */
#include "glibc/recognise.h"

#include <string.h>

enum {
	PAGE = 4096,
	ARENA_ALIGNMENT = 8,
	ARENA_DISTANCE_MAX = 4096, /* from the start of its first heap to the arena */
	/* size_t's low bits: malloc/malloc.c, PREV_INUSE, IS_MMAPPED, NON_MAIN_ARENA */
	IS_MMAPPED = 2,
	FLAGS = 7,
};

static uint64_t word(const uint8_t *bytes, size_t index)
{
	uint64_t value;

	memcpy(&value, bytes + 8 * index, sizeof(value));
	return value;
}

/* struct heap_info: ar_ptr, prev, size, mprotect_size, and from 2.35 on pagesize. */
bool glibc_heap_recognise(struct glibc_heap *heap, uint64_t address,
			  const uint8_t header[RECOGNISE_HEAP_BYTES])
{
	uint64_t arena_heap;

	*heap = (struct glibc_heap){
		.arena = word(header, 0),
		.previous = word(header, 1),
		.used_bytes = word(header, 2),
		.accessible_bytes = word(header, 3),
	};
	arena_heap = heap->arena & ~(GLIBC_HEAP_BYTES - 1);
	if (address % GLIBC_HEAP_BYTES || !heap->arena || heap->arena % ARENA_ALIGNMENT ||
	    heap->arena - arena_heap < RECOGNISE_HEAP_BYTES ||
	    heap->arena - arena_heap > ARENA_DISTANCE_MAX)
		return false;
	/* The arena lies in its first heap, and that one alone has none before it. */
	if ((arena_heap == address) != !heap->previous || heap->previous % GLIBC_HEAP_BYTES ||
	    heap->previous == address)
		return false;
	return heap->used_bytes && heap->used_bytes % PAGE == 0 &&
	       heap->accessible_bytes % PAGE == 0 && heap->used_bytes <= heap->accessible_bytes &&
	       heap->accessible_bytes <= GLIBC_HEAP_BYTES;
}

uint64_t glibc_block_recognise(uint64_t address, const uint8_t header[RECOGNISE_BLOCK_BYTES],
			       uint64_t page_bytes)
{
	uint64_t before = word(header, 0), size = word(header, 1), bytes = size & ~(uint64_t)FLAGS;

	/* From 2.43 on, its chunk ends 16 bytes before the mapping does. */
	if (bytes % page_bytes == page_bytes - RECOGNISE_BLOCK_BYTES)
		bytes += RECOGNISE_BLOCK_BYTES;
	/* An aligned block begins later in its mapping; what stood at the start before stays. */
	if (address % page_bytes || before || (size & FLAGS) != IS_MMAPPED || !bytes ||
	    bytes % page_bytes || bytes > INT64_MAX - address)
		return 0;
	return bytes;
}
