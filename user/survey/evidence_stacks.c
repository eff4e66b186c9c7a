/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Thread stacks: where the threads' stack pointers are, and, of those that run just now or have
 * ended, what the C library leaves at a stack's top.
 */
#include <stdio.h>
#include <string.h>

#include "survey/classify.h"
#include "survey/evidence.h"

enum {
	PIECE_BYTES = 4096,
	SCAN_MAX_BYTES = 256 << 10, /* from a stack pointer up to the thread's block */
	TOP_MAX_BYTES = 64 << 10, /* what a C library and thread-local data take above a stack */
	BLOCK_ALIGNMENT = 16,
	/* struct pthread of glibc on x86-64, nptl/descr.h; the same from 2.11 to 2.42 */
	GLIBC_TID = 0x2d0,
	GLIBC_BLOCK_BYTES = 0x900,
	MUSL_TID = 0x30, /* struct pthread, src/internal/pthread_impl.h */
};

/* A thread's block, to whose start its %fs points. */
struct block {
	uint64_t address; /* 0: none found */
	int32_t tid;
};

/* tcbhead_t of glibc's sysdeps/x86_64/nptl/tls.h begins with its own address, and has it again as
 * its third word. musl's struct begins with its own, and holds the thread's id soon after. */
static bool is_block(struct evidence *evidence, uint64_t address, const uint64_t *words,
		     struct block *block)
{
	int32_t tid;

	if (words[0] != address)
		return false;
	block->address = address;
	if (words[2] == address)
		return evidence_read(evidence, address + GLIBC_TID, &block->tid,
				     sizeof(block->tid));
	if (!evidence_read(evidence, address + MUSL_TID, &tid, sizeof(tid)) || tid <= 0)
		return false;
	block->tid = tid;
	return true;
}

/* The first block in [start, end), where all pages up to it are there. */
static struct block find_block(struct evidence *evidence, uint64_t start, uint64_t end)
{
	uint64_t words[PIECE_BYTES / 8 + 2];
	struct block block = { 0 };

	for (uint64_t at = start & ~(uint64_t)(PIECE_BYTES - 1); at < end; at += PIECE_BYTES) {
		bool whole = at + PIECE_BYTES + 16 <= end;

		memset(words, 0, sizeof(words));
		if (!(whole && evidence_read(evidence, at, words, sizeof(words))) &&
		    !evidence_read(evidence, at, words, PIECE_BYTES))
			break;
		for (size_t i = 0; i < PIECE_BYTES / 8; i += BLOCK_ALIGNMENT / 8) {
			if (at + 8 * i >= start &&
			    is_block(evidence, at + 8 * i, words + i, &block))
				return block;
		}
	}
	return (struct block){ 0 };
}

static const struct thread *thread_of(const struct threads *threads, int32_t own_id)
{
	vec_for_each (thread, &threads->rows)
		if (thread->own_id == own_id)
			return thread;
	return NULL;
}

static const char *name_of(struct evidence *evidence, const struct thread *thread)
{
	char name[64];

	snprintf(name, sizeof(name), "%s (%d)", thread->name, (int)thread->id);
	return footprint_string(evidence->footprint, name);
}

static bool may_be_stack(const struct smap *smap)
{
	return smap && classify_is_plain(&smap->map) && smap->map.writable;
}

/*
 * A stack reaches from the start of its mapping to its thread's block; behind that, the mapping may
 * go on with what happened to be mapped there, unless it is the little that thread-local data take.
 */
static void claim_stack(struct evidence *evidence, const struct smap *smap,
			const struct block *block, const char *name)
{
	uint64_t end = smap->map.end;

	if (block->address && end - block->address > TOP_MAX_BYTES)
		end = (block->address + GLIBC_BLOCK_BYTES + evidence->page_bytes - 1) &
		      ~(evidence->page_bytes - 1);
	claims_add(&evidence->claims, smap->map.start, end, CLASS_THREAD_STACK, name);
}

static void by_stack_pointer(struct evidence *evidence, const struct thread *thread)
{
	const struct smap *smap = evidence_find(evidence, thread->stack_pointer);
	struct block block = { 0 };
	uint64_t sp = thread->stack_pointer, end;

	if (!sp || !may_be_stack(smap) || claims_touch(&evidence->claims, sp, sp + 1))
		return;
	end = smap->map.end;
	if (end - sp > SCAN_MAX_BYTES) /* most have a little in use and their block close by */
		end = sp + SCAN_MAX_BYTES;
	block = find_block(evidence, sp & ~(uint64_t)(BLOCK_ALIGNMENT - 1), end);
	claim_stack(evidence, smap, &block, name_of(evidence, thread));
}

/* A mapping behind a guard whose last pages hold a thread's block: one that runs, or, with id 0,
 * one that has ended and whose stack the C library keeps for the next. */
static void by_block(struct evidence *evidence, const struct smap *smap,
		     const struct threads *threads)
{
	uint64_t start = smap->map.end - smap->map.start > 2 * PIECE_BYTES
				 ? smap->map.end - 2 * PIECE_BYTES
				 : smap->map.start;
	struct block block = find_block(evidence, start, smap->map.end);
	const struct thread *thread = block.tid ? thread_of(threads, block.tid) : NULL;

	if (!block.address || (block.tid && !thread))
		return;
	claim_stack(evidence, smap, &block,
		    thread ? name_of(evidence, thread)
			   : footprint_string(evidence->footprint, "(kept for the next thread)"));
}

static bool follows_guard(const struct smap *smap)
{
	const struct map *guard = &smap[-1].map;

	return guard->end == smap->map.start && !guard->readable && !guard->writable &&
	       !guard->executable;
}

void evidence_stacks(struct evidence *evidence, const struct threads *threads)
{
	const struct smap *rows = evidence->smaps->rows.items;

	vec_for_each (thread, &threads->rows)
		by_stack_pointer(evidence, thread);
	for (size_t i = 1; i < evidence->smaps->rows.count; i++) {
		const struct smap *smap = &rows[i];

		if (may_be_stack(smap) && smap->rss_bytes && follows_guard(smap) &&
		    !claims_touch(&evidence->claims, smap->map.start, smap->map.end))
			by_block(evidence, smap, threads);
	}
}
