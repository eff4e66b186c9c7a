/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The table of allocators. Frees come first and malloc last: whatever is allocated while probes are
 * being installed can then be seen to be freed, and the hottest function is armed for the shortest
 * time.
 */
#include "collect/allocators.h"

/* The libcs come last: where another allocator is linked into the same image, malloc is its. */
const struct allocator_family allocator_families[] = {
	{ ALLOCATOR_JEMALLOC, "jemalloc", "mallctl", "" },
	{ ALLOCATOR_TCMALLOC, "tcmalloc", "tc_malloc", "" },
	/* mi_malloc is there without the override of malloc, too; this comes with it only. */
	{ ALLOCATOR_MIMALLOC, "mimalloc", "_aligned_malloc", "" },
	{ ALLOCATOR_GLIBC, "glibc", "__libc_mallopt", "" },
	{ ALLOCATOR_MUSL, "musl", "__libc_start_main", "" }, /* a libc, and not glibc's */
	/* A stripped program exports no more than this of what is linked into it; or a wrapper. */
	{ ALLOCATOR_OTHER, "unknown malloc", "malloc", "" },
	{ ALLOCATOR_JEMALLOC, "jemalloc (je_)", "je_mallctl", "je_" },
	{ ALLOCATOR_JEMALLOC, "jemalloc (_rjem_)", "_rjem_mallctl", "_rjem_" },
	{ ALLOCATOR_TCMALLOC, "tcmalloc", "tc_malloc", "tc_" },
	{ ALLOCATOR_MIMALLOC, "mimalloc", "mi_malloc", "mi_" },
};

const size_t allocator_family_count = sizeof(allocator_families) / sizeof(allocator_families[0]);

#define ALLOCATE(size, count)                                                   \
	{                                                                       \
		.role = ROLE_ALLOCATE, .size_arg = (size), .count_arg = (count) \
	}
#define INNERMOST(size)                                                             \
	{                                                                           \
		.role = ROLE_ALLOCATE, .size_arg = (size), .flags = PROBE_INNERMOST \
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
#define FREE(pointer, flag_bits)                                                  \
	{                                                                         \
		.role = ROLE_FREE, .pointer_arg = (pointer), .flags = (flag_bits) \
	}
#define ALLOCATE_STRING(pointer)                                       \
	{                                                              \
		.role = ROLE_ALLOCATE_STRING, .pointer_arg = (pointer) \
	}
#define THROWING(size, count)                                                            \
	{                                                                                \
		.role = ROLE_ALLOCATE_THROWING, .size_arg = (size), .count_arg = (count) \
	}

enum {
	GLIBC = ALLOCATOR_GLIBC,
	MUSL = ALLOCATOR_MUSL,
	JEMALLOC = ALLOCATOR_JEMALLOC,
	TCMALLOC = ALLOCATOR_TCMALLOC,
	MIMALLOC = ALLOCATOR_MIMALLOC,
	OTHER = ALLOCATOR_OTHER,
	KNOWN = GLIBC | MUSL | JEMALLOC | TCMALLOC | MIMALLOC,
	ALL = KNOWN | OTHER,
	/*
	 * Where realloc(p, 0) returns NULL it has freed the block. jemalloc from 5.3 on may be told
	 * to return a block, which is then counted as one; musl and mimalloc always return one.
	 */
	ZERO_FREES = GLIBC | JEMALLOC | TCMALLOC | OTHER,
	ZERO_KEEPS = ALL & ~ZERO_FREES,
	/* Those whose C++ operators do not call malloc; the others' are libstdc++'s, which do. */
	OPERATORS = JEMALLOC | TCMALLOC | MIMALLOC | OTHER,
};

const struct allocator_row allocator_rows[] = {
	{ GLIBC, "free", FREE(1, PROBE_EMPTIES_CACHES) },
	{ KNOWN & ~GLIBC, "free", FREE(1, 0) },
	{ OTHER, "free", FREE(1, PROBE_PASSES_ON) },
	{ GLIBC | TCMALLOC | MIMALLOC | OTHER, "cfree",
	  FREE(1, PROBE_PASSES_ON) }, /* glibc: until 2.26 */
	{ ALL, "free_sized", FREE(1, PROBE_PASSES_ON) }, /* C23 */
	{ ALL, "free_aligned_sized", FREE(1, PROBE_PASSES_ON) },
	{ JEMALLOC, "dallocx", FREE(1, 0) },
	{ JEMALLOC, "sdallocx", FREE(1, 0) },
	{ MIMALLOC, "free_size", FREE(1, PROBE_PASSES_ON) },
	{ MIMALLOC, "free_size_aligned", FREE(1, PROBE_PASSES_ON) },
	{ MIMALLOC, "free_aligned", FREE(1, PROBE_PASSES_ON) },
	{ MIMALLOC, "vfree", FREE(1, PROBE_PASSES_ON) },
	{ MIMALLOC, "free_small", FREE(1, PROBE_PASSES_ON) }, /* this and its kin: mimalloc 3 */
	{ MIMALLOC, "free_small_nonnull", FREE(1, PROBE_PASSES_ON) },
	{ MIMALLOC, "free_small_local", FREE(1, PROBE_PASSES_ON) },
	{ MIMALLOC, "free_small_local_nonnull", FREE(1, PROBE_PASSES_ON) },
	{ MIMALLOC, "ufree", FREE(1, PROBE_PASSES_ON) },

	/* operator delete, and delete[]: plain, sized, aligned, both, and their nothrow forms */
	{ OPERATORS, "_ZdlPv", FREE(1, PROBE_PASSES_ON) },
	{ OPERATORS, "_ZdlPvm", FREE(1, PROBE_PASSES_ON) },
	{ OPERATORS, "_ZdlPvSt11align_val_t", FREE(1, PROBE_PASSES_ON) },
	{ OPERATORS, "_ZdlPvmSt11align_val_t", FREE(1, PROBE_PASSES_ON) },
	{ OPERATORS, "_ZdlPvRKSt9nothrow_t", FREE(1, PROBE_PASSES_ON) },
	{ OPERATORS, "_ZdlPvSt11align_val_tRKSt9nothrow_t", FREE(1, PROBE_PASSES_ON) },
	{ OPERATORS, "_ZdaPv", FREE(1, PROBE_PASSES_ON) },
	{ OPERATORS, "_ZdaPvm", FREE(1, PROBE_PASSES_ON) },
	{ OPERATORS, "_ZdaPvSt11align_val_t", FREE(1, PROBE_PASSES_ON) },
	{ OPERATORS, "_ZdaPvmSt11align_val_t", FREE(1, PROBE_PASSES_ON) },
	{ OPERATORS, "_ZdaPvRKSt9nothrow_t", FREE(1, PROBE_PASSES_ON) },
	{ OPERATORS, "_ZdaPvSt11align_val_tRKSt9nothrow_t", FREE(1, PROBE_PASSES_ON) },

	/* operator new, and new[]: plain, aligned, and their nothrow forms, which throw inside */
	{ OPERATORS, "_Znwm", THROWING(1, 0) },
	{ OPERATORS, "_ZnwmSt11align_val_t", THROWING(1, 0) },
	{ OPERATORS, "_ZnwmRKSt9nothrow_t", THROWING(1, 0) },
	{ OPERATORS, "_ZnwmSt11align_val_tRKSt9nothrow_t", THROWING(1, 0) },
	{ OPERATORS, "_Znam", THROWING(1, 0) },
	{ OPERATORS, "_ZnamSt11align_val_t", THROWING(1, 0) },
	{ OPERATORS, "_ZnamRKSt9nothrow_t", THROWING(1, 0) },
	{ OPERATORS, "_ZnamSt11align_val_tRKSt9nothrow_t", THROWING(1, 0) },
	{ MIMALLOC, "new", THROWING(1, 0) },
	{ MIMALLOC, "new_aligned", THROWING(1, 0) },
	{ MIMALLOC, "new_nothrow", THROWING(1, 0) },
	{ MIMALLOC, "new_aligned_nothrow", THROWING(1, 0) },
	{ MIMALLOC, "new_n", THROWING(2, 1) },

	{ GLIBC | TCMALLOC | MIMALLOC | OTHER, "pvalloc", ALLOCATE(1, 0) },
	{ ALL, "valloc", ALLOCATE(1, 0) },
	{ ALL, "memalign", ALLOCATE(2, 0) },
	{ ALL, "aligned_alloc", ALLOCATE(2, 0) }, /* glibc before 2.38: is memalign */
	{ MIMALLOC, "_aligned_malloc", ALLOCATE(2, 0) },
	{ ALL, "posix_memalign", ALLOCATE_OUT(1, 3) },
	{ GLIBC | OTHER, "reallocarray", REALLOCATE(1, 3, 2, PROBE_REALLOC_ZERO_FREES) },
	{ MUSL | MIMALLOC, "reallocarray", REALLOCATE(1, 3, 2, 0) },
	{ ZERO_FREES, "realloc", REALLOCATE(1, 2, 0, PROBE_REALLOC_ZERO_FREES) },
	{ ZERO_KEEPS, "realloc", REALLOCATE(1, 2, 0, 0) },

	{ JEMALLOC, "rallocx", REALLOCATE(1, 2, 0, 0) },
	{ JEMALLOC, "xallocx", REALLOCATE(1, 2, 0, PROBE_RESIZES) },
	{ JEMALLOC, "mallocx", ALLOCATE(1, 0) },

	{ MIMALLOC, "reallocn", REALLOCATE(1, 3, 2, 0) },
	{ MIMALLOC, "rezalloc", REALLOCATE(1, 2, 0, 0) },
	{ MIMALLOC, "recalloc", REALLOCATE(1, 3, 2, 0) },
	{ MIMALLOC, "realloc_aligned", REALLOCATE(1, 2, 0, 0) },
	{ MIMALLOC, "realloc_aligned_at", REALLOCATE(1, 2, 0, 0) },
	{ MIMALLOC, "rezalloc_aligned", REALLOCATE(1, 2, 0, 0) },
	{ MIMALLOC, "recalloc_aligned", REALLOCATE(1, 3, 2, 0) },
	{ MIMALLOC, "zalloc", ALLOCATE(1, 0) },
	{ MIMALLOC, "zalloc_small", ALLOCATE(1, 0) },
	{ MIMALLOC, "zalloc_aligned", ALLOCATE(1, 0) },
	{ MIMALLOC, "zalloc_aligned_at", ALLOCATE(1, 0) },
	{ MIMALLOC, "calloc_aligned", ALLOCATE(2, 1) },
	{ MIMALLOC, "calloc_aligned_at", ALLOCATE(2, 1) },
	{ MIMALLOC, "mallocn", ALLOCATE(2, 1) },
	{ MIMALLOC, "malloc_small", ALLOCATE(1, 0) },
	{ MIMALLOC, "malloc_aligned", ALLOCATE(1, 0) },
	{ MIMALLOC, "malloc_aligned_at", ALLOCATE(1, 0) },
	{ MIMALLOC, "heap_malloc", ALLOCATE(2, 0) },
	{ MIMALLOC, "heap_malloc_small", ALLOCATE(2, 0) },
	{ MIMALLOC, "heap_malloc_aligned", ALLOCATE(2, 0) },
	{ MIMALLOC, "heap_zalloc", ALLOCATE(2, 0) },
	{ MIMALLOC, "heap_zalloc_aligned", ALLOCATE(2, 0) },
	{ MIMALLOC, "heap_calloc", ALLOCATE(3, 2) },
	{ MIMALLOC, "heap_mallocn", ALLOCATE(3, 2) },
	{ MIMALLOC, "heap_realloc", REALLOCATE(2, 3, 0, 0) },
	/* Where these do not call malloc, as in mimalloc 3: elsewhere the string is the same. */
	{ MIMALLOC | OTHER, "strdup", ALLOCATE_STRING(0) },
	{ MIMALLOC | OTHER, "strndup", ALLOCATE_STRING(0) },
	{ MIMALLOC | OTHER, "realpath", ALLOCATE_STRING(2) },
	{ MIMALLOC, "heap_strdup", ALLOCATE_STRING(0) },
	{ MIMALLOC, "heap_strndup", ALLOCATE_STRING(0) },
	{ MIMALLOC, "heap_realpath", ALLOCATE_STRING(3) },

	{ ALL, "calloc", ALLOCATE(2, 1) },
	{ ALL, "malloc", INNERMOST(1) },
};

const size_t allocator_row_count = sizeof(allocator_rows) / sizeof(allocator_rows[0]);
