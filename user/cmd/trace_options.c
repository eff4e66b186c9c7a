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

static int parse_when(const char *argument, void *value)
{
	struct flight_options *flight = value;

	return trigger_parse(vec_add(&flight->triggers), argument);
}

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
		{ "on-oom", 0, NULL, "wait until the kernel kills a process for its memory, report",
		  OPTION_FLAG, &trace->flight.on_oom, NULL, NULL },
		{ "on-exit", 0, NULL, "the same when a process ends, however that is", OPTION_FLAG,
		  &trace->flight.on_exit, NULL, NULL },
		{ "when", 0, "EXPR", "the same at rss>2G, cgroup>90%, growth>100M/min, live>1G ...",
		  OPTION_CALL, &trace->flight, parse_when, NULL },
		{ "follow-restarts", 0, NULL, "attach again when the target is there again",
		  OPTION_FLAG, &trace->flight.follow_restarts, NULL, NULL },
		{ "max-reports", 0, "N", "of these, end after N (100)", OPTION_COUNT,
		  &trace->flight.max_reports, NULL, NULL },
		{ "exec", 0, "COMMAND", "run COMMAND after each of these reports", OPTION_STRING,
		  &trace->flight.exec, NULL, NULL },
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

/* Of a heap that is looked at through windows, what is live is not known from second to second. */
static bool is_exact(const struct collect_options *collect)
{
	return collect->heap && (!collect->budget_share || collect->sample_bytes);
}

static int check_flight(const struct trace *trace)
{
	const struct flight_options *flight = &trace->flight;

	if (!flight_wanted(flight)) {
		if (flight->follow_restarts || flight->exec)
			return error_set(-EINVAL,
					 "--follow-restarts and --exec: only with --on-oom, "
					 "--on-exit or --when");
		return 0;
	}
	if (trace->command || trace->interval || trace->record)
		return error_set(-EINVAL,
				 "--on-oom, --on-exit and --when: not with a COMMAND, -i or -w: "
				 "each report has a recording beside it");
	if (!flight->max_reports)
		return error_set(-EINVAL, "--max-reports: from 1");
	if (flight->follow_restarts && trace->spec.pids)
		return error_set(-EINVAL,
				 "--follow-restarts: a pid does not come again: name a "
				 "container (-c), a pod or a command (-n)");
	vec_for_each (trigger, &flight->triggers) {
		if ((trigger->gauge == TRIGGER_LIVE || trigger->gauge == TRIGGER_BLOCKS) &&
		    !is_exact(&trace->collect))
			return error_set(
				-EINVAL,
				"--when %s: only with --max-overhead off or --sample: else "
				"what is live is an estimate",
				trigger->text);
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
	if (check_flight(trace))
		return -EINVAL;
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

/* It waits for as long as it takes, and what has just been allocated counts. */
static void wait_for_incidents(struct trace *trace)
{
	if (!trace->duration_given)
		trace->duration_ns = UINT64_MAX;
	if (!trace->min_age_given)
		trace->collect.min_age_ns = 0;
}

void trace_free(struct trace *trace)
{
	vec_free(&trace->flight.triggers);
	view_free(&trace->view);
}

bool trace_options(struct trace *trace, int argc, char **argv, int *status)
{
	*trace = (struct trace){
		.words = argv,
		.duration_ns = 30ULL * 1000000000,
		.report.top = 20,
		.flight.max_reports = 100,
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
	if (flight_wanted(&trace->flight))
		wait_for_incidents(trace);
	shape(trace);
	return true;
}
