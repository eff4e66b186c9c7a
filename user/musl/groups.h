/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * musl's malloc (mallocng, from 1.2.1 on) from outside, without symbols: what its groups of slots
 * have in use and free. src/malloc/mallocng/meta.h
 */
#ifndef UNFREED_MUSL_GROUPS_H
#define UNFREED_MUSL_GROUPS_H

#include "process/proc.h"
#include "process/resident.h"

struct musl_heap {
	uint64_t groups;
	uint64_t mapped_bytes; /* of groups with a mapping of their own */
	uint64_t in_use_blocks, in_use_bytes; /* whole slots */
	uint64_t free_bytes; /* slots */
};

/* False: no group of it is found. */
bool musl_read(struct musl_heap *heap, struct resident *resident, const struct maps *maps);

#endif
