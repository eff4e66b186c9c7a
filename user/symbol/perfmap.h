/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names of code that a program made at run time, as it writes them to /tmp/perf-PID.map itself: a
 * line "START SIZE NAME" for each function, both numbers hexadecimal (the kernel's
 * tools/perf/Documentation/jit-interface.txt). Works on bytes alone; they may be hostile.
 */
#ifndef UNFREED_SYMBOL_PERFMAP_H
#define UNFREED_SYMBOL_PERFMAP_H

#include <stddef.h>
#include <stdint.h>

#include "symbol/symbol.h"

enum {
	PERFMAP_ENTRIES_MAX = 2 << 20,
	PERFMAP_TEXT_MAX = 128 << 20, /* bytes of names */
	PERFMAP_NAME_MAX = 4095, /* bytes of one name; the rest is cut off */
};

struct perfmap;

struct perfmap *perfmap_new(void);
void perfmap_free(struct perfmap *map); /* NULL is legal */

/*
 * Takes in the next bytes of the file: lines may be cut anywhere, and those that are none are left
 * out. Returns 0, or -EFBIG where there is no room for all of them.
 */
int perfmap_take(struct perfmap *map, const void *bytes, size_t count);

/*
 * Calls frame once for each addresses[i], with name NULL where nothing is known. Of lines that
 * overlap, the last one holds: code is replaced. What V8 and CPython write is taken apart into
 * function, file and line.
 */
void perfmap_names(const struct perfmap *map, const uint64_t *addresses, size_t count,
		   symbol_frame_fn frame, void *context);

#endif
