/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* unfreed check: says what this kernel and these privileges allow, and what to do about the rest.
 */
#include <stdio.h>
#include <sys/utsname.h>

#include "base/error.h"
#include "base/json.h"
#include "base/vec.h"
#include "cmd/cmd.h"
#include "collect/feature.h"
#include "process/container.h"
#include "process/rights.h"

static void print_table(const struct finding *findings, const char *kernel, size_t containers)
{
	printf("kernel %s, %zu containers found\n\n", kernel, containers);
	for (size_t i = 0; i < feature_count; i++) {
		const struct finding *finding = &findings[i];

		printf("%-7s %-20s %s\n",
		       finding->works	   ? "ok"
		       : finding->required ? "MISSING"
					   : "no",
		       finding->feature->name, finding->feature->text);
		if (!finding->works)
			printf("        %s\n        -> %s\n", finding->why, finding->remedy);
	}
}

static void print_json(const struct finding *findings, const char *kernel, size_t containers)
{
	struct json json;

	json_init(&json, stdout);
	json_begin_object(&json, NULL);
	json_uint(&json, "unfreed", 1);
	json_text(&json, "kernel", kernel);
	json_uint(&json, "containers", containers);
	json_begin_array(&json, "features");
	for (size_t i = 0; i < feature_count; i++) {
		uint64_t missing = findings[i].missing;
		const char *name;

		json_begin_object(&json, NULL);
		json_text(&json, "name", findings[i].feature->name);
		json_bool(&json, "works", findings[i].works);
		json_bool(&json, "required", findings[i].required);
		json_text(&json, "why", findings[i].why);
		json_text(&json, "remedy", findings[i].remedy);
		json_begin_array(&json, "missing_capabilities");
		while ((name = rights_next(&missing)))
			json_text(&json, NULL, name);
		json_end(&json);
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
	struct finding *findings = mem_array(feature_count, sizeof(*findings));
	bool possible = features_try(findings);
	struct utsname kernel;

	uname(&kernel);
	(as_json ? print_json : print_table)(findings, kernel.release, count_containers());
	findings_free(findings);
	mem_free(findings);
	return possible ? EXIT_DONE : EXIT_FAILED;
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
