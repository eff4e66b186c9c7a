/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where a function leaves: for one that may throw, and so must not have a return probe. Its code is
 * followed from its first byte along every branch, also where it ends in a jump to another function
 * of the image. Each ret that is reached is an exit with the result in its register; so is no jump
 * through a pointer.
 */
#ifndef UNFREED_ELF_EXITS_H
#define UNFREED_ELF_EXITS_H

#include "base/vec.h"
#include "elf/image.h"

/* Code of one function, or of a part of it: nothing runs on past its end. */
struct extent {
	uint64_t start, end;
};

struct exit_place {
	uint64_t address;
	bool unseen; /* a jump: the result is not to be had there */
};

struct exits {
	VEC(struct exit_place) places; /* sorted by address, none twice */
};

/*
 * Adds the exits of the function at address. extents are sorted by start. Returns 0, or -ENOTSUP
 * (another machine), -EINVAL (code that cannot be followed) with a sentence; then nothing is added.
 */
int exits_find(struct exits *exits, struct image *image, uint64_t address,
	       const struct extent *extents, size_t extent_count);
void exits_clear(struct exits *exits);

#endif
