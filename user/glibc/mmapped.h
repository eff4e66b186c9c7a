/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Blocks with a mapping of their own, and malloc's settings (struct malloc_par). */
#ifndef UNFREED_GLIBC_MMAPPED_H
#define UNFREED_GLIBC_MMAPPED_H

#include "glibc/arenas.h"
#include "glibc/sizes.h"

struct mmapped_block {
	uint64_t address, size_bytes;
};

struct mmapped {
	bool counted; /* the next two are malloc's own figures, else what was found */
	uint64_t blocks, bytes;
	VEC(struct mmapped_block) found;
	uint64_t resident_bytes, swapped_bytes; /* of what was found */
	bool has_settings; /* the rest is known */
	uint64_t mmap_threshold_bytes, trim_threshold_bytes, arena_max;
};

/* Finds them. Never fails: what is not found is not there. */
void mmapped_find(struct mmapped *mmapped, struct reader *reader, const struct maps *maps,
		  const struct arenas *arenas);
/* The bytes of the mapping of a block that begins at address, in a mapping that ends at end; 0:
 * none begins there. */
uint64_t mmapped_block_at(struct reader *reader, uint64_t address, uint64_t end);

void mmapped_free(struct mmapped *mmapped);

#endif
