/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the parts of a JVM's memory are for, by its own structures. */
#ifndef UNFREED_HOTSPOT_AREAS_H
#define UNFREED_HOTSPOT_AREAS_H

#include "hotspot/hotspot.h"
#include "hotspot/vmstructs.h"

/* See hotspot_areas. */
void areas_read(struct memory *memory, const struct vmstructs *vm, hotspot_area_fn area,
		void *context);

/* The bounds of the Java heap's address space. False: not known. */
bool areas_heap(struct memory *memory, const struct vmstructs *vm, uint64_t *start, uint64_t *end);

#endif
