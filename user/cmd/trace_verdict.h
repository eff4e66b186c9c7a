/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Leak, or does the allocator keep what was freed? A trace looks at the heaps when it begins and
 * when it ends, from outside, and says so under its report. */
#ifndef UNFREED_CMD_TRACE_VERDICT_H
#define UNFREED_CMD_TRACE_VERDICT_H

#include "cmd/heap.h"
#include "model/snapshot.h"

struct trace_verdict {
	struct heap_options options;
	struct heap_report first; /* without processes: too many */
};

void trace_verdict_begin(struct trace_verdict *verdict, const struct target *target);

/* Adds the verdict on each process of which a heap of glibc was walked both times. */
void trace_verdict_end(struct trace_verdict *verdict, const struct target *target,
		       struct snapshot *snapshot);
void trace_verdict_free(struct trace_verdict *verdict);

#endif
