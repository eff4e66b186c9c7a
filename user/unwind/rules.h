/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Runs the instructions of a function entry (DWARF 5 section 6.4.2) and puts the rules into rows.
 */
#ifndef UNFREED_UNWIND_RULES_H
#define UNFREED_UNWIND_RULES_H

#include "abi.h"
#include "unwind/cfi.h"

enum { RULES_DEPTH = 8 }; /* of remember_state: compilers nest it once or twice */

enum place_kind {
	PLACE_SAME, /* the register keeps its value; a CFA: not set yet */
	PLACE_UNDEFINED,
	PLACE_CFA, /* saved at CFA + offset */
	PLACE_REGISTER, /* saved at base + offset; a CFA: is base + offset */
	PLACE_DEREF, /* a CFA: is the word at base + offset */
	PLACE_PLT, /* a CFA: as in a PLT slot whose push ends at byte offset */
	PLACE_OTHER, /* no row can express it */
};

struct place {
	enum place_kind kind;
	uint32_t base; /* DWARF register */
	int64_t offset;
};

struct rules {
	struct place cfa, bp, sp, return_address;
};

struct rules_run {
	const struct cfi_section *section;
	const struct cfi_cie *cie;
	struct rules initial, now, stack[RULES_DEPTH];
	unsigned int depth;
	struct reader instructions;
	uint64_t pc;
	bool failed; /* the instructions are broken from here on */
};

/* The rules that a common entry starts its functions with. */
bool rules_of_cie(const struct cfi_section *section, const struct cfi_cie *cie,
		  struct rules *initial);

void rules_begin(struct rules_run *run, const struct cfi_section *section,
		 const struct cfi_cie *cie, const struct rules *initial, const struct cfi_fde *fde);

/*
 * Runs up to the next change of address. Gives the rules that hold from *pc on as a row (its pc is
 * the caller's to set); *expressed: the row says what the rules say. False: no more.
 */
bool rules_next(struct rules_run *run, uint64_t *pc, struct abi_row *row, bool *expressed);

#endif
