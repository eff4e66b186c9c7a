/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A walk over chunks (malloc/malloc.c, "Malloc chunk representation"). */
#include "glibc/chunks.h"

#include <string.h>

enum {
	PIECE_PAGES = 128, /* 512 KiB: stays in the cache until it is walked */
	HEADER = 16,
	SMALLEST = 32,
	HEAD = 48, /* sizeof(struct malloc_chunk): malloc_trim(3) keeps it */
	CHAIN = 8, /* chunks in a row that are believed */
	TRIES = 3,
	RETRIES_MAX = 100000, /* then the heap changes too fast, or is forged */
};

/* Where a walk stands. */
struct walker {
	const struct chunks_walk *walk;
	struct chunks *chunks;
	uint8_t *buffer, *states;
	size_t pages_max; /* that the buffer holds */
	uint64_t limit; /* where chunks end: the top, or the end */
	uint64_t piece, piece_end; /* what the buffer holds */
	uint64_t recovered; /* a chunk that was read again: once is enough */
	uint64_t previous,
		previous_bytes; /* the chunk before, whose use is not known yet; 0: none */
	bool previous_fence;
	uint64_t run; /* where free chunks, one behind the other, begin; 0: the last is in use */
	size_t next_fast; /* of walk->fast */
};

static bool load(struct walker *walker, uint64_t address)
{
	uint64_t end = page_up(walker->walk->end), pages;

	if (address >= walker->piece && address + HEADER <= walker->piece_end)
		return true;
	walker->piece = page_down(address);
	pages = (end - walker->piece) / READER_PAGE;
	if (pages > walker->pages_max)
		pages = walker->pages_max;
	walker->walk->reader->fetch(walker->walk->reader->context, walker->piece, pages,
				    walker->buffer, walker->states);
	walker->piece_end = walker->piece + pages * READER_PAGE;
	return address + HEADER <= walker->piece_end;
}

/* Reads again what is there now, from address on. */
static bool reload(struct walker *walker, uint64_t address)
{
	walker->piece_end = 0;
	return load(walker, address);
}

static uint64_t word(const struct walker *walker, uint64_t address)
{
	uint64_t value;

	memcpy(&value, walker->buffer + (address - walker->piece), sizeof(value));
	return value;
}

/*
 * Whether a chunk may begin here, or a fence stand, of 16 and of 0 bytes: sysmalloc() closes a heap
 * with both.
 */
static bool fits(const struct walker *walker, uint64_t address, uint64_t size_word)
{
	uint64_t bytes = size_word & ~(uint64_t)CHUNK_FLAGS;

	if (size_word & (CHUNK_MMAPPED | 8) || bytes > walker->limit - address)
		return false;
	if (walker->walk->main && size_word & CHUNK_NON_MAIN)
		return false;
	return bytes || size_word == CHUNK_PREV_IN_USE;
}

/* -- what was found ---------------------------------------------------------------------------- */

/* The free chunks from run on end at end: the pages between are nobody else's. */
static void end_run(struct walker *walker, uint64_t end)
{
	uint64_t start = page_up(walker->run + HEAD), swapped = 0;

	end = page_down(end);
	if (!walker->run || start >= end) {
		walker->run = 0;
		return;
	}
	walker->run = 0;
	walker->chunks->whole_bytes += end - start;
	if (start < walker->piece || end > walker->piece_end) {
		reader_count(walker->walk->reader, start, end, &walker->chunks->releasable_bytes,
			     &swapped);
		return;
	}
	for (; start < end; start += READER_PAGE) {
		if (walker->states[(start - walker->piece) / READER_PAGE] == PAGE_PRESENT)
			walker->chunks->releasable_bytes += READER_PAGE;
	}
}

static bool is_fast(struct walker *walker, uint64_t address)
{
	const struct chunks_walk *walk = walker->walk;

	while (walker->next_fast < walk->fast_count && walk->fast[walker->next_fast] < address)
		walker->next_fast++;
	return walker->next_fast < walk->fast_count && walk->fast[walker->next_fast] == address;
}

/* The chunk before is free, or is as good as free: malloc_trim() joins it with its neighbours. */
static void add_to_run(struct walker *walker)
{
	if (!walker->run)
		walker->run = walker->previous;
}

static void report(struct walker *walker, uint64_t address, uint64_t bytes)
{
	const struct chunks_walk *walk = walker->walk;
	const uint8_t *content = NULL;
	size_t count = 0;

	for (const uint64_t *size = walk->watched; size && *size; size++) {
		if (*size != bytes)
			continue;
		if (address >= walker->piece && address < walker->piece_end) {
			content = walker->buffer + (address - walker->piece);
			count = walker->piece_end - address;
			/* A chunk's user has the first word of the next one, too. */
			if (count > bytes + 8)
				count = bytes + 8;
		}
		walk->seen(walk->context, address, bytes, content, count);
		return;
	}
}

/* The chunk before address is known by what address has: its PREV_INUSE bit, and its prev_size. */
static bool settle(struct walker *walker, uint64_t address, uint64_t size_word)
{
	uint64_t bytes = walker->previous_bytes;

	if (!walker->previous || walker->previous_fence) {
		end_run(walker, walker->previous);
		return true;
	}
	if (size_word & CHUNK_PREV_IN_USE) {
		walker->chunks->in_use_bytes += bytes;
		walker->chunks->in_use_blocks++;
		sizes_add(walker->walk->sizes, bytes);
		if (walker->walk->watched)
			report(walker, walker->previous, bytes);
		if (is_fast(walker, walker->previous))
			add_to_run(walker);
		else if (walker->run)
			end_run(walker, walker->previous);
		return true;
	}
	if (word(walker, address) != bytes)
		return false;
	walker->chunks->free_bytes += bytes;
	walker->chunks->free_blocks++;
	add_to_run(walker);
	return true;
}

/* -- where a walk does not lead on ------------------------------------------------------------- */

/* Whether a row of chunks begins at address, as far as the buffer shows. */
static bool leads_on(const struct walker *walker, uint64_t address)
{
	for (int i = 0; i < CHAIN; i++) {
		uint64_t size_word, bytes;

		if (address == walker->limit)
			return true;
		if (address + HEADER > walker->piece_end)
			return i >= CHAIN / 2;
		size_word = word(walker, address + 8);
		bytes = size_word & ~(uint64_t)CHUNK_FLAGS;
		if (!fits(walker, address, size_word) || bytes < SMALLEST)
			return false;
		address += bytes;
	}
	return true;
}

/* The next place behind address from which a row of chunks leads on; the limit: there is none. */
static uint64_t resume_behind(struct walker *walker, uint64_t address)
{
	for (address += HEADER; address < walker->limit; address += HEADER) {
		size_t page;

		if (address + HEADER > walker->piece_end && reader_is_over(walker->walk->reader))
			break;
		if (!load(walker, address))
			break;
		page = (address - walker->piece) / READER_PAGE;
		if (walker->states[page] != PAGE_PRESENT) {
			if (walker->states[page] == PAGE_SWAPPED)
				walker->chunks->swapped_bytes += READER_PAGE;
			address = page_down(address) + READER_PAGE - HEADER;
		} else if (leads_on(walker, address)) {
			return address;
		}
	}
	return walker->limit;
}

/*
 * At address no chunk can be. Reads the one before it again, with what follows; where it now leads
 * on, returns it, else the place to resume.
 */
static uint64_t recover(struct walker *walker, uint64_t address)
{
	uint64_t from = walker->previous ? walker->previous : address, next;

	end_run(walker, from);
	walker->previous = 0;
	for (int i = 0; i < TRIES && walker->chunks->retries < RETRIES_MAX; i++) {
		if (from == walker->recovered)
			break;
		walker->chunks->retries++;
		if (reload(walker, from) && leads_on(walker, from)) {
			walker->recovered = from;
			return from;
		}
	}
	next = resume_behind(walker, from);
	walker->chunks->unread_bytes += next - from;
	return next;
}

/* -- the walk ---------------------------------------------------------------------------------- */

/*
 * Takes the chunk at *address, if it is one, and steps over it. False: it leads nowhere, or its
 * neighbour is not what it says.
 */
static bool step(struct walker *walker, uint64_t *address)
{
	uint64_t size_word, bytes;

	if (!load(walker, *address))
		return false;
	size_word = word(walker, *address + 8);
	if (!fits(walker, *address, size_word) || !settle(walker, *address, size_word))
		return false;
	bytes = size_word & ~(uint64_t)CHUNK_FLAGS;
	walker->previous = *address;
	walker->previous_bytes = bytes;
	walker->previous_fence = bytes < SMALLEST;
	*address += bytes ? bytes : HEADER;
	return true;
}

/* The last chunk: the top borders on what is in use. */
static void finish(struct walker *walker)
{
	uint64_t top = walker->walk->top;

	if (!walker->previous || walker->previous_fence)
		return;
	if (top && load(walker, top) && settle(walker, top, CHUNK_PREV_IN_USE))
		return;
	walker->chunks->unread_bytes += walker->limit - walker->previous;
}

/* The first of the chunks in fastbins that is not before the span. */
static size_t first_fast(const struct chunks_walk *walk)
{
	size_t low = 0, high = walk->fast_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (walk->fast[middle] < walk->start)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void chunks_walk(const struct chunks_walk *walk, struct chunks *chunks)
{
	struct walker walker = { .walk = walk, .chunks = chunks };
	uint64_t address = walk->start;

	walker.next_fast = first_fast(walk);
	walker.limit = walk->top ? walk->top : walk->end;
	walker.pages_max = (page_up(walk->end) - page_down(address)) / READER_PAGE;
	if (walker.pages_max > PIECE_PAGES)
		walker.pages_max = PIECE_PAGES;
	walker.buffer = mem_array(walker.pages_max, READER_PAGE);
	walker.states = mem_alloc(walker.pages_max);
	while (address < walker.limit) {
		uint64_t piece = walker.piece;

		if (!step(&walker, &address))
			address = recover(&walker, address);
		if (walker.piece != piece && reader_is_over(walk->reader)) {
			chunks->unread_bytes += walker.limit - address;
			walker.previous = 0;
			break;
		}
	}
	finish(&walker);
	end_run(&walker, walker.limit);
	mem_free(walker.states);
	mem_free(walker.buffer);
}
