/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A histogram: an array for what is small, a list for what is large and rare. */
#include "glibc/sizes.h"

#include <stdlib.h>

void sizes_free(struct sizes *sizes)
{
	vec_free(&sizes->small);
	vec_free(&sizes->large);
}

void sizes_remove(struct sizes *sizes, uint64_t size_bytes)
{
	if (size_bytes / 16 < SIZES_SMALL) {
		if (*sizes_small(sizes, size_bytes / 16))
			--*sizes_small(sizes, size_bytes / 16);
		return;
	}
	vec_for_each (row, &sizes->large) {
		if (row->size_bytes == size_bytes && row->blocks) {
			row->blocks--;
			return;
		}
	}
}

static int by_size(const void *a, const void *b)
{
	const struct sizes_row *left = a, *right = b;

	return left->size_bytes < right->size_bytes ? -1 : left->size_bytes > right->size_bytes;
}

static int by_bytes(const void *a, const void *b)
{
	const struct sizes_row *left = a, *right = b;
	uint64_t left_bytes = left->size_bytes * left->blocks;
	uint64_t right_bytes = right->size_bytes * right->blocks;

	return left_bytes == right_bytes ? by_size(a, b) : left_bytes < right_bytes ? 1 : -1;
}

struct sizes_row *sizes_rows(const struct sizes *sizes, size_t *count)
{
	struct sizes_row *rows;
	size_t used = 0;

	vec_for_each (blocks, &sizes->small)
		used += *blocks != 0;
	rows = mem_array(used + sizes->large.count, sizeof(*rows));
	used = 0;
	vec_for_each (blocks, &sizes->small) {
		uint64_t size_bytes = 16 * (uint64_t)(blocks - sizes->small.items);

		if (*blocks)
			rows[used++] = (struct sizes_row){ size_bytes, *blocks };
	}
	if (sizes->large.count) {
		size_t first = used;

		memcpy(rows + first, sizes->large.items, sizes->large.count * sizeof(*rows));
		qsort(rows + first, sizes->large.count, sizeof(*rows), by_size);
		for (size_t i = first; i < first + sizes->large.count; i++) {
			if (used > first && rows[used - 1].size_bytes == rows[i].size_bytes)
				rows[used - 1].blocks += rows[i].blocks;
			else if (rows[i].blocks)
				rows[used++] = rows[i];
		}
	}
	if (used)
		qsort(rows, used, sizeof(*rows), by_bytes);
	*count = used;
	return rows;
}
