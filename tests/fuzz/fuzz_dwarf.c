/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * DWARF: names, files and lines of addresses. Input: sections, each as its number (8 bits), bytes
 * (16 bits) and contents, put into a sound ELF file: what is broken is the DWARF.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "fuzz.h"
#include "symbol/symbol.h"
#include "symbol/units.h"

static const char *const names[] = {
	".debug_info",	 ".debug_abbrev",      ".debug_str",	    ".debug_line",
	".debug_ranges", ".debug_line_str",    ".debug_rnglists",   ".debug_addr",
	".debug_loc",	 ".debug_str_offsets", ".gnu_debugaltlink", ".debug_types",
};

enum { NAMES = sizeof(names) / sizeof(*names), ADDRESSES = 64, STEP = 8 };

struct answers {
	size_t frames, names, lines;
	size_t last[ADDRESSES]; /* answers of an address: its frames, the last not inlined */
};

static void take(size_t i, const struct symbol_frame *frame, void *context)
{
	struct answers *answers = context;

	fuzz_expect(i < ADDRESSES && !answers->last[i]);
	answers->last[i] = !frame->inlined;
	answers->frames++;
	answers->names += frame->name && strlen(frame->name);
	answers->lines += frame->file && strlen(frame->file) && frame->line;
}

static void name_all(struct image *image)
{
	struct symboliser *symboliser = symboliser_new(image, NULL, NULL);
	uint64_t addresses[ADDRESSES];
	struct answers answers = { 0 };
	struct units *units;

	for (size_t i = 0; i < ADDRESSES; i++)
		addresses[i] = 0x1000 + STEP * i;
	symbolise(symboliser, addresses, ADDRESSES, take, &answers);
	for (size_t i = 0; i < ADDRESSES; i++)
		fuzz_expect(answers.last[i]);
	symboliser_free(symboliser);
	if (!getenv("FUZZ_ENDS")) /* all that follows was tried above */
		return;
	if (units_new(&units, image, NULL)) {
		fuzz_end("%s", error_message());
	} else {
		fuzz_end("%zu frames, %zu names, %zu lines", answers.frames, answers.names,
			 answers.lines);
		units_free(units);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	struct part parts[NAMES] = { 0 };
	struct image *image;
	size_t bytes;
	uint8_t *file;

	for (size_t i = 0; i < NAMES; i++)
		parts[i] = (struct part){ .name = names[i], .type = SHT_PROGBITS };
	while (input.left) {
		struct part *part = &parts[input_number(&input, 1) % NAMES];
		uint64_t wanted = input_number(&input, 2);

		free((void *)part->bytes);
		part->bytes = input_bytes(&input, wanted, &part->size);
	}
	file = fuzz_elf(parts, NAMES, &bytes, NULL);
	fuzz_expect(!image_open_bytes(&image, file, bytes));
	name_all(image);
	image_free(image);
	free(file);
	for (size_t i = 0; i < NAMES; i++)
		free((void *)parts[i].bytes);
	return 0;
}
