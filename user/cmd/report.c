/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* unfreed report: draws a recording, anywhere and without privileges. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/output.h"
#include "cmd/cmd.h"
#include "cmd/terminal.h"
#include "record/recording.h"
#include "report/report.h"

struct request {
	const struct report_ops *format;
	struct report_options report;
	const char *output;
	bool as_json, top_given, help;
};

/* What was not asked for shapes the table only, as in trace. */
static void shape(struct request *request, const struct snapshot *snapshot)
{
	bool table = request->format == report_find("table");

	request->report.min_age_ns = table ? snapshot->min_age_ns : 0;
	if (!table && !request->top_given)
		request->report.top = UINT64_MAX;
	request->report.shape_all = request->top_given;
}

static int draw(struct request *request, struct series *series)
{
	struct snapshot *snapshot = series_load(series, series->moments.count - 1);
	struct output *output = NULL;
	int error = output_open(&output, request->output);

	if (!error) {
		shape(request, snapshot);
		if (request->format->write_series)
			request->format->write_series(series, &request->report,
						      output_stream(output));
		else
			request->format->write(snapshot, &request->report, output_stream(output));
		error = output_commit(output);
	}
	snapshot_free(snapshot);
	return error;
}

/* A trace that was killed, or goes on, has left its recording aside: see base/output.h. */
static void name_aside(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char *folder = slash ? mem_printf("%.*s", (int)(name - path), path) : mem_string("./");
	size_t length = strlen(name);
	DIR *entries = opendir(folder);

	for (struct dirent *entry; entries && (entry = readdir(entries));) {
		if (strlen(entry->d_name) != length + 8 || entry->d_name[0] != '.' ||
		    strncmp(entry->d_name + 1, name, length) || entry->d_name[length + 1] != '.')
			continue;
		error_set(-ENOENT,
			  "%s is not complete: its trace goes on, or was killed; %s%s has what "
			  "it has recorded until now",
			  path, slash ? folder : "", entry->d_name);
		break;
	}
	if (entries)
		closedir(entries);
	mem_free(folder);
}

static int run(struct request *request, const char *path)
{
	struct series *series;
	int error = recording_open(&series, path);

	if (error == -ENOENT)
		name_aside(path);
	if (error)
		return error;
	if (series->warning)
		fprintf(stderr, "unfreed: %s: %s\n", path, series->warning);
	error = draw(request, series);
	series_free(series);
	return error;
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
		{ "help", 'h', NULL, "this text", OPTION_FLAG, &request.help, NULL, NULL },
		{ 0 },
	};
	int status, index;

	index = cmd_options_mixed(
		rows, "unfreed report [options] RECORDING",
		"Draws a recording of 'unfreed trace -w'. It needs no privileges, and "
		"nothing of the\nmachine that it was made on.",
		argc, argv, &request.help, &status);
	if (index < 0)
		return status;
	if (argc - index != 1) {
		error_set(-EINVAL, "name one recording");
		return cmd_fail(EXIT_USAGE);
	}
	if (request.as_json)
		request.format = report_find("json");
	terminal_look(request.output, &request.report.columns, &request.report.color);
	return run(&request, argv[index]) ? cmd_fail(EXIT_FAILED) : EXIT_DONE;
}
