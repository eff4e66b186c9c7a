/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The commands: each is one row of the table in main.c and one file. */
#ifndef UNFREED_CMD_CMD_H
#define UNFREED_CMD_CMD_H

#include <stdint.h>

#include "base/options.h"

/* Exit status, the same for all commands. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_OVER = 3 };

struct command {
	const char *name;
	const char *help; /* one line */
	uint64_t rights; /* that it may need, of process/rights.h; 0: it sees to that itself */
	int (*run)(int argc, char **argv); /* argv[0]: its name. Returns the exit status. */
};

int cmd_trace(int argc, char **argv);
int cmd_heap(int argc, char **argv);
int cmd_jvm(int argc, char **argv);
int cmd_map(int argc, char **argv);
int cmd_watch(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_check(int argc, char **argv);

/* Prints "unfreed: sentence" to stderr; the sentence is error_message(). Returns status. */
int cmd_fail(int status);

/* An option_row's parse for commands with two formats: "json" sets the bool at json. */
int cmd_parse_format(const char *argument, void *json);

/* The formats of user/report, for --help. */
#define REPORT_FORMATS \
	"table, json, folded, svg, html, pprof, jeprof, callgrind, dot, speedscope, csv"

/* The same for those with the formats of user/report: sets the const struct report_ops *. */
int cmd_parse_report_format(const char *argument, void *format);

/*
 * Parses argv of a command. --help prints usage, about and rows, and sets *status to EXIT_DONE.
 * Returns the index of the first word that is no option, or -1: the command ends with *status.
 */
int cmd_options(const struct option_row *rows, const char *usage, const char *about, int argc,
		char **argv, bool *help, int *status);

/* The same for commands whose words are files: options may stand behind them. */
int cmd_options_mixed(const struct option_row *rows, const char *usage, const char *about, int argc,
		      char **argv, bool *help, int *status);

#endif
