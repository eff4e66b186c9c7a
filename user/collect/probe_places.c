/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "collect/probe_places.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "collect/watched.h"

/* An exit's own instruction is a ret, or a jump to elsewhere: the kernel emulates only the jump. */
static void count_traps(struct probe_place *row, const struct placed *placed)
{
	__u8 role = allocator_rows[placed->row].probe.role;

	row->traps = role == ROLE_FREE ? 1 : 2;
	row->single_steps =
		(placed->probe.cost == PLACE_SINGLE_STEP) + (role == ROLE_ALLOCATE_THROWING);
	row->traps += row->single_steps;
}

static void add_image(struct image *image, void *context)
{
	struct probe_places *places = context;
	struct probe_place *row;

	vec_for_each (placed, &image->probes) {
		row = vec_add(&places->rows);
		row->function = mem_string(placed->symbol);
		row->module = mem_string(image->path);
		row->instruction = mem_string(placed->probe.instruction);
		row->skip_bytes = placed->probe.skip_bytes;
		count_traps(row, placed);
	}
	vec_for_each (refused, &image->refused) {
		const char *colon = strstr(*refused, ": ");

		row = vec_add(&places->rows);
		row->function = mem_printf("%.*s", (int)(colon - *refused), *refused);
		row->module = mem_string(image->path);
		row->why = mem_string(colon + 2);
	}
}

int probe_places_read(struct probe_places *places, const pid_t *pids, size_t count)
{
	struct sandbox *sandbox = sandbox_new();
	struct tables *tables = tables_new();
	struct images *images = images_new(sandbox, tables);
	int error = 0;

	*places = (struct probe_places){ 0 };
	for (size_t i = 0; i < count; i++) {
		struct watched *watched = watched_new(pids[i]);

		error = watched ? watched_read_code(watched, images) : -ESRCH;
		places->processes += error >= 0;
		watched_free(watched);
	}
	if (places->processes)
		images_each(images, add_image, places);
	images_free(images);
	tables_free(tables);
	sandbox_free(sandbox);
	return places->processes ? 0 : error;
}

void probe_places_free(struct probe_places *places)
{
	vec_for_each (row, &places->rows) {
		mem_free(row->function);
		mem_free(row->module);
		mem_free(row->instruction);
		mem_free(row->why);
	}
	vec_free(&places->rows);
}
