/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a JVM says of itself, read from its memory without a signal: its version, the flags that
 * bound memory, and the counters that jstat shows, which are as of the last collection.
 */
#ifndef UNFREED_HOTSPOT_FACTS_H
#define UNFREED_HOTSPOT_FACTS_H

#include "hotspot/hotspot.h"
#include "hotspot/vmstructs.h"

/* See hotspot_facts. */
void facts_read(struct hotspot_facts *facts, struct memory *memory, const struct vmstructs *vm);

#endif
