/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The table of allocators. Frees come first and malloc last: whatever is allocated while probes are
 * being installed can then be seen to be freed, and the hottest function is armed for the shortest
 * time.
 */
#include "collect/allocators.h"

#define ALLOCATE(size, count)                                                   \
	{                                                                       \
		.role = ROLE_ALLOCATE, .size_arg = (size), .count_arg = (count) \
	}
#define ALLOCATE_OUT(pointer, size)                                                     \
	{                                                                               \
		.role = ROLE_ALLOCATE_OUT, .pointer_arg = (pointer), .size_arg = (size) \
	}
#define REALLOCATE(pointer, size, count, flag_bits)                                    \
	{                                                                              \
		.role = ROLE_REALLOCATE, .pointer_arg = (pointer), .size_arg = (size), \
		.count_arg = (count), .flags = (flag_bits)                             \
	}
#define FREE(pointer)                                       \
	{                                                   \
		.role = ROLE_FREE, .pointer_arg = (pointer) \
	}

const struct allocator_row allocator_rows[] = {
	{ "glibc", "free", FREE(1) },
	{ "glibc", "cfree", FREE(1) }, /* until 2.26 */
	{ "glibc", "pvalloc", ALLOCATE(1, 0) },
	{ "glibc", "valloc", ALLOCATE(1, 0) },
	{ "glibc", "memalign", ALLOCATE(2, 0) },
	{ "glibc", "aligned_alloc", ALLOCATE(2, 0) }, /* before 2.38 one address with memalign */
	{ "glibc", "posix_memalign", ALLOCATE_OUT(1, 3) },
	{ "glibc", "reallocarray", REALLOCATE(1, 3, 2, PROBE_REALLOC_ZERO_FREES) },
	{ "glibc", "realloc", REALLOCATE(1, 2, 0, PROBE_REALLOC_ZERO_FREES) },
	{ "glibc", "calloc", ALLOCATE(2, 1) },
	{ "glibc", "malloc", ALLOCATE(1, 0) },
};

const size_t allocator_row_count = sizeof(allocator_rows) / sizeof(allocator_rows[0]);
