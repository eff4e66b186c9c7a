/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* unfreed report: draws a recording, anywhere and without privileges. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "cmd/cmd.h"
#include "cmd/confined.h"
#include "cmd/recordings.h"
#include "cmd/terminal.h"
#include "cmd/view_options.h"
#include "report/report.h"

struct request {
	const struct report_ops *format;
	struct report_options report;
	struct view view;
	const char *output, *which;
	const char *path;
	FILE *recording;
	bool as_json, list, top_given, help;
};

/* What was not asked for shapes the table only, as in trace. */
static void shape(struct request *request, const struct snapshot *snapshot)
{
	bool table = request->format == report_find("table");

	request->report.min_age_ns = table && !request->view.younger_ns ? snapshot->min_age_ns : 0;
	if (!table && !request->top_given)
		request->report.top = UINT64_MAX;
	request->report.shape_all = request->top_given;
}

static void write_list(const struct series *series, FILE *stream)
{
	char when[32], heap[UNITS_TEXT_MAX], mapping[UNITS_TEXT_MAX], window[UNITS_TEXT_MAX];
	size_t number = 0;

	vec_for_each (fact, &series->facts) {
		char text[1024];

		text_escape(text, sizeof(text), fact->text);
		fprintf(stream, "  %-10s  %s\n", fact->name, text);
	}
	fprintf(stream, "%5s  %-23s  %14s  %10s  %10s\n", "#", "TAKEN", "WATCHED", "HEAP",
		"MAPPINGS");
	vec_for_each (moment, &series->moments) {
		time_t seconds = (time_t)(moment->unix_ns / 1000000000);
		struct tm fields;

		gmtime_r(&seconds, &fields);
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &fields);
		fprintf(stream, "%5zu  %-23s  %14s  %10s  %10s\n", ++number, when,
			units_format_time(window, moment->window_ns),
			units_format_bytes(heap, moment->heap.live_bytes),
			units_format_bytes(mapping, moment->mapping.live_bytes));
	}
}

static void write_one(struct request *request, struct series *series, size_t which, FILE *stream)
{
	struct snapshot *snapshot = series_load(series, which);

	shape(request, snapshot);
	request->format->write(snapshot, &request->report, stream);
	snapshot_free(snapshot);
}

static int draw(struct request *request, struct series *series, FILE *stream)
{
	size_t which = series->moments.count - 1;
	int error = request->which ? series_find(series, request->which, &which) : 0;

	if (error)
		return error;
	if (request->list)
		write_list(series, stream);
	else if (request->format->write_series && !request->which)
		request->format->write_series(series, &request->report, stream);
	else
		write_one(request, series, which, stream);
	return 0;
}

static int run(void *argument, FILE *stream)
{
	struct request *request = argument;
	struct series *series;
	int error = recordings_read(&series, request->recording, request->path);

	if (error)
		return error;
	series = view_series(&request->view, series);
	error = draw(request, series, stream);
	series_free(series);
	return error;
}

static int report(struct request *request, int count, char **words)
{
	int error;

	if (count != 1) {
		error_set(-EINVAL, "name one recording");
		return cmd_fail(EXIT_USAGE);
	}
	if (request->as_json)
		request->format = report_find("json");
	request->report.kinds = request->view.kinds;
	request->report.shape_all = request->top_given;
	terminal_look(request->output, &request->report.columns, &request->report.color);
	request->path = words[0];
	request->recording = recordings_open(request->path);
	if (!request->recording)
		return cmd_fail(EXIT_FAILED);
	error = confined_draw(request->output, run, request);
	fclose(request->recording);
	return error ? cmd_fail(EXIT_FAILED) : EXIT_DONE;
}

int cmd_report(int argc, char **argv)
{
	struct request request = { .format = report_find("table"), .report.top = 20 };
	const struct option_row rows[] = {
		{ "format", 'f', "FORMAT", REPORT_FORMATS " (table)", OPTION_CALL, &request.format,
		  cmd_parse_report_format, NULL },
		{ "json", 0, NULL, "the same as -f json", OPTION_FLAG, &request.as_json, NULL,
		  NULL },
		{ "output", 'o', "FILE", "write the report to FILE", OPTION_STRING, &request.output,
		  NULL, NULL },
		{ "top", 't', "N", "stacks in the table (20)", OPTION_COUNT, &request.report.top,
		  NULL, &request.top_given },
		VIEW_OPTION_ROWS(&request.view),
		{ "older", 0, "TIME", "only stacks with a block older than TIME", OPTION_TIME,
		  &request.view.older_ns, NULL, NULL },
		{ "younger", 0, "TIME", "only stacks with a block younger than TIME", OPTION_TIME,
		  &request.view.younger_ns, NULL, NULL },
		{ "snapshot", 0, "WHICH", "its number, or a time (the last)", OPTION_STRING,
		  &request.which, NULL, NULL },
		{ "list", 0, NULL, "list the snapshots and what is common to them", OPTION_FLAG,
		  &request.list, NULL, NULL },
		{ "help", 'h', NULL, "this text", OPTION_FLAG, &request.help, NULL, NULL },
		{ 0 },
	};
	int status, index;

	view_init(&request.view);
	index = cmd_options_mixed(
		rows, "unfreed report [options] RECORDING",
		"Draws a recording of 'unfreed trace -w'. It needs no privileges, and "
		"nothing of the\nmachine that it was made on.",
		argc, argv, &request.help, &status);
	if (index >= 0)
		status = report(&request, argc - index, argv + index);
	view_free(&request.view);
	return status;
}
