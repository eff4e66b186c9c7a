/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* /proc/PID/cgroup (first byte 0), mountinfo (1) and cgroup.procs. */
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "fuzz.h"
#include "process/cgroup.h"

static void check_pids(char *text)
{
	struct pid_list list = { 0 };

	cgroup_pids(text, &list);
	vec_for_each (pid, &list.pids)
		fuzz_expect(*pid > 0);
	fuzz_end("%zu processes", list.pids.count);
	vec_free(&list.pids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	uint64_t which = input_number(&input, 1);
	char *text = input_text(&input), *found;

	if (which > 1) {
		check_pids(text);
	} else {
		for (enum cgroup_hierarchy i = 0; i < CGROUP_HIERARCHIES; i++) {
			found = which ? cgroup_place(text, i, "/a/b") : cgroup_parse(text, i);
			fuzz_expect(!found || which || *found == '/');
			fuzz_end("%s", found ? found : "none");
			mem_free(found);
		}
	}
	free(text);
	return 0;
}
