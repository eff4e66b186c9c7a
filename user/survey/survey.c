/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One process after another, then the control group. */
#include "survey/survey.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "process/cgroup.h"
#include "process/file.h"
#include "process/mounts.h"
#include "survey/classify.h"
#include "survey/evidence.h"
#include "survey/group.h"

struct survey {
	const struct target *target;
	struct sandbox *sandbox;
	bool files;
};

struct survey *survey_new(const struct target *target, bool files)
{
	struct survey *survey = mem_alloc(sizeof(*survey));

	survey->target = target;
	survey->files = files;
	survey->sandbox = sandbox_new();
	return survey;
}

void survey_free(struct survey *survey)
{
	if (!survey)
		return;
	sandbox_free(survey->sandbox);
	mem_free(survey);
}

/* -- one process ------------------------------------------------------------------------------- */

struct taking {
	struct footprint *footprint;
	struct footprint_process *process;
};

static void take_mapping(const struct footprint_mapping *mapping, void *context)
{
	const struct taking *taking = context;
	struct footprint_mapping copy = *mapping;

	copy.name = footprint_string(taking->footprint, mapping->name);
	footprint_add(taking->footprint, taking->process, &copy);
}

static uint64_t count_pages(uint64_t start, uint64_t end, void *context)
{
	struct evidence *evidence = context;
	struct resident_pages pages = { 0 };

	if (evidence->resident)
		pages = resident_count(evidence->resident, start, end);
	return pages.present + pages.swapped;
}

/* As YARN counts with yarn.nodemanager.container-monitor.procfs-tree.smaps-based-rss.enabled:
 * ProcfsBasedProcessTree.getSmapBasedCumulativeRssmem. */
static uint64_t yarn_bytes(const struct smaps *smaps)
{
	uint64_t sum = 0;

	vec_for_each (smap, &smaps->rows) {
		const struct map *map = &smap->map;

		if (map->shared && map->readable && !map->writable)
			continue;
		sum += smap->shared_dirty_bytes < smap->pss_bytes ? smap->shared_dirty_bytes
								  : smap->pss_bytes;
		sum += smap->private_dirty_bytes + smap->private_clean_bytes;
	}
	return sum;
}

/* The path of its executable as maps has it: the caller's, NULL: not to be known. */
static char *program_of(pid_t pid)
{
	char link[32], path[4096];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
	length = readlink(link, path, sizeof(path) - 1);
	if (length < 0)
		return NULL;
	path[length] = '\0';
	return mem_string(path);
}

/* Whose its memory is, as far as it may be read. */
static void gather(struct evidence *evidence)
{
	struct threads threads;

	if (resident_open(&evidence->resident, evidence->pid)) {
		footprint_note(evidence->footprint,
			       "%s: its heaps and stacks are among what is unknown",
			       error_message());
		return;
	}
	evidence_jvm(evidence);
	if (!threads_read(&threads, evidence->pid))
		evidence_stacks(evidence, &threads);
	threads_free(&threads);
	evidence_blocks(evidence);
	evidence_jvm_points(evidence);
}

static void classify_process(struct survey *survey, struct footprint *footprint,
			     struct footprint_process *process, const struct smaps *smaps)
{
	cleanup_free char *program = program_of(process->pid);
	struct device_list tmpfs = { 0 };
	struct evidence evidence = {
		.pid = process->pid,
		.footprint = footprint,
		.sandbox = survey->sandbox,
		.smaps = smaps,
		.program = program,
		.files = survey->files,
		.page_bytes = sysconf(_SC_PAGESIZE),
	};
	struct classify input = {
		.rows = smaps->rows.items,
		.count = smaps->rows.count,
		.claims = &evidence.claims,
		.program = program,
		.page_bytes = evidence.page_bytes,
		.pages = count_pages,
		.context = &evidence,
	};

	gather(&evidence);
	mounts_in_memory(process->pid, &tmpfs);
	input.tmpfs = tmpfs.ids.items;
	input.tmpfs_count = tmpfs.ids.count;
	input.residual = evidence_allocator(&evidence);
	classify(&input, take_mapping, &(struct taking){ footprint, process });
	vec_free(&tmpfs.ids);
	vec_free(&evidence.points);
	claims_free(&evidence.claims);
	resident_free(evidence.resident);
}

static uint64_t page_table_bytes(pid_t pid)
{
	cleanup_free char *text = NULL;
	unsigned long long kib = 0;
	char path[32], *line;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (!file_read(path, FILE_MAX_PROC, &text, NULL) && (line = strstr(text, "\nVmPTE:")))
		sscanf(line, "\nVmPTE: %llu", &kib);
	return kib * 1024;
}

/* Returns 0, -ESRCH where it has ended, or -errno, with a sentence. */
static int take_process(struct survey *survey, struct footprint *footprint, pid_t pid)
{
	struct footprint_process *process;
	struct smaps smaps;
	struct proc proc;
	int error = proc_read(&proc, pid);

	if (!error)
		error = smaps_read(&smaps, pid);
	if (error)
		return error;
	process = vec_add(&footprint->processes);
	process->pid = pid;
	process->comm = footprint_string(footprint, proc.comm);
	process->threads = proc.threads;
	process->page_table_bytes = page_table_bytes(pid);
	process->yarn_bytes = yarn_bytes(&smaps);
	if (smaps.longest_read_ns > footprint->longest_stall_ns)
		footprint->longest_stall_ns = smaps.longest_read_ns;
	classify_process(survey, footprint, process, &smaps);
	smaps_free(&smaps);
	return 0;
}

/* -- the group --------------------------------------------------------------------------------- */

static bool is_taken(const struct footprint *footprint, pid_t pid)
{
	vec_for_each (process, &footprint->processes)
		if (process->pid == pid)
			return true;
	return false;
}

static void take_group(const struct target *target, struct footprint *footprint, const pid_t *pids,
		       size_t count)
{
	struct footprint_group *group = &footprint->group;
	cleanup_free char *found = NULL;
	const char *folder = target->cgroup_path;
	struct pid_list members = { 0 };

	/* The target's own may be of another hierarchy than memory's. */
	if (!folder || group_read(group, folder)) {
		folder = found = group_of(pids, count);
		if (!folder || group_read(group, folder)) {
			*group = (struct footprint_group){ 0 };
			return;
		}
	}
	group->path = footprint_string(footprint, folder);
	cgroup_processes(folder, &members);
	vec_for_each (pid, &members.pids)
		group->others += !is_taken(footprint, *pid);
	vec_free(&members.pids);
}

/* -- the whole --------------------------------------------------------------------------------- */

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* The processes of a container or control group change; those that were named do not. */
static void list_processes(const struct target *target, struct pid_list *list)
{
	if (target->inits.count || target->cgroup_path) {
		target_members(target, list);
		return;
	}
	vec_for_each (pid, &target->pids)
		*vec_add(&list->pids) = *pid;
}

int survey_take(struct survey *survey, struct footprint **out)
{
	struct footprint *footprint = footprint_new();
	struct pid_list list = { 0 };
	int error = 0;

	footprint->target = footprint_string(footprint, survey->target->name);
	footprint->unix_ns = now_ns(CLOCK_REALTIME);
	footprint->monotonic_ns = now_ns(CLOCK_MONOTONIC);
	footprint->machine_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
	list_processes(survey->target, &list);
	vec_for_each (pid, &list.pids) {
		error = take_process(survey, footprint, *pid);
		if (error && error != -ESRCH)
			break;
		error = 0;
	}
	if (!error)
		take_group(survey->target, footprint, list.pids.items, list.pids.count);
	vec_free(&list.pids);
	if (error)
		footprint_free(footprint);
	else
		*out = footprint;
	return error;
}
