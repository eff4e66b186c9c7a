/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A page that needs nothing else: flamegraphs, table and timeline of a series. Its policy lets no
 * request leave it, and no script run but its own, whatever names are in it.
 */
#include <string.h>
#include <time.h>

#include "base/units.h"
#include "report/coverage.h"
#include "report/formats.h"
#include "report/html_data.h"
#include "report/incident.h"
#include "report/label.h"
#include "report/markup.h"

/* The build turns files into the numbers of their bytes, and knows their sums. */
static const char page_text[] = {
#include "user/report/html/page.html.inc"
	0
};
static const char style[] = {
#include "user/report/html/page.css.inc"
};
static const char script[] = {
#include "user/report/html/all.js.inc"
};
static const char style_sum[] =
#include "user/report/html/page.css.sum"
	;
static const char script_sum[] =
#include "user/report/html/all.js.sum"
	;

struct parts {
	FILE *stream;
	struct series *series;
	const struct history *history;
	const struct report_options *options;
};

static void write_target(const struct parts *parts)
{
	const char *target = parts->history->last->target;

	markup_text(parts->stream, target ? target : "?");
}

static void write_policy(const struct parts *parts)
{
	fprintf(parts->stream,
		"default-src 'none'; img-src data:; style-src 'sha256-%s'; script-src 'sha256-%s'; "
		"base-uri 'none'; form-action 'none'",
		style_sum, script_sum);
}

static void write_style(const struct parts *parts)
{
	fwrite(style, 1, sizeof(style), parts->stream);
}

static void write_script(const struct parts *parts)
{
	fwrite(script, 1, sizeof(script), parts->stream);
}

static void write_data(const struct parts *parts)
{
	html_data_write(parts->history, parts->series, parts->options, parts->stream);
}

static void write_verdicts(const struct parts *parts)
{
	const struct page page = { .stream = parts->stream, .html = true };

	if (!parts->history->last->verdicts.count)
		return;
	fputs("<section id=\"verdict\" aria-labelledby=\"verdict-title\">\n"
	      "<h2 id=\"verdict-title\">Verdict</h2>\n<dl>\n",
	      parts->stream);
	verdicts_write(&page, parts->history->last);
	fputs("</dl>\n</section>\n", parts->stream);
}

static void write_incidents(const struct parts *parts)
{
	const struct page page = { .stream = parts->stream, .html = true };

	if (!parts->history->last->incidents.count)
		return;
	fputs("<section id=\"incident\" aria-labelledby=\"incident-title\">\n"
	      "<h2 id=\"incident-title\">Incident</h2>\n<dl>\n",
	      parts->stream);
	incidents_write(&page, parts->history->last);
	fputs("</dl>\n</section>\n", parts->stream);
}

static void write_total(const struct page *page, enum site_kind kind, uint64_t bytes,
			uint64_t count)
{
	static const char *const names[SITE_KINDS] = { "heap", "mappings", "page faults" };
	char size[UNITS_TEXT_MAX], number[UNITS_TEXT_MAX];

	page_item(page, names[kind], "%s %s in %s %s", units_format_bytes(size, bytes),
		  kind == SITE_FAULT ? "resident" : "outstanding",
		  units_format_count(number, count), label_blocks(kind, count));
}

/* What is known beside the graphs, complete without any script. */
static void write_coverage(const struct parts *parts)
{
	const struct page page = { .stream = parts->stream, .html = true };
	const struct snapshot *last = parts->history->last;

	if (last->heap)
		write_total(&page, SITE_HEAP, last->heap_totals.live_bytes,
			    last->heap_totals.live_blocks);
	if (last->mapping)
		write_total(&page, SITE_MAPPING, last->mapping_totals.live_bytes,
			    last->mapping_totals.live_mappings);
	if (last->fault)
		write_total(&page, SITE_FAULT, last->fault_totals.resident_bytes,
			    last->fault_totals.resident_pages);
	coverage_items(&page, last);
	if (parts->series->warning)
		page_item(&page, "warning", "%s", parts->series->warning);
	if (parts->history->left_out)
		page_item(&page, "not shown", "%zu snapshots between those of this page",
			  parts->history->left_out);
	vec_for_each (fact, &parts->series->facts)
		page_item(&page, fact->name, "%s", fact->text);
}

/* What stands in page.html as <!--unfreed:NAME-->. */
static const struct {
	const char *name;
	void (*write)(const struct parts *parts);
} places[] = {
	{ "policy", write_policy },	{ "target", write_target },
	{ "coverage", write_coverage }, { "incident", write_incidents },
	{ "verdict", write_verdicts },	{ "style", write_style },
	{ "script", write_script },	{ "data", write_data },
};

static void write_place(const struct parts *parts, const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (strlen(places[i].name) == length && !memcmp(places[i].name, name, length))
			places[i].write(parts);
}

void html_write_series(struct series *series, const struct report_options *options, FILE *stream)
{
	static const char begin[] = "<!--unfreed:", end[] = "-->";
	struct history *history = history_new(series, options);
	const struct parts parts = { stream, series, history, options };
	const char *text = page_text, *place;

	while ((place = strstr(text, begin))) {
		const char *name = place + strlen(begin), *behind = strstr(name, end);

		fwrite(text, 1, place - text, stream);
		write_place(&parts, name, behind - name);
		text = behind + strlen(end);
	}
	fputs(text, stream);
	history_free(history);
}

void html_write(const struct snapshot *snapshot, const struct report_options *options, FILE *stream)
{
	struct series *series = series_of(snapshot);

	html_write_series(series, options, stream);
	series_free(series);
}
