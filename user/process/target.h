/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From what the user names to the processes to trace. */
#ifndef UNFREED_PROCESS_TARGET_H
#define UNFREED_PROCESS_TARGET_H

#include <stdint.h>
#include <sys/types.h>

#include "base/vec.h"

/* Exactly one of the first five is given, the others are NULL. */
struct target_spec {
	const char *pids; /* -p: "12,34" */
	const char *container; /* -c: name or id prefix */
	const char *pod; /* --pod: "[NAMESPACE/]POD[/CONTAINER]" */
	const char *cgroup; /* --cgroup: a folder, or a path below the mount of a hierarchy */
	const char *comm; /* -n: the name of one process */
	const char *host_root; /* --host-root: where the host's / is mounted; NULL: it is ours */
};

struct target {
	char *name; /* "pid 12", "container demo (docker 3f0a…)", "pod shop/web" */
	VEC(pid_t) pids; /* thread group leaders, in ascending order, without doubles */
	char *container_id; /* NULL: not one container */
	char *cgroup_path; /* the target's own folder: /sys/fs/cgroup/…; NULL: none is known */
	VEC(char *) notes; /* sentences for the user: what of the container is left out, and why */
};

/*
 * Resolves spec: every process of it that runs now, but not this one. Returns 0, or a negative
 * errno with a sentence: no such pid, kernel thread, 32-bit; no such container, stopped container,
 * several matches (each listed), no privilege.
 */
int target_resolve(struct target *target, const struct target_spec *spec);
void target_free(struct target *target);

#endif
