/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The table of formats of differences; and those that draw a series draw one of both moments. */
#include "report/diff.h"

#include <string.h>

#include "report/formats.h"

static void write_folded(const struct diff *diff, const struct report_options *options,
			 FILE *stream)
{
	struct report_options changed = *options;

	changed.diff = true;
	folded_write(diff->shown, &changed, stream);
}

static void write_svg(const struct diff *diff, const struct report_options *options, FILE *stream)
{
	struct report_options changed = *options;

	changed.diff = true;
	svg_write(diff->shown, &changed, stream);
}

/* -- both moments ------------------------------------------------------------------------------ */

static struct snapshot *load_side(void *source, size_t i)
{
	const struct diff *diff = source;

	return i ? snapshot_copy(diff->shown) : diff_before(diff);
}

static void write_both(void (*write)(struct series *series, const struct report_options *options,
				     FILE *stream),
		       const struct diff *diff, const struct report_options *options, FILE *stream)
{
	static const struct series_ops ops = { .load = load_side };
	struct report_options changed = *options;
	struct series *series = series_new(&ops, (void *)diff);
	struct snapshot *before = diff_before(diff);
	char *text = diff_describe_before(diff);

	*vec_add(&series->facts) = (struct fact){ "compared with", text };
	changed.diff = true;
	series_add(series, before, false);
	series_add(series, diff->shown, false);
	write(series, &changed, stream);
	snapshot_free(before);
	series_free(series);
	mem_free(text);
}

static void write_html(const struct diff *diff, const struct report_options *options, FILE *stream)
{
	write_both(html_write_series, diff, options, stream);
}

static void write_csv(const struct diff *diff, const struct report_options *options, FILE *stream)
{
	write_both(csv_write_series, diff, options, stream);
}

static const struct diff_ops formats[] = {
	{ "table", diff_table_write }, { "json", diff_json_write }, { "folded", write_folded },
	{ "svg", write_svg },	       { "html", write_html },	    { "csv", write_csv },
};

enum { FORMATS = sizeof(formats) / sizeof(formats[0]) };

const struct diff_ops *diff_at(unsigned int i)
{
	return i < FORMATS ? &formats[i] : NULL;
}

const struct diff_ops *diff_find(const char *name)
{
	for (unsigned int i = 0; i < FORMATS; i++)
		if (!strcmp(formats[i].name, name))
			return &formats[i];
	return NULL;
}
