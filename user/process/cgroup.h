/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Control groups: where a process is, and who else is there. */
#ifndef UNFREED_PROCESS_CGROUP_H
#define UNFREED_PROCESS_CGROUP_H

#include <stdbool.h>
#include <sys/types.h>

#include "process/container.h"

/* The hierarchies that hold containers, the most telling first. */
enum cgroup_hierarchy { CGROUP_MEMORY, CGROUP_PIDS, CGROUP_V2, CGROUP_HIERARCHIES };

/*
 * The path of pid's group as /proc/PID/cgroup has it: the caller's, NULL where this system has no
 * such hierarchy or the process is gone.
 */
char *cgroup_path(pid_t pid, enum cgroup_hierarchy hierarchy);
/* Its folder below /sys/fs/cgroup: the caller's, NULL where that is not mounted here. */
char *cgroup_folder(const char *path, enum cgroup_hierarchy hierarchy);

/*
 * The hierarchy in which the container of init has a group of its own, shared neither with its
 * parent nor with us, or CGROUP_HIERARCHIES.
 */
enum cgroup_hierarchy cgroup_own(pid_t init);

/*
 * The folder of the group that a user names: a folder of any hierarchy, here or below root, or a
 * path below the mount of one of ours, the first in which it has processes. The caller's, NULL:
 * there is none.
 */
char *cgroup_find(const char *name, const char *root);

/* Adds the processes of the group at folder and of those below. Unreadable ones add none. */
void cgroup_processes(const char *folder, struct pid_list *list);

/* The parsers behind them, for text that was read elsewhere. */
char *cgroup_parse(const char *text, enum cgroup_hierarchy hierarchy);
char *cgroup_place(const char *mountinfo, enum cgroup_hierarchy hierarchy, const char *path);
void cgroup_pids(char *text, struct pid_list *list); /* of cgroup.procs; text is written to */

#endif
