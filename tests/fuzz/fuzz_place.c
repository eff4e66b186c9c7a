/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where to put a probe: the first byte says what it needs, the rest is a function's code. */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "elf/place.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	uint64_t needs = input_number(&input, 1);
	size_t bytes;
	uint8_t *code = input_bytes(&input, PLACE_CODE_MAX, &bytes);
	struct place place = place_probe(&(struct place_request){
		.machine = EM_X86_64,
		.code = code,
		.code_bytes = bytes,
		.has_return = needs & 1,
		.argument_mask = needs >> 1 & 0x3f,
	});

	fuzz_expect(memchr(place.instruction, 0, sizeof(place.instruction)));
	fuzz_expect(memchr(place.why, 0, sizeof(place.why)));
	fuzz_expect(place.placed || *place.why);
	if (place.placed)
		fuzz_expect(place.skip_bytes < bytes && *place.instruction);
	fuzz_end("%s%s at %u", place.placed ? place.instruction : place.why,
		 place.emulated ? ", emulated," : "", place.skip_bytes);
	free(code);
	return 0;
}
