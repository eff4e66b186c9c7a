/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The picture of a plot. */
#include <time.h>

#include "base/units.h"
#include "report/markup.h"
#include "report/plot.h"

static const char style[] = {
#include "user/report/plot.css.inc"
};

/* In pixels; those that plot.js knows, too, stand in the picture as data. */
enum {
	WIDTH = 1000,
	LEFT = 84,
	RIGHT = 24,
	TOP = 64,
	AREA_HEIGHT = 330,
	BOTTOM = TOP + AREA_HEIGHT,
	LEGEND = BOTTOM + 44,
	LEGEND_ROW = 20,
	LEGEND_COLUMNS = 4,
	TICKS = 5,
};

/* What is under way. */
struct drawing {
	const struct plot *plot;
	FILE *stream;
	size_t count, area_count;
	struct plot_area areas[PLOT_AREAS];
	uint64_t most_bytes; /* at the upper edge */
	uint64_t limit_bytes; /* 0: none to be drawn */
};

static double x_of(const struct drawing *drawing, uint64_t time_ns)
{
	uint64_t all_ns = plot_moment(drawing->plot, drawing->count - 1)->time_ns;

	return LEFT + (all_ns ? (double)time_ns / (double)all_ns : 0) * (WIDTH - LEFT - RIGHT);
}

static double y_of(const struct drawing *drawing, uint64_t bytes)
{
	return BOTTOM - (double)bytes / (double)drawing->most_bytes * AREA_HEIGHT;
}

/* A limit far above all that was used would flatten it: it is said, not drawn. */
static void measure(struct drawing *drawing)
{
	uint64_t limit = plot_moment(drawing->plot, drawing->count - 1)->limit_bytes, most = 1;

	for (size_t i = 0; i < drawing->count; i++) {
		const struct plot_moment *moment = plot_moment(drawing->plot, i);

		most = plot_total(moment) > most ? plot_total(moment) : most;
		most = moment->usage_bytes > most ? moment->usage_bytes : most;
	}
	if (limit && limit != UINT64_MAX && limit / 3 < most) {
		drawing->limit_bytes = limit;
		most = limit > most ? limit : most;
	}
	drawing->most_bytes = most + most / 20;
}

/* -- axes --------------------------------------------------------------------------------------
 */

static void write_sizes(const struct drawing *drawing)
{
	char text[UNITS_TEXT_MAX];
	uint64_t step = 1;

	while (drawing->most_bytes / step > TICKS)
		step *= 2;
	for (uint64_t bytes = 0; bytes <= drawing->most_bytes; bytes += step) {
		double y = y_of(drawing, bytes);

		fprintf(drawing->stream,
			"<path class=\"line\" d=\"M%d %.1fH%d\"/>"
			"<text class=\"quiet end\" x=\"%d\" y=\"%.1f\">%s</text>\n",
			LEFT, y, WIDTH - RIGHT, LEFT - 8, y + 4, units_format_bytes(text, bytes));
	}
}

static void write_times(const struct drawing *drawing)
{
	static const unsigned int steps[] = { 1,   2,	5,   10,   20,	 30,   60,    120,
					      300, 600, 900, 1800, 3600, 7200, 14400, 21600 };
	const uint64_t second_ns = 1000000000;
	uint64_t all_ns = plot_moment(drawing->plot, drawing->count - 1)->time_ns, step_ns = 0;
	char text[UNITS_TEXT_MAX];

	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		step_ns = steps[i] * second_ns;
		if (all_ns / step_ns <= TICKS + 2)
			break;
	}
	while (all_ns / step_ns > TICKS + 2)
		step_ns *= 2;
	for (uint64_t time_ns = 0; time_ns <= all_ns; time_ns += step_ns)
		fprintf(drawing->stream,
			"<text class=\"quiet middle\" x=\"%.1f\" y=\"%d\">%s</text>\n",
			x_of(drawing, time_ns), BOTTOM + 20,
			time_ns ? units_format_time(text, time_ns) : "0");
}

/* -- areas -------------------------------------------------------------------------------------
 */

/* All areas up to this one. */
static uint64_t stacked(const struct drawing *drawing, const struct plot_moment *moment,
			size_t up_to)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < up_to; i++)
		sum += plot_bytes(moment, drawing->areas, drawing->area_count, i);
	return sum;
}

static void write_edge(const struct drawing *drawing, size_t which, bool back)
{
	for (size_t i = 0; i < drawing->count; i++) {
		const struct plot_moment *moment =
			plot_moment(drawing->plot, back ? drawing->count - 1 - i : i);

		fprintf(drawing->stream, "%c%.1f %.1f", i || back ? 'L' : 'M',
			x_of(drawing, moment->time_ns),
			y_of(drawing, stacked(drawing, moment, which)));
	}
}

static void write_area(const struct drawing *drawing, size_t which)
{
	const struct plot_area *area = &drawing->areas[which];
	const struct plot_moment *last = plot_moment(drawing->plot, drawing->count - 1);
	char now[UNITS_TEXT_MAX];

	fprintf(drawing->stream, "<path class=\"area\" fill=\"%s\" d=\"", area->colour);
	write_edge(drawing, which, false);
	write_edge(drawing, which + 1, true);
	fputs("Z\"><title>", drawing->stream);
	markup_text(drawing->stream, area->name);
	fprintf(drawing->stream, ": %s at the end</title></path>\n",
		units_format_bytes(now,
				   plot_bytes(last, drawing->areas, drawing->area_count, which)));
}

static void write_usage(const struct drawing *drawing)
{
	bool begun = false;

	for (size_t i = 0; i < drawing->count; i++) {
		const struct plot_moment *moment = plot_moment(drawing->plot, i);

		if (!moment->usage_bytes)
			continue;
		if (!begun)
			fputs("<path class=\"usage\" d=\"", drawing->stream);
		fprintf(drawing->stream, "%c%.1f %.1f", begun ? 'L' : 'M',
			x_of(drawing, moment->time_ns), y_of(drawing, moment->usage_bytes));
		begun = true;
	}
	if (begun)
		fputs("\"><title>usage of the control group</title></path>\n", drawing->stream);
}

static void write_limit(const struct drawing *drawing)
{
	char text[UNITS_TEXT_MAX];

	if (!drawing->limit_bytes)
		return;
	units_format_bytes(text, drawing->limit_bytes);
	fprintf(drawing->stream,
		"<path class=\"limit\" d=\"M%d %.1fH%d\"/>"
		"<text class=\"limit end\" x=\"%d\" y=\"%.1f\">limit %s</text>\n",
		LEFT, y_of(drawing, drawing->limit_bytes), WIDTH - RIGHT, WIDTH - RIGHT - 6,
		y_of(drawing, drawing->limit_bytes) - 5, text);
}

/* -- words -------------------------------------------------------------------------------------
 */

static void write_head(const struct drawing *drawing)
{
	const struct plot_moment *first = plot_moment(drawing->plot, 0);
	const struct plot_moment *last = plot_moment(drawing->plot, drawing->count - 1);
	char bytes[UNITS_TEXT_MAX], length[UNITS_TEXT_MAX], when[32] = "?";
	time_t start = (time_t)(first->unix_ns / 1000000000);
	struct tm fields;

	if (gmtime_r(&start, &fields))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &fields);
	fprintf(drawing->stream, "<text class=\"title\" x=\"10\" y=\"26\">unfreed: ");
	markup_text(drawing->stream, drawing->plot->target ? drawing->plot->target : "?");
	fprintf(drawing->stream,
		"</text>\n<text class=\"quiet\" x=\"10\" y=\"46\">resident memory by class, shared "
		"pages by share; %s from %s; at the end %s",
		units_format_time(length, last->time_ns), when,
		units_format_bytes(bytes, plot_total(last)));
	if (last->limit_bytes && last->limit_bytes != UINT64_MAX)
		fprintf(drawing->stream, ", usage %s",
			units_format_bytes(bytes, last->usage_bytes));
	if (last->limit_bytes && last->limit_bytes != UINT64_MAX)
		fprintf(drawing->stream, " of %s", units_format_bytes(bytes, last->limit_bytes));
	fputs("</text>\n", drawing->stream);
}

/* Where the next entry stands, and the one behind it. */
static void next_entry(size_t *i, int *x, int *y)
{
	*x = LEFT + (int)(*i % LEGEND_COLUMNS) * (WIDTH - LEFT - RIGHT) / LEGEND_COLUMNS;
	*y = LEGEND + (int)(*i / LEGEND_COLUMNS) * LEGEND_ROW;
	++*i;
}

static void write_legend(const struct drawing *drawing)
{
	size_t entries = 0;
	int x, y;

	for (size_t i = 0; i < drawing->area_count; i++) {
		next_entry(&entries, &x, &y);
		fprintf(drawing->stream,
			"<rect fill=\"%s\" x=\"%d\" y=\"%d\" width=\"12\" height=\"12\"/>"
			"<text x=\"%d\" y=\"%d\">",
			drawing->areas[i].colour, x, y, x + 18, y + 11);
		markup_text(drawing->stream, drawing->areas[i].name);
		fputs("</text>\n", drawing->stream);
	}
	if (!plot_moment(drawing->plot, drawing->count - 1)->usage_bytes)
		return;
	next_entry(&entries, &x, &y);
	fprintf(drawing->stream,
		"<path class=\"usage\" d=\"M%d %dh14\"/><text x=\"%d\" y=\"%d\">usage of the "
		"cgroup</text>\n",
		x, y + 6, x + 18, y + 11);
}

void plot_write(const struct plot *plot, FILE *stream)
{
	struct drawing drawing = { .plot = plot, .stream = stream, .count = plot_count(plot) };
	int height;

	if (!drawing.count)
		return;
	drawing.area_count = plot_areas(plot, drawing.areas);
	measure(&drawing);
	height = LEGEND + (PLOT_AREAS / LEGEND_COLUMNS + 1) * LEGEND_ROW;
	fprintf(stream,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" id=\"plot\" viewBox=\"0 0 %d %d\" "
		"data-left=\"%d\" data-right=\"%d\" data-top=\"%d\" data-bottom=\"%d\">\n",
		WIDTH, height, LEFT, WIDTH - RIGHT, TOP, BOTTOM);
	fputs("<style>", stream); /* just that: a page's policy knows its sum */
	fwrite(style, 1, sizeof(style), stream);
	fputs("</style>\n<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n", stream);
	write_head(&drawing);
	write_sizes(&drawing);
	for (size_t i = 0; i < drawing.area_count; i++)
		write_area(&drawing, i);
	write_usage(&drawing);
	write_limit(&drawing);
	write_times(&drawing);
	write_legend(&drawing);
	fputs("</svg>\n", stream);
}

void plot_svg(const struct plot *plot, FILE *stream)
{
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", stream);
	plot_write(plot, stream);
}
