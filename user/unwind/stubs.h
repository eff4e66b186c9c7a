/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Code that runtimes make without unwind information and without a frame pointer, known by its
 * bytes: CPython's trampolines (python -X perf).
 */
#ifndef UNFREED_UNWIND_STUBS_H
#define UNFREED_UNWIND_STUBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct abi_row;

enum { STUBS_BYTES = 64 << 10 }; /* of an arena, which begins on a page */

/* Whether these STUBS_BYTES are an arena of such code, and the row that holds for all of it. */
bool unwind_stubs(const uint8_t *bytes, struct abi_row *row);

#endif
