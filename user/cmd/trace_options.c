/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The options of unfreed trace: one table, and what must hold between them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cmd/cmd.h"
#include "cmd/collect_options.h"
#include "cmd/target_options.h"
#include "cmd/trace.h"
#include "cmd/view_options.h"

/* One target, and nothing else. rest: the words behind the options. */
static int take_target(struct trace *trace, char **rest)
{
	int given = target_options_given(&trace->spec);

	if (*rest && !strcmp(rest[-1], "--"))
		trace->command = rest;
	else if (*rest)
		return error_set(-EINVAL, "unexpected '%s': a command goes behind '--'", *rest);
	if (given + !!trace->command != 1)
		return error_set(-EINVAL,
				 "name one target: -p, -c, --pod, --cgroup, -n, or "
				 "-- COMMAND");
	return 0;
}

static int parse_options(struct trace *trace, int argc, char **argv, int *status)
{
	bool as_json = false;
	const struct option_row rows[] = {
		TARGET_OPTION_ROWS(&trace->spec),
		{ "duration", 'd', "TIME", "length of the window (30s)", OPTION_TIME,
		  &trace->duration_ns, NULL, &trace->duration_given },
		{ "interval", 'i', "TIME", "report, and record, every TIME from the start on",
		  OPTION_TIME, &trace->interval_ns, NULL, &trace->interval },
		{ "min-age", 0, "TIME", "leave younger blocks out of the table (5s)", OPTION_TIME,
		  &trace->collect.min_age_ns, NULL, &trace->min_age_given },
		{ "top", 't', "N", "stacks in the table (20)", OPTION_COUNT, &trace->report.top,
		  NULL, &trace->top_given },
		COLLECT_OPTION_ROWS(&trace->collect),
		VIEW_OPTION_ROWS(&trace->view),
		{ "format", 'f', "FORMAT", REPORT_FORMATS " (table)", OPTION_CALL, &trace->format,
		  cmd_parse_report_format, NULL },
		{ "json", 0, NULL, "the same as -f json", OPTION_FLAG, &as_json, NULL, NULL },
		{ "output", 'o', "FILE", "write the report to FILE", OPTION_STRING, &trace->output,
		  NULL, NULL },
		{ "record", 'w', "FILE", "write a recording, for 'unfreed report' and 'diff'",
		  OPTION_STRING, &trace->record, NULL, NULL },
		{ "classes", 0, NULL, "record what 'unfreed map' says with each snapshot",
		  OPTION_FLAG, &trace->classes, NULL, NULL },
		{ "fail-over", 0, "SIZE", "exit with 3 if more than SIZE is outstanding",
		  OPTION_BYTES, &trace->fail_over_bytes, NULL, &trace->fail_over },
		{ "help", 'h', NULL, "this text", OPTION_FLAG, &trace->help, NULL, NULL },
		{ 0 },
	};
	int index;

	index = cmd_options(
		rows,
		"unfreed trace TARGET [options]\n"
		"       unfreed trace [options] -- COMMAND [ARGUMENT...]",
		"Attaches to TARGET (-p, -c, --pod, --cgroup or -n), or starts COMMAND, "
		"watches it\nfor a window and reports what it has allocated and not "
		"given back, by complete\nstack. Ctrl-C ends the window early.",
		argc, argv, &trace->help, status);
	if (index < 0)
		return -1;
	if (as_json)
		trace->format = report_find("json");
	if (!trace->format && (!trace->record || trace->output))
		trace->format = report_find("table");
	if (take_target(trace, argv + index)) {
		*status = cmd_fail(EXIT_USAGE);
		return -1;
	}
	return 0;
}

static int check_limits(const struct trace *trace)
{
	if (collect_options_check(&trace->collect))
		return -EINVAL;
	if (trace->interval && !trace->interval_ns)
		return error_set(-EINVAL, "--interval: longer than nothing");
	if (trace->classes && !trace->record)
		return error_set(-EINVAL, "--classes: only with --record");
	if (trace->interval && trace->format && !trace->format->many && !trace->record)
		return error_set(-EINVAL,
				 "--interval: a file in %s holds one report: record them with -w, "
				 "and draw that",
				 trace->format->name);
	return target_options_check(&trace->spec);
}

/* What was not asked for shapes the table only; the other formats hold everything. */
static void shape(struct trace *trace)
{
	bool table = trace->format == report_find("table");

	trace->report.min_age_ns = table || trace->min_age_given ? trace->collect.min_age_ns : 0;
	if (!table && !trace->top_given)
		trace->report.top = UINT64_MAX;
	trace->report.shape_all =
		trace->top_given || (trace->min_age_given && trace->collect.min_age_ns);
}

/* A command's blocks are as old as it: none is left out, unless that was asked for. */
static void follow_command(struct trace *trace)
{
	if (!trace->duration_given)
		trace->duration_ns = UINT64_MAX;
	if (!trace->min_age_given)
		trace->collect.min_age_ns = 0;
}

bool trace_options(struct trace *trace, int argc, char **argv, int *status)
{
	*trace = (struct trace){
		.words = argv,
		.duration_ns = 30ULL * 1000000000,
		.report.top = 20,
	};
	collect_defaults(&trace->collect);
	view_init(&trace->view);
	if (parse_options(trace, argc, argv, status))
		return false;
	if (check_limits(trace)) {
		*status = cmd_fail(EXIT_USAGE);
		return false;
	}
	if (trace->command)
		follow_command(trace);
	shape(trace);
	return true;
}
