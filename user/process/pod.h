/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Pods: containers that share a name, as Kubernetes' runtimes leave it with each of them. */
#ifndef UNFREED_PROCESS_POD_H
#define UNFREED_PROCESS_POD_H

#include "process/container.h"

struct pod_members {
	char *name; /* NAMESPACE/POD, or with one container given NAMESPACE/POD/CONTAINER */
	VEC(const struct container *) rows;
};

/*
 * The running containers of the one pod that key, [NAMESPACE/]POD[/CONTAINER], names, or the one
 * container; the pod's own, which merely holds its namespaces, is left out. rows point into
 * containers. Returns 0, or -ENOENT, -ESRCH (none runs), -EINVAL (several pods: listed) with a
 * sentence.
 */
int pod_find(struct pod_members *members, const struct containers *containers, const char *key);
void pod_members_free(struct pod_members *members);

#endif
