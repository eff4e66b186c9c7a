/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which processes make up the container of a pid: by its cgroup, else by its pid namespace. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "process/cgroup.h"
#include "process/container.h"
#include "process/proc.h"

struct member {
	pid_t pid; /* first: compare_pids */
	pid_t parent;
	bool inside;
};

struct members {
	VEC(struct member) rows;
};

/* The inode of pid's pid namespace; 0: unreadable. */
static ino_t pid_namespace(pid_t pid)
{
	struct stat status;
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", pid);
	return stat(path, &status) ? 0 : status.st_ino;
}

static int compare_pids(const void *left, const void *right)
{
	pid_t a = *(const pid_t *)left, b = *(const pid_t *)right;

	return (a > b) - (a < b);
}

/* All processes, marked where they are in pid namespace ns (0: none is). */
static int read_all(struct members *all, ino_t ns)
{
	DIR *stream = opendir("/proc");
	struct dirent *entry;

	if (!stream)
		return error_set(-errno, "cannot list /proc: %m");
	while ((entry = readdir(stream))) {
		struct member *member;
		struct proc proc;

		if (!isdigit((unsigned char)*entry->d_name) ||
		    proc_read(&proc, atoi(entry->d_name)))
			continue;
		member = vec_add(&all->rows);
		member->pid = proc.pid;
		member->parent = proc.parent;
		member->inside = ns && pid_namespace(proc.pid) == ns;
	}
	closedir(stream);
	if (all->rows.count)
		qsort(all->rows.items, all->rows.count, sizeof(struct member), compare_pids);
	return 0;
}

/* rows are sorted by pid, their first field. */
static bool is_inside(const struct members *all, pid_t pid)
{
	const struct member *member =
		bsearch(&pid, all->rows.items, all->rows.count, sizeof(*member), compare_pids);

	return member && member->inside;
}

/*
 * The processes in the pid namespace of init, when it is not ours, and the descendants of init:
 * those are also the ones in namespaces nested in it.
 */
static int by_namespace(pid_t init, struct pid_list *list)
{
	ino_t ns = pid_namespace(init);
	struct members all = { 0 };
	bool changed = true;
	int err;

	err = read_all(&all, ns == pid_namespace(getpid()) ? 0 : ns);
	vec_for_each (member, &all.rows)
		member->inside |= member->pid == init;
	/* Once for each generation whose pids are not in order of birth. */
	while (changed) {
		changed = false;
		vec_for_each (member, &all.rows) {
			if (!member->inside && is_inside(&all, member->parent))
				member->inside = changed = true;
		}
	}
	vec_for_each (member, &all.rows) {
		if (member->inside)
			*vec_add(&list->pids) = member->pid;
	}
	vec_free(&all.rows);
	return err;
}

/* Sorts, and drops doubles and what has no memory (kernel threads, zombies, the gone). */
static void tidy(struct pid_list *list)
{
	size_t kept = 0;

	if (list->pids.count)
		qsort(list->pids.items, list->pids.count, sizeof(pid_t), compare_pids);
	vec_for_each (pid, &list->pids) {
		struct proc proc;

		if (kept && list->pids.items[kept - 1] == *pid)
			continue;
		if (proc_read(&proc, *pid) || proc.kernel_thread || proc.zombie || proc.pid != *pid)
			continue;
		list->pids.items[kept++] = *pid;
	}
	list->pids.count = kept;
}

int container_processes(pid_t pid, struct pid_list *list)
{
	enum cgroup_hierarchy hierarchy = cgroup_own(pid);
	int err = 0;

	list->pids.count = 0;
	if (hierarchy != CGROUP_HIERARCHIES) {
		cleanup_free char *path = cgroup_path(pid, hierarchy);
		cleanup_free char *folder = path ? cgroup_folder(path, hierarchy) : NULL;

		if (folder)
			cgroup_processes(folder, list);
		tidy(list);
	}
	/* Not its own, or a cgroup file system that is not to be seen from here. */
	if (!list->pids.count) {
		err = by_namespace(pid, list);
		tidy(list);
	}
	if (!err && !list->pids.count)
		err = error_set(-ESRCH, "no process with pid %d", pid);
	return err;
}
