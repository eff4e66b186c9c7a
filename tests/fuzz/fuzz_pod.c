/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Names of containers and pods: lines, the first the key that is looked for. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/vec.h"
#include "fuzz.h"
#include "process/pod.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	char *text = input_text(&input), *rest = text, *key = strsep(&rest, "\n"), *name;
	struct containers containers = { 0 };
	const struct container *found;
	struct pod_members members;

	while ((name = strsep(&rest, "\n"))) {
		struct container *row = vec_add(&containers.rows);

		row->runtime = "docker";
		row->id = mem_string(name);
		row->name = mem_string(name);
		row->pid = (pid_t)containers.rows.count % 3;
	}
	if (pod_find(&members, &containers, key)) {
		fuzz_end("%s", error_message());
	} else {
		fuzz_expect(members.name && members.rows.count);
		fuzz_end("%s: %zu containers", members.name, members.rows.count);
		pod_members_free(&members);
	}
	if (containers_find(&containers, key, &found))
		fuzz_end("%s", error_message());
	else
		fuzz_expect(found->pid);
	containers_free(&containers);
	free(text);
	return 0;
}
