/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sites over time: a snapshot after the other is loaded, and only what changed is kept. */
#include "report/history.h"

#include <string.h>

#include "base/vec.h"
#include "report/frame_set.h"
#include "report/selection.h"

/* A day of many sites would be more than a browser likes to read. */
enum { MOMENTS_MAX = 300, VALUES_MAX = 1000000 };

static void choose_moments(struct history *history, const struct series *series)
{
	size_t all = series->moments.count, sites = history->last->sites.count, most = MOMENTS_MAX;

	if (sites && VALUES_MAX / sites < most)
		most = VALUES_MAX / sites;
	if (most < 2)
		most = 2;
	if (most > all)
		most = all;
	for (size_t i = 0; i < most; i++)
		*vec_add(&history->moments) = most == 1 ? all - 1 : i * (all - 1) / (most - 1);
	history->left_out = all - most;
}

static struct history_site *site_of(struct history *history, struct frame_set *index,
				    const struct site *site)
{
	bool added;
	uint32_t number = frame_set_site(index, site, &added);

	if (added)
		vec_add(&history->sites);
	return &history->sites.items[number];
}

static void add_row(struct history_site *seen, const struct selection_row *row, uint32_t moment)
{
	const struct site *site = row->site;
	const uint64_t values[HISTORY_METRICS] = {
		[HISTORY_BYTES] = row->bytes,
		[HISTORY_BLOCKS] = row->blocks,
		[HISTORY_ALLOCATED_BYTES] = site->allocated_bytes,
		[HISTORY_ALLOCATED_BLOCKS] = site->allocated_blocks,
		[HISTORY_COMMITTED_BYTES] = site->committed_bytes,
	};
	struct history_change *change;

	if (seen->seen != moment + 1)
		vec_add(&seen->changes)->moment = moment;
	seen->seen = moment + 1;
	change = &seen->changes.items[seen->changes.count - 1];
	for (size_t i = 0; i < HISTORY_METRICS; i++)
		change->values[i] += values[i]; /* a stack may have two owners */
	seen->site = *site;
}

/* Keeps what has changed; what was not met has gone. */
static void end_moment(struct history_site *site, uint32_t moment)
{
	static const struct history_change nothing = { 0 };
	const struct history_change *last = &site->changes.items[site->changes.count - 1];

	if (site->seen != moment + 1) {
		if (memcmp(last->values, nothing.values, sizeof(last->values)))
			vec_add(&site->changes)->moment = moment;
	} else if (site->changes.count > 1 &&
		   !memcmp(last->values, last[-1].values, sizeof(last->values))) {
		site->changes.count--;
	}
}

static void add_moment(struct history *history, struct frame_set *index, uint32_t moment,
		       const struct snapshot *snapshot, const struct report_options *options)
{
	struct selection selection;

	selection_all(&selection, snapshot, (1u << SITE_KINDS) - 1, options);
	vec_for_each (row, &selection.rows)
		add_row(site_of(history, index, row->site), row, moment);
	selection_free(&selection);
	vec_for_each (site, &history->sites)
		end_moment(site, moment);
}

struct history *history_new(struct series *series, const struct report_options *options)
{
	struct history *history = mem_alloc(sizeof(*history));
	struct frame_set *index = frame_set_new();

	history->last = series_load(series, series->moments.count - 1);
	choose_moments(history, series);
	for (size_t i = 0; i + 1 < history->moments.count; i++) {
		struct snapshot *snapshot = series_load(series, history->moments.items[i]);

		add_moment(history, index, i, snapshot, options);
		snapshot_free(snapshot);
	}
	add_moment(history, index, history->moments.count - 1, history->last, options);
	frame_set_free(index);
	return history;
}

void history_free(struct history *history)
{
	if (!history)
		return;
	vec_for_each (site, &history->sites)
		vec_free(&site->changes);
	vec_free(&history->sites);
	vec_free(&history->moments);
	snapshot_free(history->last);
	mem_free(history);
}
