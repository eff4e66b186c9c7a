/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* HotSpot's code cache: its heaps, and the blobs of code in them. */
#ifndef UNFREED_HOTSPOT_CODECACHE_H
#define UNFREED_HOTSPOT_CODECACHE_H

#include "hotspot/hotspot.h"
#include "hotspot/vmstructs.h"

enum { BLOB_NAME_MAX = 64 };

struct blob {
	uint64_t start, end; /* of the CodeBlob, its header first */
	uint64_t code; /* its first instruction */
	bool is_method; /* compiled or native: it has a Method* */
	char name[BLOB_NAME_MAX];
};

/* Returns 0; -EAGAIN: the JVM has yet to set its code cache up; -EINVAL: broken. */
int codecache_layout(struct hotspot_layout *layout, struct memory *memory,
		     const struct vmstructs *vm);

/* The blob around an address of code. False: none. */
bool codecache_find(const struct hotspot_layout *layout, struct memory *memory,
		    const struct vmstructs *vm, uint64_t address, struct blob *blob);

/* Is it still there, a method's, and of this compilation? As it is now. */
bool codecache_holds(struct memory *memory, const struct vmstructs *vm, const struct blob *blob,
		     uint32_t compilation);

/* What blocks of glibc's malloc hold for compiled methods: their data that do not change (23+), and
 * those that do (25+). */
uint64_t codecache_malloc_bytes(const struct hotspot_layout *layout, struct memory *memory,
				const struct vmstructs *vm);

/* Calls visit with the bounds of each code heap and of its segment map. */
typedef void (*codecache_visit_fn)(uint64_t start, uint64_t end, void *context);
void codecache_visit(struct memory *memory, const struct vmstructs *vm, codecache_visit_fn visit,
		     void *context);

/* A number that changes when code comes or goes. */
uint64_t codecache_state(struct memory *memory, const struct vmstructs *vm);

#endif
