/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The names of code that a watched process makes at run time and tells of in a perf map. They are
 * taken soon after the stack that has them: such code is replaced.
 */
#ifndef UNFREED_COLLECT_JIT_H
#define UNFREED_COLLECT_JIT_H

#include <stdint.h>
#include <sys/types.h>

#include "collect/names.h"

struct jit;

struct jit *jit_new(struct sandbox *sandbox, pid_t pid);
void jit_free(struct jit *jit); /* NULL is legal */

/* The process has ended: its map is looked into once more, and closed. NULL is legal. */
void jit_end(struct jit *jit);

/*
 * An address in its memory. Its one frame comes with jit_resolve, none as long as no map names it;
 * both live as long as jit.
 */
const struct named *jit_want(struct jit *jit, uint64_t address);

/*
 * Looks up what is wanted, and again what had no name if the map has grown since. Returns 0 or,
 * once, -errno with a sentence: names may be missing.
 */
int jit_resolve(struct jit *jit);

#endif
