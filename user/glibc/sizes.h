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
	uint64_t *small; /* by size_bytes / 16 */
	VEC(struct sizes_row) large;
};

void sizes_init(struct sizes *sizes);
void sizes_free(struct sizes *sizes);

static inline void sizes_add(struct sizes *sizes, uint64_t size_bytes)
{
	if (size_bytes / 16 < SIZES_SMALL)
		sizes->small[size_bytes / 16]++;
	else
		*vec_add(&sizes->large) = (struct sizes_row){ size_bytes, 1 };
}

/* Takes one away again, of a size that was added; nothing where there is none. */
void sizes_remove(struct sizes *sizes, uint64_t size_bytes);

/* All rows, most bytes first; the caller's: mem_free. */
struct sizes_row *sizes_rows(const struct sizes *sizes, size_t *count);

#endif
