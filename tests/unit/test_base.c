/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The base layer: text, errors, units, JSON, options, output files, memory. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/json.h"
#include "base/options.h"
#include "base/output.h"
#include "base/text.h"
#include "base/units.h"
#include "base/vec.h"

static void test_text_decodes_only_valid_utf8(void **state)
{
	static const struct {
		const char *text;
		uint32_t character;
		size_t length;
	} cases[] = {
		{ "a", 'a', 1 },
		{ "\xc3\xa9", 0xe9, 2 },
		{ "\xe2\x82\xac", 0x20ac, 3 },
		{ "\xf0\x9f\x98\x80", 0x1f600, 4 },
		{ "\xc0\x80", TEXT_REPLACEMENT, 1 }, /* overlong NUL */
		{ "\xe0\x80\xaf", TEXT_REPLACEMENT, 1 }, /* overlong slash */
		{ "\xed\xa0\x80", TEXT_REPLACEMENT, 1 }, /* surrogate */
		{ "\xf4\x90\x80\x80", TEXT_REPLACEMENT, 1 }, /* above U+10FFFF */
		{ "\xe2\x82", TEXT_REPLACEMENT, 1 }, /* cut by the end */
		{ "\xff", TEXT_REPLACEMENT, 1 },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *rest = cases[i].text;

		assert_int_equal(text_next(&rest), cases[i].character);
		assert_int_equal(rest - cases[i].text, cases[i].length);
	}
}

static void test_text_escapes_what_moves_a_terminal(void **state)
{
	char buffer[64];

	assert_int_equal(text_escape(buffer, sizeof(buffer), "a\033[1m\n\xc2\x9b\xe2\x80\xae\xff"),
			 1 + 4 + 3 + 4 + 6 + 8 + 1);
	assert_string_equal(buffer, "a\\x1b[1m\\x0a\\u{9b}\\u{202e}\xef\xbf\xbd");
	/* cut at a character's border, always ended */
	assert_int_equal(text_escape(buffer, 4, "ab\xc3\xa9"), 2);
	assert_string_equal(buffer, "ab");
	assert_int_equal(text_escape(buffer, 5, "ab\xc3\xa9"), 3);
}

static void test_error_keeps_one_clean_sentence(void **state)
{
	assert_int_equal(error_set(-ENOENT, "no container '%s'", "a\033[2Jb"), -ENOENT);
	assert_string_equal(error_message(), "no container 'a\\x1b[2Jb'");
	assert_int_equal(error_prefix(-EIO, "docker"), -EIO);
	assert_string_equal(error_message(), "docker: no container 'a\\x1b[2Jb'");
	error_set(-EIO, "%s; again", error_message());
	assert_string_equal(error_message(), "docker: no container 'a\\x1b[2Jb'; again");
}

static void test_units_parse(void **state)
{
	static const struct {
		const char *text;
		int result;
		uint64_t value;
	} sizes[] = {
		{ "0", 0, 0 },
		{ "512", 0, 512 },
		{ "512B", 0, 512 },
		{ "64K", 0, 65536 },
		{ "64k", 0, 65536 },
		{ "1.5M", 0, 1572864 },
		{ "2GiB", 0, 2147483648 },
		{ "1TB", 0, 1099511627776 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "16777216T", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "1.", -EINVAL, 0 },
		{ ".5K", -EINVAL, 0 },
		{ "1e3", -EINVAL, 0 },
		{ "1X", -EINVAL, 0 },
		{ "1K ", -EINVAL, 0 },
	};
	uint64_t value;
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(units_parse_bytes(sizes[i].text, &value), sizes[i].result);
		if (!sizes[i].result)
			assert_int_equal(value, sizes[i].value);
	}
	assert_int_equal(units_parse_time("10", &value), 0);
	assert_int_equal(value, 10000000000);
	assert_int_equal(units_parse_time("1.5s", &value), 0);
	assert_int_equal(value, 1500000000);
	assert_int_equal(units_parse_time("500ms", &value), 0);
	assert_int_equal(value, 500000000);
	assert_int_equal(units_parse_time("2m", &value), 0);
	assert_int_equal(value, 120000000000);
	assert_int_equal(units_parse_time("1h", &value), 0);
	assert_int_equal(value, 3600000000000);
	assert_int_equal(units_parse_time("999999999999h", &value), -ERANGE);
	assert_int_equal(units_parse_time("5x", &value), -EINVAL);
}

static void test_units_format(void **state)
{
	char buffer[UNITS_TEXT_MAX];

	assert_string_equal(units_format_bytes(buffer, 0), "0 B");
	assert_string_equal(units_format_bytes(buffer, 999), "999 B");
	assert_string_equal(units_format_bytes(buffer, 1024), "1.0 KiB");
	assert_string_equal(units_format_bytes(buffer, 12900000), "12.3 MiB");
	assert_string_equal(units_format_bytes(buffer, 123ull << 30), "123 GiB");
	assert_string_equal(units_format_bytes(buffer, UINT64_MAX), "16.0 EiB");
	assert_string_equal(units_format_count(buffer, 0), "0");
	assert_string_equal(units_format_count(buffer, 999), "999");
	assert_string_equal(units_format_count(buffer, 1234567), "1,234,567");
	assert_string_equal(units_format_count(buffer, UINT64_MAX), "18446744073709551615");
	assert_string_equal(units_format_time(buffer, 0), "0 s");
	assert_string_equal(units_format_time(buffer, 850000000), "850 ms");
	assert_string_equal(units_format_time(buffer, 1290000000), "1.2 s");
	assert_string_equal(units_format_time(buffer, 5000000000), "5 s");
	assert_string_equal(units_format_time(buffer, 59999999999), "59 s");
	assert_string_equal(units_format_time(buffer, 200000000000), "3 min 20 s");
	assert_string_equal(units_format_time(buffer, 7500000000000), "2 h 5 min");
}

static void test_json_is_valid_whatever_the_strings(void **state)
{
	struct json json;
	size_t length;
	char *text;
	FILE *stream = open_memstream(&text, &length);

	json_init(&json, stream);
	json_begin_object(&json, NULL);
	json_text(&json, "s", "a\"\\\n\001\x7f\xff\xc3\xa9");
	json_text(&json, "none", NULL);
	json_begin_array(&json, "a");
	json_uint(&json, NULL, UINT64_MAX);
	json_int(&json, NULL, -1);
	json_bool(&json, NULL, true);
	json_end(&json);
	json_double(&json, "d", 1.5, 6);
	json_double(&json, "z", -0.0000001, 3);
	json_double(&json, "h", 100, 0);
	json_double(&json, "n", 0.0 / 0.0, 3);
	json_begin_object(&json, "o");
	json_end(&json);
	json_end(&json);
	fclose(stream);
	assert_string_equal(
		text,
		"{\"s\":\"a\\\"\\\\\\n\\u0001\\u007f\xef\xbf\xbd\xc3\xa9\",\"none\":null,"
		"\"a\":[18446744073709551615,-1,true],\"d\":1.5,\"z\":0,\"h\":100,"
		"\"n\":null,\"o\":{}}");
	free(text);
}

static int parse_color(const char *argument, void *value)
{
	if (strcmp(argument, "red"))
		return error_set(-ENOENT, "'%s' is no colour", argument);
	*(int *)value = 1;
	return 0;
}

struct parsed {
	bool flag, given;
	const char *name;
	uint64_t bytes, time_ns, count;
	int color;
};

static int parse(struct parsed *parsed, char **argv)
{
	const struct option_row rows[] = {
		{ "flag", 'f', NULL, "a flag", OPTION_FLAG, &parsed->flag, NULL, &parsed->given },
		{ "name", 'n', "NAME", "a name", OPTION_STRING, &parsed->name, NULL, NULL },
		{ "bytes", 0, "SIZE", "a size", OPTION_BYTES, &parsed->bytes, NULL, NULL },
		{ "time", 't', "TIME", "a time", OPTION_TIME, &parsed->time_ns, NULL, NULL },
		{ "count", 'c', "N", "a number", OPTION_COUNT, &parsed->count, NULL, NULL },
		{ "color", 0, "COLOR", NULL, OPTION_CALL, &parsed->color, parse_color, NULL },
		{ 0 },
	};
	int argc = 0;

	while (argv[argc])
		argc++;
	*parsed = (struct parsed){ 0 };
	return options_parse(rows, argc, argv);
}

#define PARSE(parsed, ...) parse(parsed, (char *[]){ "trace", __VA_ARGS__, NULL })

static void test_options_parse(void **state)
{
	struct parsed parsed;

	assert_int_equal(PARSE(&parsed, "-f", "--name=x", "--bytes", "2K", "-t5", "-c", "7",
			       "--color", "red"),
			 10);
	assert_true(parsed.flag && parsed.given && parsed.color);
	assert_string_equal(parsed.name, "x");
	assert_int_equal(parsed.bytes, 2048);
	assert_int_equal(parsed.time_ns, 5000000000);
	assert_int_equal(parsed.count, 7);
	/* ends at the first word, or behind -- */
	assert_int_equal(PARSE(&parsed, "-f", "program", "-n", "x"), 2);
	assert_null(parsed.name);
	assert_int_equal(PARSE(&parsed, "--", "-f"), 2);
	assert_false(parsed.flag || parsed.given);
}

static void test_options_say_what_is_wrong(void **state)
{
	struct parsed parsed;

	assert_int_equal(PARSE(&parsed, "--bytes", "much"), -EINVAL);
	assert_string_equal(error_message(), "--bytes: 'much' is not a size such as 64K or 1.5G");
	assert_int_equal(PARSE(&parsed, "-c", "99999999999999999999"), -EINVAL);
	assert_string_equal(error_message(), "--count: '99999999999999999999' is too large");
	assert_int_equal(PARSE(&parsed, "-t"), -EINVAL);
	assert_string_equal(error_message(), "--time needs a value: TIME");
	assert_int_equal(PARSE(&parsed, "--flag=1"), -EINVAL);
	assert_string_equal(error_message(), "--flag takes no value");
	assert_int_equal(PARSE(&parsed, "-fx"), -EINVAL);
	assert_string_equal(error_message(), "unknown option -x; --help lists all");
	assert_int_equal(PARSE(&parsed, "--nonsense"), -EINVAL);
	assert_string_equal(error_message(),
			    "unknown or ambiguous option --nonsense; --help lists all");
	assert_int_equal(PARSE(&parsed, "--color", "blue"), -EINVAL);
	assert_string_equal(error_message(), "--color: 'blue' is no colour");
}

static void test_options_help_lists_rows(void **state)
{
	const struct option_row rows[] = {
		{ "all", 'a', NULL, "takes all", OPTION_FLAG, NULL, NULL, NULL },
		{ "duration", 0, "TIME", "how long", OPTION_TIME, NULL, NULL, NULL },
		{ "hidden", 0, NULL, NULL, OPTION_FLAG, NULL, NULL, NULL },
		{ 0 },
	};
	size_t length;
	char *text;
	FILE *stream = open_memstream(&text, &length);

	options_help(rows, stream);
	fclose(stream);
	assert_string_equal(text,
			    "  -a, --all            takes all\n"
			    "      --duration TIME  how long\n");
	free(text);
}

/* -- output files, in a directory of their own ---------------------------------------------------
 */

static int enter_directory(void **state)
{
	char *path = mem_string("/tmp/unfreed-test-base.XXXXXX");

	if (!mkdtemp(path) || chdir(path))
		return -1;
	*state = path;
	return 0;
}

static int leave_directory(void **state)
{
	int failed = chdir("/") || rmdir(*state); /* fails when a test left anything behind */

	mem_free(*state);
	return failed;
}

static const char *content_of(const char *path)
{
	static char text[64];
	FILE *stream = fopen(path, "r");

	assert_non_null(stream);
	text[fread(text, 1, sizeof(text) - 1, stream)] = '\0';
	fclose(stream);
	return text;
}

static void write_file(const char *path, const char *text)
{
	struct output *output;

	assert_int_equal(output_open(&output, path), 0);
	fputs(text, output_stream(output));
	assert_int_equal(output_commit(output), 0);
}

static void test_output_is_whole_or_not_there(void **state)
{
	struct output *output;
	struct stat status;

	assert_int_equal(output_open(&output, "new"), 0);
	fputs("half", output_stream(output));
	fflush(output_stream(output));
	assert_int_equal(access("new", F_OK), -1);
	output_discard(output);
	assert_int_equal(access("new", F_OK), -1);

	write_file("new", "one");
	assert_string_equal(content_of("new"), "one");
	assert_int_equal(stat("new", &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);

	assert_int_equal(chmod("new", 0644), 0);
	assert_int_equal(output_open(&output, "new"), 0);
	fputs("two", output_stream(output));
	assert_string_equal(content_of("new"), "one");
	assert_int_equal(output_commit(output), 0);
	assert_string_equal(content_of("new"), "two");
	assert_int_equal(stat("new", &status), 0);
	assert_int_equal(status.st_mode & 0777, 0644);
	unlink("new");
}

/* As a signal handler does: what is aside goes, what was committed stays. */
static void test_output_abandoned(void **state)
{
	struct output *output;

	assert_int_equal(output_open(&output, "new"), 0);
	output_abandon();
	assert_int_equal(chdir(".."), 0);
	assert_int_equal(rmdir(*state), 0);
	assert_int_equal(mkdir(*state, 0700) || chdir(*state), 0);
	assert_int_equal(output_commit(output), -ENOENT);

	write_file("new", "one");
	output_abandon();
	assert_string_equal(content_of("new"), "one");
	unlink("new");
}

static void test_output_is_named_at_its_end(void **state)
{
	struct output *first, *second;
	struct stat status;

	assert_int_equal(output_open_in(&first, "no/such"), -ENOENT);
	assert_int_equal(output_open_in(&first, "."), 0);
	assert_int_equal(output_open_in(&second, "."), 0);
	fputs("one", output_stream(first));
	fputs("two", output_stream(second));
	/* A link is replaced, and what it names stays as it is. */
	write_file("old", "old");
	assert_int_equal(symlink("old", "new"), 0);
	output_name(first, "./new");
	assert_int_equal(output_commit(first), 0);
	assert_string_equal(content_of("new"), "one");
	assert_string_equal(content_of("old"), "old");
	assert_int_equal(lstat("new", &status), 0);
	assert_true(S_ISREG(status.st_mode));
	assert_int_equal(status.st_mode & 0777, 0600);
	output_abandon();
	output_name(second, "./other");
	assert_int_equal(output_commit(second), -ENOENT);
	assert_int_equal(access("other", F_OK), -1);
	assert_int_equal(unlink("new") + unlink("old"), 0);
}

static void test_output_keeps_links_and_devices(void **state)
{
	struct output *output;
	struct stat status;

	write_file("real", "one");
	assert_int_equal(symlink("real", "link"), 0);
	write_file("link", "two");
	assert_string_equal(content_of("real"), "two");
	assert_int_equal(lstat("link", &status), 0);
	assert_true(S_ISLNK(status.st_mode));
	unlink("link");
	unlink("real");

	write_file("/dev/null", "gone");
	assert_int_equal(stat("/dev/null", &status), 0);
	assert_true(S_ISCHR(status.st_mode));

	/* a full disk is seen, if only at the end */
	assert_int_equal(output_open(&output, "/dev/full"), 0);
	fputs("lost", output_stream(output));
	assert_int_equal(output_commit(output), -ENOSPC);
	assert_string_equal(error_message(), "cannot write /dev/full: No space left on device");
	assert_int_equal(output_open(&output, "no/such/file"), -ENOENT);
	assert_null(output);
	assert_int_equal(output_open(&output, "."), -EISDIR);
	output_discard(NULL);
}

static void test_vec_grows_with_zeroed_items(void **state)
{
	VEC(uint64_t) numbers = { 0 };
	uint64_t sum = 0;
	int i;

	vec_for_each (number, &numbers)
		sum += *number;
	for (i = 0; i < 1000; i++) {
		uint64_t *number = vec_add(&numbers);

		assert_int_equal(*number, 0);
		*number = i;
	}
	numbers.count = 500; /* what is added behind a cut is zeroed too */
	assert_int_equal(*vec_add(&numbers), 0);
	vec_for_each (number, &numbers)
		sum += *number;
	assert_int_equal(sum, 499 * 500 / 2);
	vec_free(&numbers);
	assert_null(numbers.items);
	assert_null(mem_string(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_decodes_only_valid_utf8),
		cmocka_unit_test(test_text_escapes_what_moves_a_terminal),
		cmocka_unit_test(test_error_keeps_one_clean_sentence),
		cmocka_unit_test(test_units_parse),
		cmocka_unit_test(test_units_format),
		cmocka_unit_test(test_json_is_valid_whatever_the_strings),
		cmocka_unit_test(test_options_parse),
		cmocka_unit_test(test_options_say_what_is_wrong),
		cmocka_unit_test(test_options_help_lists_rows),
		cmocka_unit_test_setup_teardown(test_output_is_whole_or_not_there, enter_directory,
						leave_directory),
		cmocka_unit_test_setup_teardown(test_output_abandoned, enter_directory,
						leave_directory),
		cmocka_unit_test_setup_teardown(test_output_is_named_at_its_end, enter_directory,
						leave_directory),
		cmocka_unit_test_setup_teardown(test_output_keeps_links_and_devices,
						enter_directory, leave_directory),
		cmocka_unit_test(test_vec_grows_with_zeroed_items),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
