/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The table of formats. */
#include <string.h>

#include "report/formats.h"
#include "report/report.h"

static const struct report_ops formats[] = {
	{ "table", "for people: the top stacks and the coverage", table_write, NULL },
	{ "json", "everything, one document on one line", json_write, NULL },
	{ "folded", "one line for each stack: flamegraph.pl, inferno, speedscope", folded_write,
	  NULL },
	{ "svg", "a flamegraph to look into with a browser", svg_write, NULL },
	{ "html", "a page for a browser: flamegraphs, table, timeline, diff", html_write,
	  html_write_series },
	{ "pprof", "profile.proto, compressed, for go tool pprof and its kin", pprof_write, NULL },
	{ "jeprof", "a heap profile with its names, for jeprof and google-pprof", jeprof_write,
	  NULL },
	{ "callgrind", "functions and calls, for callgrind_annotate and KCachegrind",
	  callgrind_write, NULL },
	{ "dot", "the functions that hold most and their calls, a graph for dot", dot_write, NULL },
	{ "speedscope", "stacks for speedscope", speedscope_write, NULL },
	{ "csv", "a row for each site and moment, for spreadsheets and scripts", csv_write,
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
