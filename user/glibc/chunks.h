/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Walks the chunks of a span, one behind the other, in large pieces. The heap changes meanwhile: a
 * chunk that does not fit its neighbours is read again with what follows it; where that does not
 * help, the walk goes on at the next place from which a row of chunks leads on, and what lies
 * between is counted as unread.
 */
#ifndef UNFREED_GLIBC_CHUNKS_H
#define UNFREED_GLIBC_CHUNKS_H

#include "glibc/reader.h"
#include "glibc/sizes.h"

/* What the low bits of a chunk's size say; the first is about the chunk before it. */
enum { CHUNK_PREV_IN_USE = 1, CHUNK_MMAPPED = 2, CHUNK_NON_MAIN = 4, CHUNK_FLAGS = 15 };

struct chunks {
	uint64_t in_use_bytes, in_use_blocks; /* those in fastbins and tcaches included */
	uint64_t free_bytes, free_blocks;
	uint64_t unread_bytes;
	uint64_t whole_bytes; /* pages that hold nothing but free chunks, those in fastbins included
			       */
	uint64_t releasable_bytes; /* of these: present */
	uint64_t swapped_bytes; /* of the unread */
	uint64_t retries;
};

struct chunks_walk {
	struct reader *reader;
	uint64_t start, end; /* the first chunk; no chunk begins at or behind end */
	uint64_t top; /* address of the top chunk where it is in here, else 0 */
	bool main; /* the main arena's chunks have another flag */
	struct sizes *sizes; /* of chunks in use */
	/* Chunks in fastbins, in ascending order: malloc_trim(3) joins them with their neighbours.
	 */
	const uint64_t *fast;
	size_t fast_count;
	/* Called for each chunk in use whose size is one of watched (up to where one is 0). bytes:
	 * what the process has there, as far as it has been read, or NULL. */
	const uint64_t *watched;
	void (*seen)(void *context, uint64_t address, uint64_t size_bytes, const uint8_t *bytes,
		     size_t count);
	void *context;
};

/* Adds what it finds to *chunks. */
void chunks_walk(const struct chunks_walk *walk, struct chunks *chunks);

#endif
