/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Direct buffers, as the JDK itself counts them to keep to -XX:MaxDirectMemorySize. */
#ifndef UNFREED_HOTSPOT_DIRECT_H
#define UNFREED_HOTSPOT_DIRECT_H

#include "hotspot/memory.h"
#include "hotspot/vmstructs.h"

/* False: nobody has asked for one yet, or what stands there is not understood. */
bool direct_read(struct memory *memory, const struct vmstructs *vm, uint64_t *bytes,
		 uint64_t *buffers);

#endif
