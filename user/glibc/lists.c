/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * fastbinsY and struct tcache_perthread_struct (malloc/malloc.c). A link is an address, or, from
 * 2.32 on, an address XOR the place where it stands >> 12 (PROTECT_PTR).
 */
#include "glibc/lists.h"

#include <string.h>

enum {
	LINK = 16, /* in a chunk: where its user's memory begins */
	LIST_MAX = 1 << 22,
	TCACHE_LIST_MAX = 1 << 16, /* the tunable's largest */
	TRIES = 3,
	BINS_MAX = 76,
	SMALL_BINS = 64,
};

const uint64_t tcache_sizes[] = { 0x250, 0x290, 0x300, 0 };

struct tcache_form {
	uint64_t chunk_bytes;
	uint8_t bins, count_bytes;
};

/* 2.26: char counts[64]; 2.30: uint16_t counts[64]; 2.42: uint16_t num_slots[76]. Behind them, a
 * pointer for each. */
static const struct tcache_form forms[] = { { 0x250, 64, 1 }, { 0x290, 64, 2 }, { 0x300, 76, 2 } };

struct list {
	uint64_t head; /* as it stands in the bin */
	bool to_chunk; /* links are to chunks (fastbins), else to their users' memory */
	uint64_t size_bytes; /* of all its chunks; 0: of each */
	size_t most;
};

typedef VEC(struct free_chunk) found_chunks;

/* Follows a list, its links mangled or not. False: it leads nowhere. */
static bool follow(found_chunks *found, struct reader *reader, const struct arenas *arenas,
		   const struct list *list, bool mangled)
{
	uint64_t at = list->head, mark = 0;

	found->count = 0;
	while (at) {
		uint64_t memory = list->to_chunk ? at + LINK : at, words[2];
		const struct heap_span *span = arenas_span(arenas, memory - LINK);
		uint64_t bytes;

		/* A ring comes back to a mark that is set at each power of two. */
		if (at == mark)
			return false;
		if (!(found->count & (found->count - 1)))
			mark = at;
		if (!span || at % 16 || found->count >= list->most ||
		    !reader_read(reader, memory - 8, words, sizeof(words)))
			return false;
		bytes = words[0] & ~15ULL;
		if (bytes < CHUNK_MIN || bytes > span->end - (memory - LINK) ||
		    (list->size_bytes && bytes != list->size_bytes))
			return false;
		*vec_add(found) = (struct free_chunk){ memory - LINK, bytes, span->arena };
		at = mangled ? words[1] ^ (memory >> 12) : words[1];
	}
	return true;
}

/* Follows it in the way that is known, or finds out. */
static bool follow_either(struct lists *lists, found_chunks *found, struct reader *reader,
			  const struct arenas *arenas, const struct list *list)
{
	for (int mangled = 1; mangled >= 0; mangled--) {
		if (lists->mangled >= 0 && lists->mangled != mangled)
			continue;
		if (!follow(found, reader, arenas, list, mangled))
			continue;
		lists->mangled = mangled;
		return true;
	}
	return false;
}

/* -- fastbins ---------------------------------------------------------------------------------- */

static bool add_fastbin(struct lists *lists, struct reader *reader, const struct arenas *arenas,
			const struct list *list)
{
	found_chunks found = { 0 };
	bool followed = follow_either(lists, &found, reader, arenas, list);

	if (followed) {
		vec_for_each (chunk, &found)
			*vec_add(&lists->fast) = *chunk;
	}
	vec_free(&found);
	return followed;
}

/* Where the list changes: as the arena has it now. */
static uint64_t fastbin_now(struct reader *reader, const struct arenas *arenas,
			    const struct arena *arena, size_t bin)
{
	uint64_t head = 0;

	reader_u64(reader, arena->address + arenas->layout.start_to_bins - 96 + 8 * bin, &head);
	return head;
}

void lists_add_fastbins(struct lists *lists, struct reader *reader, const struct arenas *arenas)
{
	vec_for_each (arena, &arenas->rows) {
		for (size_t bin = 0; bin < ARENA_FASTBINS; bin++) {
			struct list list = { arena->fastbins[bin], true, CHUNK_MIN + bin * 16,
					     LIST_MAX };
			bool followed = !list.head || add_fastbin(lists, reader, arenas, &list);

			for (int i = 0; i < TRIES && !followed; i++) {
				reader_refresh(reader);
				list.head = fastbin_now(reader, arenas, arena, bin);
				followed = !list.head || add_fastbin(lists, reader, arenas, &list);
			}
			lists->broken += !followed;
		}
	}
}

/* -- tcache ------------------------------------------------------------------------------------ */

static const struct tcache_form *form_of(uint64_t chunk_bytes)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		if (forms[i].chunk_bytes == chunk_bytes)
			return &forms[i];
	}
	return NULL;
}

static size_t bin_count(const struct tcache_form *form, const uint8_t *counts, size_t bin)
{
	uint16_t count = counts[bin * form->count_bytes];

	if (form->count_bytes == 2)
		memcpy(&count, counts + bin * 2, 2);
	return count;
}

/* Heads are aligned addresses or nothing, and, up to 2.41, counted. */
static bool heads_fit(const struct tcache_form *form, const uint8_t *tcache)
{
	bool counted = form->bins == SMALL_BINS;
	size_t used = 0;

	for (size_t bin = 0; bin < form->bins; bin++) {
		size_t count = bin_count(form, tcache, bin);
		uint64_t head;

		memcpy(&head, tcache + form->bins * form->count_bytes + 8 * bin, 8);
		if (head % 16 || (head && head < READER_PAGE) || head >> 56)
			return false;
		if (counted && !count != !head)
			return false;
		used += !!head || (!counted && count);
	}
	return used;
}

bool tcache_fits(const uint8_t *bytes, size_t count, uint64_t size_bytes)
{
	const struct tcache_form *form = form_of(size_bytes);
	size_t needed = form ? LINK + form->bins * (form->count_bytes + 8U) : 0;

	if (!form)
		return false;
	return !bytes || count < needed || heads_fit(form, bytes + LINK);
}

/* All lists of a tcache; false: it is none, or changes. */
static bool add_bins(struct lists *lists, found_chunks *all, struct reader *reader,
		     const struct arenas *arenas, const struct tcache_form *form,
		     const uint8_t *tcache)
{
	found_chunks found = { 0 };
	bool followed = true;

	all->count = 0;
	for (size_t bin = 0; bin < form->bins && followed; bin++) {
		struct list list = { 0, false, bin < SMALL_BINS ? CHUNK_MIN + bin * 16 : 0,
				     TCACHE_LIST_MAX };

		memcpy(&list.head, tcache + form->bins * form->count_bytes + 8 * bin, 8);
		if (!list.head)
			continue;
		followed = follow_either(lists, &found, reader, arenas, &list);
		vec_for_each (chunk, &found)
			*vec_add(all) = *chunk;
	}
	vec_free(&found);
	return followed;
}

void lists_add_tcache(struct lists *lists, struct reader *reader, const struct arenas *arenas,
		      uint64_t address, uint64_t size_bytes)
{
	const struct tcache_form *form = form_of(size_bytes);
	uint8_t tcache[BINS_MAX * 10];
	found_chunks all = { 0 };
	bool followed = false, seen = false;
	int mangled = lists->mangled;

	for (int i = 0; form && i < TRIES && !followed; i++) {
		if (i)
			reader_refresh(reader);
		if (!reader_read(reader, address + LINK, tcache,
				 form->bins * (form->count_bytes + 8U)) ||
		    !heads_fit(form, tcache))
			break;
		seen = true;
		followed = add_bins(lists, &all, reader, arenas, form, tcache);
	}
	if (followed) {
		lists->threads++;
		vec_for_each (chunk, &all)
			*vec_add(&lists->cached) = *chunk;
	} else {
		lists->mangled = mangled;
		lists->broken += form && seen && form->bins == SMALL_BINS;
	}
	vec_free(&all);
}

void lists_free(struct lists *lists)
{
	vec_free(&lists->fast);
	vec_free(&lists->cached);
}
