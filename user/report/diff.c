/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The table of formats of differences. */
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

static const struct diff_ops formats[] = {
	{ "table", diff_table_write },
	{ "json", diff_json_write },
	{ "folded", write_folded },
	{ "svg", write_svg },
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
