/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Names for addresses of an image: symbol tables, and where there is DWARF, lines and inlines. */
#ifndef UNFREED_SYMBOL_SYMBOL_H
#define UNFREED_SYMBOL_SYMBOL_H

#include "elf/image.h"

struct symbol_frame {
	const char *name; /* demangled; NULL: unknown */
	const char *file; /* NULL: unknown */
	uint32_t line; /* 0: unknown */
	bool inlined; /* into the next frame */
	bool interpreted; /* its code is an interpreter's */
};

struct symboliser;

/*
 * debug is the image's separate debug file and alt the supplementary file of whichever of the two
 * has DWARF; both may be NULL. All must outlive the symboliser. Broken DWARF takes away the lines
 * only.
 */
struct symboliser *symboliser_new(struct image *image, struct image *debug, struct image *alt);
void symboliser_free(struct symboliser *symboliser); /* NULL is legal */

/*
 * Calls frame for each frame of each addresses[i], innermost first; one with name NULL where
 * nothing is known. In no particular order of i. Texts live until frame returns.
 */
typedef void (*symbol_frame_fn)(size_t i, const struct symbol_frame *frame, void *context);
void symbolise(struct symboliser *symboliser, const uint64_t *addresses, size_t count,
	       symbol_frame_fn frame, void *context);

#endif
