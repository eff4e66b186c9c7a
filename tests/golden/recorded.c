/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* For render.c: scenes as recordings, both ways, and what changed between two of their moments. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/footprint.h"
#include "record/recording.h"
#include "report/diff.h"
#include "report/footprint.h"

int record_scene(struct series *series);
int draw_diff(struct series *series, const char *format);

enum { EARLY = 3 }; /* the moment that a diff begins with */

/* The document of map, as it is recorded; NULL: there is none. */
static char *document(struct series *series, size_t i)
{
	struct footprint *footprint = series_footprint(series, i);
	struct footprint_options options = { 0 };
	char *text = NULL;
	size_t size;
	FILE *stream;

	if (!footprint)
		return NULL;
	stream = open_memstream(&text, &size);
	footprint_json(footprint, NULL, &options, stream);
	fclose(stream);
	footprint_free(footprint);
	return text;
}

int record_scene(struct series *series)
{
	struct recorder *recorder;

	if (recorder_new(&recorder, stdout, series->facts.items, series->facts.count))
		return EXIT_FAILURE;
	for (size_t i = 0; i < series->moments.count; i++) {
		struct snapshot *snapshot = series_load(series, i);
		char *footprint = document(series, i);

		if (recorder_add(recorder, snapshot, footprint))
			return EXIT_FAILURE;
		free(footprint);
		snapshot_free(snapshot);
	}
	if (recorder_end(recorder))
		return EXIT_FAILURE;
	recorder_free(recorder);
	return EXIT_SUCCESS;
}

int draw_diff(struct series *series, const char *format)
{
	const struct report_options options = { .top = 2, .shape_all = false };
	struct snapshot *before = series_load(series, EARLY);
	struct snapshot *after = series_load(series, series->moments.count - 1);
	struct diff *diff = diff_new(before, after);

	diff_find(format)->write(diff, &options, stdout);
	diff_free(diff);
	snapshot_free(before);
	snapshot_free(after);
	return EXIT_SUCCESS;
}
