/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * By how much do the targets' heaps grow? What glibc's heaps have in use is counted from outside,
 * as often as that may take time. From there on, and where it is not possible, what is resident
 * stands for it.
 */
#ifndef UNFREED_COLLECT_HEAP_GROWTH_H
#define UNFREED_COLLECT_HEAP_GROWTH_H

#include <stdbool.h>
#include <stdint.h>

struct collect;

struct heap_size {
	uint64_t at_ns;
	double heap_bytes, resident_bytes;
};

struct heap_growth {
	uint64_t begun_ns;
	bool by_heaps; /* first and last are known */
	struct heap_size first, last;
	uint64_t next_ns; /* when the heaps may be walked again */
	/* of resident memory: sums for a line through (seconds, bytes) */
	double n, t, tt, y, ty;
	double rate; /* bytes a second, as last noted */
};

void heap_growth_begin(struct heap_growth *growth, struct collect *collect);

/* Takes in how much is resident now. */
void heap_growth_note(struct heap_growth *growth, struct collect *collect);

/* Bytes a second since the beginning, while any of them has run; below zero: they shrink. May look
 * at the heaps again. */
double heap_growth_rate(struct heap_growth *growth, struct collect *collect);

#endif
