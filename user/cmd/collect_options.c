/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From option rows to what is collected. */
#include "cmd/collect_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

int collect_option_events(const char *argument, void *value)
{
	struct collect_options *collect = value;
	char *text = mem_string(argument), *rest = NULL;
	int error = 0;

	collect->heap = collect->mapping = collect->fault = false;
	for (char *word = strtok_r(text, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		if (!strcmp(word, "heap"))
			collect->heap = true;
		else if (!strcmp(word, "mapping"))
			collect->mapping = true;
		else if (!strcmp(word, "fault"))
			collect->fault = true;
		else
			error = error_set(-EINVAL, "no events '%s': heap, mapping, fault", word);
	}
	mem_free(text);
	if (!error && !collect->heap && !collect->mapping && !collect->fault)
		error = error_set(-EINVAL, "none given: heap, mapping, fault");
	return error;
}

int collect_option_stack(const char *argument, void *value)
{
	bool *frame_pointers_only = value;

	*frame_pointers_only = !strcmp(argument, "fp");
	if (*frame_pointers_only || !strcmp(argument, "auto") || !strcmp(argument, "table"))
		return 0;
	return error_set(-EINVAL, "no way to walk '%s': auto, table, fp", argument);
}

int collect_option_overhead(const char *argument, void *value)
{
	double *share = value;
	char *end;
	double percent;

	*share = 0;
	if (!strcmp(argument, "off"))
		return 0;
	percent = strtod(argument, &end);
	if (end == argument || (strcmp(end, "%") && *end) || !(percent >= 0.1 && percent <= 100))
		return error_set(-EINVAL, "from 0.1%% to 100%%, or off: '%s' is not", argument);
	*share = percent / 100;
	return 0;
}

int collect_option_method(const char *argument, void *value)
{
	struct collect_options *collect = value;

	collect->method_given = true;
	return link_method_find(argument, &collect->method);
}

int collect_options_check(const struct collect_options *options)
{
	const uint64_t most = 1U << 30;

	if (!options->max_blocks || options->max_blocks > most)
		return error_set(-EINVAL, "--max-blocks: from 1 to %llu", (unsigned long long)most);
	if (!options->max_stacks || options->max_stacks > most)
		return error_set(-EINVAL, "--max-stacks: from 1 to %llu", (unsigned long long)most);
	if (options->sample_bytes > UINT32_MAX)
		return error_set(-EINVAL, "--sample: less than 4G");
	return 0;
}
