/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From what the user names to a list of processes. */
#include "process/target.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "process/cgroup.h"
#include "process/container.h"
#include "process/pod.h"
#include "process/proc.h"

static int compare_pids(const void *left, const void *right)
{
	pid_t a = *(const pid_t *)left, b = *(const pid_t *)right;

	return (a > b) - (a < b);
}

static void sort_unique(struct target *target)
{
	size_t kept = 0;

	if (target->pids.count)
		qsort(target->pids.items, target->pids.count, sizeof(pid_t), compare_pids);
	vec_for_each (pid, &target->pids) {
		if (!kept || target->pids.items[kept - 1] != *pid)
			target->pids.items[kept++] = *pid;
	}
	target->pids.count = kept;
}

/* -- pids -------------------------------------------------------------------------------------- */

/* Each of them must be fit to be traced. */
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

/* -- members ----------------------------------------------------------------------------------- */

static bool is_same(const struct target_init *init)
{
	struct proc proc;

	return !proc_read(&proc, init->pid) && proc.start_ticks == init->start_ticks;
}

static bool is_ours(pid_t pid)
{
	struct proc proc;

	return pid == getpid() || proc_read(&proc, pid) || proc.parent == getpid();
}

void target_members(const struct target *target, struct pid_list *list)
{
	size_t kept = list->pids.count, count;

	vec_for_each (init, &target->inits) {
		struct pid_list of_one = { 0 };

		/* One that ends meanwhile has none. */
		if (is_same(init) && !container_processes(init->pid, &of_one)) {
			vec_for_each (pid, &of_one.pids)
				*vec_add(&list->pids) = *pid;
		}
		vec_free(&of_one.pids);
	}
	if (!target->inits.count && target->cgroup_path)
		cgroup_processes(target->cgroup_path, list);
	count = list->pids.count;
	list->pids.count = kept;
	for (size_t i = kept; i < count; i++) {
		if (!is_ours(list->pids.items[i]))
			list->pids.items[list->pids.count++] = list->pids.items[i];
	}
}

/* Takes the members that can be traced; of the others, what is no mere matter of course is noted.
 */
static int take_members(struct target *target)
{
	struct pid_list list = { 0 };
	int err = 0;

	target_members(target, &list);
	vec_for_each (pid, &list.pids) {
		struct proc proc;
		int this = proc_check(&proc, *pid);

		if (!this) {
			*vec_add(&target->pids) = *pid;
		} else if (this == -ENOTSUP) {
			*vec_add(&target->notes) = mem_printf("%s: left out", error_message());
			err = this;
		}
	}
	vec_free(&list.pids);
	sort_unique(target);
	if (target->pids.count)
		return 0;
	if (err)
		return error_set(err, "nothing to trace in %s: %s", target->name,
				 target->notes.items[target->notes.count - 1]);
	return error_set(-ESRCH, "%s has no running process", target->name);
}

/* -- containers and pods ----------------------------------------------------------------------- */

static void add_init(struct target *target, pid_t pid)
{
	struct target_init *init = vec_add(&target->inits);
	struct proc proc;

	init->pid = pid;
	init->start_ticks = proc_read(&proc, pid) ? 0 : proc.start_ticks;
}

static int resolve_container(struct target *target, const struct containers *containers,
			     const char *key)
{
	enum cgroup_hierarchy hierarchy;
	const struct container *row;
	int err = containers_find(containers, key, &row);

	if (err)
		return err;
	cleanup_free char *label = container_label(row);

	target->name = row->name ? mem_printf("container %s (%s)", row->name, label)
				 : mem_printf("container %s (%s)", row->id, row->runtime);
	target->container_id = mem_string(row->id);
	hierarchy = cgroup_own(row->pid);
	if (hierarchy == CGROUP_MEMORY || hierarchy == CGROUP_V2) {
		cleanup_free char *path = cgroup_path(row->pid, hierarchy);

		target->cgroup_path = path ? cgroup_folder(path, hierarchy) : NULL;
	}
	add_init(target, row->pid);
	return take_members(target);
}

static int resolve_pod(struct target *target, const struct containers *containers, const char *key)
{
	struct pod_members members;
	int err = pod_find(&members, containers, key);

	if (err)
		return err;
	target->name = mem_printf("pod %s", members.name);
	vec_for_each (row, &members.rows)
		add_init(target, (*row)->pid);
	if (members.rows.count == 1)
		target->container_id = mem_string(members.rows.items[0]->id);
	pod_members_free(&members);
	return take_members(target);
}

enum { INITIAL_PID_NAMESPACE = 0xeffffffc }; /* its inode: PROC_PID_INIT_INO, linux/proc_ns.h */

static bool in_initial_namespace(void)
{
	struct stat status;

	return stat("/proc/self/ns/pid", &status) == 0 && status.st_ino == INITIAL_PID_NAMESPACE;
}

/*
 * State files hold pids as the host has them. Where its / is mounted elsewhere we may be in a pid
 * namespace of our own, in which these are others': the init that we see must be the host's.
 */
static int check_host_root(const char *root)
{
	struct stat theirs, ours;

	if (!root)
		return 0;
	if (stat(root, &theirs))
		return error_set(-errno, "cannot open %s: %m", root);
	if (in_initial_namespace())
		return 0;
	if (stat("/proc/1/root", &ours))
		return error_set(-errno, "cannot open /proc/1/root: %m; run as root");
	if (ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino)
		return 0;
	return error_set(-ENOTSUP,
			 "the pids in %s are not those of our pid namespace; run in the host's "
			 "(docker run --pid=host, hostPID: true)",
			 root);
}

static int resolve_in_containers(struct target *target, const struct target_spec *spec)
{
	struct containers containers = { 0 };
	int err = check_host_root(spec->host_root);

	if (!err)
		err = containers_list(&containers, spec->host_root ?: "");
	if (!err)
		err = spec->pod ? resolve_pod(target, &containers, spec->pod)
				: resolve_container(target, &containers, spec->container);
	containers_free(&containers);
	/* Its pids are the host's: here it is nowhere to be seen. */
	if (err == -ESRCH && !in_initial_namespace())
		error_prefix(err, "in our pid namespace");
	return err;
}

/* -- control groups ---------------------------------------------------------------------------- */

static int resolve_cgroup(struct target *target, const struct target_spec *spec)
{
	target->cgroup_path = cgroup_find(spec->cgroup, spec->host_root ?: "");
	if (!target->cgroup_path)
		return error_set(-ENOENT,
				 "no control group '%s': give its folder, or its path as "
				 "/proc/PID/cgroup has it",
				 spec->cgroup);
	target->name = mem_printf("cgroup %s", spec->cgroup);
	return take_members(target);
}

/* -- names ------------------------------------------------------------------------------------- */

enum {
	COMM_CHARS = 15, /* TASK_COMM_LEN - 1: the kernel keeps no more of a name */
	MAX_LISTED = 8,
};

static int find_named(struct pid_list *list, const char *comm)
{
	DIR *stream = opendir("/proc");
	struct dirent *entry;

	if (!stream)
		return error_set(-errno, "cannot list /proc: %m");
	while ((entry = readdir(stream))) {
		struct proc proc;

		if (!isdigit((unsigned char)*entry->d_name) ||
		    proc_read(&proc, atoi(entry->d_name)) || proc.pid == getpid())
			continue;
		if (strncmp(proc.comm, comm, COMM_CHARS) == 0 && !proc.kernel_thread &&
		    !proc.zombie)
			*vec_add(&list->pids) = proc.pid;
	}
	closedir(stream);
	return 0;
}

static int several(const struct pid_list *list, const char *comm)
{
	cleanup_free char *text = NULL;
	size_t length;
	FILE *stream = open_memstream(&text, &length);

	if (!stream)
		return error_set(-errno, "several processes are called '%s'", comm);
	for (size_t i = 0; i < list->pids.count && i < MAX_LISTED; i++)
		fprintf(stream, "%s%d", i ? ", " : "", (int)list->pids.items[i]);
	if (list->pids.count > MAX_LISTED)
		fprintf(stream, " and %zu more", list->pids.count - MAX_LISTED);
	fclose(stream);
	return error_set(-EINVAL, "%zu processes are called '%s': pids %s; use -p",
			 list->pids.count, comm, text);
}

static int resolve_comm(struct target *target, const char *comm)
{
	struct pid_list list = { 0 };
	struct proc proc;
	int err = find_named(&list, comm);

	if (!err && !list.pids.count)
		err = error_set(-ENOENT, "no process is called '%s'", comm);
	if (!err && list.pids.count > 1)
		err = several(&list, comm);
	if (!err)
		err = proc_check(&proc, list.pids.items[0]);
	if (!err) {
		*vec_add(&target->pids) = proc.pid;
		target->name = mem_printf("%s (pid %d)", comm, (int)proc.pid);
	}
	vec_free(&list.pids);
	return err;
}

/* -- all of them ------------------------------------------------------------------------------- */

int target_resolve(struct target *target, const struct target_spec *spec)
{
	int given = !!spec->pids + !!spec->container + !!spec->pod + !!spec->cgroup + !!spec->comm;
	int err;

	memset(target, 0, sizeof(*target));
	if (given != 1)
		return error_set(-EINVAL, "name one target: a process, container, pod or cgroup");
	if (spec->pids)
		err = resolve_pids(target, spec->pids);
	else if (spec->cgroup)
		err = resolve_cgroup(target, spec);
	else if (spec->comm)
		err = resolve_comm(target, spec->comm);
	else
		err = resolve_in_containers(target, spec);
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
	vec_free(&target->inits);
	vec_free(&target->pids);
	memset(target, 0, sizeof(*target));
}
