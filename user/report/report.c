/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The table of formats. */
#include <string.h>

#include "report/formats.h"
#include "report/report.h"

static const struct report_ops formats[] = {
	{ "table", "for people: the top stacks and the coverage", true, table_write, NULL },
	{ "json", "everything, one document on one line", true, json_write, NULL },
	{ "folded", "one line for each stack: flamegraph.pl, inferno, speedscope", true,
	  folded_write, NULL },
	{ "svg", "a flamegraph to look into with a browser", false, svg_write, NULL },
	{ "html", "a page for a browser: flamegraphs, table, timeline, diff", false, html_write,
	  html_write_series },
	{ "pprof", "profile.proto, compressed, for go tool pprof and its kin", false, pprof_write,
	  NULL },
	{ "jeprof", "a heap profile with its names, for jeprof and google-pprof", false,
	  jeprof_write, NULL },
	{ "callgrind", "functions and calls, for callgrind_annotate and KCachegrind", false,
	  callgrind_write, NULL },
	{ "dot", "the functions that hold most and their calls, a graph for dot", false, dot_write,
	  NULL },
	{ "speedscope", "stacks for speedscope", false, speedscope_write, NULL },
	{ "csv", "a row for each site and moment, for spreadsheets and scripts", false, csv_write,
	  csv_write_series },
};

enum { FORMATS = sizeof(formats) / sizeof(formats[0]) };

const struct report_ops *report_at(unsigned int i)
{
	return i < FORMATS ? &formats[i] : NULL;
}

const struct report_ops *report_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < FORMATS; i++)
		if (!strcmp(formats[i].name, name))
			return &formats[i];
	return NULL;
}
