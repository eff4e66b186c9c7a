/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * struct malloc_par lies near the main arena. What it begins and ends with differs between
 * versions; sbrk_base, the start of the main heap, is what it is known by:
 *
 * trim_threshold, top_pad, mmap_threshold, arena_test, arena_max, [thp_mode (2.43)], [thp_pagesize,
 * hp_pagesize, int hp_flags (2.35)], int n_mmaps, n_mmaps_max, max_n_mmaps, no_dyn_threshold,
 * mmapped_mem, max_mmapped_mem, [max_total_mem (to 2.23)], sbrk_base, …
 */
#include "glibc/mmapped.h"

#include <string.h>

#include "glibc/chunks.h"
#include "glibc/recognise.h"

enum {
	NEAR_BYTES = 16384,
	SEARCHED_PAGES = 1 << 18, /* for blocks that do not begin a mapping: 1 GiB */
	BLOCKS_MAX = 1 << 20,
	N_MMAPS_MAX = 65536, /* the default of M_MMAP_MAX */
	SETTINGS = 5, /* words, from trim_threshold to arena_max */
	NEWER_MAX = 4, /* words that versions have put behind these */
	ARENA_TEST = 8, /* the default: NARENAS_FROM_NCORES(1) */
};

/* -- settings ---------------------------------------------------------------------------------- */

/* What stands before counts, as many words back as arena_test says. */
static void take_thresholds(struct mmapped *mmapped, const uint64_t *counts)
{
	for (size_t newer = 0; newer <= NEWER_MAX; newer++) {
		const uint64_t *settings = counts - newer - SETTINGS;

		if (settings[3] != ARENA_TEST)
			continue;
		mmapped->has_settings = true;
		mmapped->trim_threshold_bytes = settings[0];
		mmapped->mmap_threshold_bytes = settings[2];
		mmapped->arena_max = settings[4];
		return;
	}
}

/* end: where sbrk_base stands. Whether gap words before it mmapped_mem does. */
static bool take_sums(struct mmapped *mmapped, const uint64_t *end, size_t gap)
{
	const uint64_t *sums = end - gap;
	uint32_t counts[6];
	size_t first;

	memcpy(counts, sums - 3, sizeof(counts));
	if (sums[0] > sums[1] || sums[0] % READER_PAGE || sums[1] % READER_PAGE)
		return false;
	/* hp_flags, n_mmaps, n_mmaps_max, max_n_mmaps, no_dyn_threshold, padding: or the middle */
	if (counts[2] == N_MMAPS_MAX && counts[4] <= 1)
		first = 1;
	else if (counts[3] == N_MMAPS_MAX && counts[5] <= 1)
		first = 2;
	else
		return false;
	if (counts[first] > counts[first + 2] || !counts[first] != !sums[0])
		return false;
	mmapped->counted = true;
	mmapped->blocks = counts[first];
	mmapped->bytes = sums[0];
	take_thresholds(mmapped, first == 1 ? sums - 3 : sums - 2);
	return true;
}

static void find_settings(struct mmapped *mmapped, struct reader *reader,
			  const struct arenas *arenas)
{
	const struct arena *main = &arenas->rows.items[0];
	uint64_t words[NEAR_BYTES * 2 / 8], start = main->address - NEAR_BYTES;
	size_t count = 0;

	/* Page by page: what is not there around it is zero. */
	for (; count < sizeof(words) / 8; count += READER_PAGE / 8)
		reader_read(reader, start + count * 8, &words[count], READER_PAGE);
	for (size_t i = 16; i < count; i++) {
		const struct heap_span *span = arenas_span(arenas, words[i] ? words[i] + 16 : 0);

		if (!span || span->arena || span->start - words[i] > 15)
			continue;
		if (take_sums(mmapped, &words[i], 2) || take_sums(mmapped, &words[i], 3))
			return;
	}
}

/* -- blocks ------------------------------------------------------------------------------------ */

static bool may_hold_blocks(const struct map *map)
{
	return map->readable && map->writable && !map->shared && !map->inode &&
	       (!map->path || !strncmp(map->path, "[anon", 5));
}

/* The mapping's bytes of a block that begins at address, or 0. */
uint64_t mmapped_block_at(struct reader *reader, uint64_t address, uint64_t end)
{
	uint8_t header[RECOGNISE_BLOCK_BYTES];
	uint64_t bytes;

	if (!reader_read(reader, address, header, sizeof(header)))
		return 0;
	bytes = glibc_block_recognise(address, header, READER_PAGE);
	return bytes > end - address ? 0 : bytes;
}

static bool wants_more(const struct mmapped *mmapped)
{
	if (mmapped->found.count >= BLOCKS_MAX)
		return false;
	return !mmapped->counted || mmapped->found.count < mmapped->blocks;
}

/* Adds the blocks that lie one behind the other from address on; where they end. */
static uint64_t add_blocks(struct mmapped *mmapped, struct reader *reader, uint64_t address,
			   uint64_t end)
{
	uint64_t bytes;

	while (wants_more(mmapped) && address < end &&
	       (bytes = mmapped_block_at(reader, address, end))) {
		*vec_add(&mmapped->found) = (struct mmapped_block){ address, bytes };
		address += bytes;
	}
	return address;
}

/* Mappings side by side are one to the kernel: blocks may begin at any of its pages. */
static void search(struct mmapped *mmapped, struct reader *reader, const struct map *map,
		   uint64_t from, size_t *pages_left)
{
	while (from < map->end && wants_more(mmapped) && *pages_left && !reader_is_over(reader)) {
		uint64_t next = add_blocks(mmapped, reader, from, map->end);

		from = next == from ? from + READER_PAGE : next;
		--*pages_left;
	}
}

static bool holds_heap(const struct arenas *arenas, const struct map *map)
{
	vec_for_each (span, &arenas->spans) {
		if (span->start < map->end && span->end > map->start)
			return true;
	}
	return false;
}

void mmapped_find(struct mmapped *mmapped, struct reader *reader, const struct maps *maps,
		  const struct arenas *arenas)
{
	uint64_t *ends = mem_array(maps->rows.count + 1, sizeof(*ends));
	size_t pages_left = SEARCHED_PAGES, row = 0;

	*mmapped = (struct mmapped){ 0 };
	find_settings(mmapped, reader, arenas);
	vec_for_each (map, &maps->rows) {
		ends[row] = may_hold_blocks(map) ? add_blocks(mmapped, reader, map->start, map->end)
						 : map->end;
		if (holds_heap(arenas, map))
			ends[row] = map->end;
		row++;
	}
	for (row = 0; row < maps->rows.count; row++)
		search(mmapped, reader, &maps->rows.items[row], ends[row], &pages_left);
	mem_free(ends);
	vec_for_each (block, &mmapped->found) {
		reader_count(reader, block->address, block->address + block->size_bytes,
			     &mmapped->resident_bytes, &mmapped->swapped_bytes);
		if (!mmapped->counted)
			mmapped->bytes += block->size_bytes;
	}
	if (!mmapped->counted)
		mmapped->blocks = mmapped->found.count;
}

void mmapped_free(struct mmapped *mmapped)
{
	vec_free(&mmapped->found);
}
