/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the target is and holds from minute to minute, at little cost: numbers without names. */
#include "model/past.h"

#include <errno.h>

#include "collect/internal.h"

static void add_live(void *context, const void *key, const void *value)
{
	struct reading *reading = context;
	const struct abi_site *site = value;

	(void)key;
	reading->live_bytes += site->live_bytes;
	reading->live_blocks += sums_blocks(site->live_units);
}

void collect_reading(struct collect *collect, struct reading *reading)
{
	*reading = (struct reading){ .time_ns = collect_window_ns(collect) };
	vec_for_each (watched, &collect->watched) {
		struct proc proc;

		if ((*watched)->state == WATCHED_RUNNING && !proc_read(&proc, (*watched)->pid))
			reading->rss_bytes += proc.rss_bytes;
	}
	if (collect->options.heap)
		collect_read_sites(collect, add_live, reading);
}

struct taking {
	struct collect *collect;
	struct past *past;
};

static void take_heap(void *context, const void *key, const void *value)
{
	const struct taking *taking = context;
	const struct abi_site_key *at = key;
	const struct abi_site *site = value;
	const struct watched *watched = collect_watched_mm(taking->collect, at->mm);

	if (watched && site->live_units)
		*vec_add(&taking->past->sites) = (struct past_site){
			.pid = watched->pid,
			.kind = SITE_HEAP,
			.id = at->stack_id,
			.bytes = site->live_bytes,
			.blocks = sums_blocks(site->live_units),
		};
}

static void take_mappings(struct past *past, const struct watched *watched)
{
	const struct moment now = { .now_ns = collect_now_ns() };
	struct sums *table = NULL;

	sums_ledger(&table, watched->ledger, &now);
	for (struct sums *sums = table; sums; sums = sums->hh.next) {
		if (sums->bytes)
			*vec_add(&past->sites) = (struct past_site){
				.pid = watched->pid,
				.kind = SITE_MAPPING,
				.id = sums->stack_id,
				.bytes = sums->bytes,
				.blocks = sums->mappings,
			};
	}
	sums_clear(&table);
}

int collect_past(struct collect *collect, struct past *past)
{
	struct taking taking = { collect, past };

	past->time_ns = collect_window_ns(collect);
	/* Through windows, what is live is not known by the kernel's sums. */
	if (collect->survivors)
		return -EAGAIN;
	vec_for_each (watched, &collect->watched) {
		if (collect->options.mapping && (*watched)->state == WATCHED_RUNNING)
			take_mappings(past, *watched);
	}
	return collect->options.heap ? collect_read_sites(collect, take_heap, &taking) : 0;
}
