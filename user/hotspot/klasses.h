/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The classes that a JVM has loaded, as its own lists have them. */
#ifndef UNFREED_HOTSPOT_KLASSES_H
#define UNFREED_HOTSPOT_KLASSES_H

#include "hotspot/memory.h"
#include "hotspot/vmstructs.h"

/* Calls visit with the address of each Klass, until it returns false. What cannot be read is left
 * out; reads that fail in visit do no harm. */
typedef bool (*klass_visit_fn)(uint64_t klass, void *context);
void klasses_visit(struct memory *memory, const struct vmstructs *vm, klass_visit_fn visit,
		   void *context);

#endif
