/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* State files of container runtimes; the first byte says of which. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "process/state.h"

enum { FOUND_MAX = 8 };

static const char *const runtimes[RUNTIMES] = { "docker", "podman", "containerd", "crun", "runc" };

static void check(const struct container *row)
{
	fuzz_expect(row->id && row->bundle_state && !(row->pid && row->pid_file));
	fuzz_expect(row->pid >= -1 && row->pid <= 1 << 22);
	free(container_label(row));
	fuzz_end("%s %s, pid %d, name %s", row->runtime, row->id, row->pid, row->name ?: "none");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	struct containers containers = { 0 };
	struct place place = { .runtime = (enum runtime)(input_number(&input, 1) % RUNTIMES),
			       .run = "/none" };
	const struct container *found;
	size_t bytes;
	char *text = (char *)input_bytes(&input, SIZE_MAX, &bytes);

	state_parse(&containers, &place, "/run/states/overlay-containers/x/state.json", text,
		    bytes);
	for (size_t i = 0; i < containers.rows.count; i++) {
		containers.rows.items[i].runtime = runtimes[place.runtime];
		check(&containers.rows.items[i]);
		if (i < FOUND_MAX)
			containers_find(&containers, containers.rows.items[i].id, &found);
	}
	if (!containers.rows.count)
		fuzz_end("no container");
	containers_free(&containers);
	free(text);
	return 0;
}
