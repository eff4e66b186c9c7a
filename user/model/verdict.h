/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Leak, or does the allocator keep what was freed? From figures of a process's heap, at one moment
 * or at two: what it is, by which figures, what to do, and what that would give back.
 */
#ifndef UNFREED_MODEL_VERDICT_H
#define UNFREED_MODEL_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VERDICT_TEXT_MAX = 768 };

/* Figures of a process; what is not known is 0. */
struct verdict_facts {
	uint64_t rss_bytes;
	/* Resident, of a JVM's own and of threads. */
	uint64_t java_heap_bytes, code_cache_bytes, stack_bytes;
	uint64_t metaspace_bytes; /* class space included */
	uint64_t kept_metaspace_bytes; /* of that, what the JVM never gives back */
	uint64_t code_malloc_bytes; /* of malloc, with the code in the cache */
	uint64_t threads;
	uint64_t page_cache_bytes; /* of its control group: files, not part of the RSS */

	/* What runs in it, for which there are remedies of its own. */
	uint32_t jvm_version; /* 0: none */
	uint64_t direct_bytes, direct_buffers; /* of Java, among the blocks in use */
	bool has_rocksdb, has_netty;

	/* The native heap: arenas, and blocks with a mapping of their own. Of an allocator that
	 * cannot be read, only what is resident: all of it is taken to be in use. */
	const char *closed; /* its name, or NULL */
	uint64_t heap_resident_bytes; /* all of it */
	uint64_t in_use_bytes;
	uint64_t free_resident_bytes; /* free, and still there */
	uint64_t releasable_bytes; /* of that: what malloc_trim(3) gives back */
	uint64_t spread_bytes; /* kept by arenas beyond the two that keep most */
	uint64_t pinned_bytes; /* free, in pages that something in use keeps */
	uint64_t arenas;
	uint64_t top_size_bytes, top_size_blocks; /* the size of block with most bytes in use */
	bool trims_late; /* a large block was freed, and moved M_TRIM_THRESHOLD and
			  * M_MMAP_THRESHOLD up */

	/* Since an earlier moment. */
	bool has_growth;
	double seconds;
	int64_t growth_bytes; /* of what is in use */
	uint64_t grown_size_bytes, grown_size_blocks; /* the size of block that has grown most … */
	int64_t grown_blocks; /* … and by how many */
};

enum verdict_kind {
	VERDICT_LEAK,
	VERDICT_RETENTION,
	VERDICT_FRAGMENTATION,
	VERDICT_POOL,
	VERDICT_OUTSIDE, /* native, and not malloc's */
	VERDICT_NOT_NATIVE,
	VERDICT_IN_USE, /* one moment does not tell a leak from what is needed */
};

struct verdict {
	enum verdict_kind kind;
	const char *rule; /* its name */
	char evidence[VERDICT_TEXT_MAX];
	char remedy[VERDICT_TEXT_MAX];
	uint64_t gain_bytes; /* what the remedy would give back … */
	bool gain_is_least; /* … or more: a lower bound is all that can be told */
};

const char *verdict_name(enum verdict_kind kind);

/* The first rule that holds; one always does. */
struct verdict verdict_of(const struct verdict_facts *facts);

#endif
