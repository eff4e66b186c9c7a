/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is plotted. */
#include "report/plot.h"

#include <stdlib.h>
#include <string.h>

struct plot *plot_new(void)
{
	struct plot *plot = mem_alloc(sizeof(*plot));

	plot->kept_each = 1;
	return plot;
}

void plot_free(struct plot *plot)
{
	if (!plot)
		return;
	mem_free(plot->target);
	vec_free(&plot->moments);
	mem_free(plot);
}

/* Every other one goes, and from now on twice as many are passed over. */
static void thin(struct plot *plot)
{
	size_t kept = 0;

	for (size_t i = 0; i < plot->moments.count; i += 2)
		plot->moments.items[kept++] = plot->moments.items[i];
	plot->moments.count = kept;
	plot->kept_each *= 2;
}

void plot_add(struct plot *plot, const struct footprint *footprint)
{
	const struct footprint_group *group = &footprint->group;
	struct plot_moment *moment = &plot->last;
	uint64_t first_ns;

	*moment = (struct plot_moment){ .unix_ns = footprint->unix_ns };
	if (!plot->target)
		plot->target = mem_string(footprint->target);
	first_ns = plot->moments.count ? plot->moments.items[0].unix_ns : moment->unix_ns;
	moment->time_ns = moment->unix_ns > first_ns ? moment->unix_ns - first_ns : 0;
	for (size_t i = 0; i < CLASSES; i++)
		moment->bytes[i] = footprint->classes[i].pss_bytes;
	if (group->path) {
		moment->usage_bytes = group->usage_bytes;
		moment->limit_bytes = group->limit_bytes;
	}
	if (plot->seen++ % plot->kept_each)
		return;
	if (plot->moments.count == PLOT_MOMENTS_MAX)
		thin(plot);
	*vec_add(&plot->moments) = *moment;
}

/* -- reading -----------------------------------------------------------------------------------
 */

static bool has_last(const struct plot *plot)
{
	size_t count = plot->moments.count;

	return count && plot->moments.items[count - 1].unix_ns != plot->last.unix_ns;
}

size_t plot_count(const struct plot *plot)
{
	return plot->moments.count + has_last(plot);
}

const struct plot_moment *plot_moment(const struct plot *plot, size_t i)
{
	return i < plot->moments.count ? &plot->moments.items[i] : &plot->last;
}

uint64_t plot_total(const struct plot_moment *moment)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < CLASSES; i++)
		sum += moment->bytes[i];
	return sum;
}

uint64_t plot_bytes(const struct plot_moment *moment, const struct plot_area *areas, size_t count,
		    size_t which)
{
	uint64_t rest = plot_total(moment);

	if (areas[which].class != CLASSES)
		return moment->bytes[areas[which].class];
	for (size_t i = 0; i < count; i++)
		if (areas[i].class != CLASSES)
			rest -= moment->bytes[areas[i].class];
	return rest;
}

static int compare_areas(const void *left, const void *right)
{
	const struct plot_area *a = left, *b = right;

	if (a->most_bytes != b->most_bytes)
		return a->most_bytes > b->most_bytes ? -1 : 1;
	return (a->class > b->class) - (a->class < b->class);
}

size_t plot_areas(const struct plot *plot, struct plot_area areas[PLOT_AREAS])
{
	static const char *const colours[PLOT_AREAS] = {
		"#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#76b7b2",
		"#edc948", "#b07aa1", "#ff9da7", "#9c755f", "#8b9099",
	};
	struct plot_area all[CLASSES];
	size_t count = 0;

	for (size_t i = 0; i < CLASSES; i++) {
		struct plot_area *area = &all[count];

		*area = (struct plot_area){ (enum memory_class)i, class_name(i), NULL, 0 };
		for (size_t j = 0; j < plot_count(plot); j++)
			if (plot_moment(plot, j)->bytes[i] > area->most_bytes)
				area->most_bytes = plot_moment(plot, j)->bytes[i];
		count += area->most_bytes > 0;
	}
	qsort(all, count, sizeof(*all), compare_areas);
	if (count > PLOT_AREAS) {
		count = PLOT_AREAS;
		all[count - 1] = (struct plot_area){ CLASSES, "others", NULL, 0 };
	}
	for (size_t i = 0; i < count; i++) {
		areas[i] = all[i];
		areas[i].colour = colours[i];
	}
	return count;
}
