/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reads each process's heap, sums it up, and judges it. */
#include "cmd/heap_sample.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "cmd/interrupt.h"
#include "glibc/process_reader.h"
#include "hotspot/hotspot.h"
#include "model/footprint.h"
#include "survey/jvm.h"
#include "survey/survey.h"

#define WALK_MAX_NS (120ULL * 1000000000) /* a heap of 200 GB, or a forged one */

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* -- sums -------------------------------------------------------------------------------------- */

static void add_arena(struct heap_sums *sums, const struct walk_arena *arena, uint64_t most[2])
{
	uint64_t kept = arena->releasable_bytes + arena->top_resident_bytes + arena->pinned_bytes;

	sums->system_bytes += arena->system_bytes;
	sums->in_use_bytes += arena->in_use_bytes;
	sums->in_use_blocks += arena->in_use_blocks;
	sums->free_bytes += arena->free_bytes;
	sums->unread_bytes += arena->unread_bytes;
	sums->binned_bytes += arena->binned_bytes;
	sums->fastbin_bytes += arena->fastbin_bytes;
	sums->cached_bytes += arena->cached_bytes;
	sums->top_bytes += arena->top_bytes;
	sums->resident_bytes += arena->resident_bytes;
	sums->swapped_bytes += arena->swapped_bytes;
	sums->pinned_bytes += arena->pinned_bytes;
	sums->free_resident_bytes += kept;
	sums->trimmable_bytes += arena->releasable_bytes;
	if (arena->main)
		sums->trimmable_bytes += arena->top_resident_bytes;
	if (kept > most[0]) {
		most[1] = most[0];
		most[0] = kept;
	} else if (kept > most[1]) {
		most[1] = kept;
	}
}

static void sum_up(struct heap_process *process)
{
	uint64_t most[2] = { 0 };

	vec_for_each (arena, &process->walk.arenas)
		add_arena(&process->sums, arena, most);
	process->sums.spread_bytes = process->sums.free_resident_bytes - most[0] - most[1];
}

/* -- one process ------------------------------------------------------------------------------- */

static int walk(struct heap_process *process, const struct heap_options *options,
		struct process_reader *reader)
{
	struct walk_watch watch = {
		.sizes = options->peek.sizes,
		.seen = peek_seen,
		.context = &process->peek,
	};
	bool watched = options->peek.wanted && !options->peek.address;
	uint64_t start_ns = now_ns();
	int error;

	error = walk_heap(&process->walk, process_reader_of(reader), &process->maps,
			  process->proc.start_brk, watched ? &watch : NULL);
	process->walked_ns = now_ns() - start_ns;
	return error;
}

static int read_heap(struct heap_process *process, const struct heap_options *options)
{
	struct process_reader *reader;
	int error = process_reader_open(&reader, process->proc.pid,
					options->walk_max_ns ? options->walk_max_ns : WALK_MAX_NS);

	if (error)
		return error;
	process_reader_stop(reader, interrupted);
	error = walk(process, options, reader);
	if (!error)
		sum_up(process);
	if (options->peek.wanted && (!error || options->peek.address))
		peek_read(&process->peek, &options->peek, process_reader_of(reader),
			  process->proc.pid, &process->maps);
	process_reader_free(reader);
	return error;
}

/* Without a sentence where it finds nothing: that of glibc's walk stays. */
static bool read_musl(struct heap_process *process)
{
	struct resident *resident;

	if (resident_open(&resident, process->proc.pid))
		return false;
	musl_read(&process->musl, resident, &process->maps);
	resident_free(resident);
	return process->musl.groups;
}

static void sample_process(struct heap_process *process, const struct heap_options *options,
			   pid_t pid)
{
	const char *advice;
	int error = proc_check(&process->proc, pid);

	process->proc.pid = pid;
	process->allocator = "none";
	if (!error)
		error = maps_read(&process->maps, pid);
	if (!error) {
		process->allocator =
			options->spare_files ? "glibc" : heap_allocator(pid, &process->maps);
		error = read_heap(process, options);
		/* So does a static program of glibc's without symbols. */
		if (!error && !strcmp(process->allocator, "none"))
			process->allocator = "glibc";
		/* A static program without symbols has no name for it. */
		if (error &&
		    (!strcmp(process->allocator, "none") || !strcmp(process->allocator, "musl")) &&
		    read_musl(process)) {
			process->allocator = "musl";
			error = 0;
		}
	}
	advice = heap_allocator_advice(process->allocator);
	if (advice)
		process->why = mem_string(advice);
	else if (error)
		process->why = mem_string(error_message());
}

static int by_size(const void *a, const void *b)
{
	const struct heap_process *left = a, *right = b;
	uint64_t left_bytes = left->sums.system_bytes + left->walk.mmapped.bytes;
	uint64_t right_bytes = right->sums.system_bytes + right->walk.mmapped.bytes;

	if (left_bytes == right_bytes)
		return left->proc.pid - right->proc.pid;
	return left_bytes < right_bytes ? 1 : -1;
}

static void sample(struct heap_report *report, const pid_t *pids, size_t count)
{
	for (size_t i = 0; i < count && !interrupted(); i++)
		sample_process(vec_add(&report->processes), report->options, pids[i]);
	if (report->processes.count)
		qsort(report->processes.items, report->processes.count,
		      sizeof(*report->processes.items), by_size);
}

/* -- what is around ---------------------------------------------------------------------------- */

struct figures heap_other_allocators(const struct heap_process *process)
{
	static const enum memory_class classes[] = { CLASS_JEMALLOC, CLASS_TCMALLOC, CLASS_MIMALLOC,
						     CLASS_MUSL, CLASS_OTHER_ALLOCATOR };
	struct figures sum = { 0 };

	for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++)
		figures_add(&sum, &process->around[classes[i]]);
	/* tcmalloc takes its memory by brk(2), and jemalloc may. */
	if (!process->walk.arenas.count)
		figures_add(&sum, &process->around[CLASS_MAIN_HEAP]);
	return sum;
}

static void add_around(struct heap_report *report, const struct footprint *footprint)
{
	const struct footprint_group *group = &footprint->group;

	if (group->path && !group->others)
		report->page_cache_bytes = footprint_reclaimable(group);
	vec_for_each (process, &report->processes) {
		vec_for_each (seen, &footprint->processes) {
			if (seen->pid == process->proc.pid)
				memcpy(process->around, seen->classes, sizeof(process->around));
		}
	}
}

/* The walk does without what map says; the verdict then knows of malloc alone. */
static void look_around(struct heap_report *report, const struct target *target)
{
	struct survey *survey = survey_new(target, !report->options->spare_files);
	struct footprint *footprint = NULL;

	if (!survey_take(survey, &footprint))
		add_around(report, footprint);
	footprint_free(footprint);
	survey_free(survey);
}

/* -- the verdict ------------------------------------------------------------------------------- */

static const struct heap_process *find(const struct heap_report *report, const struct proc *proc)
{
	vec_for_each (process, &report->processes) {
		if (process->proc.pid == proc->pid &&
		    process->proc.start_ticks == proc->start_ticks)
			return process;
	}
	return NULL;
}

static uint64_t blocks_of(const struct walk *walk, uint64_t size_bytes)
{
	for (size_t i = 0; i < walk->size_count; i++) {
		if (walk->sizes[i].size_bytes == size_bytes)
			return walk->sizes[i].blocks;
	}
	return 0;
}

/* Of an allocator that is not walked: what is resident of it, or, of musl, in use. */
static uint64_t held(const struct heap_process *process)
{
	if (process->walk.arenas.count)
		return process->sums.in_use_bytes + process->walk.mmapped.bytes;
	if (process->musl.groups)
		return process->musl.in_use_bytes;
	return heap_other_allocators(process).rss_bytes;
}

static bool is_known(const struct heap_process *process)
{
	return process->walk.arenas.count || held(process);
}

static int rows_by_size(const void *a, const void *b)
{
	const struct sizes_row *left = a, *right = b;

	return left->size_bytes < right->size_bytes ? -1 : left->size_bytes > right->size_bytes;
}

static void find_growth(struct verdict_facts *facts, const struct heap_process *now,
			const struct heap_process *then, uint64_t watched_ns)
{
	struct sizes_row *old = mem_array(then->walk.size_count + 1, sizeof(*old));
	int64_t most_bytes = 0;

	if (then->walk.size_count) {
		memcpy(old, then->walk.sizes, then->walk.size_count * sizeof(*old));
		qsort(old, then->walk.size_count, sizeof(*old), rows_by_size);
	}
	facts->has_growth = true;
	facts->seconds = (double)watched_ns / 1e9;
	facts->growth_bytes = (int64_t)(held(now) - held(then));
	for (size_t i = 0; i < now->walk.size_count; i++) {
		const struct sizes_row *row = &now->walk.sizes[i];
		const struct sizes_row *before =
			bsearch(row, old, then->walk.size_count, sizeof(*old), rows_by_size);
		int64_t blocks = (int64_t)(row->blocks - (before ? before->blocks : 0));

		if (blocks * (int64_t)row->size_bytes <= most_bytes)
			continue;
		most_bytes = blocks * (int64_t)row->size_bytes;
		facts->grown_blocks = blocks;
		facts->grown_size_bytes = row->size_bytes;
		facts->grown_size_blocks = row->blocks;
	}
	mem_free(old);
}

/* Class space can be given back since metaspace is elastic (JEP 387, 16). */
static void add_jvm(struct verdict_facts *facts, const struct heap_process *process)
{
	struct hotspot_facts jvm;

	if (!facts->metaspace_bytes || jvm_facts(&jvm, process->proc.pid))
		return;
	facts->code_malloc_bytes = jvm.code_malloc_bytes;
	facts->jvm_version = jvm.version;
	facts->direct_bytes = jvm.direct_bytes;
	facts->direct_buffers = jvm.direct_buffers;
	if (jvm.version < 16)
		facts->kept_metaspace_bytes = process->around[CLASS_CLASS_SPACE].rss_bytes;
}

/* A library whose name begins so, wherever it was unpacked to. */
static bool has_library(const struct maps *maps, const char *name)
{
	vec_for_each (map, &maps->rows) {
		const char *file = map->path ? strrchr(map->path, '/') : NULL;

		if (file && !strncmp(file + 1, name, strlen(name)))
			return true;
	}
	return false;
}

static struct verdict_facts facts_of(const struct heap_process *process)
{
	const struct walk *walk = &process->walk;
	const struct heap_sums *sums = &process->sums;
	const struct figures *around = process->around;
	struct verdict_facts facts = {
		.rss_bytes = process->proc.rss_bytes,
		.java_heap_bytes = around[CLASS_JAVA_HEAP].rss_bytes,
		.metaspace_bytes =
			around[CLASS_METASPACE].rss_bytes + around[CLASS_CLASS_SPACE].rss_bytes,
		.code_cache_bytes = around[CLASS_CODE_CACHE].rss_bytes,
		.stack_bytes = around[CLASS_THREAD_STACK].rss_bytes,
		.threads = process->proc.threads,
		.has_rocksdb = has_library(&process->maps, "librocksdb"),
		.has_netty = has_library(&process->maps, "libnetty"),
		.heap_resident_bytes = sums->resident_bytes + walk->mmapped.resident_bytes,
		.in_use_bytes = held(process),
		.free_resident_bytes = sums->free_resident_bytes,
		.releasable_bytes = sums->trimmable_bytes,
		.spread_bytes = sums->spread_bytes,
		.pinned_bytes = sums->pinned_bytes,
		.arenas = walk->arenas.count,
		.trims_late =
			walk->mmapped.has_settings && walk->mmapped.trim_threshold_bytes > 1 << 20,
	};

	if (!walk->arenas.count) {
		facts.heap_resident_bytes = heap_other_allocators(process).rss_bytes;
		if (!process->musl.groups)
			facts.closed = process->allocator;
	}
	if (walk->size_count) {
		facts.top_size_bytes = walk->sizes[0].size_bytes;
		facts.top_size_blocks = blocks_of(walk, facts.top_size_bytes);
	}
	add_jvm(&facts, process);
	return facts;
}

static void judge(struct heap_report *report, const struct heap_report *before)
{
	uint64_t rss_bytes = 0;

	vec_for_each (process, &report->processes)
		rss_bytes += process->proc.rss_bytes;
	vec_for_each (process, &report->processes) {
		const struct heap_process *then = before ? find(before, &process->proc) : NULL;
		struct verdict_facts facts;

		if (!is_known(process))
			continue;
		facts = facts_of(process);
		/* It is the group's: set it against all that is in there. */
		if (report->page_cache_bytes > 2 * rss_bytes)
			facts.page_cache_bytes = report->page_cache_bytes;
		if (then && is_known(then))
			find_growth(&facts, process, then, report->watched_ns);
		process->verdict = verdict_of(&facts);
	}
}

static void add_once(struct pid_list *list, pid_t pid)
{
	vec_for_each (known, &list->pids) {
		if (*known == pid)
			return;
	}
	*vec_add(&list->pids) = pid;
}

void heap_members(const struct target *target, bool again, struct pid_list *list)
{
	struct pid_list members = { 0 };

	vec_for_each (pid, &target->pids)
		add_once(list, *pid);
	if (again && (target->inits.count || target->container_id))
		target_members(target, &members);
	vec_for_each (pid, &members.pids)
		add_once(list, *pid);
	vec_free(&members.pids);
}

void heap_look(struct heap_report *report, const struct heap_options *options,
	       const struct target *target, const struct heap_report *before)
{
	struct pid_list list = { 0 };

	*report = (struct heap_report){
		.options = options,
		.target = target->name,
		.taken_ns = now_ns(),
	};
	report->watched_ns = before ? report->taken_ns - before->taken_ns : 0;
	heap_members(target, before != NULL, &list);
	sample(report, list.pids.items, list.pids.count);
	vec_free(&list.pids);
	if (!options->heaps_only)
		look_around(report, target);
	judge(report, before);
}

void heap_report_free(struct heap_report *report)
{
	vec_for_each (process, &report->processes) {
		mem_free(process->why);
		walk_free(&process->walk);
		maps_free(&process->maps);
		peek_free(&process->peek);
	}
	vec_free(&report->processes);
}
