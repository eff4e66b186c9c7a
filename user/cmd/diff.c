/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* unfreed diff: what changed between two footprints that unfreed map has saved. */
#include <errno.h>

#include "base/error.h"
#include "base/output.h"
#include "cmd/cmd.h"
#include "cmd/terminal.h"
#include "record/footprint_file.h"
#include "report/footprint.h"

struct diff_options {
	struct footprint_options report;
	const char *output;
	bool as_json, help;
};

static int run(const struct diff_options *options, char **paths)
{
	struct footprint *before = NULL, *after = NULL;
	struct output *output = NULL;
	int error = footprint_read(&before, paths[0]);

	if (!error)
		error = footprint_read(&after, paths[1]);
	if (!error)
		error = output_open(&output, options->output);
	if (!error && options->as_json)
		footprint_diff_json(before, after, output_stream(output));
	else if (!error)
		footprint_diff_table(before, after, &options->report, output_stream(output));
	if (!error)
		error = output_commit(output);
	footprint_free(before);
	footprint_free(after);
	return error;
}

int cmd_diff(int argc, char **argv)
{
	struct diff_options options = { 0 };
	const struct option_row rows[] = {
		{ "format", 'f', "FORMAT", "table, json (table)", OPTION_CALL, &options.as_json,
		  cmd_parse_format, NULL },
		{ "json", 0, NULL, "the same as -f json", OPTION_FLAG, &options.as_json, NULL,
		  NULL },
		{ "output", 'o', "FILE", "write the report to FILE", OPTION_STRING, &options.output,
		  NULL, NULL },
		{ "help", 'h', NULL, "this text", OPTION_FLAG, &options.help, NULL, NULL },
		{ 0 },
	};
	int status, index;

	index = cmd_options_mixed(
		rows, "unfreed diff [options] BEFORE AFTER",
		"Shows by class what changed between two files of 'unfreed map --save' "
		"or --json.",
		argc, argv, &options.help, &status);
	if (index < 0)
		return status;
	if (argc - index != 2) {
		error_set(-EINVAL, "name two files: BEFORE and AFTER");
		return cmd_fail(EXIT_USAGE);
	}
	terminal_look(options.output, &options.report.columns, &options.report.color);
	return run(&options, argv + index) ? cmd_fail(EXIT_FAILED) : EXIT_DONE;
}
