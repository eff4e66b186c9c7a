/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Option tables over getopt_long: one row parses an option, and prints its line of --help. */
#ifndef UNFREED_BASE_OPTIONS_H
#define UNFREED_BASE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum option_type {
	OPTION_FLAG, /* bool: set to true */
	OPTION_STRING, /* const char * into argv */
	OPTION_BYTES, /* uint64_t, a size: 64K */
	OPTION_TIME, /* uint64_t, nanoseconds: 30s */
	OPTION_COUNT, /* uint64_t, a plain number */
	OPTION_CALL, /* parse(argument, value) */
};

struct option_row {
	const char *name; /* long name without dashes */
	char letter; /* short name, or 0 */
	const char *argument; /* its name in the help text, NULL: takes none */
	const char *help; /* one line; NULL: left out of --help */
	enum option_type type;
	void *value;
	/* OPTION_CALL: 0, or a negative errno with a sentence */
	int (*parse)(const char *argument, void *value);
	bool *given; /* may be NULL: set when the option was given */
};

/*
 * Parses argv[1…]; rows end with a NULL name. Options end at the first word that is none, or at
 * "--". Returns the index of that word (argc when there is none; after "--" the word behind it), or
 * -EINVAL with a sentence that names the option.
 */
int options_parse(const struct option_row *rows, int argc, char **argv);

/* The same, but words may stand between options: they come last, as the index says. */
int options_parse_mixed(const struct option_row *rows, int argc, char **argv);

/* Prints the rows as lines of help. */
void options_help(const struct option_row *rows, FILE *stream);

#endif
