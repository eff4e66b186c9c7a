/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Arenas, their chunks, and what of these is free without looking it. */
#include "glibc/walk.h"

#include <stdlib.h>

#include "glibc/chunks.h"

enum { CANDIDATES_MAX = 1 << 20, WATCHED_MAX = 8 };

struct candidate {
	uint64_t address, size_bytes;
};

struct walking {
	struct walk *walk;
	struct reader *reader;
	const struct maps *maps;
	struct arenas arenas;
	struct lists lists;
	VEC(uint64_t) fast; /* addresses of the chunks in fastbins, in order */
	struct sizes sizes;
	uint64_t watched[WATCHED_MAX + 4];
	const struct walk_watch *watch;
	VEC(struct candidate) tcaches; /* chunks that may hold one */
	VEC(struct candidate) seen; /* that watch wants */
};

static bool is_among(const uint64_t *sizes, uint64_t size_bytes)
{
	while (*sizes && *sizes != size_bytes)
		sizes++;
	return *sizes;
}

static void see(void *context, uint64_t address, uint64_t size_bytes, const uint8_t *bytes,
		size_t count)
{
	struct walking *walking = context;

	if (is_among(tcache_sizes, size_bytes) && walking->tcaches.count < CANDIDATES_MAX &&
	    tcache_fits(bytes, count, size_bytes))
		*vec_add(&walking->tcaches) = (struct candidate){ address, size_bytes };
	if (walking->watch && walking->seen.count < CANDIDATES_MAX &&
	    is_among(walking->watch->sizes, size_bytes))
		*vec_add(&walking->seen) = (struct candidate){ address, size_bytes };
}

/* Sizes that a tcache has, and those of the watch. */
static void set_watched(struct walking *walking)
{
	size_t count = 0;

	for (const uint64_t *size = tcache_sizes; *size; size++)
		walking->watched[count++] = *size;
	for (size_t i = 0; walking->watch && walking->watch->sizes[i] && i < WATCHED_MAX; i++)
		walking->watched[count++] = walking->watch->sizes[i];
}

/* -- chunks ------------------------------------------------------------------------------------ */

static void walk_span(struct walking *walking, const struct heap_span *span)
{
	const struct arena *arena = &walking->arenas.rows.items[span->arena];
	struct walk_arena *sums = &walking->walk->arenas.items[span->arena];
	bool has_top = arena->top >= span->start && arena->top < span->end;
	struct chunks chunks = { 0 };
	uint64_t swapped = 0;

	chunks_walk(
		&(struct chunks_walk){
			.reader = walking->reader,
			.start = span->start,
			.end = span->end,
			.top = has_top ? arena->top : 0,
			.main = arena->main,
			.sizes = &walking->sizes,
			.fast = walking->fast.items,
			.fast_count = walking->fast.count,
			.watched = walking->watched,
			.seen = see,
			.context = walking,
		},
		&chunks);
	sums->in_use_blocks += chunks.in_use_blocks;
	sums->binned_bytes += chunks.free_bytes;
	sums->binned_blocks += chunks.free_blocks;
	sums->unread_bytes += chunks.unread_bytes;
	sums->releasable_bytes += chunks.releasable_bytes;
	sums->pinned_bytes += chunks.whole_bytes; /* to be taken off: see end_sums */
	walking->walk->retries += chunks.retries;
	reader_count(walking->reader, page_down(span->start), page_up(span->end),
		     &sums->resident_bytes, &sums->swapped_bytes);
	if (has_top)
		reader_count(walking->reader, arena->top + CHUNK_MIN, span->end,
			     &sums->top_resident_bytes, &swapped);
}

static void walk_spans(struct walking *walking)
{
	vec_for_each (span, &walking->arenas.spans) {
		/* The walk of those before has taken its time. */
		if (arenas_span(&walking->arenas, walking->arenas.rows.items[span->arena].top) ==
		    span) {
			reader_refresh(walking->reader);
			arenas_update(&walking->arenas, walking->reader, span->arena);
		}
		walk_span(walking, span);
	}
}

/* -- what only seems to be in use -------------------------------------------------------------- */

static void take_away(struct walking *walking, const struct free_chunk *chunk, bool cached)
{
	struct walk_arena *sums = &walking->walk->arenas.items[chunk->arena];

	sizes_remove(&walking->sizes, chunk->size_bytes);
	if (sums->in_use_blocks)
		sums->in_use_blocks--;
	if (cached) {
		sums->cached_bytes += chunk->size_bytes;
		sums->cached_blocks++;
	} else {
		sums->fastbin_bytes += chunk->size_bytes;
		sums->fastbin_blocks++;
	}
}

static int by_address(const void *a, const void *b)
{
	const struct free_chunk *left = a, *right = b;

	return left->address < right->address ? -1 : left->address > right->address;
}

/* Each chunk once, however the lists are knotted. */
static void sum_list(struct walking *walking, struct free_chunk *chunks, size_t count, bool cached)
{
	if (count)
		qsort(chunks, count, sizeof(*chunks), by_address);
	for (size_t i = 0; i < count; i++) {
		if (!i || chunks[i].address != chunks[i - 1].address)
			take_away(walking, &chunks[i], cached);
	}
}

/* Before the walk: it is to know what lies between. */
static void find_fast(struct walking *walking)
{
	struct lists *lists = &walking->lists;

	lists->mangled = -1;
	lists_add_fastbins(lists, walking->reader, &walking->arenas);
	if (lists->fast.count)
		qsort(lists->fast.items, lists->fast.count, sizeof(*lists->fast.items), by_address);
	vec_for_each (chunk, &lists->fast)
		*vec_add(&walking->fast) = chunk->address;
}

/* Behind the walk, which has found the caches. */
static void find_cached(struct walking *walking)
{
	struct lists *lists = &walking->lists;

	reader_refresh(walking->reader);
	vec_for_each (candidate, &walking->tcaches)
		lists_add_tcache(lists, walking->reader, &walking->arenas, candidate->address,
				 candidate->size_bytes);
	sum_list(walking, lists->fast.items, lists->fast.count, false);
	sum_list(walking, lists->cached.items, lists->cached.count, true);
	walking->walk->cached_threads = lists->threads;
	walking->walk->broken_lists = lists->broken;
}

static bool is_free(const struct lists *lists, uint64_t address)
{
	struct free_chunk key = { .address = address };

	return (lists->fast.count &&
		bsearch(&key, lists->fast.items, lists->fast.count, sizeof(key), by_address)) ||
	       (lists->cached.count &&
		bsearch(&key, lists->cached.items, lists->cached.count, sizeof(key), by_address));
}

static void pass_on_seen(struct walking *walking)
{
	const struct walk_watch *watch = walking->watch;

	if (!watch)
		return;
	vec_for_each (chunk, &walking->seen) {
		if (!is_free(&walking->lists, chunk->address))
			watch->seen(watch->context, chunk->address, chunk->size_bytes);
	}
	vec_for_each (block, &walking->walk->mmapped.found) {
		if (is_among(watch->sizes, block->size_bytes))
			watch->seen(watch->context, block->address, block->size_bytes);
	}
}

/* -- sums -------------------------------------------------------------------------------------- */

static void begin_sums(struct walking *walking)
{
	for (size_t i = 0; i < walking->arenas.rows.count; i++)
		vec_add(&walking->walk->arenas);
}

static uint64_t minus(uint64_t from, uint64_t bytes)
{
	return from > bytes ? from - bytes : 0;
}

static void end_sums(struct walking *walking)
{
	for (size_t i = 0; i < walking->arenas.rows.count; i++) {
		const struct arena *arena = &walking->arenas.rows.items[i];
		struct walk_arena *sums = &walking->walk->arenas.items[i];

		sums->address = arena->address;
		sums->main = arena->main;
		sums->has_attached = arena->has_attached;
		sums->attached_threads = arena->attached_threads;
		sums->heaps = arena->heaps;
		sums->system_bytes = arena->system_bytes;
		sums->top_bytes = arena->top_bytes;
		/* What heaps begin with is in use, and lies in no span. */
		if (arena->span_bytes + arena->heaps * (uint64_t)READER_PAGE < arena->system_bytes)
			sums->unread_bytes += arena->system_bytes - arena->span_bytes;
		sums->free_bytes = sums->binned_bytes + sums->fastbin_bytes + sums->cached_bytes +
				   sums->top_bytes;
		sums->pinned_bytes = minus(sums->free_bytes - sums->top_bytes, sums->pinned_bytes);
		sums->in_use_bytes =
			minus(sums->system_bytes, sums->free_bytes + sums->unread_bytes);
	}
}

static void add_mmapped(struct walking *walking)
{
	struct mmapped *mmapped = &walking->walk->mmapped;

	mmapped_find(mmapped, walking->reader, walking->maps, &walking->arenas);
	vec_for_each (block, &mmapped->found)
		sizes_add(&walking->sizes, block->size_bytes);
}

int walk_heap(struct walk *walk, struct reader *reader, const struct maps *maps, uint64_t start_brk,
	      const struct walk_watch *watch)
{
	struct walking walking = { .walk = walk, .reader = reader, .maps = maps, .watch = watch };
	int error;

	*walk = (struct walk){ 0 };
	error = arenas_find(&walking.arenas, reader, maps, start_brk);
	if (!error) {
		set_watched(&walking);
		begin_sums(&walking);
		find_fast(&walking);
		walk_spans(&walking);
		find_cached(&walking);
		add_mmapped(&walking);
		end_sums(&walking);
		pass_on_seen(&walking);
		walk->sizes = sizes_rows(&walking.sizes, &walk->size_count);
		walk->library = walking.arenas.library;
		walk->broken_heaps = walking.arenas.broken_heaps;
		walk->cut = reader_is_over(reader);
		sizes_free(&walking.sizes);
	}
	vec_free(&walking.fast);
	vec_free(&walking.tcaches);
	vec_free(&walking.seen);
	lists_free(&walking.lists);
	arenas_free(&walking.arenas);
	return error;
}

void walk_free(struct walk *walk)
{
	vec_free(&walk->arenas);
	mem_free(walk->sizes);
	mmapped_free(&walk->mmapped);
	*walk = (struct walk){ 0 };
}
