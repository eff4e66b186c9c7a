/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sums of cut stacks, by why and where they end. */
#include "model/ends.h"

#include <stdlib.h>
#include <string.h>

bool end_is_complete(enum site_end end)
{
	return end == SITE_END_ROOT || end == SITE_END_BARRIER;
}

static int compare_modules(const char *a, const char *b)
{
	if (a == b)
		return 0;
	return a && b ? strcmp(a, b) : a ? 1 : -1;
}

static int by_place(const void *left, const void *right)
{
	const struct end_sum *a = left, *b = right;

	if (a->end != b->end)
		return a->end < b->end ? -1 : 1;
	return compare_modules(a->module, b->module);
}

static int by_bytes(const void *left, const void *right)
{
	const struct end_sum *a = left, *b = right;

	if (a->bytes != b->bytes)
		return a->bytes > b->bytes ? -1 : 1;
	if (a->sites != b->sites)
		return a->sites > b->sites ? -1 : 1;
	return by_place(a, b);
}

static void sort(struct ends *ends, int (*compare)(const void *, const void *))
{
	if (ends->sums.count)
		qsort(ends->sums.items, ends->sums.count, sizeof(*ends->sums.items), compare);
}

static void merge(struct ends *ends)
{
	size_t kept = 0;

	sort(ends, by_place);
	vec_for_each (sum, &ends->sums) {
		struct end_sum *last = kept ? &ends->sums.items[kept - 1] : NULL;

		if (!last || by_place(last, sum)) {
			ends->sums.items[kept++] = *sum;
			continue;
		}
		last->bytes += sum->bytes;
		last->sites += sum->sites;
	}
	ends->sums.count = kept;
	sort(ends, by_bytes);
}

void ends_sum(struct ends *ends, const struct snapshot *snapshot)
{
	*ends = (struct ends){ 0 };
	if (snapshot->whole)
		snapshot = snapshot->whole;
	vec_for_each (site, &snapshot->sites) {
		if (!site->bytes && !site->blocks)
			continue;
		ends->bytes += site->bytes;
		ends->sites++;
		if (end_is_complete(site->end))
			continue;
		*vec_add(&ends->sums) = (struct end_sum){
			.end = site->end,
			.module = site->frame_count ? site->frames[site->frame_count - 1].module
						    : NULL,
			.bytes = site->bytes,
			.sites = 1,
		};
	}
	merge(ends);
}

void ends_free(struct ends *ends)
{
	vec_free(&ends->sums);
}
