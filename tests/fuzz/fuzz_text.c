/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Hostile text on its way to a terminal: no control gets through, and what comes out is UTF-8. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	size_t room = input_number(&input, 1), characters;
	const char *text = input_fenced_text(&input);
	char *shown = malloc(room ? room : 1);
	const char *at = shown;

	characters = text_escape(shown, room, text);
	while (room && *at) {
		const char *before = at;
		uint32_t character = text_next(&at);
		char again[4];

		fuzz_expect(!text_is_control(character) && (unsigned char)*before >= ' ');
		fuzz_expect(text_encode(again, character) == (size_t)(at - before));
		fuzz_expect(!memcmp(again, before, (size_t)(at - before)));
		fuzz_expect(characters--);
	}
	fuzz_expect(!room || !characters);
	fuzz_end("%s", room ? shown : "");
	free(shown);
	return 0;
}
