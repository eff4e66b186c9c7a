/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* unfreed jvm as JSON: one document, one line. */
#include <string.h>

#include "base/json.h"
#include "cmd/jvm.h"

/* A bound as large as an address space is none, and left out. */
static void write_bound(struct json *json, const char *key, uint64_t bytes)
{
	if (bytes && bytes <= 1ULL << 62)
		json_uint(json, key, bytes);
}

static void write_facts(struct json *json, const struct hotspot_facts *facts)
{
	json_uint(json, "version", facts->version);
	json_text(json, "release", *facts->release ? facts->release : NULL);
	json_text(json, "collector", *facts->collector ? facts->collector : NULL);
	if (facts->has_flags) {
		json_begin_object(json, "flags");
		json_text(json, "native_memory_tracking", facts->nmt);
		json_bool(json, "disable_attach_mechanism", facts->attach_disabled);
		json_bool(json, "reduce_signal_usage", facts->without_signals);
		write_bound(json, "max_heap_bytes", facts->max_heap_bytes);
		write_bound(json, "max_metaspace_bytes", facts->max_metaspace_bytes);
		write_bound(json, "reserved_code_cache_bytes", facts->max_code_bytes);
		write_bound(json, "max_direct_bytes", facts->max_direct_bytes);
		json_end(json);
	}
	if (facts->has_direct) {
		json_uint(json, "direct_bytes", facts->direct_bytes);
		json_uint(json, "direct_buffers", facts->direct_buffers);
	}
	if (facts->has_counters) {
		json_begin_object(json, "counters");
		json_uint(json, "heap_used_bytes", facts->heap_used_bytes);
		json_uint(json, "heap_committed_bytes", facts->heap_committed_bytes);
		json_uint(json, "metaspace_used_bytes", facts->metaspace_used_bytes);
		json_uint(json, "metaspace_committed_bytes", facts->metaspace_committed_bytes);
		json_uint(json, "loaded_classes", facts->loaded_classes);
		json_uint(json, "unloaded_classes", facts->unloaded_classes);
		json_uint(json, "threads", facts->threads);
		json_end(json);
	}
}

static void write_categories(struct json *json, const struct nmt *nmt, const struct nmt *before)
{
	json_begin_array(json, "categories");
	for (size_t i = 0; i < nmt->category_count; i++) {
		const struct nmt_category *row = &nmt->categories[i], *old = NULL;

		if (before)
			old = nmt_find(before, row->name);
		json_begin_object(json, NULL);
		json_text(json, "name", row->name);
		json_uint(json, "reserved_bytes", row->reserved_bytes);
		json_uint(json, "committed_bytes", row->committed_bytes);
		json_uint(json, "malloc_bytes", row->malloc_bytes);
		json_uint(json, "malloc_blocks", row->malloc_blocks);
		json_uint(json, "arena_bytes", row->arena_bytes);
		json_uint(json, "mapped_bytes", row->mapped_bytes);
		if (old)
			json_int(json, "growth_bytes",
				 (int64_t)(row->committed_bytes - old->committed_bytes));
		json_end(json);
	}
	json_end(json);
}

static void write_nmt(struct json *json, const struct nmt *nmt, const struct nmt *before)
{
	json_begin_object(json, "nmt");
	json_uint(json, "reserved_bytes", nmt->reserved_bytes);
	json_uint(json, "committed_bytes", nmt->committed_bytes);
	json_uint(json, "malloc_bytes", nmt->malloc_bytes);
	write_categories(json, nmt, before);
	json_begin_array(json, "sites");
	for (size_t i = 0; i < nmt->site_count; i++) {
		json_begin_object(json, NULL);
		json_text(json, "category", nmt->sites[i].category);
		json_uint(json, "bytes", nmt->sites[i].bytes);
		json_uint(json, "blocks", nmt->sites[i].blocks);
		json_text(json, "frames", nmt->sites[i].frames);
		json_end(json);
	}
	json_end(json);
	json_uint(json, "sites_left_out", nmt->sites_left_out);
	json_end(json);
}

static void write_rows(struct json *json, const struct jvm_process *process,
		       const struct jvm_process *before)
{
	json_begin_array(json, "rows");
	for (size_t i = 0; i < process->row_count; i++) {
		const struct jvm_row *row = &process->rows[i], *old = NULL;

		if (before && before->row_count == process->row_count)
			old = &before->rows[i];
		json_begin_object(json, NULL);
		json_text(json, "name", row->name + strspn(row->name, " "));
		if (row->has_nmt)
			json_uint(json, "nmt_bytes", row->nmt_bytes);
		if (row->has_used)
			json_uint(json, "in_use_bytes", row->used_bytes);
		if (row->has_rss)
			json_uint(json, "rss_bytes", row->rss_bytes);
		json_bool(json, "part", row->is_part);
		if (old)
			json_int(json, "growth_bytes", jvm_row_growth(row, old));
		json_end(json);
	}
	json_end(json);
}

static void write_process(struct json *json, const struct jvm_process *process,
			  const struct jvm_process *before)
{
	const struct heap_process *heap = process->heap;

	json_begin_object(json, NULL);
	json_uint(json, "pid", (uint64_t)heap->proc.pid);
	json_text(json, "comm", heap->proc.comm);
	json_uint(json, "rss_bytes", heap->proc.rss_bytes);
	json_text(json, "why", process->why);
	if (!process->why)
		write_facts(json, &process->facts);
	json_text(json, "nmt_why", process->nmt_why);
	if (process->nmt)
		write_nmt(json, process->nmt, before ? before->nmt : NULL);
	write_rows(json, process, before);
	if (heap->verdict.rule)
		heap_json_verdict(json, &heap->verdict);
	if (process->answer || process->answer_why) {
		json_text(json, "answer", process->answer);
		json_text(json, "answer_why", process->answer_why);
		json_uint(json, "trimmed_bytes", process->trimmed_bytes);
	}
	json_end(json);
}

void jvm_json(const struct jvm_report *report, const struct jvm_report *before, FILE *stream)
{
	struct json json;

	json_init(&json, stream);
	json_begin_object(&json, NULL);
	json_uint(&json, "unfreed", 1);
	json_text(&json, "target", report->heaps.target);
	json_double(&json, "watched_seconds", (double)report->heaps.watched_ns / 1e9, 3);
	json_begin_array(&json, "processes");
	vec_for_each (process, &report->processes)
		write_process(&json, process, before ? jvm_find(before, process) : NULL);
	json_end(&json);
	json_end(&json);
	fputc('\n', stream);
}
