/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/past.h"

#include <stdlib.h>

void past_clear(struct past *past)
{
	vec_free(&past->sites);
	past->time_ns = 0;
}

static int compare(const void *a, const void *b)
{
	const struct past_site *one = a, *two = b;

	if (one->pid != two->pid)
		return one->pid < two->pid ? -1 : 1;
	if (one->kind != two->kind)
		return one->kind < two->kind ? -1 : 1;
	return (one->id > two->id) - (one->id < two->id);
}

static const struct past_site *find(const struct past *past, const struct site *site)
{
	struct past_site key = { .pid = site->pid, .kind = site->kind, .id = site->id };

	return past->sites.count
		       ? bsearch(&key, past->sites.items, past->sites.count, sizeof(key), compare)
		       : NULL;
}

static uint64_t at_most(uint64_t value, uint64_t limit)
{
	return value < limit ? value : limit;
}

static void add_totals(struct snapshot *snapshot, const struct site *site)
{
	if (site->kind == SITE_HEAP) {
		snapshot->heap_totals.live_bytes += site->bytes;
		snapshot->heap_totals.live_blocks += site->blocks;
		snapshot->heap_totals.allocated_bytes += site->bytes;
		snapshot->heap_totals.allocated_blocks += site->blocks;
	} else if (site->kind == SITE_MAPPING) {
		snapshot->mapping_totals.live_bytes += site->bytes;
		snapshot->mapping_totals.live_mappings += site->blocks;
		snapshot->mapping_totals.committed_bytes += site->committed_bytes;
		snapshot->mapping_totals.mapped_bytes += site->bytes;
	}
}

struct snapshot *past_snapshot(struct past *past, const struct snapshot *later)
{
	struct snapshot *snapshot = snapshot_copy(later);
	size_t kept = 0;

	if (past->sites.count)
		qsort(past->sites.items, past->sites.count, sizeof(*past->sites.items), compare);
	snapshot->window_ns = at_most(past->time_ns, later->window_ns);
	snapshot->ended_by = "interval";
	snapshot->heap_totals = (struct heap_totals){ 0 };
	snapshot->mapping_totals = (struct mapping_totals){ 0 };
	snapshot->incidents.count = snapshot->readings.count = snapshot->verdicts.count = 0;
	vec_for_each (site, &later->sites) {
		const struct past_site *then = find(past, site);

		if (!then)
			continue;
		/* What else is known of it is of later. */
		snapshot->sites.items[kept] = (struct site){
			.kind = site->kind,
			.pid = site->pid,
			.id = site->id,
			.bytes = then->bytes,
			.blocks = then->blocks,
			.allocated_bytes = then->bytes,
			.allocated_blocks = then->blocks,
			.committed_bytes = at_most(site->committed_bytes, then->bytes),
			.owner = site->owner,
			.frames = site->frames,
			.frame_count = site->frame_count,
			.end = site->end,
		};
		add_totals(snapshot, &snapshot->sites.items[kept++]);
	}
	snapshot->sites.count = kept;
	snapshot_sort(snapshot);
	return snapshot;
}
