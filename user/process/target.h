/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From what the user names to the processes to trace. */
#ifndef UNFREED_PROCESS_TARGET_H
#define UNFREED_PROCESS_TARGET_H

#include <stdint.h>
#include <sys/types.h>

#include "base/vec.h"
#include "process/container.h"

/* Exactly one of the first five is given, the others are NULL. */
struct target_spec {
	const char *pids; /* -p: "12,34" */
	const char *container; /* -c: name or id prefix */
	const char *pod; /* --pod: "[NAMESPACE/]POD[/CONTAINER]" */
	const char *cgroup; /* --cgroup: a folder, or a path below the mount of a hierarchy */
	const char *comm; /* -n: the name of one process */
	const char *host_root; /* --host-root: where the host's / is mounted; NULL: it is ours */
};

/* The first process of a container, and when it started: pids are used again. */
struct target_init {
	pid_t pid;
	uint64_t start_ticks;
};

struct target {
	char *name; /* "pid 12", "container demo (docker 3f0a…)", "pod shop/web" */
	VEC(pid_t) pids; /* thread group leaders, in ascending order, without doubles */
	VEC(struct target_init) inits; /* of its containers; none: a process, or a cgroup */
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

/*
 * Adds the processes of the target's containers or control group that run now, those that came
 * since included, but not this one and its children. None for a target of pids.
 */
void target_members(const struct target *target, struct pid_list *list);

void target_free(struct target *target);

#endif
