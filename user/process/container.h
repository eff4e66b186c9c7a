/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Containers, found in the state files that runtimes leave on the host, without asking any daemon.
 * One row of a table for each runtime; places and formats are cited there.
 */
#ifndef UNFREED_PROCESS_CONTAINER_H
#define UNFREED_PROCESS_CONTAINER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/vec.h"

struct container {
	const char *runtime; /* "runc", "docker", "containerd", "podman", "crun" */
	char *id;
	char *name; /* NULL where the runtime has none; NAMESPACE/POD/CONTAINER of a pod */
	char *namespace; /* containerd's, else NULL */
	pid_t pid; /* of its init as the host sees it; 0: not running */
	uint64_t start_ticks; /* of its init, where a runtime wrote it down, else 0 */
	char *pid_file; /* of its init's pid, where that is not in this file, else NULL */
	char *bundle_state; /* path of the file it was found in */
};

struct containers {
	VEC(struct container) rows;
	bool denied; /* some files could not be read for want of privilege */
};

/*
 * All containers of all runtimes below root ("" for the host's own /). A container known to several
 * layers (docker → containerd → runc) is one row, of the outermost runtime. Unreadable or foreign
 * files are skipped. Extra places are taken from the command lines of running daemons and shims
 * (--root, --state, --data-root, -workdir …), so that daemons started with their own folders are
 * found. Returns 0 or -errno with a sentence (-EACCES: nothing could be read without privilege).
 */
int containers_list(struct containers *containers, const char *root);
void containers_free(struct containers *containers);

/*
 * The one running container that key names: the first of these that any has is what counts: its
 * name, the end of a pod's name behind a slash, its id, the beginning of its id. Returns 0 and
 * *found (points into containers), or -ENOENT, -ESRCH (stopped), -EINVAL (several: listed) with a
 * sentence.
 */
int containers_find(const struct containers *containers, const char *key,
		    const struct container **found);

/* "docker 3f0a1b2c3d4e…": the caller's. */
char *container_label(const struct container *container);

/* All thread group leaders in the container of pid: those in its cgroup and below (v1 memory or
 * pids hierarchy, v2), and, where it has none of its own, those in its pid namespace. */
struct pid_list {
	VEC(pid_t) pids;
};
int container_processes(pid_t pid, struct pid_list *list);

#endif
