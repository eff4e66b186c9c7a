/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* unfreed map: every mapping of a target in its class, against the container's limit. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/output.h"
#include "cmd/cmd.h"
#include "cmd/interrupt.h"
#include "cmd/target_options.h"
#include "cmd/terminal.h"
#include "report/footprint.h"
#include "report/plot.h"
#include "survey/survey.h"

struct map_options {
	struct target_spec spec;
	struct footprint_options report;
	const char *output, *save;
	const struct map_format *format;
	uint64_t interval_ns, duration_ns;
	bool as_json, interval, duration, help;
};

/* A report of each moment, or a plot of all of them at the end. */
static const struct map_format {
	const char *name;
	void (*report)(const struct footprint *footprint, const struct growth *growth,
		       const struct footprint_options *options, FILE *stream);
	void (*plot)(const struct plot *plot, FILE *stream);
} formats[] = {
	{ "table", footprint_table, NULL },
	{ "json", footprint_json, NULL },
	{ "svg", NULL, plot_svg },
	{ "html", NULL, plot_html },
};

static int parse_format(const char *argument, void *value)
{
	const struct map_format **format = value;

	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
		if (!strcmp(argument, formats[i].name)) {
			*format = &formats[i];
			return 0;
		}
	}
	return error_set(-EINVAL, "no format '%s': table, json, svg, html", argument);
}

static int parse_by(const char *argument, void *value)
{
	static const char *const names[] = {
		[FOOTPRINT_BY_CLASS] = "class",
		[FOOTPRINT_BY_PROCESS] = "process",
		[FOOTPRINT_BY_MAPPING] = "mapping",
	};
	enum footprint_by *by = value;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(argument, names[i])) {
			*by = (enum footprint_by)i;
			return 0;
		}
	}
	return error_set(-EINVAL, "no rows '%s': class, process, mapping", argument);
}

static int check(const struct map_options *options, char *const *rest)
{
	if (options->interval && !options->interval_ns)
		return error_set(-EINVAL, "--interval: longer than nothing");
	if (options->duration && !options->interval)
		return error_set(-EINVAL, "--duration: only with --interval");
	if (options->format->plot && !options->interval)
		return error_set(-EINVAL,
				 "--format %s: a plot is drawn over time: only with "
				 "--interval",
				 options->format->name);
	return target_options_take(&options->spec, rest);
}

/* False: the command ends with *status. */
static bool parse_options(struct map_options *options, int argc, char **argv, int *status)
{
	const struct option_row rows[] = {
		TARGET_OPTION_ROWS(&options->spec),
		{ "by", 0, "WHAT", "rows of class, process or mapping (class)", OPTION_CALL,
		  &options->report.by, parse_by, NULL },
		{ "top", 't', "N", "processes or mappings in the table (20)", OPTION_COUNT,
		  &options->report.top, NULL, NULL },
		{ "interval", 'i', "TIME", "then show every TIME what has grown", OPTION_TIME,
		  &options->interval_ns, NULL, &options->interval },
		{ "duration", 'd', "TIME", "end after TIME (with -i: until Ctrl-C)", OPTION_TIME,
		  &options->duration_ns, NULL, &options->duration },
		{ "format", 'f', "FORMAT", "table, json; with -i svg, html (table)", OPTION_CALL,
		  &options->format, parse_format, NULL },
		{ "json", 0, NULL, "the same as -f json", OPTION_FLAG, &options->as_json, NULL,
		  NULL },
		{ "output", 'o', "FILE", "write the report to FILE", OPTION_STRING,
		  &options->output, NULL, NULL },
		{ "save", 0, "FILE", "keep what was found last in FILE, for unfreed diff",
		  OPTION_STRING, &options->save, NULL, NULL },
		{ "help", 'h', NULL, "this text", OPTION_FLAG, &options->help, NULL, NULL },
		{ 0 },
	};
	int index;

	index = cmd_options(rows, "unfreed map TARGET [options]",
			    "Puts every mapping of every process of TARGET (-p, -c, --pod, "
			    "--cgroup or -n) into\na class, and the sums beside the container's "
			    "limit. Nothing is stopped or made to grow.",
			    argc, argv, &options->help, status);
	if (index < 0)
		return false;
	if (options->as_json)
		options->format = &formats[1];
	if (check(options, argv + index)) {
		*status = cmd_fail(EXIT_USAGE);
		return false;
	}
	return true;
}

/* -- one report -------------------------------------------------------------------------------- */

static int write_report(const struct map_options *options, const struct footprint *footprint,
			const struct growth *growth, FILE *stream)
{
	options->format->report(footprint, growth, &options->report, stream);
	fflush(stream);
	return ferror(stream) ? error_set(-EIO, "cannot write the report: %s", strerror(errno)) : 0;
}

/* Written anew each time: whatever ends this program, the last one is there. */
static int save(const struct map_options *options, const struct footprint *footprint)
{
	const struct footprint_options all = { .by = FOOTPRINT_BY_MAPPING };
	struct output *output;
	int error;

	if (!options->save)
		return 0;
	error = output_open(&output, options->save);
	if (error)
		return error;
	footprint_json(footprint, NULL, &all, output_stream(output));
	return output_commit(output);
}

/* -- a series ---------------------------------------------------------------------------------- */

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* Until the clock shows time_ns, or a signal. */
static void wait_until(uint64_t time_ns)
{
	while (!interrupted() && now_ns() < time_ns) {
		uint64_t left_ns = time_ns - now_ns() + 999999;
		struct timespec left = { left_ns / 1000000000, left_ns % 1000000000 };

		ppoll(NULL, 0, &left, NULL);
	}
}

/* What is known of all moments: for each report, or for the one at the end. */
struct seen {
	struct growth growth;
	struct plot *plot;
};

static int take(const struct map_options *options, struct seen *seen,
		const struct footprint *footprint, FILE *stream)
{
	if (options->format->plot) {
		plot_add(seen->plot, footprint);
		return 0;
	}
	growth_add(&seen->growth, footprint);
	return write_report(options, footprint, &seen->growth, stream);
}

static int look_on(const struct map_options *options, struct survey *survey, struct seen *seen,
		   FILE *stream)
{
	uint64_t start_ns = now_ns(), next_ns = start_ns;
	int error = 0;

	while (!error) {
		struct footprint *footprint;

		next_ns += options->interval_ns;
		if (options->duration && next_ns - start_ns > options->duration_ns)
			break;
		wait_until(next_ns);
		if (interrupted())
			break;
		error = survey_take(survey, &footprint);
		if (error)
			break;
		if (!footprint->processes.count) {
			footprint_free(footprint);
			fputs("unfreed: the target has ended\n", stderr);
			break;
		}
		error = take(options, seen, footprint, stream);
		if (!error)
			error = save(options, footprint);
		footprint_free(footprint);
	}
	return error;
}

static int run_series(const struct map_options *options, struct survey *survey,
		      struct footprint *first, FILE *stream)
{
	struct seen seen = { .plot = plot_new() };
	int error = take(options, &seen, first, stream);

	if (!error)
		error = look_on(options, survey, &seen, stream);
	if (!error && options->format->plot)
		options->format->plot(seen.plot, stream);
	plot_free(seen.plot);
	return error;
}

static int run(const struct map_options *options, const struct target *target,
	       struct output *output)
{
	struct survey *survey = survey_new(target, true);
	struct footprint *footprint = NULL;
	int error = survey_take(survey, &footprint);

	if (!error && !footprint->processes.count)
		error = error_set(-ESRCH, "%s has no running process", target->name);
	if (!error)
		error = save(options, footprint);
	if (!error && options->interval)
		error = run_series(options, survey, footprint, output_stream(output));
	else if (!error)
		error = write_report(options, footprint, NULL, output_stream(output));
	footprint_free(footprint);
	survey_free(survey);
	return error;
}

int cmd_map(int argc, char **argv)
{
	struct map_options options = { .report.top = 20, .format = formats };
	struct target target = { 0 };
	struct output *output = NULL;
	int status, error;

	if (!parse_options(&options, argc, argv, &status))
		return status;
	terminal_look(options.output, &options.report.columns, &options.report.color);
	error = target_resolve(&target, &options.spec);
	if (!error) {
		interrupt_catch();
		error = output_open(&output, options.output);
	}
	vec_for_each (note, &target.notes)
		fprintf(stderr, "unfreed: %s\n", *note);
	if (!error)
		error = run(&options, &target, output);
	if (error)
		output_discard(output);
	else
		error = output_commit(output);
	target_free(&target);
	return error ? cmd_fail(EXIT_FAILED) : EXIT_DONE;
}
