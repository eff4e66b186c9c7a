/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* unfreed check: says what this kernel and these privileges allow, and what to do about the rest.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "base/error.h"
#include "base/json.h"
#include "base/vec.h"
#include "cmd/cmd.h"
#include "collect/feature.h"
#include "process/container.h"

struct result {
	const struct feature *feature;
	bool works;
	char *why;
	const char *remedy;
};

static void print_table(const struct result *results, const char *kernel, size_t containers)
{
	printf("kernel %s, %zu containers found\n\n", kernel, containers);
	for (size_t i = 0; i < feature_count; i++) {
		const struct feature *feature = results[i].feature;

		printf("%-7s %-20s %s\n",
		       results[i].works	   ? "ok"
		       : feature->required ? "MISSING"
					   : "no",
		       feature->name, feature->text);
		if (!results[i].works)
			printf("        %s\n        -> %s\n", results[i].why, results[i].remedy);
	}
}

static void print_json(const struct result *results, const char *kernel, size_t containers)
{
	struct json json;

	json_init(&json, stdout);
	json_begin_object(&json, NULL);
	json_uint(&json, "unfreed", 1);
	json_text(&json, "kernel", kernel);
	json_uint(&json, "containers", containers);
	json_begin_array(&json, "features");
	for (size_t i = 0; i < feature_count; i++) {
		json_begin_object(&json, NULL);
		json_text(&json, "name", results[i].feature->name);
		json_bool(&json, "works", results[i].works);
		json_bool(&json, "required", results[i].feature->required);
		json_text(&json, "why", results[i].why);
		json_text(&json, "remedy", results[i].works ? NULL : results[i].remedy);
		json_end(&json);
	}
	json_end(&json);
	json_end(&json);
	putchar('\n');
}

static size_t count_containers(void)
{
	struct containers containers = { 0 };
	size_t count;

	if (containers_list(&containers, ""))
		return 0;
	count = containers.rows.count;
	containers_free(&containers);
	return count;
}

static int check_all(bool as_json)
{
	struct result *results = mem_array(feature_count, sizeof(*results));
	int status = EXIT_DONE, error;
	struct utsname kernel;

	uname(&kernel);
	for (size_t i = 0; i < feature_count; i++) {
		results[i].feature = &features[i];
		error = features[i].try();
		results[i].works = !error;
		results[i].remedy = features[i].by_bpf && (error == -EPERM || error == -EACCES)
					    ? feature_rights
					    : features[i].remedy;
		if (!results[i].works)
			results[i].why = mem_string(error_message());
		if (!results[i].works && features[i].required)
			status = EXIT_FAILED;
	}
	(as_json ? print_json : print_table)(results, kernel.release, count_containers());
	for (size_t i = 0; i < feature_count; i++)
		mem_free(results[i].why);
	mem_free(results);
	return status;
}

int cmd_check(int argc, char **argv)
{
	bool help = false, as_json = false;
	const struct option_row rows[] = {
		{ "json", 0, NULL, "as JSON", OPTION_FLAG, &as_json, NULL, NULL },
		{ "help", 'h', NULL, "this text", OPTION_FLAG, &help, NULL, NULL },
		{ 0 },
	};
	int status, index;

	index = cmd_options(
		rows, "unfreed check [options]",
		"Says what this kernel and these privileges allow, and what to do about "
		"the rest.\nExits with 1 where something required is missing.",
		argc, argv, &help, &status);
	if (index < 0)
		return status;
	if (index < argc) {
		error_set(-1, "unexpected '%s'", argv[index]);
		return cmd_fail(EXIT_USAGE);
	}
	return check_all(as_json);
}
