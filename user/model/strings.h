/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A pool that owns text and frames, and gives them all back at once. */
#ifndef UNFREED_MODEL_STRINGS_H
#define UNFREED_MODEL_STRINGS_H

#include <stddef.h>

struct strings;

struct strings *strings_new(void);
void strings_free(struct strings *strings); /* NULL is legal */

/* The pool's one copy of text: equal texts have equal addresses. NULL gives NULL. */
const char *strings_intern(struct strings *strings, const char *text);

/* A copy of bytes that lives as long as the pool, aligned for any type. */
void *strings_copy(struct strings *strings, const void *data, size_t bytes);

#endif
