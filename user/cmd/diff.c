/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* unfreed diff: what changed between two recordings, two snapshots of one, or two footprints. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "cmd/cmd.h"
#include "cmd/confined.h"
#include "cmd/recordings.h"
#include "cmd/terminal.h"
#include "cmd/view_options.h"
#include "record/footprint_file.h"
#include "report/diff.h"
#include "report/footprint.h"

struct request {
	const struct diff_ops *format;
	struct report_options report;
	struct view view;
	uint64_t min_bytes;
	const char *output, *before, *after; /* which snapshots */
	FILE *files[2];
	char **paths;
	bool as_json, top_given, help;
};

static int parse_format(const char *argument, void *value)
{
	const struct diff_ops **format = value;

	*format = diff_find(argument);
	return *format ? 0 : error_set(-EINVAL, "no format '%s': see --help", argument);
}

/* -- recordings -------------------------------------------------------------------------------- */

/* A moment of a recording. */
struct side {
	struct series *series;
	struct snapshot *snapshot;
	struct footprint *footprint; /* NULL: not recorded */
};

static void side_free(struct side *side)
{
	snapshot_free(side->snapshot);
	footprint_free(side->footprint);
}

/* What is seen of the snapshot that which names, else of the one at or_else. */
static int load(struct request *request, struct side *side, const char *which, size_t or_else)
{
	size_t i = or_else;
	int error = which ? series_find(side->series, which, &i) : 0;

	if (error)
		return error;
	side->snapshot = view_apply(&request->view, series_load(side->series, i));
	side->footprint = series_footprint(side->series, i);
	return 0;
}

static void draw(struct request *request, const struct side *before, const struct side *after,
		 FILE *stream)
{
	struct diff *diff = diff_new(before->snapshot, after->snapshot);

	if (before->footprint && after->footprint) {
		diff->before_map = before->footprint;
		diff->after_map = after->footprint;
	}
	diff_keep_changed(diff, request->min_bytes);
	request->format->write(diff, &request->report, stream);
	diff_free(diff);
}

/* Of one recording its first and last snapshot, unless others are named; of two the last of each.
 */
static int diff_recordings(void *argument, FILE *stream)
{
	struct request *request = argument;
	char **paths = request->paths;
	struct series *first = NULL, *second = NULL;
	struct side before = { 0 }, after = { 0 };
	int error = recordings_read(&first, request->files[0], paths[0]);

	if (!error && request->files[1])
		error = recordings_read(&second, request->files[1], paths[1]);
	before.series = first;
	after.series = second ? second : first;
	if (!error && !second && first->moments.count < 2)
		error = error_set(-EINVAL, "%s has one snapshot: name a second recording",
				  paths[0]);
	if (!error)
		error = load(request, &before, request->before,
			     second ? first->moments.count - 1 : 0);
	if (!error)
		error = load(request, &after, request->after, after.series->moments.count - 1);
	if (!error)
		draw(request, &before, &after, stream);
	side_free(&before);
	side_free(&after);
	series_free(first);
	series_free(second);
	return error;
}

/* -- footprints -------------------------------------------------------------------------------- */

static int diff_footprints(void *argument, FILE *stream)
{
	struct request *request = argument;
	struct footprint_options options = { .columns = request->report.columns,
					     .color = request->report.color };
	bool as_json = request->format == diff_find("json");
	struct footprint *before = NULL, *after = NULL;
	int error = footprint_read(&before, request->files[0], request->paths[0]);

	if (!as_json && request->format != diff_find("table"))
		error = error_set(-EINVAL, "of files of 'unfreed map' there is a table, and json");
	if (!error)
		error = footprint_read(&after, request->files[1], request->paths[1]);
	if (!error && as_json)
		footprint_diff_json(before, after, stream);
	else if (!error)
		footprint_diff_table(before, after, &options, stream);
	footprint_free(before);
	footprint_free(after);
	return error;
}

/* -- the command ------------------------------------------------------------------------------- */

static int run(struct request *request, int count, char **paths)
{
	bool footprints;
	int error = 0;

	if (count != 1 && count != 2) {
		error_set(-EINVAL, "name two files, BEFORE and AFTER, or one recording");
		return cmd_fail(EXIT_USAGE);
	}
	if (request->as_json)
		request->format = diff_find("json");
	if (request->format != diff_find("table") && !request->top_given)
		request->report.top = UINT64_MAX;
	request->report.shape_all = request->top_given;
	request->min_bytes = request->view.min_bytes;
	request->view.min_bytes = 0; /* of the change, not of each snapshot */
	terminal_look(request->output, &request->report.columns, &request->report.color);
	request->paths = paths;
	footprints = count == 2 && footprint_file(paths[0]) && footprint_file(paths[1]);
	for (int i = 0; i < count && !error; i++) {
		request->files[i] = recordings_open(paths[i]);
		error = request->files[i] ? 0 : -ENOENT;
	}
	if (!error)
		error = confined_draw(request->output,
				      footprints ? diff_footprints : diff_recordings, request);
	for (int i = 0; i < count; i++) {
		if (request->files[i])
			fclose(request->files[i]);
	}
	return error ? cmd_fail(EXIT_FAILED) : EXIT_DONE;
}

int cmd_diff(int argc, char **argv)
{
	struct request request = { .format = diff_find("table"), .report.top = 20 };
	const struct option_row rows[] = {
		{ "before", 0, "WHICH",
		  "snapshot to begin with (the first, or of two files the last)", OPTION_STRING,
		  &request.before, NULL, NULL },
		{ "after", 0, "WHICH", "snapshot to end with (the last)", OPTION_STRING,
		  &request.after, NULL, NULL },
		{ "format", 'f', "FORMAT", "table, json, folded, svg, html, csv (table)",
		  OPTION_CALL, &request.format, parse_format, NULL },
		{ "json", 0, NULL, "the same as -f json", OPTION_FLAG, &request.as_json, NULL,
		  NULL },
		{ "output", 'o', "FILE", "write the report to FILE", OPTION_STRING, &request.output,
		  NULL, NULL },
		{ "top", 't', "N", "stacks in the table, of each kind (20)", OPTION_COUNT,
		  &request.report.top, NULL, &request.top_given },
		VIEW_OPTION_ROWS(&request.view),
		{ "help", 'h', NULL, "this text", OPTION_FLAG, &request.help, NULL, NULL },
		{ 0 },
	};
	int status, index;

	view_init(&request.view);
	index = cmd_options_mixed(
		rows,
		"unfreed diff [options] BEFORE AFTER\n"
		"       unfreed diff [options] RECORDING",
		"Shows what changed between two recordings of 'unfreed trace -w', or two "
		"snapshots of\none; or by class between two files of 'unfreed map --save' or "
		"--json.",
		argc, argv, &request.help, &status);
	if (index >= 0)
		status = run(&request, argc - index, argv + index);
	view_free(&request.view);
	return status;
}
