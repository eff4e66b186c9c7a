/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Classes of memory over time, stacked, against the limit: what unfreed map -i has seen. */
#ifndef UNFREED_REPORT_PLOT_H
#define UNFREED_REPORT_PLOT_H

#include <stdbool.h>
#include <stdio.h>

#include "model/footprint.h"

enum { PLOT_MOMENTS_MAX = 2048, PLOT_AREAS = 10 };

struct plot;

struct plot *plot_new(void);
void plot_free(struct plot *plot); /* NULL is legal */

/* The next moment. Where there are more than PLOT_MOMENTS_MAX every other one is forgotten. */
void plot_add(struct plot *plot, const struct footprint *footprint);

/* One picture, that needs nothing else; with the same in numbers as a page for a browser. Shared
 * pages count by the share of each process, so that all of it is what there is. */
void plot_svg(const struct plot *plot, FILE *stream);
void plot_html(const struct plot *plot, FILE *stream);

/* -- for plot_html.c -----------------------------------------------------------------------------
 */

struct plot_moment {
	uint64_t unix_ns, time_ns; /* time_ns: since the first one */
	uint64_t bytes[CLASSES]; /* PSS */
	uint64_t usage_bytes, limit_bytes; /* of the group; 0: no group, UINT64_MAX: no limit */
};

struct plot {
	char *target;
	VEC(struct plot_moment) moments;
	uint64_t seen, kept_each; /* moments in all; one in so many is kept */
	struct plot_moment last; /* kept in any case */
};

/* An area: one class, or all that are too small for one. */
struct plot_area {
	enum memory_class class; /* CLASSES: the others */
	const char *name, *colour;
	uint64_t most_bytes;
};

/* Most first, the others last; how many. */
size_t plot_areas(const struct plot *plot, struct plot_area areas[PLOT_AREAS]);
/* All moments to draw: those that are kept, and the last. */
size_t plot_count(const struct plot *plot);
const struct plot_moment *plot_moment(const struct plot *plot, size_t i);
uint64_t plot_bytes(const struct plot_moment *moment, const struct plot_area *areas, size_t count,
		    size_t which);
uint64_t plot_total(const struct plot_moment *moment);

/* The picture as an element of a page, or of a file of its own. */
void plot_write(const struct plot *plot, FILE *stream);

#endif
