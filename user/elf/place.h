/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where in a function to put a probe. The kernel emulates a few instructions; any other is copied
 * out of line and single-stepped, at the price of one more trap. So the probe goes on the first
 * emulated instruction that every call passes with its arguments still in their registers, found by
 * decoding from the function's first byte (an offset inside an instruction would corrupt the
 * target). A return probe replaces the word at [rsp]: it never moves past a change of rsp.
 */
#ifndef UNFREED_ELF_PLACE_H
#define UNFREED_ELF_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct place_request {
	uint16_t machine; /* EM_… */
	bool bits32;
	const uint8_t *code; /* the function's first bytes, as in the file */
	size_t code_bytes; /* as many as are there, at most the function's own */
	bool has_return;
	uint8_t argument_mask; /* bit n - 1: argument n must still be in its register */
};

struct place {
	bool placed; /* else why says why not */
	bool emulated;
	uint8_t skip_bytes;
	uint8_t pushed_words; /* of the stack, above the return address; PLACE_PUSHED_MAX: unknown
			       */
	char instruction[48];
	char why[96];
};

/* More than this of a function's code is not looked at. */
enum { PLACE_CODE_MAX = 64 << 10 };
enum { PLACE_PUSHED_MAX = 15 };

struct place place_probe(const struct place_request *request);

#endif
