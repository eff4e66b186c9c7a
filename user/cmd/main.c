/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The table of commands, and what they share. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "cmd/cmd.h"
#include "process/jail.h"
#include "process/rights.h"
#include "report/report.h"

static const struct command commands[] = {
	{ "trace", "what a process or container allocates and does not give back, by stack", 0,
	  cmd_trace },
	{ "watch", "the same live, on a terminal", RIGHTS_TRACE, cmd_watch },
	{ "map", "all memory of a process or container, each mapping in a class", RIGHTS_LOOK,
	  cmd_map },
	{ "heap", "what malloc holds, in use and free, and a verdict", RIGHTS_LOOK, cmd_heap },
	{ "jvm", "what a JVM says of its memory, beside what is there", RIGHTS_ASK, cmd_jvm },
	{ "report", "a recording of trace, in every format", RIGHTS_DRAW, cmd_report },
	{ "diff", "what changed between two recordings, or two files of map", RIGHTS_DRAW,
	  cmd_diff },
	{ "check", "what this kernel and these privileges allow", RIGHTS_TRACE | RIGHT(SYSLOG),
	  cmd_check },
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

int cmd_fail(int status)
{
	fprintf(stderr, "unfreed: %s\n", error_message());
	return status;
}

int cmd_parse_format(const char *argument, void *json)
{
	*(bool *)json = !strcmp(argument, "json");
	if (*(bool *)json || !strcmp(argument, "table"))
		return 0;
	return error_set(-EINVAL, "no format '%s': table, json", argument);
}

int cmd_parse_report_format(const char *argument, void *format)
{
	*(const struct report_ops **)format = report_find(argument);
	if (*(const struct report_ops **)format)
		return 0;
	return error_set(-EINVAL, "no format '%s': see --help", argument);
}

/* index: what parsing gave. */
static int take_options(int index, const struct option_row *rows, const char *usage,
			const char *about, bool help, int *status)
{
	if (index < 0) {
		*status = cmd_fail(EXIT_USAGE);
		return -1;
	}
	if (!help)
		return index;
	printf("usage: %s\n\n%s\n\n", usage, about);
	options_help(rows, stdout);
	*status = EXIT_DONE;
	return -1;
}

int cmd_options(const struct option_row *rows, const char *usage, const char *about, int argc,
		char **argv, bool *help, int *status)
{
	int index = options_parse(rows, argc, argv);

	return take_options(index, rows, usage, about, *help, status);
}

int cmd_options_mixed(const struct option_row *rows, const char *usage, const char *about, int argc,
		      char **argv, bool *help, int *status)
{
	int index = options_parse_mixed(rows, argc, argv);

	return take_options(index, rows, usage, about, *help, status);
}

static void print_help(FILE *stream)
{
	fputs("usage: unfreed COMMAND [options]\n\n"
	      "Shows what memory a running process or container holds and has not given back,\n"
	      "without a restart, an agent or a flag.\n\n",
	      stream);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(stream, "  %-8s %s\n", commands[i].name, commands[i].help);
	fputs("\n'unfreed COMMAND --help' lists a command's options; 'man unfreed' says more.\n",
	      stream);
}

/* Whatever was shown, something is missing in it. */
static int tell_deaths(int status)
{
	const char *last;
	uint32_t deaths = jail_deaths(&last);

	if (deaths)
		fprintf(stderr,
			"unfreed: what reads the target's files died of them %u time%s (%s): some "
			"names or figures are missing\n",
			deaths, deaths == 1 ? "" : "s", last);
	return status;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	for (size_t i = 0; i < COMMANDS; i++) {
		if (!strcmp(name, commands[i].name)) {
			if (commands[i].rights)
				rights_keep(commands[i].rights);
			return tell_deaths(commands[i].run(argc - 1, argv + 1));
		}
	}
	if (!strcmp(name, "--version") || !strcmp(name, "-V")) {
		puts("unfreed " UNFREED_VERSION);
		return EXIT_DONE;
	}
	if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
		print_help(stdout);
		return EXIT_DONE;
	}
	if (*name)
		fprintf(stderr, "unfreed: no command '%s': see 'unfreed --help'\n", name);
	else
		print_help(stderr);
	return EXIT_USAGE;
}
