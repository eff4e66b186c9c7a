/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which allocators serve a process, by what they have handed out: a libc's malloc that another one
 * has taken the place of is mapped and probed like any other, and says nothing.
 */
#ifndef UNFREED_COLLECT_SERVING_H
#define UNFREED_COLLECT_SERVING_H

#include "collect/watched.h"

/* Starts the count anew. */
void serving_reset(struct watched *watched);

/* So many blocks came from a function of image. */
void serving_add(struct watched *watched, const struct image *image, uint64_t blocks);

/*
 * "jemalloc (je_), glibc 2.36", most blocks first; all that are probed where there was no block
 * yet. NULL: none. The caller's: mem_free().
 */
char *serving_text(const struct watched *watched);

/* Whether it is a static program without a symbol table, which hides what allocator it has. */
bool serving_hidden(const struct watched *watched);

#endif
