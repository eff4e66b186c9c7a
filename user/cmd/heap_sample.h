/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One look at the heaps of all processes of a target. */
#ifndef UNFREED_CMD_HEAP_SAMPLE_H
#define UNFREED_CMD_HEAP_SAMPLE_H

#include "cmd/heap.h"

/* Looks at pids. One that cannot be read is in the report, with why. */
void heap_sample(struct heap_report *report, const pid_t *pids, size_t count);

struct footprint;

/* Adds to each process what unfreed map says of it. */
void heap_add_around(struct heap_report *report, const struct footprint *footprint);

/* Gives each process its verdict; before: an earlier report, or NULL. */
void heap_judge(struct heap_report *report, const struct heap_report *before);

void heap_report_free(struct heap_report *report);

/* The allocator that has taken malloc's place in pid: "glibc", "jemalloc", …. */
const char *heap_allocator(pid_t pid, const struct maps *maps);

/* What to say of an allocator whose heap cannot be walked; NULL: glibc's, which can. */
const char *heap_allocator_advice(const char *allocator);

#endif
