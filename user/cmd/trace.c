/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* unfreed trace: watches a target for a window and reports what it has not given back. */
#include "cmd/trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/output.h"
#include "base/units.h"
#include "cmd/attach.h"
#include "cmd/cmd.h"
#include "cmd/interrupt.h"
#include "cmd/save.h"
#include "cmd/terminal.h"
#include "cmd/trace_verdict.h"
#include "process/command.h"
#include "process/rights.h"
#include "survey/survey.h"

enum {
	POLL_MS = 100,
	END_POLL_MS = 5, /* when the end of a command is seen, but not yet heard of by wait(2) */
};

/* A trace under way. */
struct run {
	struct trace *trace;
	struct target target; /* of a command: unused but for its name */
	struct command *command; /* NULL: none */
	struct collect *collect;
	struct output *output;
	struct trace_verdict verdict;
	struct save *save; /* NULL: no recording */
	struct survey *survey; /* NULL: no classes */
	bool over; /* --fail-over */
};

static bool until_exit(const struct trace *trace)
{
	return trace->duration_ns == UINT64_MAX;
}

static void progress(const struct run *run, bool done)
{
	char now[UNITS_TEXT_MAX], end[UNITS_TEXT_MAX];
	const struct trace *trace = run->trace;

	if (!isatty(STDERR_FILENO) || trace->duration_ns <= 1000000000 || run->command)
		return;
	if (done)
		fputs("\r\033[K", stderr);
	else
		fprintf(stderr, "\r%s of %s, Ctrl-C ends\033[K",
			units_format_time(now, collect_window_ns(run->collect)),
			units_format_time(end, trace->duration_ns));
}

/* -- the report -------------------------------------------------------------------------------- */

static uint64_t old_bytes(const struct snapshot *snapshot, enum site_kind kind)
{
	uint64_t bytes = 0;

	vec_for_each (site, &snapshot->sites)
		if (site->kind == kind)
			bytes += site->bytes - site->young_bytes;
	return bytes;
}

static int draw(struct run *run, const struct snapshot *snapshot)
{
	FILE *stream = output_stream(run->output);

	run->trace->format->write(snapshot, &run->trace->report, stream);
	fflush(stream);
	return ferror(stream) ? error_set(-EIO, "cannot write the report: %s", strerror(errno)) : 0;
}

static int record(struct run *run, const struct snapshot *snapshot)
{
	struct footprint *footprint = NULL;
	int error = run->survey ? survey_take(run->survey, &footprint) : 0;

	if (!error)
		error = save_add(run->save, snapshot, footprint);
	footprint_free(footprint);
	return error;
}

static int write_report(struct run *run, bool last, const char *ended_by)
{
	struct trace *trace = run->trace;
	enum site_kind judged = trace->collect.heap ? SITE_HEAP : SITE_MAPPING;
	struct snapshot *snapshot;
	int error;

	error = collect_snapshot(run->collect, last, ended_by, &snapshot);
	if (error)
		return error;
	if (run->command)
		snapshot->command_status = command_status(run->command);
	if (last)
		trace_verdict_end(&run->verdict, &run->target, snapshot);
	if (run->save)
		error = record(run, snapshot);
	snapshot = view_apply(&trace->view, snapshot);
	if (!error && trace->format && (last || trace->format->many))
		error = draw(run, snapshot);
	run->over = trace->fail_over && old_bytes(snapshot, judged) > trace->fail_over_bytes;
	snapshot_free(snapshot);
	return error;
}

/* -- the window -------------------------------------------------------------------------------- */

/* How long to wait for events: not beyond the window. */
static int poll_ms(const struct run *run, uint64_t window_ns, bool running)
{
	uint64_t left_ms = (run->trace->duration_ns - window_ns) / 1000000 + 1;
	uint64_t most_ms = running ? POLL_MS : END_POLL_MS;

	return (int)(left_ms < most_ms ? left_ms : most_ms);
}

/* A command may leave children behind, or run on where it cannot be followed: its own end counts.
 */
static bool has_ended(const struct run *run, bool running)
{
	return run->command ? command_ended(run->command) : !running;
}

static int report_interval(struct run *run, uint64_t *report_ns)
{
	const struct trace *trace = run->trace;
	uint64_t window_ns = collect_window_ns(run->collect);

	if (!trace->interval || window_ns < *report_ns || window_ns >= trace->duration_ns)
		return 0;
	*report_ns += trace->interval_ns;
	return write_report(run, false, "interval");
}

/* Runs the window. Returns 0 and what ended it, or -errno with a sentence. */
static int run_window(struct run *run, const char **ended_by)
{
	uint64_t report_ns = run->trace->interval_ns;
	int running = 1, error = 0;

	while (!interrupted() && !error) {
		uint64_t window_ns = collect_window_ns(run->collect);

		if (window_ns >= run->trace->duration_ns) {
			*ended_by = "duration";
			return 0;
		}
		running = collect_poll(run->collect, poll_ms(run, window_ns, running));
		if (running < 0 && running != -EINTR)
			return running;
		if (has_ended(run, running)) {
			*ended_by = "target exited";
			return 0;
		}
		progress(run, false);
		error = report_interval(run, &report_ns);
	}
	*ended_by = "interrupted";
	return error;
}

static void announce(const struct run *run)
{
	char how_long[64] = "until it exits", duration[UNITS_TEXT_MAX];

	if (!until_exit(run->trace))
		snprintf(how_long, sizeof(how_long), "for %s",
			 units_format_time(duration, run->trace->duration_ns));
	attach_announce(run->collect, &run->target, how_long);
}

static int watch(struct run *run)
{
	const char *ended_by = NULL;
	int error;

	announce(run);
	if (run->command)
		command_go(run->command);
	error = run_window(run, &ended_by);
	progress(run, true);
	return error ? error : write_report(run, true, ended_by);
}

/* -- the target -------------------------------------------------------------------------------- */

/* Finds the target, or starts it. */
static int reach_target(struct run *run)
{
	const struct trace *trace = run->trace;
	int error;

	if (!trace->command)
		return target_resolve(&run->target, &trace->spec);
	error = command_start(&run->command, trace->command);
	if (error)
		return error;
	*vec_add(&run->target.pids) = command_pid(run->command);
	run->target.name = mem_printf("command %s (pid %d)", trace->command[0],
				      (int)command_pid(run->command));
	return 0;
}

static int start(struct run *run)
{
	/* A command has no heap yet. */
	if (!run->command && run->trace->collect.heap)
		trace_verdict_begin(&run->verdict, &run->target);
	return attach(&run->collect, &run->trace->collect, &run->target);
}

/* The report is out before the probes come off: that takes time where they are many. */
static int run_trace(struct trace *trace)
{
	struct run run = { .trace = trace };
	int error = reach_target(&run);

	/* Not before: what it starts has all that we were given. */
	rights_keep(RIGHTS_TRACE);
	if (!error) {
		interrupt_catch();
		if (trace->record)
			error = save_begin(&run.save, trace->record, trace->words);
	}
	if (!error)
		error = output_open(&run.output, trace->output);
	if (!error)
		error = start(&run);
	if (!error && trace->classes)
		run.survey = survey_new(&run.target, true);
	if (!error)
		error = watch(&run);
	if (error)
		output_discard(run.output);
	else
		error = output_commit(run.output);
	error = save_end(run.save, error);
	if (error)
		cmd_fail(EXIT_FAILED);
	trace_verdict_free(&run.verdict);
	survey_free(run.survey);
	collect_free(run.collect);
	command_free(run.command);
	target_free(&run.target);
	if (error)
		return EXIT_FAILED;
	return run.over ? EXIT_OVER : EXIT_DONE;
}

int cmd_trace(int argc, char **argv)
{
	struct trace trace;
	int status;

	if (trace_options(&trace, argc, argv, &status)) {
		trace.report.kinds = trace.view.kinds;
		terminal_look(trace.output, &trace.report.columns, &trace.report.color);
		status = flight_wanted(&trace.flight) ? flight_run(&trace) : run_trace(&trace);
	}
	trace_free(&trace);
	return status;
}
