/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The DWARF of an image, by address: compilation units, and the functions in them. libdw opens no
 * file: no supplementary file but the one handed over, no .dwo.
 */
#ifndef UNFREED_SYMBOL_UNITS_H
#define UNFREED_SYMBOL_UNITS_H

#include <elfutils/libdw.h>

#include "elf/image.h"

struct units;

/*
 * The units of image's own DWARF; alt is its supplementary file, or NULL: names that lie there are
 * then missing. Both must outlive the units. Returns 0, -ENODATA (no DWARF) or -EINVAL (broken,
 * larger than UNITS_DWARF_MAX).
 */
#define UNITS_DWARF_MAX (2ULL << 30)
int units_new(struct units **units, struct image *image, struct image *alt);
void units_free(struct units *units); /* NULL is legal */

/* Whether the image has DWARF of its own. */
bool units_exist(struct image *image);

/*
 * The unit's and the function's DIEs that cover address; function may stay without (its addr is
 * NULL). False: no unit does.
 */
bool units_find(struct units *units, uint64_t address, Dwarf_Die *unit, Dwarf_Die *function);

/* An attribute's text, or NULL. libdw's own dwarf_formstring may run on behind the section's end.
 */
const char *units_string(const struct units *units, Dwarf_Die *die, unsigned attribute);

/* Steps to the next DIE in the file, at the same depth or one down. False: none, or it is broken
 * (a DIE must lie behind its elder: no loops). */
bool units_sibling(Dwarf_Die *die);
bool units_child(Dwarf_Die *die);

#endif
