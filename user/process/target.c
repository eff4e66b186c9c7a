/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From -p and -c to a list of processes. */
#include "process/target.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "process/cgroup.h"
#include "process/container.h"
#include "process/proc.h"

static int compare_pids(const void *left, const void *right)
{
	pid_t a = *(const pid_t *)left, b = *(const pid_t *)right;

	return (a > b) - (a < b);
}

static void sort_unique(struct target *target)
{
	size_t kept = 0;

	qsort(target->pids.items, target->pids.count, sizeof(pid_t), compare_pids);
	vec_for_each (pid, &target->pids) {
		if (!kept || target->pids.items[kept - 1] != *pid)
			target->pids.items[kept++] = *pid;
	}
	target->pids.count = kept;
}

/* -p: each of them must be fit to be traced. */
static int resolve_pids(struct target *target, const char *list)
{
	cleanup_free char *copy = mem_string(list);
	char *rest = copy, *word;

	while ((word = strsep(&rest, ","))) {
		struct proc proc;
		char *end;
		long pid;
		int err;

		errno = 0;
		pid = strtol(word, &end, 10);
		if (!isdigit((unsigned char)*word) || *end || errno || pid > INT32_MAX)
			return error_set(-EINVAL, "'%s' is not a pid: use -p PID[,PID…]", word);
		if (pid == getpid())
			return error_set(-EINVAL, "pid %ld is this program itself", pid);
		err = proc_check(&proc, (pid_t)pid);
		if (err)
			return err;
		*vec_add(&target->pids) = proc.pid;
	}
	sort_unique(target);
	target->name = mem_printf("%s %s", target->pids.count > 1 ? "pids" : "pid", list);
	return 0;
}

/* Keeps the processes of the container that can be traced; the others are noted. */
static int keep_processes(struct target *target, struct pid_list *list)
{
	int err = 0;

	vec_for_each (pid, &list->pids) {
		struct proc proc;
		int this = proc_check(&proc, *pid);

		if (!this) {
			*vec_add(&target->pids) = *pid;
		} else if (this == -ENOTSUP) {
			*vec_add(&target->notes) = mem_printf("%s: left out", error_message());
			err = this;
		}
	}
	if (target->pids.count)
		return 0;
	if (err)
		return error_set(err, "nothing to trace in %s: %s", target->name,
				 target->notes.items[target->notes.count - 1]);
	return error_set(-ESRCH, "%s has no running process any more", target->name);
}

static int resolve_container(struct target *target, const struct container *row)
{
	cleanup_free char *label = container_label(row);
	enum cgroup_hierarchy hierarchy;
	struct pid_list list = { 0 };
	int err;

	target->name = row->name ? mem_printf("container %s (%s)", row->name, label)
				 : mem_printf("container %s (%s)", row->id, row->runtime);
	target->container_id = mem_string(row->id);
	hierarchy = cgroup_own(row->pid);
	if (hierarchy == CGROUP_MEMORY || hierarchy == CGROUP_V2) {
		cleanup_free char *path = cgroup_path(row->pid, hierarchy);

		target->cgroup_path = path ? cgroup_folder(path, hierarchy) : NULL;
	}
	err = container_processes(row->pid, &list);
	if (!err)
		err = keep_processes(target, &list);
	vec_free(&list.pids);
	return err;
}

int target_resolve(struct target *target, const struct target_spec *spec)
{
	struct containers containers = { 0 };
	const struct container *found;
	int err;

	memset(target, 0, sizeof(*target));
	if (!spec->pids == !spec->container)
		return error_set(-EINVAL, "name one target: -p PID[,PID…] or -c CONTAINER");
	if (spec->pids) {
		err = resolve_pids(target, spec->pids);
	} else {
		err = containers_list(&containers, "");
		if (!err)
			err = containers_find(&containers, spec->container, &found);
		if (!err)
			err = resolve_container(target, found);
		containers_free(&containers);
	}
	if (err)
		target_free(target);
	return err;
}

void target_free(struct target *target)
{
	mem_free(target->name);
	mem_free(target->container_id);
	mem_free(target->cgroup_path);
	vec_for_each (note, &target->notes)
		mem_free(*note);
	vec_free(&target->notes);
	vec_free(&target->pids);
	memset(target, 0, sizeof(*target));
}
