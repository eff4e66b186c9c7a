/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * glibc's arenas, found by their shape: no symbols, no version numbers. The main one lies in the
 * writable data of the C library or of a static program, and all hang together in a ring.
 */
#ifndef UNFREED_GLIBC_ARENAS_H
#define UNFREED_GLIBC_ARENAS_H

#include "base/vec.h"
#include "glibc/reader.h"
#include "process/proc.h"

enum {
	ARENAS_MAX = 1 << 16, /* by default there are at most 8 for each CPU */
	HEAPS_MAX = 1 << 20,
	ARENA_FASTBINS = 10,
	CHUNK_MIN = 32,
};

/* Where chunks lie without a gap: a heap, or what the main arena got of brk(2). */
struct heap_span {
	uint64_t start, end;
	size_t arena; /* its row */
};

struct arena {
	uint64_t address;
	bool main; /* of a C library: there is one more for each namespace of dlmopen(3) */
	uint64_t top, top_bytes;
	uint64_t system_bytes, max_system_bytes;
	uint64_t fastbins[ARENA_FASTBINS];
	bool has_attached; /* the next is known: glibc 2.23 and later */
	uint64_t attached_threads;
	uint32_t heaps;
	uint64_t span_bytes; /* of its heaps: less than system_bytes where some were not found */
};

/* What differs between versions. */
struct arenas_layout {
	uint16_t start_to_bins; /* 104: to 2.26; 112: to 2.42; 24: no fastbins */
	uint16_t heap_info_bytes; /* 0: only the main arena is in use, and nobody needs it */
	uint64_t heap_max_bytes; /* of a heap, and its alignment */
};

struct arenas {
	VEC(struct arena) rows; /* main ones first in their ring */
	VEC(struct heap_span) spans; /* by start */
	struct arenas_layout layout;
	const char *library; /* the file that holds the main arena; of the maps */
	uint64_t broken_heaps; /* heaps that are said to be there and do not look it */
};

/*
 * Finds all arenas. start_brk: where the main heap begins, 0: not known. maps must outlive arenas,
 * which is the caller's, also after an error. Returns 0, -ENOENT (there is no glibc heap; or it is
 * still unused), -ENODATA (swapped out) or -EINVAL (broken, or changing all the time), with a
 * sentence.
 */
int arenas_find(struct arenas *arenas, struct reader *reader, const struct maps *maps,
		uint64_t start_brk);

/* Reads again what has changed of an arena since: its top and its sizes, and the end of the span
 * that the top is in. False: it cannot be read, or the top has left that span. */
bool arenas_update(struct arenas *arenas, struct reader *reader, size_t row);
void arenas_free(struct arenas *arenas);

/* The span that address lies in, or NULL. */
const struct heap_span *arenas_span(const struct arenas *arenas, uint64_t address);

#endif
