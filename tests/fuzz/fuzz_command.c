/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Command lines of daemons, and where they say that their state is. */
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "fuzz.h"
#include "process/runtime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	struct places places = { 0 };
	char *line = input_text(&input);

	places_add_command(&places, line, size, "/folder");
	vec_for_each (place, &places.rows) {
		fuzz_expect(*place->pattern == '/' && place->runtime < RUNTIMES);
		fuzz_end("%s%s%s", place->pattern, place->run ? " " : "", place->run ?: "");
	}
	if (!places.rows.count)
		fuzz_end("no place");
	places_free(&places);
	free(line);
	return 0;
}
