/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A plot and its numbers as a page: nothing leaves it, and no script runs but its own. */
#include "base/json.h"
#include "base/units.h"
#include "report/markup.h"
#include "report/plot.h"

static const char style[] = {
#include "user/report/plot_page.css.inc"
};
static const char script[] = {
#include "user/report/plot.js.inc"
};
static const char picture_sum[] =
#include "user/report/plot.css.sum"
	;
static const char style_sum[] =
#include "user/report/plot_page.css.sum"
	;
static const char script_sum[] =
#include "user/report/plot.js.sum"
	;

static void write_head(const struct plot *plot, FILE *stream)
{
	fprintf(stream,
		"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
		"img-src "
		"data:; style-src 'sha256-%s' 'sha256-%s'; script-src 'sha256-%s'; base-uri "
		"'none'; "
		"form-action 'none'\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		"<meta name=\"color-scheme\" content=\"light dark\">\n"
		"<link rel=\"icon\" href=\"data:,\">\n<title>unfreed: ",
		picture_sum, style_sum, script_sum);
	markup_text(stream, plot->target ? plot->target : "?");
	fputs("</title>\n<style>", stream);
	fwrite(style, 1, sizeof(style), stream);
	fputs("</style>\n</head>\n<body>\n", stream);
}

static void write_row(FILE *stream, const char *name, uint64_t first, uint64_t last, uint64_t most)
{
	char text[UNITS_TEXT_MAX];
	uint64_t change = last > first ? last - first : first - last;

	fputs("<tr><td>", stream);
	markup_text(stream, name);
	fprintf(stream, "</td><td>%s</td>", units_format_bytes(text, first));
	fprintf(stream, "<td>%s</td>", units_format_bytes(text, last));
	fprintf(stream, "<td>%s%s</td>",
		last < first ? "-"
		: change     ? "+"
			     : "",
		units_format_bytes(text, change));
	fprintf(stream, "<td>%s</td></tr>\n", units_format_bytes(text, most));
}

static uint64_t of_row(const struct plot_moment *moment, const struct plot_area *areas,
		       size_t count, size_t which)
{
	return which < count ? plot_bytes(moment, areas, count, which) : plot_total(moment);
}

/* Without the script, what there was at the end. */
static void write_table(const struct plot *plot, const struct plot_area *areas, size_t count,
			FILE *stream)
{
	size_t moments = plot_count(plot);

	fprintf(stream,
		"<table><caption>%zu moments, of %llu that were looked at</caption>\n<thead><tr>"
		"<th>class</th><th>at first</th><th id=\"when\">at last</th><th>change in all</th>"
		"<th>most</th></tr></thead>\n<tbody>\n",
		moments, (unsigned long long)plot->seen);
	for (size_t i = 0; i <= count; i++) {
		uint64_t most = 0;

		for (size_t j = 0; j < moments; j++) {
			uint64_t bytes = of_row(plot_moment(plot, j), areas, count, i);

			most = bytes > most ? bytes : most;
		}
		write_row(stream, i < count ? areas[i].name : "all",
			  of_row(plot_moment(plot, 0), areas, count, i),
			  of_row(plot_moment(plot, moments - 1), areas, count, i), most);
	}
	fputs("</tbody></table>\n", stream);
}

static void write_data(const struct plot *plot, const struct plot_area *areas, size_t count,
		       FILE *stream)
{
	struct json json;

	json_init(&json, stream);
	json.in_html = true;
	json_begin_object(&json, NULL);
	json_begin_array(&json, "seconds");
	for (size_t i = 0; i < plot_count(plot); i++)
		json_double(&json, NULL, (double)plot_moment(plot, i)->time_ns / 1e9, 3);
	json_end(&json);
	json_begin_array(&json, "rows");
	for (size_t i = 0; i <= count; i++) {
		json_begin_array(&json, NULL);
		for (size_t j = 0; j < plot_count(plot); j++)
			json_uint(&json, NULL, of_row(plot_moment(plot, j), areas, count, i));
		json_end(&json);
	}
	json_end(&json);
	json_end(&json);
}

void plot_html(const struct plot *plot, FILE *stream)
{
	struct plot_area areas[PLOT_AREAS];
	size_t count = plot_areas(plot, areas);

	write_head(plot, stream);
	plot_write(plot, stream);
	write_table(plot, areas, count, stream);
	fputs("<footer>Point at a moment, or choose it by the arrows: the table tells what was "
	      "there "
	      "then. Dashed: the control group's usage.</footer>\n"
	      "<script type=\"application/json\" id=\"data\">",
	      stream);
	write_data(plot, areas, count, stream);
	fputs("</script>\n<script>", stream);
	fwrite(script, 1, sizeof(script), stream);
	fputs("</script>\n</body>\n</html>\n", stream);
}
