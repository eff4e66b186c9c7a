/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What leaks, from samples: blocks that were seen to be allocated in short windows, and of which is
 * known later whether they are still alive. A leak's survivors do not become fewer with age; those
 * of a cache do. Windows slow a busy program down, so that shares hold and rates do not: rates are
 * scaled to what the target's memory has grown by.
 */
#ifndef UNFREED_MODEL_ESTIMATE_H
#define UNFREED_MODEL_ESTIMATE_H

#include <stddef.h>
#include <stdint.h>

enum estimate_verdict {
	ESTIMATE_NOTHING, /* no sample of it is old and alive */
	ESTIMATE_UNRESOLVED, /* too few or too young to tell */
	ESTIMATE_CACHE, /* its samples die, late */
	ESTIMATE_LEAK, /* they stay */
};

/* One site's samples, and what follows from them. */
struct estimate {
	/* of blocks sampled at least one age ago */
	uint64_t sampled_blocks, sampled_bytes;
	uint64_t live_blocks, live_bytes;
	uint64_t live_heap_bytes; /* the same with what the allocator adds */
	double live_heap_squares; /* the sum of the squares of each block's */
	/* of those, sampled at least two ages ago: alive at one age, and alive now */
	uint64_t aged_blocks, aged_live_blocks;

	enum estimate_verdict verdict;
	double bytes_per_second; /* by which it grows */
	double standard_error; /* of that */
};

/*
 * Fills in what follows. seconds: over which the samples were taken. on_seconds: of these, how long
 * the windows were open. growth: bytes a second by which the target's heap has grown meanwhile,
 * where that is known, else 0 or less.
 */
void estimate_sites(struct estimate *sites, size_t count, double seconds, double on_seconds,
		    double growth);

/* What a site's estimates, of one time of sampling and the next, come to. */
struct estimate_sum {
	double bytes, blocks, variance; /* variance: of bytes */
	uint64_t sampled_blocks, live_blocks;
	enum estimate_verdict verdict; /* of the last that has one; a leak is not doubted by few */
};

/* Adds an estimate that holds for seconds. */
void estimate_add(struct estimate_sum *sum, const struct estimate *estimate, double seconds);

const char *estimate_verdict_name(enum estimate_verdict verdict); /* NULL: nothing */

#endif
