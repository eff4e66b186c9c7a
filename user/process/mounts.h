/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The file systems that a process sees. */
#ifndef UNFREED_PROCESS_MOUNTS_H
#define UNFREED_PROCESS_MOUNTS_H

#include <stdint.h>
#include <sys/types.h>

#include "base/vec.h"

struct device_list {
	VEC(uint64_t) ids; /* major << 32 | minor, as maps shows them */
};

/* Adds the devices of its mounts that live in memory: tmpfs, ramfs, hugetlbfs. Unreadable ones add
 * none. */
void mounts_in_memory(pid_t pid, struct device_list *list);

/* The same from a text of /proc/PID/mountinfo, which is written to. */
void mounts_parse(char *text, struct device_list *list);

#endif
