/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What allocators and runtimes leave at the start of what they map, told by its shape. The kernel
 * joins mappings that lie side by side, so that from the start of one, piece after piece is told as
 * long as each says how long it is.
 */
#include <stdio.h>
#include <string.h>

#include "glibc/recognise.h"
#include "survey/classify.h"
#include "survey/evidence.h"

enum { HEAD_BYTES = 64 };

struct head {
	struct evidence *evidence;
	uint64_t address, end; /* of what is left of the mapping */
	uint64_t words[HEAD_BYTES / 8];
};

/* -- arenas ------------------------------------------------------------------------------------ */

static void claim_heaps(struct evidence *evidence, const struct map *map)
{
	const uint64_t step = GLIBC_HEAP_BYTES;
	uint64_t at = (map->start + step - 1) & ~(step - 1);
	uint8_t header[RECOGNISE_HEAP_BYTES];
	struct glibc_heap heap;
	char name[40];

	for (; at < map->end; at += step) {
		if (claims_touch(&evidence->claims, at, at + 1) ||
		    !evidence_read(evidence, at, header, sizeof(header)) ||
		    !glibc_heap_recognise(&heap, at, header))
			continue;
		snprintf(name, sizeof(name), "arena %llx", (unsigned long long)heap.arena);
		claims_add(&evidence->claims, at, at + step, CLASS_ARENA,
			   footprint_string(evidence->footprint, name));
	}
}

/* -- pieces ------------------------------------------------------------------------------------ */

static uint64_t glibc_block(const struct head *head)
{
	return glibc_block_recognise(head->address, (const uint8_t *)head->words,
				     head->evidence->page_bytes);
}

/* musl's mallocng (src/malloc/mallocng/meta.h): a group points to its struct meta, whose third word
 * points back, and whose fifth has the mapping's pages above its low 12 bits. */
static uint64_t musl_group(const struct head *head)
{
	uint64_t meta[5];

	if (head->words[0] < head->evidence->page_bytes || head->words[0] % 8 ||
	    !evidence_read(head->evidence, head->words[0], meta, sizeof(meta)))
		return 0;
	return meta[2] == head->address ? meta[4] >> 12 << 12 : 0;
}

/*
 * CPython's arenas (Objects/obmalloc.c): pools, the first at the first multiple of a pool's size.
 * A pool's header has at 36 the index of its size class, and at 44 the offset of its last block.
 */
static bool python_pool(struct evidence *evidence, uint64_t address, uint32_t pool_bytes)
{
	uint32_t header[12];
	uint64_t size16, size8;

	if (!evidence_read(evidence, address, header, sizeof(header)) || header[9] >= 64)
		return false;
	size16 = (header[9] + 1) * 16;
	size8 = (header[9] + 1) * 8;
	return (header[11] == pool_bytes - size16 || header[11] == pool_bytes - size8) &&
	       header[10] >= 48 && header[10] <= pool_bytes && header[0] <= pool_bytes / 8 &&
	       header[8] < 1 << 24;
}

static uint64_t python_arena(const struct head *head)
{
	static const struct {
		uint32_t arena_bytes, pool_bytes;
	} kinds[] = { { 1 << 20, 16 << 10 }, { 256 << 10, 4 << 10 } }; /* from 3.10 on, before */

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		uint64_t pool = (head->address + kinds[i].pool_bytes - 1) &
				~(uint64_t)(kinds[i].pool_bytes - 1);

		if (head->end - head->address >= kinds[i].arena_bytes &&
		    python_pool(head->evidence, pool, kinds[i].pool_bytes))
			return kinds[i].arena_bytes;
	}
	return 0;
}

/* V8 (src/heap/basic-memory-chunk.h): a chunk, aligned to 256 KiB, begins with its size and, some
 * words on, the bounds of what objects take of it. */
static uint64_t v8_chunk(const struct head *head)
{
	enum { ALIGNMENT = 256 << 10 };
	uint64_t bytes = head->words[0];

	if (head->address % ALIGNMENT || bytes < 4096 || bytes > INT64_MAX / 2)
		return 0;
	for (size_t i = 2; i + 1 < HEAD_BYTES / 8; i++) {
		uint64_t from = head->words[i], to = head->words[i + 1];

		if (from > head->address && from < to && to <= head->address + bytes &&
		    to > head->address + bytes - 4096)
			return bytes;
	}
	return 0;
}

static const char v8_name[] = "V8 heap", partition_name[] = "PartitionAlloc";

/* How long the piece is that begins here; 0: it is none of this kind. */
static const struct {
	uint64_t (*bytes)(const struct head *head);
	enum memory_class class;
	const char *name;
} kinds[] = {
	{ glibc_block, CLASS_MMAPPED_BLOCK, NULL },
	{ python_arena, CLASS_RUNTIME_HEAP, "Python objects" },
	{ v8_chunk, CLASS_RUNTIME_HEAP, v8_name },
	{ musl_group, CLASS_MUSL, NULL },
};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

/* Claims the piece at the head; its length, 0: nobody knows it. */
static uint64_t claim_piece(const struct head *head)
{
	for (size_t i = 0; i < KINDS; i++) {
		uint64_t bytes = kinds[i].bytes(head), left = head->end - head->address;

		if (!bytes)
			continue;
		/* Where the mapping ends before, part of it is protected otherwise. */
		if (bytes > left)
			bytes = left;
		claims_add(&head->evidence->claims, head->address, head->address + bytes,
			   kinds[i].class, kinds[i].name);
		return bytes;
	}
	return 0;
}

/* From the start of a mapping, whose first bytes are in the head. */
static void claim_pieces(struct head *head, const struct map *map)
{
	struct evidence *evidence = head->evidence;

	head->address = map->start;
	while (head->address < map->end) {
		size_t next = claims_seek(&evidence->claims, head->address);
		const struct claim *claim = next < evidence->claims.rows.count
						    ? &evidence->claims.rows.items[next]
						    : NULL;
		uint64_t bytes;

		if (claim && claim->start <= head->address) {
			head->address = claim->end;
			bytes = 0;
		} else {
			head->end = claim && claim->start < map->end ? claim->start : map->end;
			bytes = claim_piece(head);
			if (!bytes)
				break;
		}
		head->address += bytes;
		/* A piece's first page may never have been touched: Python's pools begin later. */
		if (head->address < map->end &&
		    !evidence_read(evidence, head->address, head->words, sizeof(head->words)))
			memset(head->words, 0, sizeof(head->words));
	}
}

/* -- PartitionAlloc ---------------------------------------------------------------------------- */

enum { SUPER_PAGE_BYTES = 2 << 20, PAYLOAD_OFFSET = 16 << 10 };

static bool is_plain_at(const struct smap *smap, uint64_t start, uint64_t end, bool writable)
{
	return classify_is_plain(&smap->map) && smap->map.start >= start && smap->map.end == end &&
	       smap->map.writable == writable && (writable || !smap->map.readable);
}

/*
 * Chromium's PartitionAlloc says nothing at the start of its memory; its super pages have a shape
 * of their own (partition_alloc_constants.h): aligned to 2 MiB, a guard, a page about the slots,
 * another guard, and 16 KiB on the slots themselves.
 */
static void claim_super_page(struct evidence *evidence, const struct smap *smap)
{
	uint64_t start = smap->map.start - PAYLOAD_OFFSET, end = start + SUPER_PAGE_BYTES;

	if (smap->map.start % SUPER_PAGE_BYTES != PAYLOAD_OFFSET || !smap->map.writable ||
	    !is_plain_at(&smap[-1], start, smap->map.start, false) ||
	    !is_plain_at(&smap[-2], start, smap[-1].map.start, true))
		return;
	/* One that is larger than a super page is a single block. */
	claims_add(&evidence->claims, start, smap->map.end > end ? smap->map.end : end,
		   CLASS_OTHER_ALLOCATOR, partition_name);
}

/* -- cages ------------------------------------------------------------------------------------- */

#define CAGE_BYTES (1ULL << 30)

/* A Chromium whose V8 has hardly run shows by its allocator. */
static bool has_v8(const struct evidence *evidence)
{
	vec_for_each (claim, &evidence->claims.rows)
		if (claim->name == v8_name || claim->name == partition_name)
			return true;
	return false;
}

/*
 * Where V8 is, what is in use of a reservation of gigabytes is its own, or PartitionAlloc's: tables
 * of pointers, and C++ objects that are collected, lie in cages, too, and say nothing of
 * themselves.
 */
static void claim_cages(struct evidence *evidence)
{
	const struct smap *rows = evidence->smaps->rows.items;
	size_t count = evidence->smaps->rows.count, end;

	for (size_t i = 0; i < count; i = end) {
		for (end = i + 1; end < count && classify_is_plain(&rows[end].map) &&
				  rows[end].map.start == rows[end - 1].map.end;)
			end++;
		if (rows[end - 1].map.end - rows[i].map.start < CAGE_BYTES ||
		    !classify_is_plain(&rows[i].map))
			continue;
		for (size_t k = i; k < end; k++) {
			const struct map *map = &rows[k].map;

			if (rows[k].rss_bytes)
				claims_add(&evidence->claims, map->start, map->end,
					   CLASS_RUNTIME_HEAP, "V8's or PartitionAlloc's cage");
		}
	}
}

static bool is_candidate(const struct smap *smap)
{
	return classify_is_plain(&smap->map) && smap->map.readable && smap->rss_bytes;
}

void evidence_blocks(struct evidence *evidence)
{
	size_t count = evidence->smaps->rows.count, used = 0;
	struct resident_piece *pieces = mem_array(count, sizeof(*pieces));
	struct head *heads = mem_array(count, sizeof(*heads));

	vec_for_each (smap, &evidence->smaps->rows) {
		if (!is_candidate(smap))
			continue;
		heads[used].evidence = evidence;
		pieces[used] = (struct resident_piece){ smap->map.start, heads[used].words,
							HEAD_BYTES, false };
		used++;
	}
	resident_read_all(evidence->resident, pieces, used);
	used = 0;
	vec_for_each (smap, &evidence->smaps->rows) {
		if (!is_candidate(smap))
			continue;
		if (!pieces[used].is_read)
			memset(heads[used].words, 0, HEAD_BYTES);
		claim_heaps(evidence, &smap->map);
		claim_pieces(&heads[used++], &smap->map);
	}
	for (size_t i = 2; i < count; i++)
		claim_super_page(evidence, &evidence->smaps->rows.items[i]);
	if (has_v8(evidence))
		claim_cages(evidence);
	mem_free(heads);
	mem_free(pieces);
}
