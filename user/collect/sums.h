/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the stacks of one process hold, by stack id, before they have names. */
#ifndef UNFREED_COLLECT_SUMS_H
#define UNFREED_COLLECT_SUMS_H

#include <stdbool.h>
#include <stdint.h>

#include <uthash.h>

#include "abi.h"
#include "model/estimate.h"
#include "model/ledger.h"

struct sums {
	uint64_t stack_id;
	struct abi_site heap;
	uint64_t young_bytes, young_units, preexisting_bytes; /* young: also of mappings */
	uint64_t samples; /* live blocks that were kept by chance */
	double variance; /* of live_bytes, by these */
	uint64_t youngest_ns, oldest_ns; /* times of allocation; oldest 0: none */
	uint64_t bytes, committed_bytes, mappings; /* mapping */
	uint64_t resident_bytes, pages; /* page faults, of what is resident still */
	uint64_t verified_bytes, verified_units; /* live, of this epoch, where that is exact */
	struct estimate_sum estimate; /* where there were windows */
	const char *owner;
	UT_hash_handle hh;
};

/* When the sums are of: of a process that has ended, its end. */
struct moment {
	uint64_t now_ns, min_age_ns;
	uint32_t sample_bytes;
	uint64_t exact_since_ns; /* older blocks are not known to live */
};

/* While the target runs, one sum is read after another, and a later one may be ahead. */
static inline uint64_t sums_less(uint64_t from, uint64_t what)
{
	return from > what ? from - what : 0;
}

/* Whole ones, of ABI_BLOCK_UNITS. */
static inline uint64_t sums_blocks(uint64_t units)
{
	return (units + ABI_BLOCK_UNITS / 2) / ABI_BLOCK_UNITS;
}

/* Those of a stack, made where there are none; NULL is an empty table. */
struct sums *sums_get(struct sums **table, uint64_t stack_id);
struct sums *sums_find(struct sums *table, uint64_t stack_id); /* NULL: there are none */
void sums_clear(struct sums **table);

/* Adds a block to the ages of its stack: its bytes are in heap. */
void sums_block(struct sums *sums, const struct abi_block *block, const struct moment *moment);

/* Adds a page that a recorded fault has brought in, and that is there. */
void sums_page(struct sums *sums, uint64_t bytes, uint64_t time_ns, const struct moment *moment);

/* Adds all that a ledger holds. */
void sums_ledger(struct sums **table, const struct ledger *ledger, const struct moment *moment);

/*
 * Calls take for each element of a hash map or an array of the kernel side. Returns 0 or -errno.
 * take may delete what it is given.
 */
typedef void (*sums_take_fn)(void *context, const void *key, const void *value);
int sums_read(int map_fd, size_t key_bytes, size_t value_bytes, sums_take_fn take, void *context);

#endif
