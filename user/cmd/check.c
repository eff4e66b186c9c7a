/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* unfreed check: says what this kernel and these privileges allow, and what to do about the rest;
 * and where in a target's allocator the probes of a trace would be. */
#include <stdio.h>
#include <sys/utsname.h>

#include "base/error.h"
#include "base/json.h"
#include "base/vec.h"
#include "cmd/cmd.h"
#include "cmd/target_options.h"
#include "collect/feature.h"
#include "collect/probe_places.h"
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

static void print_places(const struct probe_places *places)
{
	printf("\nof %s, in each call: traps, and single steps among them\n\n",
	       places->rows.count ? "the allocator" : "no known allocator");
	vec_for_each (row, &places->rows) {
		char place[80];

		if (row->why) {
			printf("not probed  %-28s %s\n", row->function, row->why);
			continue;
		}
		snprintf(place, sizeof(place), "%s+%u: %s", row->function, row->skip_bytes,
			 row->instruction);
		printf("%5u %5u %-44s %s\n", row->traps, row->single_steps, place, row->module);
	}
}

static void json_places(struct json *json, const struct probe_places *places)
{
	json_begin_array(json, "places");
	vec_for_each (row, &places->rows) {
		json_begin_object(json, NULL);
		json_text(json, "function", row->function);
		json_text(json, "module", row->module);
		json_text(json, "instruction", row->instruction);
		json_uint(json, "skip_bytes", row->skip_bytes);
		json_uint(json, "traps", row->traps);
		json_uint(json, "single_steps", row->single_steps);
		json_text(json, "why", row->why);
		json_end(json);
	}
	json_end(json);
}

static void print_json(const struct finding *findings, const struct probe_places *places,
		       const char *kernel, size_t containers)
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
	if (places)
		json_places(&json, places);
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

/* places: of the target, NULL where there is none. */
static int check_all(bool as_json, const struct probe_places *places)
{
	struct finding *findings = mem_array(feature_count, sizeof(*findings));
	bool possible = features_try(findings);
	struct utsname kernel;

	uname(&kernel);
	if (as_json)
		print_json(findings, places, kernel.release, count_containers());
	else
		print_table(findings, kernel.release, count_containers());
	if (places && !as_json)
		print_places(places);
	findings_free(findings);
	mem_free(findings);
	return possible ? EXIT_DONE : EXIT_FAILED;
}

static int check_target(bool as_json, const struct target_spec *spec)
{
	struct target target = { 0 };
	struct probe_places places = { 0 };
	int error, status = EXIT_FAILED;

	error = target_resolve(&target, spec);
	if (!error)
		error = probe_places_read(&places, target.pids.items, target.pids.count);
	status = error ? cmd_fail(EXIT_FAILED) : check_all(as_json, &places);
	probe_places_free(&places);
	target_free(&target);
	return status;
}

int cmd_check(int argc, char **argv)
{
	struct target_spec spec = { 0 };
	bool help = false, as_json = false;
	const struct option_row rows[] = {
		TARGET_OPTION_ROWS(&spec),
		{ "json", 0, NULL, "as JSON", OPTION_FLAG, &as_json, NULL, NULL },
		{ "help", 'h', NULL, "this text", OPTION_FLAG, &help, NULL, NULL },
		{ 0 },
	};
	int status, index;

	index = cmd_options(
		rows, "unfreed check [TARGET] [options]",
		"Says what this kernel and these privileges allow, and what to do about "
		"the rest.\nOf a TARGET, where the probes on its allocator would be, and what they "
		"cost.\nExits with 1 where something required is missing.",
		argc, argv, &help, &status);
	if (index < 0)
		return status;
	if (index < argc) {
		error_set(-1, "unexpected '%s'", argv[index]);
		return cmd_fail(EXIT_USAGE);
	}
	if (!target_options_given(&spec))
		return check_all(as_json, NULL);
	if (target_options_take(&spec, argv + index))
		return cmd_fail(EXIT_USAGE);
	return check_target(as_json, &spec);
}
