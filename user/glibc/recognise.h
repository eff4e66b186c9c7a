/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What glibc's malloc leaves at the start of its mappings, told by its shape: no symbols, no
 * version, no size alone. The bytes come from a target: nothing in them is taken on trust.
 */
#ifndef UNFREED_GLIBC_RECOGNISE_H
#define UNFREED_GLIBC_RECOGNISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RECOGNISE_HEAP_BYTES = 32, RECOGNISE_BLOCK_BYTES = 16 };

/* Of the heaps of every arena but the main one. */
#define GLIBC_HEAP_BYTES (64ULL << 20)

struct glibc_heap {
	uint64_t arena; /* address of its struct malloc_state: one for all its heaps */
	uint64_t previous; /* heap of the same arena, 0: this is its first */
	uint64_t used_bytes; /* from its start on; the rest was trimmed or never used */
	uint64_t accessible_bytes; /* what mprotect has opened so far */
};

/* Whether a heap_info stands at address, which is where a heap starts. */
bool glibc_heap_recognise(struct glibc_heap *heap, uint64_t address,
			  const uint8_t header[RECOGNISE_HEAP_BYTES]);

/*
 * The bytes of the mapping of a block of its own whose chunk begins at address, the start of a page
 * (prev_size, then size with IS_MMAPPED alone); 0: it is none. page_bytes: of the target's kernel.
 */
uint64_t glibc_block_recognise(uint64_t address, const uint8_t header[RECOGNISE_BLOCK_BYTES],
			       uint64_t page_bytes);

#endif
