/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* All that glibc's malloc holds in a process, in use and free. */
#ifndef UNFREED_GLIBC_WALK_H
#define UNFREED_GLIBC_WALK_H

#include "glibc/arenas.h"
#include "glibc/lists.h"
#include "glibc/mmapped.h"
#include "glibc/sizes.h"

/*
 * system = in use + free + unread; free = binned + fastbins + tcaches + top. What mallinfo2(3)
 * calls uordblks is in_use + cached: to malloc, what lies in a thread's cache is in use.
 */
struct walk_arena {
	uint64_t address;
	bool main, has_attached;
	uint64_t attached_threads;
	uint32_t heaps;
	uint64_t system_bytes, in_use_bytes, in_use_blocks, free_bytes, unread_bytes;
	uint64_t binned_bytes, binned_blocks; /* in bins: free, and known to be so */
	uint64_t fastbin_bytes, fastbin_blocks;
	uint64_t cached_bytes, cached_blocks;
	uint64_t top_bytes;
	uint64_t resident_bytes, swapped_bytes; /* of all of it */
	/* Whole pages of free memory that are there still: of bins, and of the top. malloc_trim(3)
	 * gives back the first of all arenas, and the second of the main one. */
	uint64_t releasable_bytes, top_resident_bytes;
	uint64_t pinned_bytes; /* free, and in pages that hold something else, too */
};

struct walk {
	VEC(struct walk_arena) arenas;
	struct sizes_row *sizes; /* in use, mmapped blocks included; most bytes first */
	size_t size_count;
	struct mmapped mmapped;
	uint64_t cached_threads; /* that have a cache */
	const char *library; /* where malloc is; of the maps */
	uint64_t retries, broken_lists, broken_heaps;
	bool cut; /* its time was up */
};

/* Called for each chunk in use of a size that is looked for; see chunks_walk.watched. */
struct walk_watch {
	const uint64_t *sizes; /* ends with 0 */
	void (*seen)(void *context, uint64_t address, uint64_t size_bytes);
	void *context;
};

/*
 * Walks all of it. watch may be NULL; chunks in a cache or a fastbin are not among what it sees.
 * start_brk: as of arenas_find, whose errors these are. *walk is the caller's; maps outlives it.
 */
int walk_heap(struct walk *walk, struct reader *reader, const struct maps *maps, uint64_t start_brk,
	      const struct walk_watch *watch);
void walk_free(struct walk *walk);

#endif
