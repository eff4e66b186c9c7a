/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What to probe: one row for each function, with the allocators that have it, and one row for each
 * way in which an allocator names its functions. A new allocator is new rows.
 */
#ifndef UNFREED_COLLECT_ALLOCATORS_H
#define UNFREED_COLLECT_ALLOCATORS_H

#include <stddef.h>

#include "abi.h"

enum allocator {
	ALLOCATOR_GLIBC = 1 << 0,
	ALLOCATOR_MUSL = 1 << 1,
	ALLOCATOR_JEMALLOC = 1 << 2,
	ALLOCATOR_TCMALLOC = 1 << 3,
	ALLOCATOR_MIMALLOC = 1 << 4,
	ALLOCATOR_OTHER = 1 << 5, /* unknown: what C and C++ say of malloc and operator new holds */
};

/* A set of names. Which image has it is told by a symbol that nothing else defines. */
struct allocator_family {
	enum allocator allocator;
	const char *name; /* "glibc" */
	const char *marker;
	const char *prefix; /* of its names: "je_", or "" where it takes the place of the libc's */
};

struct allocator_row {
	unsigned int allocators; /* ALLOCATOR_…, that have it */
	const char *symbol; /* without prefix */
	struct abi_probe probe; /* skip_bytes and row are filled in when placed */
};

/* The first that an image has takes the plain names. */
extern const struct allocator_family allocator_families[];
extern const size_t allocator_family_count;

/* The rows in the order in which their probes are attached. */
extern const struct allocator_row allocator_rows[];
extern const size_t allocator_row_count;

#endif
