/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Disjoint pieces of address space in sorted blocks: one level of a B+ tree. */
#include <string.h>

#include "model/intervals.h"

enum { BLOCK_PIECES = 128 };

struct piece_block {
	size_t count;
	struct piece pieces[BLOCK_PIECES];
};

void intervals_free(struct intervals *set)
{
	vec_for_each (block, &set->blocks)
		mem_free(*block);
	vec_free(&set->blocks);
}

static struct piece *piece_at(const struct intervals *set, const struct cursor *cursor)
{
	return &set->blocks.items[cursor->block]->pieces[cursor->slot];
}

/* The first block whose last piece ends behind address. */
static size_t find_block(const struct intervals *set, uint64_t address)
{
	size_t low = 0, high = set->blocks.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct piece_block *block = set->blocks.items[middle];

		if (block->pieces[block->count - 1].part.end > address)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

struct piece *intervals_seek(const struct intervals *set, uint64_t address, struct cursor *cursor)
{
	size_t low = 0, high;

	cursor->block = find_block(set, address);
	cursor->slot = 0;
	if (cursor->block == set->blocks.count)
		return NULL;
	high = set->blocks.items[cursor->block]->count;
	while (low < high) {
		cursor->slot = low + (high - low) / 2;
		if (piece_at(set, cursor)->part.end > address)
			high = cursor->slot;
		else
			low = cursor->slot + 1;
	}
	cursor->slot = low;
	return piece_at(set, cursor);
}

struct piece *intervals_next(const struct intervals *set, struct cursor *cursor)
{
	if (++cursor->slot == set->blocks.items[cursor->block]->count) {
		cursor->block++;
		cursor->slot = 0;
	}
	return cursor->block < set->blocks.count ? piece_at(set, cursor) : NULL;
}

/* Makes room for a block at index. */
static struct piece_block *add_block(struct intervals *set, size_t index)
{
	struct piece_block *block = mem_alloc(sizeof(*block));
	struct piece_block **items;
	size_t behind = set->blocks.count - index;

	(void)vec_add(&set->blocks);
	items = set->blocks.items;
	memmove(&items[index + 1], &items[index], behind * sizeof(*items));
	items[index] = block;
	return block;
}

static void remove_block(struct intervals *set, size_t index)
{
	struct piece_block **items = set->blocks.items;

	mem_free(items[index]);
	set->blocks.count--;
	memmove(&items[index], &items[index + 1], (set->blocks.count - index) * sizeof(*items));
}

struct piece *intervals_erase(struct intervals *set, struct cursor *cursor)
{
	struct piece_block *block = set->blocks.items[cursor->block];
	struct piece *piece = piece_at(set, cursor);

	block->count--;
	memmove(piece, piece + 1, (block->count - cursor->slot) * sizeof(*piece));
	if (!block->count)
		remove_block(set, cursor->block);
	else if (cursor->slot == block->count)
		cursor->block++;
	else
		return piece;
	cursor->slot = 0;
	return cursor->block < set->blocks.count ? piece_at(set, cursor) : NULL;
}

/* Moves the upper half of a full block into a new one behind it. */
static void halve_block(struct intervals *set, size_t index)
{
	struct piece_block *upper = add_block(set, index + 1);
	struct piece_block *lower = set->blocks.items[index];

	lower->count = BLOCK_PIECES / 2;
	upper->count = BLOCK_PIECES - lower->count;
	memcpy(upper->pieces, &lower->pieces[lower->count], upper->count * sizeof(struct piece));
}

void intervals_insert(struct intervals *set, const struct piece *piece)
{
	struct piece new = *piece; /* it may lie in a block that moves */
	struct piece_block *block;
	struct cursor at;

	if (!intervals_seek(set, new.part.start, &at)) {
		if (!set->blocks.count)
			add_block(set, 0);
		at.block = set->blocks.count - 1;
		at.slot = set->blocks.items[at.block]->count;
	}
	if (set->blocks.items[at.block]->count == BLOCK_PIECES) {
		halve_block(set, at.block);
		if (at.slot > BLOCK_PIECES / 2) {
			at.block++;
			at.slot -= BLOCK_PIECES / 2;
		}
	}
	block = set->blocks.items[at.block];
	memmove(&block->pieces[at.slot + 1], &block->pieces[at.slot],
		(block->count - at.slot) * sizeof(new));
	block->pieces[at.slot] = new;
	block->count++;
}

void intervals_split(struct intervals *set, uint64_t address)
{
	struct cursor at;
	struct piece *piece = intervals_seek(set, address, &at);
	struct piece upper;

	if (!piece || piece->part.start >= address)
		return;
	upper = *piece;
	piece->part.end = upper.part.start = address;
	intervals_insert(set, &upper);
}

static bool same(const struct ledger_interval *a, const struct ledger_interval *b)
{
	return a->site == b->site && a->commit_site == b->commit_site && a->time_ns == b->time_ns &&
	       a->id == b->id && a->committed == b->committed && a->brk == b->brk &&
	       a->allocator == b->allocator && a->arena == b->arena;
}

static uint64_t later(uint64_t a_ns, uint64_t b_ns)
{
	return a_ns > b_ns ? a_ns : b_ns;
}

void intervals_join(struct intervals *set, uint64_t start, uint64_t end)
{
	struct cursor at;
	struct piece *piece = intervals_seek(set, start ? start - 1 : 0, &at), upper;
	struct cursor behind;
	struct piece *next;

	while (piece && piece->part.end <= end) {
		behind = at;
		next = intervals_next(set, &behind);
		if (!next)
			return;
		if (next->part.start != piece->part.end || !same(&next->part, &piece->part)) {
			piece = next;
			at = behind;
			continue;
		}
		upper = *next;
		intervals_erase(set, &behind);
		piece = piece_at(set, &at);
		piece->part.end = upper.part.end;
		piece->placed_ns = later(piece->placed_ns, upper.placed_ns);
		piece->protect_ns = later(piece->protect_ns, upper.protect_ns);
		piece->chosen = piece->chosen && upper.chosen;
	}
}
