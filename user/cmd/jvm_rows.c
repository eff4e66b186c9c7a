/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Lays what NMT has counted beside what is resident, and says what it cannot see. */
#include <string.h>

#include "cmd/jvm.h"

enum { PER_ROW = 3 };

/* Mappings: NMT's committed bytes of categories, and the classes where they are. */
static const struct {
	const char *name;
	const char *categories[PER_ROW];
	enum memory_class classes[PER_ROW];
	size_t class_count;
} mapped[] = {
	{ "Java heap", { "Java Heap" }, { CLASS_JAVA_HEAP }, 1 },
	{ "metaspace", { "Class", "Metaspace" }, { CLASS_METASPACE, CLASS_CLASS_SPACE }, 2 },
	{ "code cache", { "Code" }, { CLASS_CODE_CACHE }, 1 },
	{ "GC tables", { "GC" }, { CLASS_GC_TABLE }, 1 },
	{ "CDS archive", { "Shared class space" }, { CLASS_CDS_ARCHIVE }, 1 },
	{ "thread stacks", { "Thread", "Thread Stack" }, { CLASS_THREAD_STACK }, 1 },
};

/* What is malloc's own. */
static const enum memory_class blocks[] = {
	CLASS_MAIN_HEAP, CLASS_ARENA,	 CLASS_MMAPPED_BLOCK, CLASS_JEMALLOC,
	CLASS_TCMALLOC,	 CLASS_MIMALLOC, CLASS_MUSL,	      CLASS_OTHER_ALLOCATOR,
};

static struct jvm_row *add(struct jvm_process *process, const char *name)
{
	struct jvm_row *row = &process->rows[process->row_count++];

	row->name = name;
	return row;
}

static void add_nmt(struct jvm_row *row, uint64_t bytes)
{
	row->has_nmt = true;
	row->nmt_bytes += bytes;
}

static void add_rss(struct jvm_row *row, uint64_t bytes)
{
	row->has_rss = true;
	row->rss_bytes += bytes;
}

static uint64_t rss_of(const struct jvm_process *process, const enum memory_class *classes,
		       size_t count)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += process->heap->around[classes[i]].rss_bytes;
	return sum;
}

/* The sum of what is resident in these rows. */
static uint64_t compare_mapped(struct jvm_process *process)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < sizeof(mapped) / sizeof(mapped[0]); i++) {
		struct jvm_row *row = add(process, mapped[i].name);

		add_rss(row, rss_of(process, mapped[i].classes, mapped[i].class_count));
		sum += row->rss_bytes;
		for (size_t k = 0; process->nmt && k < PER_ROW && mapped[i].categories[k]; k++) {
			const struct nmt_category *category =
				nmt_find(process->nmt, mapped[i].categories[k]);

			if (category)
				add_nmt(row, category->mapped_bytes);
		}
	}
	return sum;
}

static void add_used(struct jvm_row *row, uint64_t bytes)
{
	row->has_used = true;
	row->used_bytes = bytes;
}

/* By the JDK's own count; to NMT, Unsafe.allocateMemory is a category of its own since JDK 11. */
static void compare_direct(struct jvm_process *process)
{
	const struct nmt_category *other = process->nmt ? nmt_find(process->nmt, "Other") : NULL;
	struct jvm_row *row;

	if (!other && !process->facts.has_direct)
		return;
	row = add(process, "  direct buffers");
	row->is_part = true;
	if (other)
		add_nmt(row, other->malloc_bytes);
	if (process->facts.has_direct)
		add_used(row, process->facts.direct_bytes);
}

static void compare_malloc(struct jvm_process *process)
{
	const struct heap_process *heap = process->heap;
	uint64_t in_use = heap->sums.in_use_bytes + heap->walk.mmapped.bytes, seen = 0;
	struct jvm_row *row = add(process, "malloc");
	bool walked = heap->walk.arenas.count;

	add_rss(row, rss_of(process, blocks, sizeof(blocks) / sizeof(blocks[0])));
	if (walked)
		add_used(row, in_use);
	if (process->nmt) {
		seen = process->nmt->malloc_bytes;
		add_nmt(row, seen);
	}
	compare_direct(process);
	if (!walked)
		return;
	if (process->nmt) {
		row = add(process, "  not NMT's (JNI, libraries)");
		row->is_part = true;
		add_used(row, in_use > seen ? in_use - seen : 0);
	}
	row = add(process, "  free, but kept");
	row->is_part = true;
	add_rss(row, heap->sums.free_resident_bytes);
}

void jvm_compare(struct jvm_process *process)
{
	uint64_t named, all = 0;
	struct jvm_row *row;

	process->row_count = 0;
	named = compare_mapped(process);
	compare_malloc(process);
	named += rss_of(process, blocks, sizeof(blocks) / sizeof(blocks[0]));
	for (size_t i = 0; i < CLASSES; i++)
		all += process->heap->around[i].rss_bytes;
	add_rss(add(process, "programs, files and the rest"), all > named ? all - named : 0);
	row = add(process, "ALL");
	add_rss(row, all);
	if (process->nmt)
		add_nmt(row, process->nmt->committed_bytes);
}

int64_t jvm_row_growth(const struct jvm_row *row, const struct jvm_row *before)
{
	if (row->has_rss)
		return (int64_t)(row->rss_bytes - before->rss_bytes);
	if (row->has_used)
		return (int64_t)(row->used_bytes - before->used_bytes);
	return (int64_t)(row->nmt_bytes - before->nmt_bytes);
}
