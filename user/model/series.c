/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A series, whatever its snapshots come from. */
#include "model/series.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/error.h"
#include "base/units.h"

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

/* -- by name ----------------------------------------------------------------------------------- */

#define SECOND_NS 1000000000ull
#define DAY_S 86400

/* A time of the clock; of one without a day the first since start. false: it is none. */
static bool parse_clock(const char *text, uint64_t start_unix_ns, uint64_t *unix_ns)
{
	static const char *const formats[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%H:%M:%S",
					       "%H:%M" };
	time_t start = (time_t)(start_unix_ns / SECOND_NS), found;

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		struct tm fields = { 0 };
		const char *end;

		if (formats[i][1] == 'H')
			gmtime_r(&start, &fields);
		fields.tm_sec = 0;
		end = strptime(text, formats[i], &fields);
		if (!end || *end)
			continue;
		found = timegm(&fields);
		if (formats[i][1] == 'H' && found < start)
			found += DAY_S;
		*unix_ns = (uint64_t)found * SECOND_NS;
		return true;
	}
	return false;
}

static size_t find_nearest(const struct series *series, uint64_t unix_ns)
{
	uint64_t nearest_ns = UINT64_MAX;
	size_t nearest = 0;

	for (size_t i = 0; i < series->moments.count; i++) {
		uint64_t moment_ns = series->moments.items[i].unix_ns;
		uint64_t far_ns = moment_ns > unix_ns ? moment_ns - unix_ns : unix_ns - moment_ns;

		if (far_ns >= nearest_ns)
			continue;
		nearest_ns = far_ns;
		nearest = i;
	}
	return nearest;
}

int series_find(const struct series *series, const char *text, size_t *i)
{
	const struct moment *first = &series->moments.items[0];
	uint64_t start_ns = first->unix_ns - first->window_ns, time_ns;
	long count = (long)series->moments.count, number;
	char *end;

	errno = 0;
	number = strtol(text, &end, 10);
	if (end != text && !*end) {
		number = number < 0 ? count + number : number - 1;
		if (errno || number < 0 || number >= count)
			return error_set(-EINVAL, "no snapshot %s: there are %ld", text, count);
		*i = (size_t)number;
		return 0;
	}
	if (!parse_clock(text, start_ns, &time_ns)) {
		if (units_parse_time(text, &time_ns))
			return error_set(-EINVAL,
					 "'%s' is neither a number nor a time of a snapshot", text);
		time_ns += start_ns;
	}
	*i = find_nearest(series, time_ns);
	return 0;
}
