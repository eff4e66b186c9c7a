/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One look at the heaps of all processes of a target. */
#ifndef UNFREED_CMD_HEAP_SAMPLE_H
#define UNFREED_CMD_HEAP_SAMPLE_H

#include "cmd/heap.h"

/* The processes of a target, again: those that have come since included. */
void heap_members(const struct target *target, bool again, struct pid_list *list);

/*
 * Looks at the target's processes: their heaps, what they hold besides, and the verdict on each,
 * against an earlier look (NULL: none), which must live as long. One that cannot be read is in the
 * report, with why.
 */
void heap_look(struct heap_report *report, const struct heap_options *options,
	       const struct target *target, const struct heap_report *before);

void heap_report_free(struct heap_report *report);

/* The allocator that has taken malloc's place in pid: "glibc", "jemalloc", …. */
const char *heap_allocator(pid_t pid, const struct maps *maps);

/* What to say of an allocator whose heap cannot be walked; NULL: glibc's, which can. */
const char *heap_allocator_advice(const char *allocator);

#endif
