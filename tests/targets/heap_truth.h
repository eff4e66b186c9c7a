/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The sites of heap_truth: those in C, and those in C++. */
#ifndef UNFREED_TARGETS_HEAP_TRUTH_H
#define UNFREED_TARGETS_HEAP_TRUTH_H

#include <stddef.h>

/* What one call of a site left allocated. */
struct left {
	void *pointer; /* may be given to free() later; NULL: never freed */
	size_t bytes, blocks;
};

typedef struct left site_fn(size_t size);

#ifdef __cplusplus
extern "C" {
#endif
site_fn leak_new, leak_new_array, leak_new_nothrow, leak_new_aligned, leak_string, leak_vector;
site_fn churn_cxx;
#ifdef __cplusplus
}
#endif

#endif
