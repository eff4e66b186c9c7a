/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How many chunks there are of each size. */
#ifndef UNFREED_GLIBC_SIZES_H
#define UNFREED_GLIBC_SIZES_H

#include "base/vec.h"

#include <stdint.h>

enum { SIZES_SMALL = 1 << 16 }; /* chunks below 1 MiB are counted by size, others listed */

struct sizes_row {
	uint64_t size_bytes, blocks;
};

struct sizes {
	VEC(uint64_t) small; /* by size_bytes / 16, as far as there are any */
	VEC(struct sizes_row) large;
};

void sizes_free(struct sizes *sizes);

/* The count of a size of which there may have been none yet. */
static inline uint64_t *sizes_small(struct sizes *sizes, size_t i)
{
	if (i >= sizes->small.count) {
		sizes->small.items = mem_grow(sizes->small.items, i + 1, &sizes->small.capacity,
					      sizeof(*sizes->small.items));
		sizes->small.count = i + 1;
	}
	return &sizes->small.items[i];
}

static inline void sizes_add(struct sizes *sizes, uint64_t size_bytes)
{
	if (size_bytes / 16 < SIZES_SMALL)
		++*sizes_small(sizes, size_bytes / 16);
	else
		*vec_add(&sizes->large) = (struct sizes_row){ size_bytes, 1 };
}

/* Takes one away again, of a size that was added; nothing where there is none. */
void sizes_remove(struct sizes *sizes, uint64_t size_bytes);

/* All rows, most bytes first; the caller's: mem_free. */
struct sizes_row *sizes_rows(const struct sizes *sizes, size_t *count);

#endif
