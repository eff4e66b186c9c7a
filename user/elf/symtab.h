/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The functions of an image, by name and by address. */
#ifndef UNFREED_ELF_SYMTAB_H
#define UNFREED_ELF_SYMTAB_H

#include "elf/image.h"

/* -- by name ------------------------------------------------------------------------------------
 */

struct symtab_function {
	bool found;
	bool indirect; /* STT_GNU_IFUNC: its code chooses the function, at run time */
	uint64_t address; /* in the image */
	uint64_t bytes; /* 0: unknown */
};

/*
 * Looks names up as functions that the image defines for others: in .dynsym (the default version
 * first), then, for static programs, in .symtab without its local symbols.
 */
void symtab_functions(struct image *image, const char *const *names, size_t count,
		      struct symtab_function *functions);

/* -- by address ---------------------------------------------------------------------------------
 */

struct symtab_entry {
	uint64_t address, end;
	const char *name; /* as in the file, a "@VERSION" may follow; the images' */
	uint8_t rank; /* among names of one address: least is best */
	bool sized; /* else end is the next symbol's, or the section's */
};

struct symtab;

/*
 * The sorted index over .symtab and .dynsym of image and, where not NULL, of its separate debug
 * file. Both must outlive it. Broken tables are left out.
 */
struct symtab *symtab_new(struct image *image, struct image *debug);
void symtab_free(struct symtab *symtab); /* NULL is legal */

/* The function that covers address, or NULL. */
const struct symtab_entry *symtab_find(const struct symtab *symtab, uint64_t address);

#endif
