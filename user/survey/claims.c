/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Disjoint, sorted ranges. */
#include "survey/claims.h"

size_t claims_seek(const struct claims *claims, uint64_t address)
{
	size_t low = 0, high = claims->rows.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (claims->rows.items[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool claims_touch(const struct claims *claims, uint64_t start, uint64_t end)
{
	size_t at = claims_seek(claims, start);

	return at < claims->rows.count && claims->rows.items[at].start < end;
}

static void insert(struct claims *claims, size_t at, const struct claim *claim)
{
	struct claim *rows;

	vec_add(&claims->rows);
	rows = claims->rows.items;
	memmove(rows + at + 1, rows + at, (claims->rows.count - 1 - at) * sizeof(*rows));
	rows[at] = *claim;
}

void claims_add(struct claims *claims, uint64_t start, uint64_t end, enum memory_class class,
		const char *name)
{
	while (start < end) {
		size_t at = claims_seek(claims, start);
		const struct claim *next = at < claims->rows.count ? &claims->rows.items[at] : NULL;
		uint64_t stop = next && next->start < end ? next->start : end;
		uint64_t resume = next && next->start < end ? next->end : end;

		if (start < stop)
			insert(claims, at, &(struct claim){ start, stop, class, name });
		start = resume;
	}
}

void claims_free(struct claims *claims)
{
	vec_free(&claims->rows);
}
