/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The container of the ledger: disjoint pieces of address space, sorted by address. Pieces lie in
 * blocks of bounded size, so that an insertion moves a few kilobytes at most, however many there
 * are: a program that maps page by page has them in the hundreds of thousands.
 */
#ifndef UNFREED_MODEL_INTERVALS_H
#define UNFREED_MODEL_INTERVALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"
#include "model/ledger.h"

/* A live interval, and what is needed to tell the order of concurrent calls. */
struct piece {
	struct ledger_interval part;
	uint64_t placed_ns; /* exit of the call that put it at this address */
	uint64_t protect_ns; /* exit of the last mprotect */
	bool chosen; /* by the kernel: nobody knew the address before that exit */
};

struct piece_block;

struct intervals {
	VEC(struct piece_block *) blocks; /* none is empty */
};

/* A place in the container; only intervals_next and intervals_erase keep one valid. */
struct cursor {
	size_t block, slot;
};

void intervals_free(struct intervals *set);

/* The first piece that ends behind address; NULL: none. Its start, end and order must be kept. */
struct piece *intervals_seek(const struct intervals *set, uint64_t address, struct cursor *cursor);
struct piece *intervals_next(const struct intervals *set, struct cursor *cursor);

/* Removes the piece at cursor; the next one, or NULL. */
struct piece *intervals_erase(struct intervals *set, struct cursor *cursor);

/* piece overlaps none that is there. */
void intervals_insert(struct intervals *set, const struct piece *piece);

/* Afterwards no piece reaches across address. */
void intervals_split(struct intervals *set, uint64_t address);

/* Joins the pieces within and next to [start, end) that differ in nothing but their addresses. */
void intervals_join(struct intervals *set, uint64_t start, uint64_t end);

#endif
