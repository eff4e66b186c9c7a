/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What to probe: one row for each function of each allocator. A new allocator is new rows. */
#ifndef UNFREED_COLLECT_ALLOCATORS_H
#define UNFREED_COLLECT_ALLOCATORS_H

#include <stddef.h>

#include "abi.h"

struct allocator_row {
	const char *allocator; /* "glibc" */
	const char *symbol;
	struct abi_probe probe; /* skip_bytes and row are filled in when placed */
};

/* The rows in the order in which their probes are attached. */
extern const struct allocator_row allocator_rows[];
extern const size_t allocator_row_count;

#endif
