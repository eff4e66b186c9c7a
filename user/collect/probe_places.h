/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where the probes of a trace would be, and what a call is worth in traps: without any of them. */
#ifndef UNFREED_COLLECT_PROBE_PLACES_H
#define UNFREED_COLLECT_PROBE_PLACES_H

#include <stdint.h>
#include <sys/types.h>

#include "base/vec.h"

struct probe_place {
	char *function; /* with its allocator's prefix */
	char *module; /* as the process sees it */
	char *instruction; /* the probed one: "push r12"; NULL where none is */
	uint32_t skip_bytes; /* from the function's first byte to it */
	/* of one call: each hit is a trap, and one more where the kernel has to single-step */
	uint32_t traps, single_steps;
	char *why; /* why it is not probed; NULL: it is */
};

struct probe_places {
	VEC(struct probe_place) rows;
	uint32_t processes; /* that they are of */
};

/*
 * Those in the processes' code, each image once, in the order of the table of allocators. Nothing
 * is attached. Returns 0, or -errno with a sentence where no process can be read.
 */
int probe_places_read(struct probe_places *places, const pid_t *pids, size_t count);
void probe_places_free(struct probe_places *places); /* all zero is legal */

#endif
