/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* unfreed heap: what malloc holds in a target, in use and free, read from outside. */
#include "cmd/heap.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/output.h"
#include "cmd/cmd.h"
#include "cmd/heap_sample.h"
#include "cmd/interrupt.h"
#include "cmd/target_options.h"

enum { POLL_MS = 100 };

static int take_options(struct heap_options *options, int argc, char **argv, int *status)
{
	const struct option_row rows[] = {
		TARGET_OPTION_ROWS(&options->spec),
		{ "duration", 'd', "TIME", "look twice, TIME apart: what grows", OPTION_TIME,
		  &options->duration_ns, NULL, &options->duration_given },
		{ "interval", 'i', "TIME", "look every TIME, until -d or Ctrl-C", OPTION_TIME,
		  &options->interval_ns, NULL, &options->interval_given },
		{ "top", 't', "N", "sizes in the table (20)", OPTION_COUNT, &options->top, NULL,
		  NULL },
		{ "peek", 0, "SIZE|ADDRESS", "show what is in blocks of a size, or in one",
		  OPTION_CALL, &options->peek, peek_parse, NULL },
		{ "format", 'f', "FORMAT", "table, json (table)", OPTION_CALL, &options->json,
		  cmd_parse_format, NULL },
		{ "json", 0, NULL, "the same as -f json", OPTION_FLAG, &options->json, NULL, NULL },
		{ "output", 'o', "FILE", "write the report to FILE", OPTION_STRING,
		  &options->output, NULL, NULL },
		{ "help", 'h', NULL, "this text", OPTION_FLAG, &options->help, NULL, NULL },
		{ 0 },
	};
	int index = cmd_options(rows, "unfreed heap TARGET [options]",
				"Walks the heap of TARGET (-p, -c, --pod, --cgroup or -n) from "
				"outside, while it\nruns: what is in use and what is free, by "
				"arena and by size, and a verdict.",
				argc, argv, &options->help, status);

	if (index < 0)
		return -1;
	if (target_options_take(&options->spec, argv + index) ||
	    (options->interval_given && !options->interval_ns &&
	     error_set(-EINVAL, "--interval: longer than nothing"))) {
		*status = cmd_fail(EXIT_USAGE);
		return -1;
	}
	return 0;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* -- looking ----------------------------------------------------------------------------------- */

struct run {
	struct heap_options options;
	struct target target;
	struct output *output;
	uint64_t start_ns;
};

static int write_report(struct run *run, const struct heap_report *report)
{
	FILE *stream = output_stream(run->output);

	(run->options.json ? heap_json : heap_table)(report, stream);
	fflush(stream);
	return ferror(stream) ? error_set(-EIO, "cannot write the report: %s", strerror(errno)) : 0;
}

/* Until the time of the next look, or Ctrl-C. */
static void wait_until(uint64_t time_ns)
{
	uint64_t now = now_ns();

	while (!interrupted() && now < time_ns) {
		uint64_t left_ms = (time_ns - now) / 1000000 + 1;

		poll(NULL, 0, (int)(left_ms < POLL_MS ? left_ms : POLL_MS));
		now = now_ns();
	}
}

/* Looks again each interval, or once at the end; each time against the first look. */
static int look_again(struct run *run, const struct heap_report *first)
{
	const struct heap_options *options = &run->options;
	uint64_t end_ns =
		options->duration_given ? run->start_ns + options->duration_ns : UINT64_MAX;
	uint64_t next_ns = run->start_ns;
	int error = 0;

	fprintf(stderr, "watching %s: the first look is done\n", run->target.name);
	do {
		struct heap_report report;

		next_ns += options->interval_given ? options->interval_ns : options->duration_ns;
		if (next_ns > end_ns)
			next_ns = end_ns;
		wait_until(next_ns);
		heap_look(&report, options, &run->target, first);
		error = write_report(run, &report);
		heap_report_free(&report);
	} while (!error && !interrupted() && next_ns < end_ns);
	return error;
}

/* Where of one process nothing can be said, that is an error; of many, a line in the report. */
static int check(const struct heap_report *report)
{
	const struct heap_process *process = report->processes.items;

	if (report->processes.count == 1 && !process->walk.arenas.count &&
	    !process->peek.blocks.count && !strcmp(process->allocator, "none"))
		return error_set(-ENOENT, "%s: %s", report->target,
				 process->why ? process->why : "it has no heap");
	return 0;
}

static int run_heap(struct run *run)
{
	struct heap_report first;
	int error;

	run->start_ns = now_ns();
	heap_look(&first, &run->options, &run->target, NULL);
	error = check(&first);
	if (!error && (run->options.duration_given || run->options.interval_given))
		error = look_again(run, &first);
	else if (!error)
		error = write_report(run, &first);
	heap_report_free(&first);
	return error;
}

int cmd_heap(int argc, char **argv)
{
	struct run run = { .options.top = 20 };
	int status, error;

	if (take_options(&run.options, argc, argv, &status))
		return status;
	interrupt_catch();
	error = target_resolve(&run.target, &run.options.spec);
	if (!error)
		error = output_open(&run.output, run.options.output);
	vec_for_each (note, &run.target.notes)
		fprintf(stderr, "unfreed: %s\n", *note);
	if (!error)
		error = run_heap(&run);
	if (error)
		output_discard(run.output);
	else
		error = output_commit(run.output);
	target_free(&run.target);
	return error ? cmd_fail(EXIT_FAILED) : EXIT_DONE;
}
