/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* unfreed heap: what was asked for, and what was found of each process. */
#ifndef UNFREED_CMD_HEAP_H
#define UNFREED_CMD_HEAP_H

#include "cmd/peek.h"
#include "glibc/walk.h"
#include "model/footprint.h"
#include "model/verdict.h"
#include "musl/groups.h"
#include "process/proc.h"
#include "process/target.h"

struct heap_options {
	struct target_spec spec;
	bool json, help, duration_given, interval_given;
	uint64_t duration_ns, interval_ns;
	uint64_t top; /* sizes in the table */
	uint64_t walk_max_ns; /* for one process; 0: long */
	bool heaps_only; /* a first look: what is around does not matter yet */
	const char *output;
	struct peek_request peek;
};

/* The sums of all arenas of a process, and of its blocks with a mapping of their own. */
struct heap_sums {
	uint64_t system_bytes, in_use_bytes, in_use_blocks, free_bytes, unread_bytes;
	uint64_t binned_bytes, fastbin_bytes, cached_bytes, top_bytes;
	uint64_t resident_bytes, swapped_bytes;
	uint64_t trimmable_bytes; /* what malloc_trim(3) gives back */
	uint64_t free_resident_bytes, pinned_bytes;
	uint64_t spread_bytes; /* free_resident_bytes without those of the two arenas with most */
};

/* One process at one moment. */
struct heap_process {
	struct proc proc;
	const char *allocator; /* "glibc", …; "none": its heap is still unused */
	char *why; /* NULL: walk is there; else why not */
	struct maps maps;
	struct walk walk;
	struct musl_heap musl; /* without groups: it has none, or another allocator */
	struct heap_sums sums;
	struct figures around[CLASSES]; /* what unfreed map says of it */
	uint64_t walked_ns;
	struct verdict verdict;
	struct peek peek;
};

struct heap_report {
	const struct heap_options *options;
	const char *target;
	VEC(struct heap_process) processes; /* most heap first */
	uint64_t page_cache_bytes; /* of the target's control group */
	uint64_t taken_ns; /* of the monotonic clock */
	uint64_t watched_ns; /* since the first sample; 0: this is it */
};

/* All that the process holds of an allocator but glibc's. */
struct figures heap_other_allocators(const struct heap_process *process);

/* Each writes one report. */
void heap_table(const struct heap_report *report, FILE *stream);
void heap_json(const struct heap_report *report, FILE *stream);

struct json;
void heap_json_verdict(struct json *json, const struct verdict *verdict); /* a member */

#endif
