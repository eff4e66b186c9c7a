/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Demangling: any name, of any length, to a text that ends in time. */
#include <string.h>

#include "fuzz.h"
#include "symbol/demangle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	const char *name = input_fenced_text(&input);
	char buffer[DEMANGLE_MAX];

	fuzz_expect(demangle(name, buffer) == buffer && memchr(buffer, 0, sizeof(buffer)));
	fuzz_end("%.60s", buffer);
	return 0;
}
