/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* /proc/PID/maps. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "fuzz.h"
#include "process/proc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	char *text = input_text(&input);
	struct maps maps;

	if (maps_parse(&maps, text)) {
		fuzz_expect(!maps.rows.count);
		fuzz_end("%s", error_message());
	} else {
		for (size_t i = 0; i < maps.rows.count; i++) {
			const struct map *map = &maps.rows.items[i];

			fuzz_expect(map->start < map->end);
			fuzz_expect(!i || map[-1].end <= map->start);
			fuzz_expect(!map->path || (*map->path && !strchr(map->path, '\n')));
			fuzz_expect(maps_find(&maps, map->start) == map);
			fuzz_expect(maps_find(&maps, map->end - 1) == map);
		}
		fuzz_end("%zu mappings", maps.rows.count);
	}
	maps_free(&maps);
	free(text);
	return 0;
}
