/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From what the user names to the processes to trace. */
#ifndef UNFREED_PROCESS_TARGET_H
#define UNFREED_PROCESS_TARGET_H

#include <stdint.h>
#include <sys/types.h>

#include "base/vec.h"

struct target_spec {
	const char *pids; /* -p: "12,34", or NULL */
	const char *container; /* -c: name or id prefix, or NULL */
};

struct target {
	char *name; /* "pid 12", "container demo (docker 3f0a…)" */
	VEC(pid_t) pids; /* thread group leaders, in ascending order, without doubles */
	/* The container's memory cgroup: NULL and 0 where there is none or for -p */
	char *container_id;
	char *cgroup_path; /* its folder: /sys/fs/cgroup/… */
	VEC(char *) notes; /* sentences for the user: what of the container is left out, and why */
};

/*
 * Resolves spec: every process of the container that runs now. Returns 0, or a negative errno with
 * a sentence: no such pid, kernel thread, 32-bit; no such container, stopped container, several
 * matches (each listed with runtime, id and name), no privilege.
 */
int target_resolve(struct target *target, const struct target_spec *spec);
void target_free(struct target *target);

#endif
