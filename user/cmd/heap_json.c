/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* unfreed heap as JSON: one document, one line. */
#include "base/json.h"
#include "cmd/heap.h"

static void write_arena(struct json *json, const struct walk_arena *arena, pid_t pid)
{
	json_begin_object(json, NULL);
	json_uint(json, "pid", (uint64_t)pid);
	json_bool(json, "main", arena->main);
	json_uint(json, "system_bytes", arena->system_bytes);
	json_uint(json, "in_use_bytes", arena->in_use_bytes);
	json_uint(json, "in_use_blocks", arena->in_use_blocks);
	json_uint(json, "free_bytes", arena->free_bytes);
	json_uint(json, "binned_bytes", arena->binned_bytes);
	json_uint(json, "binned_blocks", arena->binned_blocks);
	json_uint(json, "fastbin_bytes", arena->fastbin_bytes);
	json_uint(json, "fastbin_blocks", arena->fastbin_blocks);
	json_uint(json, "tcache_bytes", arena->cached_bytes);
	json_uint(json, "tcache_blocks", arena->cached_blocks);
	json_uint(json, "top_bytes", arena->top_bytes);
	json_uint(json, "unread_bytes", arena->unread_bytes);
	json_uint(json, "resident_bytes", arena->resident_bytes);
	json_uint(json, "swapped_bytes", arena->swapped_bytes);
	json_uint(json, "free_whole_pages_bytes", arena->releasable_bytes);
	json_uint(json, "top_resident_bytes", arena->top_resident_bytes);
	json_uint(json, "pinned_bytes", arena->pinned_bytes);
	json_uint(json, "heaps", arena->heaps);
	if (arena->has_attached)
		json_uint(json, "attached_threads", arena->attached_threads);
	json_end(json);
}

void heap_json_verdict(struct json *json, const struct verdict *verdict)
{
	json_begin_object(json, "verdict");
	json_text(json, "kind", verdict_name(verdict->kind));
	json_text(json, "rule", verdict->rule);
	json_text(json, "evidence", verdict->evidence);
	json_text(json, "remedy", verdict->remedy);
	json_uint(json, "gain_bytes", verdict->gain_bytes);
	json_bool(json, "gain_is_least", verdict->gain_is_least);
	json_end(json);
}

static void write_process(struct json *json, const struct heap_process *process)
{
	const struct walk *walk = &process->walk;
	const struct heap_sums *sums = &process->sums;
	const struct figures other = heap_other_allocators(process);

	json_begin_object(json, NULL);
	json_uint(json, "pid", (uint64_t)process->proc.pid);
	json_text(json, "comm", process->proc.comm);
	json_text(json, "allocator", process->allocator);
	json_text(json, "why", process->why);
	json_uint(json, "rss_bytes", process->proc.rss_bytes);
	json_uint(json, "arenas", walk->arenas.count);
	json_uint(json, "system_bytes", sums->system_bytes);
	json_uint(json, "in_use_bytes", sums->in_use_bytes);
	json_uint(json, "free_bytes", sums->free_bytes);
	json_uint(json, "resident_bytes", sums->resident_bytes);
	json_uint(json, "free_resident_bytes", sums->free_resident_bytes);
	json_uint(json, "trimmable_bytes", sums->trimmable_bytes);
	json_uint(json, "pinned_bytes", sums->pinned_bytes);
	json_uint(json, "mmapped_blocks", walk->mmapped.blocks);
	json_uint(json, "mmapped_bytes", walk->mmapped.bytes);
	json_uint(json, "threads_with_tcache", walk->cached_threads);
	if (walk->mmapped.has_settings) {
		json_uint(json, "mmap_threshold_bytes", walk->mmapped.mmap_threshold_bytes);
		json_uint(json, "trim_threshold_bytes", walk->mmapped.trim_threshold_bytes);
		json_uint(json, "arena_max", walk->mmapped.arena_max);
	}
	if (other.size_bytes) {
		json_uint(json, "allocator_mapped_bytes", other.size_bytes);
		json_uint(json, "allocator_resident_bytes", other.rss_bytes);
	}
	if (process->musl.groups) {
		json_uint(json, "allocator_in_use_bytes", process->musl.in_use_bytes);
		json_uint(json, "allocator_in_use_blocks", process->musl.in_use_blocks);
		json_uint(json, "allocator_free_bytes", process->musl.free_bytes);
	}
	json_uint(json, "java_heap_resident_bytes", process->around[CLASS_JAVA_HEAP].rss_bytes);
	json_uint(json, "stacks_resident_bytes", process->around[CLASS_THREAD_STACK].rss_bytes);
	json_double(json, "walk_seconds", (double)process->walked_ns / 1e9, 6);
	if (process->peek.blocks.count)
		peek_json(&process->peek, json);
	if (process->verdict.rule)
		heap_json_verdict(json, &process->verdict);
	json_end(json);
}

static void write_losses(struct json *json, const struct heap_report *report)
{
	uint64_t unread = 0, retries = 0, lists = 0, heaps = 0, cut = 0, swapped = 0;

	vec_for_each (process, &report->processes) {
		unread += process->sums.unread_bytes;
		swapped += process->sums.swapped_bytes;
		retries += process->walk.retries;
		lists += process->walk.broken_lists;
		heaps += process->walk.broken_heaps;
		cut += process->walk.cut;
	}
	json_begin_object(json, "losses");
	json_uint(json, "unread_bytes", unread);
	json_uint(json, "swapped_bytes", swapped);
	json_uint(json, "reads_again", retries);
	json_uint(json, "broken_lists", lists);
	json_uint(json, "broken_heaps", heaps);
	json_uint(json, "walks_cut_short", cut);
	json_end(json);
}

/* Of all processes together. */
static void write_sizes(struct json *json, const struct heap_report *report)
{
	json_begin_array(json, "sizes");
	vec_for_each (process, &report->processes) {
		for (size_t i = 0; i < process->walk.size_count; i++) {
			const struct sizes_row *row = &process->walk.sizes[i];

			json_begin_object(json, NULL);
			json_uint(json, "pid", (uint64_t)process->proc.pid);
			json_uint(json, "size_bytes", row->size_bytes);
			json_uint(json, "blocks", row->blocks);
			json_uint(json, "bytes", row->size_bytes * row->blocks);
			json_end(json);
		}
	}
	json_end(json);
}

void heap_json(const struct heap_report *report, FILE *stream)
{
	const struct heap_process *first =
		report->processes.count ? &report->processes.items[0] : NULL;
	uint64_t blocks = 0, bytes = 0;
	struct json json;

	json_init(&json, stream);
	json_begin_object(&json, NULL);
	json_uint(&json, "unfreed", 1);
	json_text(&json, "target", report->target);
	json_text(&json, "allocator", first ? first->allocator : NULL);
	json_double(&json, "watched_seconds", (double)report->watched_ns / 1e9, 3);
	json_begin_array(&json, "processes");
	vec_for_each (process, &report->processes) {
		write_process(&json, process);
		blocks += process->walk.mmapped.blocks;
		bytes += process->walk.mmapped.bytes;
	}
	json_end(&json);
	json_begin_array(&json, "arenas");
	vec_for_each (process, &report->processes) {
		vec_for_each (arena, &process->walk.arenas)
			write_arena(&json, arena, process->proc.pid);
	}
	json_end(&json);
	json_begin_object(&json, "mmapped");
	json_uint(&json, "blocks", blocks);
	json_uint(&json, "bytes", bytes);
	json_end(&json);
	write_sizes(&json, report);
	write_losses(&json, report);
	if (first && first->verdict.rule)
		heap_json_verdict(&json, &first->verdict);
	json_end(&json);
	fputc('\n', stream);
}
