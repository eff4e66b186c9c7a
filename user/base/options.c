/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Option tables over getopt_long. */
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "base/error.h"
#include "base/options.h"
#include "base/units.h"
#include "base/vec.h"

enum {
	ROW_BASE = 256, /* getopt_long returns ROW_BASE + row: no letter clashes */
	HELP_COLUMN_MAX = 30, /* longer options have their help on the next line */
};

static int parse_count(const char *text, uint64_t *value)
{
	uint64_t count = 0;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(count, 10, &count) ||
		    __builtin_add_overflow(count, *text - '0', &count))
			return -ERANGE;
	}
	*value = count;
	return 0;
}

static int bad_value(int err, const struct option_row *row, const char *argument, const char *what)
{
	if (err == -ERANGE)
		return error_set(-EINVAL, "--%s: '%s' is too large", row->name, argument);
	return error_set(-EINVAL, "--%s: '%s' is not %s", row->name, argument, what);
}

static int store(const struct option_row *row, const char *argument)
{
	int err = 0;

	if (row->given)
		*row->given = true;
	switch (row->type) {
	case OPTION_FLAG:
		*(bool *)row->value = true;
		return 0;
	case OPTION_STRING:
		*(const char **)row->value = argument;
		return 0;
	case OPTION_BYTES:
		err = units_parse_bytes(argument, row->value);
		return err ? bad_value(err, row, argument, "a size such as 64K or 1.5G") : 0;
	case OPTION_TIME:
		err = units_parse_time(argument, row->value);
		return err ? bad_value(err, row, argument, "a time such as 500ms, 30s or 2m") : 0;
	case OPTION_COUNT:
		err = parse_count(argument, row->value);
		return err ? bad_value(err, row, argument, "a number") : 0;
	case OPTION_CALL:
		err = row->parse(argument, row->value);
		return err ? error_prefix(-EINVAL, "--%s", row->name) : 0;
	}
	return -EINVAL;
}

/* What getopt_long returned '?' or ':' for. */
static int complain(const struct option_row *rows, int result, char **argv)
{
	const struct option_row *row = NULL;
	const char *word = argv[optind - 1];
	int i;

	if (optopt >= ROW_BASE)
		row = &rows[optopt - ROW_BASE];
	for (i = 0; !row && optopt && rows[i].name; i++)
		if (rows[i].letter == optopt)
			row = &rows[i];
	if (row && result == ':')
		return error_set(-EINVAL, "--%s needs a value: %s", row->name, row->argument);
	if (row)
		return error_set(-EINVAL, "--%s takes no value", row->name);
	if (optopt)
		return error_set(-EINVAL, "unknown option -%c; --help lists all", optopt);
	return error_set(-EINVAL, "unknown or ambiguous option %s; --help lists all", word);
}

static const struct option_row *row_of(const struct option_row *rows, int result)
{
	if (result >= ROW_BASE)
		return &rows[result - ROW_BASE];
	while (rows->name && rows->letter != result)
		rows++;
	return rows;
}

static int parse(const struct option_row *rows, int argc, char **argv, bool mixed)
{
	VEC(struct option) long_options = { 0 };
	VEC(char) letters = { 0 };
	int result, err = 0, i;

	if (!mixed)
		*vec_add(&letters) = '+'; /* stop at the first word that is no option */
	*vec_add(&letters) = ':'; /* tell a missing value from an unknown option */
	for (i = 0; rows[i].name; i++) {
		*vec_add(&long_options) = (struct option){
			.name = rows[i].name,
			.has_arg = rows[i].argument ? required_argument : no_argument,
			.val = ROW_BASE + i,
		};
		if (!rows[i].letter)
			continue;
		*vec_add(&letters) = rows[i].letter;
		if (rows[i].argument)
			*vec_add(&letters) = ':';
	}
	vec_add(&long_options);
	vec_add(&letters);

	opterr = 0;
	optind = 0; /* glibc: start over */
	while (!err &&
	       (result = getopt_long(argc, argv, letters.items, long_options.items, NULL)) != -1) {
		if (result == '?' || result == ':')
			err = complain(rows, result, argv);
		else
			err = store(row_of(rows, result), optarg);
	}
	vec_free(&long_options);
	vec_free(&letters);
	return err ? err : optind;
}

int options_parse(const struct option_row *rows, int argc, char **argv)
{
	return parse(rows, argc, argv, false);
}

int options_parse_mixed(const struct option_row *rows, int argc, char **argv)
{
	return parse(rows, argc, argv, true);
}

/* "-d, --duration TIME" into buffer; its length. */
static int head(char *buffer, size_t buffer_bytes, const struct option_row *row)
{
	char letter[8] = "    ";

	if (row->letter)
		snprintf(letter, sizeof(letter), "-%c, ", row->letter);
	return snprintf(buffer, buffer_bytes, "%s--%s%s%s", letter, row->name,
			row->argument ? " " : "", row->argument ? row->argument : "");
}

void options_help(const struct option_row *rows, FILE *stream)
{
	const struct option_row *row;
	char text[128];
	int width = 0;

	for (row = rows; row->name; row++) {
		int length = row->help ? head(text, sizeof(text), row) : 0;

		if (length > width && length <= HELP_COLUMN_MAX)
			width = length;
	}
	for (row = rows; row->name; row++) {
		if (!row->help)
			continue;
		if (head(text, sizeof(text), row) > width)
			fprintf(stream, "  %s\n  %*s  %s\n", text, width, "", row->help);
		else
			fprintf(stream, "  %-*s  %s\n", width, text, row->help);
	}
}
