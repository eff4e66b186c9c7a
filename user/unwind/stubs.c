/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Recognises arenas of trampolines. */
#include "unwind/stubs.h"

#include <string.h>

#include "abi.h"

enum { SLOT_BYTES = 16 };

/*
 * CPython fills a whole arena with copies of Python/asm_trampoline.S before it makes it executable:
 * one in 16 bytes, or one behind the other (before 3.12.2). What is called from there returns
 * behind the subtraction, where the return address lies one word up.
 */
static const struct shape {
	uint8_t code[SLOT_BYTES];
	uint8_t code_bytes;
	uint8_t pushed_from; /* offset of the instruction behind the subtraction */
} shapes[] = {
	/* sub $8,%rsp; call *%rcx; add $8,%rsp; ret */
	{ { 0x48, 0x83, 0xec, 0x08, 0xff, 0xd1, 0x48, 0x83, 0xc4, 0x08, 0xc3 }, 11, 4 },
	/* the same behind an endbr64 */
	{ { 0xf3, 0x0f, 0x1e, 0xfa, 0x48, 0x83, 0xec, 0x08, 0xff, 0xd1, 0x48, 0x83, 0xc4, 0x08,
	    0xc3 },
	  15,
	  8 },
};

static bool filled_with(const uint8_t *bytes, const struct shape *shape, size_t stride)
{
	for (size_t at = 0; at + shape->code_bytes <= STUBS_BYTES; at += stride) {
		if (memcmp(bytes + at, shape->code, shape->code_bytes))
			return false;
	}
	return true;
}

bool unwind_stubs(const uint8_t *bytes, struct abi_row *row)
{
	*row = (struct abi_row){ .bp_offset = ROW_BP_SAME };
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		const struct shape *shape = &shapes[i];

		if (filled_with(bytes, shape, SLOT_BYTES)) {
			/* As a PLT's: it tells the bytes before the subtraction from those behind.
			 */
			row->cfa = CFA_PLT;
			row->cfa_offset = shape->pushed_from;
			return true;
		}
		if (filled_with(bytes, shape, shape->code_bytes)) {
			row->cfa = CFA_SP;
			row->cfa_offset = 2;
			return true;
		}
	}
	return false;
}
