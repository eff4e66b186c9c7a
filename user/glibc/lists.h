/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Chunks that look as if they were in use and are free: those in an arena's fastbins and in the
 * caches of threads (tcache), each a list through the chunks themselves.
 */
#ifndef UNFREED_GLIBC_LISTS_H
#define UNFREED_GLIBC_LISTS_H

#include "glibc/arenas.h"

struct free_chunk {
	uint64_t address, size_bytes;
	size_t arena; /* that it lies in: a row of arenas */
};

struct lists {
	VEC(struct free_chunk) fast, cached;
	uint64_t threads; /* that have a tcache */
	uint64_t broken; /* lists that could not be followed to their end */
	int mangled; /* whether links are (glibc 2.32 and later); -1: no list has told */
};

/* The sizes of chunk that a tcache lies in: of 2.26, 2.30 and 2.42. Ends with 0. */
extern const uint64_t tcache_sizes[];

/* Whether bytes (count of them, from a chunk on; of one of tcache_sizes) may be a tcache. */
bool tcache_fits(const uint8_t *bytes, size_t count, uint64_t size_bytes);

/* Adds the chunks in all fastbins of arenas. */
void lists_add_fastbins(struct lists *lists, struct reader *reader, const struct arenas *arenas);

/* Adds those of the tcache in the chunk at address, if it is one. */
void lists_add_tcache(struct lists *lists, struct reader *reader, const struct arenas *arenas,
		      uint64_t address, uint64_t size_bytes);

void lists_free(struct lists *lists);

#endif
