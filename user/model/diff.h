/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What changed between two snapshots, of one watch or of two: also across a restart of the target,
 * as sites are known by their functions, modules and build-ids, and not by addresses.
 */
#ifndef UNFREED_MODEL_DIFF_H
#define UNFREED_MODEL_DIFF_H

#include "model/footprint.h"
#include "model/snapshot.h"

struct diff {
	/* The second snapshot, and of the first one sites that have vanished; site.before_… say
	 * what a site held then. Lines and offsets are those of one stack of a site. */
	struct snapshot *shown;
	bool same_watch; /* both are of one window: what was there before is part of both */
	uint64_t before_unix_ns, after_unix_ns; /* when they were taken */
	uint64_t before_window_ns, after_window_ns; /* how long had been watched */
	const char *before_target; /* shown->target is the other one */
	uint64_t before_losses;
	struct heap_totals before_heap;
	struct mapping_totals before_mapping;
	/* Of the same moments what map says, where both are known: not the diff's. NULL: they are
	 * not */
	const struct footprint *before_map, *after_map;
};

/* *diff needs neither of them afterwards. */
struct diff *diff_new(const struct snapshot *before, const struct snapshot *after);
void diff_free(struct diff *diff); /* NULL is legal */

/* What each site of shown held before, as a snapshot of that moment. It ends with snapshot_free,
 * and before diff does. */
struct snapshot *diff_before(const struct diff *diff);

/* Forgets the sites that changed by less, either way. */
void diff_keep_changed(struct diff *diff, uint64_t least_bytes);

/* What it holds more, or less. */
int64_t diff_growth(const struct site *site);

/*
 * By how many bytes an hour more, or less: growth by the time between, of one watch. Of two, what
 * was outstanding by the length of each window: the difference of these rates.
 */
double diff_rate(const struct diff *diff, uint64_t before_bytes, uint64_t after_bytes);

/* "new", "vanished", "grown", "shrunk" or "same". */
const char *diff_state(const struct site *site);

/* Of one kind and class (site_class), the most growth first. */
struct diff_class {
	enum site_kind kind;
	const char *name;
	uint64_t before_bytes, bytes, before_blocks, blocks;
};

typedef VEC(struct diff_class) diff_classes;

/* classes ends with vec_free. */
void diff_sum_classes(const struct snapshot *shown, diff_classes *classes);

/* The sites that changed, the most growth first, the most shrunk last; ends with vec_free. */
typedef VEC(const struct site *) diff_sites;
void diff_sort_sites(const struct snapshot *shown, diff_sites *sites);

#endif
