/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A series, whatever its snapshots come from. */
#include "model/series.h"

struct series *series_new(const struct series_ops *ops, void *source)
{
	struct series *series = mem_alloc(sizeof(*series));

	series->ops = ops;
	series->source = source;
	return series;
}

void series_free(struct series *series)
{
	if (!series)
		return;
	if (series->ops->free)
		series->ops->free(series->source);
	vec_free(&series->moments);
	vec_free(&series->facts);
	mem_free(series);
}

void series_add(struct series *series, const struct snapshot *snapshot, bool has_footprint)
{
	*vec_add(&series->moments) = (struct moment){
		.unix_ns = snapshot->start_unix_ns + snapshot->window_ns,
		.window_ns = snapshot->window_ns,
		.heap = snapshot->heap_totals,
		.mapping = snapshot->mapping_totals,
		.has_footprint = has_footprint,
	};
}

struct snapshot *series_load(struct series *series, size_t i)
{
	return series->ops->load(series->source, i);
}

struct footprint *series_footprint(struct series *series, size_t i)
{
	if (!series->moments.items[i].has_footprint)
		return NULL;
	return series->ops->footprint(series->source, i);
}

/* -- of one snapshot --------------------------------------------------------------------------- */

static struct snapshot *load_single(void *source, size_t i)
{
	return snapshot_copy(source);
}

struct series *series_of(const struct snapshot *snapshot)
{
	static const struct series_ops ops = { .load = load_single };
	struct series *series = series_new(&ops, (void *)snapshot);

	series_add(series, snapshot, false);
	return series;
}
