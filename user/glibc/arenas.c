/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * struct malloc_state and heap_info, as glibc 2.17 to 2.43 have them (malloc/malloc.c, arena.c).
 * What a version is called does not matter: what fits is taken.
 *
 * malloc_state: mutex, flags, [have_fastchunks], [fastbinsY[10]], top, last_remainder, bins[254],
 * binmap[4], next, next_free, [attached_threads], system_mem, max_system_mem.
 */
#include "glibc/arenas.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "glibc/mmapped.h"

enum {
	BINS = 127,
	TOP_BEFORE_BINS = 16,
	FASTBINS_BEFORE_BINS = 96,
	NEXT_BEHIND_BINS = BINS * 16 + 16,
	SCAN_PAGES = 256,
	TRIES = 5,
	CANDIDATES_MAX = 4096, /* that begin well and turn out to be none */
	PAIR = 16,
};
#define SCAN_MAX_BYTES (512ULL << 20) /* of writable data of files */
#define HEAP_MAX_DEFAULT (64ULL << 20)
#define ADDRESS_MAX (1ULL << 56)

static const uint16_t distances[] = { 112, 104, 24 };

/* -- the main arena ---------------------------------------------------------------------------- */

static bool is_place(uint64_t pointer)
{
	return pointer >= READER_PAGE && pointer < ADDRESS_MAX && pointer % 16 == 0;
}

/* 127 rings of free chunks: each begins at itself, 16 bytes before, or at two chunks. */
static bool has_bins(struct reader *reader, uint64_t bins, size_t least_empty)
{
	uint64_t pairs[BINS][2];
	size_t empty = 0;

	if (!reader_read(reader, bins, pairs, sizeof(pairs)))
		return false;
	for (size_t i = 0; i < BINS; i++) {
		uint64_t self = bins + i * PAIR - 16;

		if (pairs[i][0] == self && pairs[i][1] == self)
			empty++;
		else if (!is_place(pairs[i][0]) || !is_place(pairs[i][1]))
			return false;
	}
	return empty >= least_empty;
}

/* Follows next until it comes back; 0: it does not, else how many arenas there are. */
static size_t ring_length(struct reader *reader, uint64_t bins, uint16_t distance)
{
	uint64_t first = bins - distance, at = first, mark = 0;

	for (size_t count = 1; count <= ARENAS_MAX; count++) {
		uint64_t next;

		if (!reader_u64(reader, at + distance + NEXT_BEHIND_BINS, &next) || !next ||
		    next % 8)
			return 0;
		if (next == first)
			return count;
		/* A ring without the first one comes back to a mark, set at each power of two. */
		if (next == mark)
			return 0;
		if (!(count & (count - 1)))
			mark = next;
		if (!has_bins(reader, next + distance, 0))
			return 0;
		at = next;
	}
	return 0;
}

/* The distance from its start at which the ring closes; 0: it is no main arena. */
static uint16_t distance_of(struct reader *reader, uint64_t bins)
{
	for (size_t i = 0; i < sizeof(distances) / sizeof(*distances); i++) {
		if (ring_length(reader, bins, distances[i]))
			return distances[i];
	}
	return 0;
}

/* An empty bin stands at pair: where the bins begin that it is one of; 0: nowhere. */
static uint64_t bins_around(struct reader *reader, uint64_t pair, uint64_t earliest)
{
	for (uint64_t i = 0; i < BINS && pair - i * PAIR >= earliest; i++) {
		uint64_t bins = pair - i * PAIR, next;

		if (reader_u64(reader, bins + NEXT_BEHIND_BINS, &next) && next % 8 == 0 && next &&
		    has_bins(reader, bins, 1) && distance_of(reader, bins))
			return bins;
	}
	return 0;
}

struct scan {
	struct reader *reader;
	uint8_t *buffer;
	uint64_t until; /* of the mapping */
	uint64_t untried[2]; /* from here on; of pairs at 0 and at 8 modulo 16 */
	uint64_t left_bytes;
	size_t candidates;
};

/* The bins of a main arena in the pages of the buffer, from *at on; 0: none. */
static uint64_t scan_pages(struct scan *scan, uint64_t address, size_t pages, uint64_t *at)
{
	const uint64_t *words = (const uint64_t *)scan->buffer;
	size_t count = pages * READER_PAGE / sizeof(*words);

	for (size_t i = (*at - address) / sizeof(*words); i + 1 < count; i++) {
		uint64_t here = address + i * sizeof(*words), bins, *untried;

		if (words[i] != here - 16 || words[i + 1] != here - 16)
			continue;
		if (++scan->candidates > CANDIDATES_MAX)
			return 0;
		untried = &scan->untried[i % 2];
		bins = bins_around(scan->reader, here, *untried);
		*untried = here + PAIR; /* each place once, however many empty bins surround it */
		if (bins) {
			*at = bins + NEXT_BEHIND_BINS;
			return bins;
		}
	}
	*at = address + pages * READER_PAGE;
	return 0;
}

static uint64_t scan_map(struct scan *scan, uint64_t *at)
{
	uint8_t states[SCAN_PAGES];
	uint64_t bins = 0;

	while (!bins && *at < scan->until && scan->candidates <= CANDIDATES_MAX &&
	       scan->left_bytes && !reader_is_over(scan->reader)) {
		uint64_t address = page_down(*at);
		uint64_t pages = (scan->until - address) / READER_PAGE;

		if (pages > SCAN_PAGES)
			pages = SCAN_PAGES;
		scan->reader->fetch(scan->reader->context, address, pages, scan->buffer, states);
		scan->reader->met_swapped |= memchr(states, PAGE_SWAPPED, pages) != NULL;
		bins = scan_pages(scan, address, pages, at);
		scan->left_bytes -= scan->left_bytes < pages * READER_PAGE ? scan->left_bytes
									   : pages * READER_PAGE;
	}
	return bins;
}

/* -- one arena --------------------------------------------------------------------------------- */

/* attached_threads stands before the sizes from 2.23 on: which of both fits. */
static void read_sizes(struct arena *arena, const uint64_t words[3], uint16_t distance)
{
	arena->has_attached = distance != 104 || words[0] < READER_PAGE || words[0] > words[1];
	arena->attached_threads = arena->has_attached ? words[0] : 0;
	arena->system_bytes = words[arena->has_attached];
	arena->max_system_bytes = words[arena->has_attached + 1];
}

static bool read_arena(struct arena *arena, struct reader *reader, uint64_t address,
		       uint16_t distance)
{
	uint64_t bins = address + distance, sizes[3], header[2];

	*arena = (struct arena){ .address = address };
	if (!reader_u64(reader, bins - TOP_BEFORE_BINS, &arena->top) ||
	    !reader_read(reader, bins + NEXT_BEHIND_BINS + 16, sizes, sizeof(sizes)))
		return false;
	if (distance > FASTBINS_BEFORE_BINS &&
	    !reader_read(reader, bins - FASTBINS_BEFORE_BINS, arena->fastbins,
			 sizeof(arena->fastbins)))
		return false;
	read_sizes(arena, sizes, distance);
	/* Before the first malloc, top is the arena's own first bin. */
	if (arena->top == bins - 16 || !arena->system_bytes) {
		arena->top = 0;
		return true;
	}
	if (!is_place(arena->top) || !reader_read(reader, arena->top, header, sizeof(header)))
		return false;
	arena->top_bytes = header[1] & ~15ULL;
	return arena->top_bytes <= arena->system_bytes && arena->top_bytes < ADDRESS_MAX;
}

/* -- heaps ------------------------------------------------------------------------------------- */

static void add_span(struct arenas *arenas, uint64_t start, uint64_t end)
{
	struct heap_span *span = vec_add(&arenas->spans);

	*span = (struct heap_span){ start, end, arenas->rows.count - 1 };
	arenas->rows.items[span->arena].span_bytes += end - start;
}

/* The heap that top lies in begins at a multiple of its largest size, with the arena's address. */
static uint64_t heap_of(struct arenas *arenas, struct reader *reader, const struct arena *arena)
{
	static const uint64_t sizes[] = { HEAP_MAX_DEFAULT, 8ULL << 20,	 4ULL << 30, 2ULL << 20,
					  1ULL << 20,	    32ULL << 20, 1ULL << 30, 128ULL << 20,
					  256ULL << 20,	    512ULL << 20 };
	uint64_t owner;

	if (arenas->layout.heap_max_bytes)
		return arena->top & -arenas->layout.heap_max_bytes;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		uint64_t heap = arena->top & -sizes[i];

		if (reader_u64(reader, heap, &owner) && owner == arena->address) {
			arenas->layout.heap_max_bytes = sizes[i];
			return heap;
		}
	}
	return 0;
}

/* The first heap of an arena holds its malloc_state right behind the heap_info. */
static bool learn_heap_info(struct arenas *arenas, struct reader *reader, uint64_t address)
{
	static const uint16_t sizes[] = { 48, 32, 40, 64 };
	uint64_t owner;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		if ((address - sizes[i]) % READER_PAGE == 0 &&
		    reader_u64(reader, address - sizes[i], &owner) && owner == address) {
			arenas->layout.heap_info_bytes = sizes[i];
			return true;
		}
	}
	return false;
}

/* Where the chunks of a heap begin. */
static uint64_t first_chunk(const struct arenas *arenas, const struct arena *arena, uint64_t heap)
{
	uint64_t start = heap + arenas->layout.heap_info_bytes;

	if (start == arena->address)
		start += arenas->layout.start_to_bins + NEXT_BEHIND_BINS +
			 (arena->has_attached ? 40 : 32);
	return (start + 15) & ~15ULL;
}

static void add_heaps(struct arenas *arenas, struct reader *reader, const struct maps *maps,
		      struct arena *arena)
{
	uint64_t heap = heap_of(arenas, reader, arena), words[3], seen_bytes = 0;

	for (; heap; heap = words[1]) {
		const struct map *map = maps_find(maps, heap);
		bool fits = map && heap % READER_PAGE == 0 &&
			    reader_read(reader, heap, words, sizeof(words)) &&
			    words[0] == arena->address && words[2] > sizeof(words) &&
			    words[2] <= arenas->layout.heap_max_bytes &&
			    arenas->spans.count < HEAPS_MAX && seen_bytes < arena->system_bytes;

		if (!fits) {
			arenas->broken_heaps++;
			return;
		}
		add_span(arenas, first_chunk(arenas, arena, heap), heap + words[2]);
		arena->heaps++;
		seen_bytes += words[2];
	}
}

/*
 * Where brk(2) could not grow, the main arena goes on in mappings of at least 1 MiB, the newest
 * below the older ones, which the kernel makes one: the top ends the first part. What else is in
 * such a mapping is walked around (see chunks.h).
 */
static void add_split_heap(struct arenas *arenas, struct reader *reader, const struct maps *maps,
			   struct arena *arena, uint64_t start_brk)
{
	const struct map *brk = start_brk ? maps_find(maps, start_brk) : NULL;
	const struct map *map = maps_find(maps, arena->top);
	uint64_t start = map->start, end = arena->top + arena->top_bytes, block;

	/* Blocks with a mapping of their own may be below. */
	while (start < arena->top && (block = mmapped_block_at(reader, start, arena->top)))
		start += block;
	if (brk && brk != map && brk->writable) {
		add_span(arenas, (start_brk + 15) & ~15ULL, brk->end);
		arena->heaps++;
	}
	add_span(arenas, start, end);
	arena->heaps++;
	if (arena->system_bytes > end - start && map->end > end) {
		add_span(arenas, end, map->end);
		arena->heaps++;
	}
}

/* Whether writable memory leads from one address to the other without a gap. */
static bool is_joined(const struct maps *maps, uint64_t from, uint64_t to)
{
	const struct map *map = maps_find(maps, from);

	for (; map && map->writable; map++) {
		if (to < map->end)
			return true;
		if (map + 1 == maps->rows.items + maps->rows.count || map[1].start != map->end)
			return false;
	}
	return false;
}

/* What brk(2) gave ends with the top, gaps included where somebody else called it. */
static void add_main_heap(struct arenas *arenas, struct reader *reader, const struct maps *maps,
			  struct arena *arena, uint64_t start_brk)
{
	uint64_t end = arena->top + arena->top_bytes, start = end - arena->system_bytes;

	if (!arena->top || !maps_find(maps, arena->top))
		return;
	if (!start_brk || start < start_brk || start > arena->top ||
	    !is_joined(maps, start_brk, arena->top)) {
		add_split_heap(arenas, reader, maps, arena, start_brk);
		return;
	}
	add_span(arenas, (start + 15) & ~15ULL, end);
	arena->heaps = 1;
}

/* -- all of them ------------------------------------------------------------------------------- */

static int by_start(const void *a, const void *b)
{
	const struct heap_span *left = a, *right = b;

	return left->start < right->start ? -1 : left->start > right->start;
}

/* By start; what lies in another one is forged. */
static void sort_spans(struct arenas *arenas)
{
	uint64_t end = 0;
	size_t kept = 0;

	if (arenas->spans.count)
		qsort(arenas->spans.items, arenas->spans.count, sizeof(*arenas->spans.items),
		      by_start);
	vec_for_each (span, &arenas->spans) {
		if (span->start < end || span->end <= span->start) {
			arenas->broken_heaps++;
			continue;
		}
		end = span->end;
		arenas->spans.items[kept++] = *span;
	}
	arenas->spans.count = kept;
}

/* All arenas of a ring. */
static int read_ring(struct arenas *arenas, struct reader *reader, const struct maps *maps,
		     uint64_t bins, uint64_t start_brk)
{
	uint16_t distance = distance_of(reader, bins);
	uint64_t first = bins - distance, at = first;

	if (!distance)
		return -EAGAIN;
	arenas->layout.start_to_bins = distance;
	do {
		struct arena *arena = vec_add(&arenas->rows);

		if (!read_arena(arena, reader, at, distance))
			return -EAGAIN;
		arena->main = at == first;
		if (arena->main)
			add_main_heap(arenas, reader, maps, arena, start_brk);
		else if (arenas->layout.heap_info_bytes || learn_heap_info(arenas, reader, at))
			add_heaps(arenas, reader, maps, arena);
		else
			return -EAGAIN;
		if (!reader_u64(reader, at + distance + NEXT_BEHIND_BINS, &at))
			return -EAGAIN;
	} while (at != first && arenas->rows.count < ARENAS_MAX);
	return 0;
}

static void clear(struct arenas *arenas, size_t rows, size_t spans)
{
	arenas->rows.count = rows;
	arenas->spans.count = spans;
}

/* A ring that grows or shrinks while it is read is read again. */
static int add_ring(struct arenas *arenas, struct reader *reader, const struct maps *maps,
		    uint64_t bins, uint64_t start_brk)
{
	size_t rows = arenas->rows.count, spans = arenas->spans.count;
	int error = -EAGAIN;

	for (int i = 0; i < TRIES && error; i++) {
		clear(arenas, rows, spans);
		reader_refresh(reader);
		error = read_ring(arenas, reader, maps, bins, rows ? 0 : start_brk);
	}
	if (error)
		clear(arenas, rows, spans);
	return error;
}

static bool may_hold_arena(const struct map *map)
{
	return map->readable && map->writable && !map->shared && map->inode && map->path;
}

/* Why none is known, error being that of the last one that was met. */
static int none_found(const struct reader *reader, int error)
{
	if (reader->met_swapped)
		return error_set(-ENODATA,
				 "no arena of glibc is to be found in memory; some pages "
				 "are swapped out, and reading would bring them back");
	if (error)
		return error_set(-EINVAL, "its arenas are broken, or change all the time");
	return error_set(-ENOENT, "no arena of glibc is to be found");
}

int arenas_find(struct arenas *arenas, struct reader *reader, const struct maps *maps,
		uint64_t start_brk)
{
	struct scan scan = { .reader = reader, .left_bytes = SCAN_MAX_BYTES };
	int error = 0;

	*arenas = (struct arenas){ 0 };
	reader->met_swapped = false;
	scan.buffer = mem_alloc(SCAN_PAGES * READER_PAGE);
	vec_for_each (map, &maps->rows) {
		uint64_t at = map->start, bins;

		scan.untried[0] = scan.untried[1] = map->start;
		scan.until = map->end;
		scan.candidates = 0;
		while (may_hold_arena(map) && (bins = scan_map(&scan, &at))) {
			error = add_ring(arenas, reader, maps, bins, start_brk);
			if (!error && !arenas->library)
				arenas->library = map->path;
		}
	}
	mem_free(scan.buffer);
	sort_spans(arenas);
	return arenas->rows.count ? 0 : none_found(reader, error);
}

bool arenas_update(struct arenas *arenas, struct reader *reader, size_t row)
{
	struct arena *arena = &arenas->rows.items[row], now;
	const struct heap_span *old = arenas_span(arenas, arena->top);
	struct heap_span *span = old ? &arenas->spans.items[old - arenas->spans.items] : NULL;
	const struct heap_span *next = span ? span + 1 : NULL;

	if (!span || !read_arena(&now, reader, arena->address, arenas->layout.start_to_bins) ||
	    now.top < span->start || now.top_bytes < CHUNK_MIN)
		return false;
	if (next < arenas->spans.items + arenas->spans.count &&
	    now.top + now.top_bytes > next->start)
		return false;
	if (!arena->main && (now.top ^ span->start) & -arenas->layout.heap_max_bytes)
		return false;
	now.main = arena->main;
	now.heaps = arena->heaps;
	now.span_bytes = arena->span_bytes + now.top + now.top_bytes - span->end;
	*arena = now;
	span->end = now.top + now.top_bytes;
	return true;
}

void arenas_free(struct arenas *arenas)
{
	vec_free(&arenas->rows);
	vec_free(&arenas->spans);
}

const struct heap_span *arenas_span(const struct arenas *arenas, uint64_t address)
{
	size_t low = 0, high = arenas->spans.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct heap_span *span = &arenas->spans.items[middle];

		if (address < span->start)
			high = middle;
		else if (address >= span->end)
			low = middle + 1;
		else
			return span;
	}
	return NULL;
}
