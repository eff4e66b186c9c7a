/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tables of names, and the few rules about neighbours. */
#include "survey/classify.h"

#include <stdlib.h>
#include <string.h>

struct rule {
	const char *prefix;
	enum memory_class class;
};

/* Names that the kernel gives; the first that fits counts. Documentation/filesystems/proc.rst */
static const struct rule kernel_names[] = {
	{ "[heap]", CLASS_MAIN_HEAP },
	{ "[stack", CLASS_THREAD_STACK },
	{ "[anon_shmem:", CLASS_SHARED_MEMORY },
	{ "[", CLASS_KERNEL_PAGE }, /* vdso, vvar, vsyscall, uprobes … */
	{ "anon_inode:[io_uring]", CLASS_IO_URING },
	{ "anon_inode:", CLASS_DEVICE }, /* perf_event, bpf-map, kvm-vcpu … */
	{ "/memfd:java_heap", CLASS_JAVA_HEAP }, /* ZGC: zPhysicalMemoryBacking_linux.cpp */
	{ "/memfd:", CLASS_SHARED_MEMORY },
	{ "/SYSV", CLASS_SHARED_MEMORY },
	{ "/dev/zero", CLASS_SHARED_MEMORY }, /* MAP_SHARED | MAP_ANONYMOUS */
	{ "/dev/shm/", CLASS_SHARED_MEMORY },
	{ "/dev/", CLASS_DEVICE },
	{ "/", CLASS_FILE },
	{ "", CLASS_DEVICE }, /* socket:[…], i915 and kin */
};

/* Names that programs give to anonymous memory by PR_SET_VMA_ANON_NAME. */
static const struct rule anonymous_names[] = {
	{ "jemalloc", CLASS_JEMALLOC }, /* src/pages.c: jemalloc_pg */
	{ "tcmalloc", CLASS_TCMALLOC },
	{ "mimalloc", CLASS_MIMALLOC },
	{ "scudo", CLASS_OTHER_ALLOCATOR },
	{ "partition_alloc", CLASS_OTHER_ALLOCATOR },
	{ "GWP-ASan", CLASS_OTHER_ALLOCATOR },
	{ "libc_malloc", CLASS_OTHER_ALLOCATOR },
	/* glibc's, where GLIBC_TUNABLES has glibc.mem.decorate_maps=1 */
	{ " glibc: malloc arena", CLASS_ARENA },
	{ " glibc: malloc", CLASS_MMAPPED_BLOCK },
	{ " glibc: loader malloc", CLASS_LIBRARY_DATA },
	{ " glibc: pthread", CLASS_THREAD_STACK },
	{ "stack_and_tls:", CLASS_THREAD_STACK },
	{ ".bss", CLASS_LIBRARY_DATA },
	{ "v8", CLASS_RUNTIME_HEAP },
	{ "cpython", CLASS_RUNTIME_HEAP },
	{ " Go:", CLASS_RUNTIME_HEAP },
	{ "dalvik-", CLASS_RUNTIME_HEAP },
	{ "", CLASS_NAMED },
};

#define STARTS_WITH(text, prefix) (!strncmp(text, prefix, strlen(prefix)))

static enum memory_class by_name(const struct rule *rules, const char *name)
{
	while (!STARTS_WITH(name, rules->prefix))
		rules++;
	return rules->class;
}

/* -- files ------------------------------------------------------------------------------------- */

struct file {
	uint64_t device, inode;
};

struct state {
	const struct classify *input;
	VEC(struct file) code; /* files that are mapped executable, sorted */
	classify_emit_fn emit;
	void *context;
	/* Of the row before, where it ends at the start of this one; else CLASS_UNKNOWN. */
	enum memory_class before;
	const char *before_name;
};

static int compare_files(const void *left, const void *right)
{
	const struct file *a = left, *b = right;

	if (a->device != b->device)
		return a->device < b->device ? -1 : 1;
	return (a->inode > b->inode) - (a->inode < b->inode);
}

static struct file file_of(const struct map *map)
{
	return (struct file){ classify_device(map->major, map->minor), map->inode };
}

static void find_code(struct state *state)
{
	for (size_t i = 0; i < state->input->count; i++) {
		const struct map *map = &state->input->rows[i].map;

		if (map->executable && map->inode)
			*vec_add(&state->code) = file_of(map);
	}
	if (state->code.count)
		qsort(state->code.items, state->code.count, sizeof(struct file), compare_files);
}

static bool is_code(const struct state *state, const struct map *map)
{
	struct file file = file_of(map);

	return state->code.count &&
	       bsearch(&file, state->code.items, state->code.count, sizeof(file), compare_files);
}

static bool is_tmpfs(const struct classify *input, const struct map *map)
{
	for (size_t i = 0; i < input->tmpfs_count; i++)
		if (input->tmpfs[i] == classify_device(map->major, map->minor))
			return true;
	return false;
}

/* Code and constants, or variables: what can be written to, or was, as relocations are. */
static enum memory_class class_of_code(const struct state *state, const struct smap *smap)
{
	const struct classify *input = state->input;
	bool data = smap->map.writable || smap->anonymous_bytes;

	if (input->program && !strcmp(input->program, smap->map.path))
		return data ? CLASS_PROGRAM_DATA : CLASS_PROGRAM_TEXT;
	return data ? CLASS_LIBRARY_DATA : CLASS_LIBRARY_TEXT;
}

static enum memory_class class_of_file(const struct state *state, const struct smap *smap)
{
	const struct map *map = &smap->map;
	enum memory_class class = by_name(kernel_names, map->path);
	size_t length = strlen(map->path);

	if (map->executable && (STARTS_WITH(map->path, "/memfd:") || map->shared))
		return CLASS_JIT_CODE;
	if (class != CLASS_FILE)
		return class;
	if (is_code(state, map) && !map->shared)
		return class_of_code(state, smap);
	if (length > 4 && !strcmp(map->path + length - 4, ".jsa"))
		return CLASS_CDS_ARCHIVE;
	return is_tmpfs(state->input, map) ? CLASS_SHARED_MEMORY : CLASS_FILE;
}

/* -- anonymous memory -------------------------------------------------------------------------- */

static bool is_anonymous_path(const char *path)
{
	return !path || STARTS_WITH(path, "/anon_hugepage");
}

bool classify_is_plain(const struct map *map)
{
	return !map->shared && is_anonymous_path(map->path);
}

static bool is_data(enum memory_class class)
{
	return class == CLASS_PROGRAM_DATA || class == CLASS_LIBRARY_DATA;
}

static bool is_accessible(const struct map *map)
{
	return map->readable || map->writable || map->executable;
}

/* A row that nobody claims. A file's variables go on behind it in anonymous memory: .bss. */
static enum memory_class class_of_plain(const struct state *state, const struct smap *smap,
					const char **name)
{
	const struct map *map = &smap->map;

	*name = NULL;
	if (!is_accessible(map))
		return CLASS_RESERVED;
	if (map->executable)
		return CLASS_JIT_CODE;
	if (is_data(state->before) && map->writable) {
		*name = state->before_name;
		return state->before;
	}
	return map->writable ? state->input->residual : CLASS_UNKNOWN;
}

/* A mapping's class, by what the kernel says of it and its neighbour. */
static enum memory_class class_of(const struct state *state, const struct smap *smap,
				  const char **name)
{
	const struct map *map = &smap->map;

	*name = map->path;
	if (classify_is_plain(map))
		return class_of_plain(state, smap, name);
	if (!map->path)
		return CLASS_SHARED_MEMORY;
	if (STARTS_WITH(map->path, "[anon:"))
		return by_name(anonymous_names, map->path + strlen("[anon:"));
	return class_of_file(state, smap);
}

/* -- parts ------------------------------------------------------------------------------------- */

/* The stretch of a row from one owner to the next. */
struct part {
	uint64_t start, end;
	enum memory_class class;
	const char *name;
	uint64_t pages;
};

static struct figures figures_of(const struct smap *smap)
{
	return (struct figures){
		.mappings = 1,
		.size_bytes = smap->map.end - smap->map.start,
		.rss_bytes = smap->rss_bytes,
		.pss_bytes = smap->pss_bytes,
		.private_dirty_bytes = smap->private_dirty_bytes,
		.swap_bytes = smap->swap_bytes,
		.huge_bytes = smap->huge_bytes,
		.hugetlb_bytes = smap->hugetlb_bytes,
	};
}

static void emit_part(struct state *state, const struct smap *smap, const struct part *part,
		      const struct figures *figures)
{
	const struct map *map = &smap->map;
	struct footprint_mapping mapping = {
		.start = part->start,
		.end = part->end,
		.permissions = { map->readable ? 'r' : '-', map->writable ? 'w' : '-',
				 map->executable ? 'x' : '-', map->shared ? 's' : 'p' },
		.class = part->class,
		.name = part->name,
		.figures = *figures,
	};

	state->emit(&mapping, state->context);
	state->before = part->class;
	state->before_name = part->name;
}

typedef VEC(struct part) part_list;

/* The claimed parts of a row, and what lies between them. */
static void split(const struct state *state, const struct smap *smap, part_list *parts)
{
	const struct claims *claims = state->input->claims;
	uint64_t at = smap->map.start, end = smap->map.end;
	const char *name;
	enum memory_class class = class_of(state, smap, &name);
	size_t i = claims_seek(claims, at);

	for (; classify_is_plain(&smap->map) && at < end && i < claims->rows.count; i++) {
		const struct claim *claim = &claims->rows.items[i];
		uint64_t stop = claim->end < end ? claim->end : end;

		if (claim->start >= end)
			break;
		if (claim->start > at)
			*vec_add(parts) = (struct part){ at, claim->start, class, name, 0 };
		if (claim->start > at)
			at = claim->start;
		*vec_add(parts) = (struct part){ at, stop, claim->class, claim->name, 0 };
		at = stop;
	}
	if (at < end)
		*vec_add(parts) = (struct part){ at, end, class, name, 0 };
}

/* Parts next to each other with one owner are one. */
static void join(part_list *parts)
{
	size_t kept = 0;

	vec_for_each (part, parts) {
		struct part *last = kept ? &parts->items[kept - 1] : NULL;

		if (last && last->class == part->class && last->name == part->name)
			last->end = part->end;
		else
			parts->items[kept++] = *part;
	}
	parts->count = kept;
}

/* What a part has of bytes, by its pages; whole pages, where bytes are such. */
static uint64_t portion(uint64_t bytes, uint64_t pages, uint64_t all, uint64_t unit)
{
	if (!all)
		return 0;
	return (uint64_t)((unsigned __int128)(bytes / unit) * pages / all) * unit;
}

/* Divides a row among its owners by the pages that each has there; the last has what is left, so
 * that the sums stay. */
static void emit_parts(struct state *state, const struct smap *smap, part_list *parts)
{
	const struct classify *input = state->input;
	struct figures left = figures_of(smap);
	uint64_t all = 0;

	vec_for_each (part, parts)
		all += part->pages = input->pages(part->start, part->end, input->context);
	vec_for_each (part, parts) {
		struct figures figures = left;

		figures.mappings = part == parts->items;
		figures.size_bytes = part->end - part->start;
		if (part + 1 < parts->items + parts->count) {
			uint64_t unit = input->page_bytes;

			figures.rss_bytes = portion(left.rss_bytes, part->pages, all, unit);
			figures.pss_bytes = portion(left.pss_bytes, part->pages, all, 1024);
			figures.private_dirty_bytes =
				portion(left.private_dirty_bytes, part->pages, all, unit);
			figures.swap_bytes = portion(left.swap_bytes, part->pages, all, unit);
			figures.huge_bytes = portion(left.huge_bytes, part->pages, all, unit);
			figures.hugetlb_bytes = portion(left.hugetlb_bytes, part->pages, all, unit);
		}
		left.rss_bytes -= figures.rss_bytes;
		left.pss_bytes -= figures.pss_bytes;
		left.private_dirty_bytes -= figures.private_dirty_bytes;
		left.swap_bytes -= figures.swap_bytes;
		left.huge_bytes -= figures.huge_bytes;
		left.hugetlb_bytes -= figures.hugetlb_bytes;
		all -= part->pages;
		emit_part(state, smap, part, &figures);
	}
}

/* -- the whole --------------------------------------------------------------------------------- */

enum { GUARD_MAX_BYTES = 16 << 20 };

/* What has no access and ends where a stack begins keeps that stack from growing into others. */
static bool is_guard(const struct classify *input, size_t i, const struct part *part)
{
	const struct map *next = i + 1 < input->count ? &input->rows[i + 1].map : NULL;
	size_t claim;

	if (part->class != CLASS_RESERVED || !next || next->start != part->end ||
	    part->end - part->start > GUARD_MAX_BYTES)
		return false;
	claim = claims_seek(input->claims, next->start);
	return claim < input->claims->rows.count &&
	       input->claims->rows.items[claim].start == next->start &&
	       input->claims->rows.items[claim].class == CLASS_THREAD_STACK;
}

static void classify_row(struct state *state, size_t i, part_list *parts)
{
	const struct smap *smap = &state->input->rows[i];
	struct part *last;
	struct figures figures;

	if (!i || smap[-1].map.end != smap->map.start) {
		state->before = CLASS_UNKNOWN;
		state->before_name = NULL;
	}
	parts->count = 0;
	split(state, smap, parts);
	join(parts);
	last = &parts->items[parts->count - 1];
	if (is_guard(state->input, i, last))
		last->class = CLASS_STACK_GUARD;
	figures = figures_of(smap);
	if (parts->count == 1)
		emit_part(state, smap, last, &figures);
	else
		emit_parts(state, smap, parts);
}

void classify(const struct classify *input, classify_emit_fn emit, void *context)
{
	struct state state = {
		.input = input,
		.emit = emit,
		.context = context,
		.before = CLASS_UNKNOWN,
	};
	part_list parts = { 0 };

	find_code(&state);
	for (size_t i = 0; i < input->count; i++)
		classify_row(&state, i, &parts);
	vec_free(&parts);
	vec_free(&state.code);
}
