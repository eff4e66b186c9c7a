/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* unfreed jvm as a table for people. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cmd/cells.h"
#include "cmd/jvm.h"

enum { TEXT_BYTES = 1024 };

/* A bound as large as an address space is none. */
static const char *bound(struct cell *cell, uint64_t bytes)
{
	if (!bytes || bytes > 1ULL << 62)
		return "no bound";
	*cell = cell_bytes(bytes);
	return cell->text;
}

static void print_facts(const struct hotspot_facts *facts, FILE *stream)
{
	struct cell cell;

	if (facts->has_counters && facts->metaspace_committed_bytes) {
		fprintf(stream, "  heap        %s used of %s committed",
			cell_bytes(facts->heap_used_bytes).text,
			cell_bytes(facts->heap_committed_bytes).text);
		if (facts->has_flags)
			fprintf(stream, ", at most %s", bound(&cell, facts->max_heap_bytes));
		fprintf(stream, "\n  metaspace   %s used of %s committed",
			cell_bytes(facts->metaspace_used_bytes).text,
			cell_bytes(facts->metaspace_committed_bytes).text);
		if (facts->has_flags)
			fprintf(stream, ", at most %s", bound(&cell, facts->max_metaspace_bytes));
		fprintf(stream, "; %s classes loaded, %s unloaded",
			cell_count(facts->loaded_classes).text,
			cell_count(facts->unloaded_classes).text);
		fprintf(stream, "\n              (both as of the last collection)\n");
	} else if (facts->has_flags) {
		fprintf(stream, "  heap        at most %s; no collection so far has counted it\n",
			bound(&cell, facts->max_heap_bytes));
	}
	if (!facts->has_flags)
		return;
	fprintf(stream, "  bounds      code cache %s,", cell_bytes(facts->max_code_bytes).text);
	/* Without a bound of their own they have the heap's. */
	fprintf(stream, " direct buffers %s\n",
		bound(&cell,
		      facts->max_direct_bytes ? facts->max_direct_bytes : facts->max_heap_bytes));
}

static void print_rows(const struct jvm_process *process, const struct jvm_process *before,
		       FILE *stream)
{
	fprintf(stream, "\n  %-29s %9s %9s %9s", "WHAT", "NMT", "IN USE", "RESIDENT");
	if (before)
		fprintf(stream, " %11s", "GREW");
	fputc('\n', stream);
	for (size_t i = 0; i < process->row_count; i++) {
		const struct jvm_row *row = &process->rows[i];
		/* Of the same JVM the rows are the same, unless NMT failed to answer once. */
		const struct jvm_row *old =
			before && before->row_count == process->row_count ? &before->rows[i] : NULL;

		fprintf(stream, "  %-29s %9s %9s %9s", row->name,
			row->has_nmt ? cell_bytes(row->nmt_bytes).text : "-",
			row->has_used ? cell_bytes(row->used_bytes).text : "-",
			row->has_rss ? cell_bytes(row->rss_bytes).text : "-");
		if (old)
			fprintf(stream, " %11s", cell_growth(jvm_row_growth(row, old)).text);
		fputc('\n', stream);
	}
}

static int by_committed(const void *a, const void *b)
{
	const struct nmt_category *const *left = a, *const *right = b;

	return (*left)->committed_bytes < (*right)->committed_bytes   ? 1
	       : (*left)->committed_bytes > (*right)->committed_bytes ? -1
								      : 0;
}

static void print_categories(const struct jvm_process *process, const struct jvm_process *before,
			     uint64_t top, FILE *stream)
{
	const struct nmt *nmt = process->nmt;
	const struct nmt_category *sorted[NMT_CATEGORIES_MAX];

	for (size_t i = 0; i < nmt->category_count; i++)
		sorted[i] = &nmt->categories[i];
	qsort(sorted, nmt->category_count, sizeof(*sorted), by_committed);
	fprintf(stream, "\n  %-24s %10s %10s %10s %10s%s\n", "NMT CATEGORY", "RESERVED",
		"COMMITTED", "MALLOC", "BLOCKS", before && before->nmt ? "        GREW" : "");
	for (size_t i = 0; i < nmt->category_count && i < top; i++) {
		const struct nmt_category *row = sorted[i], *old = NULL;
		char name[TEXT_BYTES];

		if (before && before->nmt)
			old = nmt_find(before->nmt, row->name);
		text_escape(name, sizeof(name), row->name);
		fprintf(stream, "  %-24s %10s %10s %10s %10s", name,
			cell_bytes(row->reserved_bytes).text, cell_bytes(row->committed_bytes).text,
			cell_bytes(row->malloc_bytes + row->arena_bytes).text,
			cell_count(row->malloc_blocks).text);
		if (old)
			fprintf(stream, " %11s",
				cell_growth((int64_t)(row->committed_bytes - old->committed_bytes))
					.text);
		fputc('\n', stream);
	}
	if (nmt->category_count > top)
		fprintf(stream, "  and %zu more\n", (size_t)(nmt->category_count - top));
}

static void print_sites(const struct nmt *nmt, uint64_t top, FILE *stream)
{
	char frames[TEXT_BYTES], category[TEXT_BYTES];

	if (!nmt->site_count)
		return;
	fprintf(stream, "\n       MALLOC     BLOCKS  NMT SITE\n");
	for (size_t i = 0; i < nmt->site_count && i < top; i++) {
		const struct nmt_site *site = &nmt->sites[i];

		text_escape(frames, sizeof(frames), site->frames);
		text_escape(category, sizeof(category), site->category);
		fprintf(stream, "  %11s %10s  %s: %s\n", cell_bytes(site->bytes).text,
			cell_count(site->blocks).text, category, frames);
	}
}

/* Line by line: what the JVM answers is its own. */
static void print_answer(const struct jvm_process *process, const struct jvm_options *options,
			 FILE *stream)
{
	const char *text = process->answer;

	if (process->answer_why)
		cells_paragraph(stream, "answer", process->answer_why);
	if (!text)
		return;
	fputc('\n', stream);
	if (options->trim)
		fprintf(stream, "  trimmed     %s less are resident\n",
			cell_bytes(process->trimmed_bytes).text);
	while (*text) {
		size_t length = strcspn(text, "\n");
		char *line = mem_printf("%.*s", (int)length, text);
		size_t room = 8 * length + 16;
		char *escaped = mem_alloc(room);

		text_escape(escaped, room, line);
		fprintf(stream, "  %s\n", escaped);
		mem_free(escaped);
		mem_free(line);
		text += length;
		text += *text == '\n';
	}
}

static void print_process(const struct jvm_report *report, const struct jvm_process *process,
			  const struct jvm_process *before, FILE *stream)
{
	const struct heap_process *heap = process->heap;
	const struct hotspot_facts *facts = &process->facts;
	char comm[256], release[TEXT_BYTES], collector[64];

	text_escape(comm, sizeof(comm), heap->proc.comm);
	text_escape(release, sizeof(release), facts->release);
	text_escape(collector, sizeof(collector), facts->collector);
	fprintf(stream, "\npid %d %s: HotSpot %s%s%s, RSS %s, %u threads\n", (int)heap->proc.pid,
		comm, release, *collector ? ", collector " : "", collector,
		cell_bytes(heap->proc.rss_bytes).text, heap->proc.threads);
	if (process->why) {
		cells_paragraph(stream, "note", process->why);
		return;
	}
	print_facts(facts, stream);
	if (process->nmt_why)
		cells_paragraph(stream, "NMT", process->nmt_why);
	print_rows(process, before, stream);
	if (process->nmt) {
		print_categories(process, before, report->options->top, stream);
		print_sites(process->nmt, report->options->top, stream);
	}
	if (heap->why)
		cells_paragraph(stream, "note", heap->why);
	if (heap->verdict.rule)
		cells_verdict(&heap->verdict, stream);
	print_answer(process, report->options, stream);
}

void jvm_table(const struct jvm_report *report, const struct jvm_report *before, FILE *stream)
{
	char watched[UNITS_TEXT_MAX];

	fprintf(stream, "unfreed jvm: %s", report->heaps.target);
	if (before)
		fprintf(stream, ", watched for %s",
			units_format_time(watched, report->heaps.watched_ns));
	fputc('\n', stream);
	vec_for_each (process, &report->processes)
		print_process(report, process, before ? jvm_find(before, process) : NULL, stream);
}
