/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * By how much do the targets' heaps grow? What glibc's heaps have in use is counted from outside;
 * where that is not possible, all memory that is resident stands for it.
 */
#ifndef UNFREED_COLLECT_HEAP_GROWTH_H
#define UNFREED_COLLECT_HEAP_GROWTH_H

#include <stdbool.h>
#include <stdint.h>

struct collect;

struct heap_growth {
	uint64_t begun_ns;
	/* of the heaps: at the first look and the last; known only where both are */
	uint64_t first_ns, last_ns, first_bytes, last_bytes;
	bool by_heaps;
	/* of resident memory: sums for a line through (seconds, bytes) */
	double n, t, tt, y, ty;
};

void heap_growth_begin(struct heap_growth *growth, struct collect *collect);

/* Takes in how much is resident now. */
void heap_growth_note(struct heap_growth *growth, struct collect *collect);

/* Looks at the heaps again. Bytes a second since the beginning; below zero: they shrink. */
double heap_growth_rate(struct heap_growth *growth, struct collect *collect);

#endif
