/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* unfreed heap as a table for people. */
#include "base/text.h"
#include "cmd/cells.h"
#include "cmd/heap.h"

enum { ARENAS_SHOWN = 12 };

/* -- parts ------------------------------------------------------------------------------------- */

static void print_sums(const struct heap_process *process, FILE *stream)
{
	const struct heap_sums *sums = &process->sums;
	const struct walk *walk = &process->walk;

	fprintf(stream, "  in use      %s in %s blocks\n", cell_bytes(sums->in_use_bytes).text,
		cell_count(sums->in_use_blocks).text);
	fprintf(stream, "  free        %s: bins %s, fastbins %s, thread caches %s, tops %s\n",
		cell_bytes(sums->free_bytes).text, cell_bytes(sums->binned_bytes).text,
		cell_bytes(sums->fastbin_bytes).text, cell_bytes(sums->cached_bytes).text,
		cell_bytes(sums->top_bytes).text);
	fprintf(stream, "  of that     %s resident, %s in pages with blocks in use\n",
		cell_bytes(sums->free_resident_bytes).text, cell_bytes(sums->pinned_bytes).text);
	if (walk->mmapped.blocks)
		fprintf(stream, "  mmapped     %s in %s blocks with a mapping of their own\n",
			cell_bytes(walk->mmapped.bytes).text,
			cell_count(walk->mmapped.blocks).text);
	if (sums->unread_bytes || sums->swapped_bytes)
		fprintf(stream, "  not read    %s; %s swapped out\n",
			cell_bytes(sums->unread_bytes).text, cell_bytes(sums->swapped_bytes).text);
	if (walk->broken_lists || walk->broken_heaps || walk->cut)
		fprintf(stream, "  losses      %s lists and %s heaps that lead nowhere%s\n",
			cell_count(walk->broken_lists).text, cell_count(walk->broken_heaps).text,
			walk->cut ? "; the time was up" : "");
}

static void print_arenas(const struct walk *walk, FILE *stream)
{
	size_t shown = 0;

	fprintf(stream,
		"\n  ARENA         SYSTEM    IN USE      FREE  RESIDENT  TRIMMABLE   HEAPS"
		"  THREADS\n");
	vec_for_each (arena, &walk->arenas) {
		uint64_t trimmable =
			arena->releasable_bytes + (arena->main ? arena->top_resident_bytes : 0);

		if (shown++ == ARENAS_SHOWN) {
			fprintf(stream, "  and %zu more\n", walk->arenas.count - ARENAS_SHOWN);
			break;
		}
		fprintf(stream, "  %-10s %9s %9s %9s %9s %10s %7s", arena->main ? "main" : "thread",
			cell_bytes(arena->system_bytes).text, cell_bytes(arena->in_use_bytes).text,
			cell_bytes(arena->free_bytes).text, cell_bytes(arena->resident_bytes).text,
			cell_bytes(trimmable).text, cell_count(arena->heaps).text);
		if (arena->has_attached)
			fprintf(stream, " %8s", cell_count(arena->attached_threads).text);
		fputc('\n', stream);
	}
}

static void print_sizes(const struct walk *walk, uint64_t in_use_bytes, uint64_t top, FILE *stream)
{
	uint64_t all = in_use_bytes + walk->mmapped.bytes;

	if (!walk->size_count || !top)
		return;
	fprintf(stream, "\n  CHUNK SIZE        REQUESTED        BLOCKS     BYTES   SHARE\n");
	for (size_t i = 0; i < walk->size_count && i < top; i++) {
		const struct sizes_row *row = &walk->sizes[i];
		uint64_t sum = row->size_bytes * row->blocks;
		char range[48];

		/* request2size(): what a chunk of this size was asked for as */
		snprintf(range, sizeof(range), "%llu-%llu",
			 (unsigned long long)(row->size_bytes <= 32 ? 0 : row->size_bytes - 23),
			 (unsigned long long)(row->size_bytes - 8));
		fprintf(stream, "  %10llu %16s %13s %9s  %5.1f%%\n",
			(unsigned long long)row->size_bytes, range, cell_count(row->blocks).text,
			cell_bytes(sum).text, all ? 100.0 * (double)sum / (double)all : 0);
	}
}

static void print_process(const struct heap_report *report, const struct heap_process *process,
			  FILE *stream)
{
	const struct figures other = heap_other_allocators(process);
	char comm[256], walked[UNITS_TEXT_MAX];

	text_escape(comm, sizeof(comm), process->proc.comm);
	fprintf(stream, "\npid %d %s: %s, RSS %s", (int)process->proc.pid, comm, process->allocator,
		cell_bytes(process->proc.rss_bytes).text);
	if (process->walk.arenas.count)
		fprintf(stream, ", %zu arenas of %s, walked in %s", process->walk.arenas.count,
			cell_bytes(process->sums.system_bytes).text,
			units_format_time(walked, process->walked_ns));
	fputc('\n', stream);
	if (other.size_bytes)
		fprintf(stream, "  %-11s %s mapped, %s of it resident\n", process->allocator,
			cell_bytes(other.size_bytes).text, cell_bytes(other.rss_bytes).text);
	if (process->musl.groups) {
		fprintf(stream, "  in use      %s in %s blocks\n",
			cell_bytes(process->musl.in_use_bytes).text,
			cell_count(process->musl.in_use_blocks).text);
		fprintf(stream, "  free        %s, in %s groups\n",
			cell_bytes(process->musl.free_bytes).text,
			cell_count(process->musl.groups).text);
	}
	if (process->why)
		cells_paragraph(stream, "note", process->why);
	if (process->walk.arenas.count) {
		print_sums(process, stream);
		print_arenas(&process->walk, stream);
		print_sizes(&process->walk, process->sums.in_use_bytes, report->options->top,
			    stream);
	}
	if (process->verdict.rule)
		cells_verdict(&process->verdict, stream);
	if (report->options->peek.wanted)
		peek_table(&process->peek, stream);
}

void heap_table(const struct heap_report *report, FILE *stream)
{
	char watched[UNITS_TEXT_MAX];

	fprintf(stream, "unfreed heap: %s", report->target);
	if (report->watched_ns)
		fprintf(stream, ", watched for %s", units_format_time(watched, report->watched_ns));
	fputc('\n', stream);
	vec_for_each (process, &report->processes)
		print_process(report, process, stream);
}
