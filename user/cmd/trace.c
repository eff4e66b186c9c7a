/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* unfreed trace: watches a target for a window and reports what it has not given back. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/output.h"
#include "base/units.h"
#include "cmd/cmd.h"
#include "collect/collect.h"
#include "process/target.h"
#include "report/report.h"

enum { POLL_MS = 100 };

struct trace {
	struct target_spec spec;
	struct collect_options collect;
	struct report_options report;
	const struct report_ops *format;
	const char *output;
	uint64_t duration_ns, interval_ns;
	uint64_t fail_over_bytes;
	bool fail_over, interval, top_given, min_age_given, help;
};

/* -- options ----------------------------------------------------------------------------------- */

static int parse_events(const char *argument, void *value)
{
	struct collect_options *collect = value;
	char *text = strdup(argument), *rest = NULL;
	int error = 0;

	collect->heap = collect->mapping = false;
	for (char *word = strtok_r(text, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		if (!strcmp(word, "heap"))
			collect->heap = true;
		else if (!strcmp(word, "mapping"))
			collect->mapping = true;
		else
			error = error_set(-EINVAL, "no events '%s': heap, mapping", word);
	}
	free(text);
	if (!error && !collect->heap && !collect->mapping)
		error = error_set(-EINVAL, "none given: heap, mapping");
	return error;
}

static int parse_format(const char *argument, void *value)
{
	const struct report_ops **format = value;

	*format = report_find(argument);
	return *format ? 0
		       : error_set(-EINVAL, "no format '%s': see 'unfreed trace --help'", argument);
}

static int parse_stack(const char *argument, void *value)
{
	bool *frame_pointers_only = value;

	*frame_pointers_only = !strcmp(argument, "fp");
	if (*frame_pointers_only || !strcmp(argument, "auto") || !strcmp(argument, "table"))
		return 0;
	return error_set(-EINVAL, "no way to walk '%s': auto, table, fp", argument);
}

static int parse_overhead(const char *argument, void *value)
{
	(void)value;
	if (!strcmp(argument, "off"))
		return 0;
	return error_set(-EINVAL, "only 'off' is known: every call is traced");
}

static int parse_method(const char *argument, void *value)
{
	struct collect_options *collect = value;

	collect->method_given = true;
	return link_method_find(argument, &collect->method);
}

static int parse_options(struct trace *trace, int argc, char **argv, int *status)
{
	const char *json = NULL;
	bool as_json = false;
	const struct option_row rows[] = {
		{ "pid", 'p', "PID[,PID...]", "trace these processes", OPTION_STRING,
		  &trace->spec.pids, NULL, NULL },
		{ "container", 'c', "NAME", "trace a container, by name or id prefix",
		  OPTION_STRING, &trace->spec.container, NULL, NULL },
		{ "duration", 'd', "TIME", "length of the window (30s)", OPTION_TIME,
		  &trace->duration_ns, NULL, NULL },
		{ "interval", 'i', "TIME", "report every TIME, from the start on", OPTION_TIME,
		  &trace->interval_ns, NULL, &trace->interval },
		{ "min-age", 0, "TIME", "leave younger blocks out of the table (5s)", OPTION_TIME,
		  &trace->collect.min_age_ns, NULL, &trace->min_age_given },
		{ "top", 't', "N", "stacks in the table (20)", OPTION_COUNT, &trace->report.top,
		  NULL, &trace->top_given },
		{ "events", 0, "LIST", "what to trace: heap,mapping (both)", OPTION_CALL,
		  &trace->collect, parse_events, NULL },
		{ "stack", 0, "HOW", "walk stacks by auto, table, fp (auto)", OPTION_CALL,
		  &trace->collect.frame_pointers_only, parse_stack, NULL },
		{ "max-overhead", 0, "off", "trace every call", OPTION_CALL, NULL, parse_overhead,
		  NULL },
		{ "max-blocks", 0, "N", "live blocks kept (1048576)", OPTION_COUNT,
		  &trace->collect.max_blocks, NULL, NULL },
		{ "max-stacks", 0, "N", "distinct stacks kept (65536)", OPTION_COUNT,
		  &trace->collect.max_stacks, NULL, NULL },
		{ "probe", 0, "METHOD", "attach by session, multi or perf (the best that works)",
		  OPTION_CALL, &trace->collect, parse_method, NULL },
		{ "format", 'f', "FORMAT", "table, json, folded, svg (table)", OPTION_CALL,
		  &trace->format, parse_format, NULL },
		{ "json", 0, NULL, "the same as -f json", OPTION_FLAG, &as_json, NULL, NULL },
		{ "output", 'o', "FILE", "write the report to FILE", OPTION_STRING, &trace->output,
		  NULL, NULL },
		{ "fail-over", 0, "SIZE", "exit with 3 if more than SIZE is outstanding",
		  OPTION_BYTES, &trace->fail_over_bytes, NULL, &trace->fail_over },
		{ "help", 'h', NULL, "this text", OPTION_FLAG, &trace->help, NULL, NULL },
		{ 0 },
	};
	int index;

	(void)json;
	index = cmd_options(
		rows, "unfreed trace TARGET [options]",
		"Attaches to TARGET (-p or -c), watches it for a window and reports what "
		"it has\nallocated and not given back, by complete stack. Ctrl-C ends the "
		"window early.",
		argc, argv, &trace->help, status);
	if (index < 0)
		return -1;
	if (as_json)
		trace->format = report_find("json");
	if (index < argc || !trace->spec.pids == !trace->spec.container) {
		error_set(-EINVAL,
			  index < argc ? "unexpected '%s'"
				       : "name one target: -p PID or "
					 "-c CONTAINER%s",
			  index < argc ? argv[index] : "");
		*status = cmd_fail(EXIT_USAGE);
		return -1;
	}
	return 0;
}

static int check_limits(const struct trace *trace)
{
	const uint64_t most = 1U << 30;

	if (!trace->collect.max_blocks || trace->collect.max_blocks > most)
		return error_set(-EINVAL, "--max-blocks: from 1 to %llu", (unsigned long long)most);
	if (!trace->collect.max_stacks || trace->collect.max_stacks > most)
		return error_set(-EINVAL, "--max-stacks: from 1 to %llu", (unsigned long long)most);
	if (trace->spec.pids && trace->spec.pids[strspn(trace->spec.pids, "0123456789,")])
		return error_set(-EINVAL, "--pid: '%s' is not a list of pids", trace->spec.pids);
	if (trace->interval && !trace->interval_ns)
		return error_set(-EINVAL, "--interval: longer than nothing");
	return 0;
}

/* -- signals ----------------------------------------------------------------------------------- */

static volatile sig_atomic_t interrupted;

/* The first ends the window; a second one quits at once: the kernel detaches. */
static void on_signal(int number)
{
	if (interrupted) {
		signal(number, SIG_DFL);
		raise(number);
	}
	interrupted = 1;
}

static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* -- running ----------------------------------------------------------------------------------- */

static void progress(const struct trace *trace, const struct collect *collect, bool done)
{
	char now[UNITS_TEXT_MAX], end[UNITS_TEXT_MAX];

	if (!isatty(STDERR_FILENO) || trace->duration_ns <= 1000000000)
		return;
	if (done)
		fputs("\r\033[K", stderr);
	else
		fprintf(stderr, "\r%s of %s, Ctrl-C ends\033[K",
			units_format_time(now, collect_window_ns(collect)),
			units_format_time(end, trace->duration_ns));
}

static void set_width(struct trace *trace)
{
	const char *term = getenv("TERM");
	struct winsize size;

	if (trace->output || !isatty(STDOUT_FILENO))
		return;
	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size))
		trace->report.columns = size.ws_col;
	trace->report.color = !getenv("NO_COLOR") && term && strcmp(term, "dumb");
}

static int write_report(const struct trace *trace, struct collect *collect, struct output *output,
			bool last, const char *ended_by, bool *over)
{
	struct snapshot *snapshot;
	uint64_t old_bytes = 0;
	int error;

	error = collect_snapshot(collect, last, ended_by, &snapshot);
	if (error)
		return error;
	trace->format->write(snapshot, &trace->report, output_stream(output));
	fflush(output_stream(output));
	vec_for_each (site, &snapshot->sites) {
		if (site->kind == (trace->collect.heap ? SITE_HEAP : SITE_MAPPING))
			old_bytes += site->bytes - site->young_bytes;
	}
	*over = trace->fail_over && old_bytes > trace->fail_over_bytes;
	snapshot_free(snapshot);
	return ferror(output_stream(output))
		       ? error_set(-EIO, "cannot write the report: %s", strerror(errno))
		       : 0;
}

/* Runs the window. Returns 0 and what ended it, or -errno with a sentence. */
static int run_window(const struct trace *trace, struct collect *collect, struct output *output,
		      const char **ended_by)
{
	uint64_t report_ns = trace->interval_ns;
	bool over;

	while (!interrupted) {
		uint64_t window_ns = collect_window_ns(collect), left_ns;
		int running;

		if (window_ns >= trace->duration_ns) {
			*ended_by = "duration";
			return 0;
		}
		left_ns = trace->duration_ns - window_ns;
		running = collect_poll(collect, left_ns < POLL_MS * 1000000ULL
							? (int)(left_ns / 1000000) + 1
							: POLL_MS);
		if (running < 0 && running != -EINTR)
			return running;
		if (!running) {
			*ended_by = "target exited";
			return 0;
		}
		progress(trace, collect, false);
		window_ns = collect_window_ns(collect);
		if (trace->interval && window_ns >= report_ns && window_ns < trace->duration_ns) {
			int error = write_report(trace, collect, output, false, "interval", &over);

			if (error)
				return error;
			report_ns += trace->interval_ns;
		}
	}
	*ended_by = "interrupted";
	return 0;
}

static int trace_target(struct trace *trace, struct collect *collect, struct output *output)
{
	const char *ended_by = NULL;
	char text[128], duration[UNITS_TEXT_MAX];
	bool over = false;
	int error;

	collect_describe(collect, text, sizeof(text));
	fprintf(stderr, "tracing %s for %s: %s\n", trace->collect.target,
		units_format_time(duration, trace->duration_ns), text);
	error = run_window(trace, collect, output, &ended_by);
	progress(trace, collect, true);
	if (!error)
		error = write_report(trace, collect, output, true, ended_by, &over);
	if (error) {
		output_discard(output);
		return cmd_fail(EXIT_FAILED);
	}
	if (output_commit(output))
		return cmd_fail(EXIT_FAILED);
	return over ? EXIT_OVER : EXIT_DONE;
}

/* The report is out before the probes come off: that takes time where they are many. */
static int run(struct trace *trace)
{
	struct target target = { 0 };
	struct output *output = NULL;
	struct collect *collect;
	int status = EXIT_FAILED;

	if (target_resolve(&target, &trace->spec))
		return cmd_fail(EXIT_FAILED);
	vec_for_each (note, &target.notes)
		fprintf(stderr, "unfreed: %s\n", *note);
	trace->collect.target = target.name;
	trace->collect.pids = target.pids.items;
	trace->collect.pid_count = target.pids.count;
	trace->collect.container_pid = target.container_id ? target.pids.items[0] : 0;
	if (output_open(&output, trace->output)) {
		cmd_fail(EXIT_FAILED);
	} else if (collect_start(&collect, &trace->collect)) {
		output_discard(output);
		cmd_fail(EXIT_FAILED);
	} else {
		status = trace_target(trace, collect, output);
		collect_free(collect);
	}
	target_free(&target);
	return status;
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

int cmd_trace(int argc, char **argv)
{
	struct trace trace = { .duration_ns = 30ULL * 1000000000, .report.top = 20 };
	int status;

	collect_defaults(&trace.collect);
	trace.format = report_find("table");
	if (parse_options(&trace, argc, argv, &status))
		return status;
	if (check_limits(&trace))
		return cmd_fail(EXIT_USAGE);
	shape(&trace);
	set_width(&trace);
	catch_signals();
	return run(&trace);
}
