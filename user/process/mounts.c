/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* /proc/PID/mountinfo. */
#include "process/mounts.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "process/file.h"

/* Lines are "ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [FIELDS…] - TYPE SOURCE SUPER_OPTIONS". */
void mounts_parse(char *text, struct device_list *list)
{
	static const char *const types[] = { " - tmpfs ", " - ramfs ", " - hugetlbfs " };
	char *line;

	while ((line = strsep(&text, "\n"))) {
		uint32_t major, minor;
		bool in_memory = false;

		for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
			in_memory |= strstr(line, types[i]) != NULL;
		if (in_memory && sscanf(line, "%*u %*u %" SCNu32 ":%" SCNu32, &major, &minor) == 2)
			*vec_add(&list->ids) = (uint64_t)major << 32 | minor;
	}
}

void mounts_in_memory(pid_t pid, struct device_list *list)
{
	cleanup_free char *text = NULL;
	char path[40];

	snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)pid);
	if (!file_read(path, FILE_MAX_PROC, &text, NULL))
		mounts_parse(text, list);
}
