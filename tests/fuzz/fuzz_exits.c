/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where a function leaves: code, in a library with an offset table. Input: how much of it is the
 * function (16 bits), then the code.
 */
#include <elf.h>
#include <stdlib.h>

#include "base/error.h"
#include "elf/exits.h"
#include "fuzz.h"

enum { CODE_MAX = 4096, PARTS = 4 };

/* Slots of the table lie behind the code; two of them lead to its first bytes. */
static void fill(Elf64_Rela relocations[3], Elf64_Sym symbols[2], uint64_t text, size_t bytes)
{
	static const uint32_t types[] = { R_X86_64_RELATIVE, R_X86_64_JUMP_SLOT,
					  R_X86_64_GLOB_DAT };

	for (int i = 0; i < 3; i++)
		relocations[i] = (Elf64_Rela){
			.r_offset = text + bytes + 8 * (uint64_t)i,
			.r_info = ELF64_R_INFO(i ? 1 : 0, types[i]),
			.r_addend = (int64_t)text + i,
		};
	symbols[1] = (Elf64_Sym){ .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
				  .st_shndx = 1,
				  .st_value = text + 1 };
}

static void check(const struct exits *exits, uint64_t text, size_t bytes)
{
	for (size_t i = 0; i < exits->places.count; i++) {
		const struct exit_place *place = &exits->places.items[i];

		fuzz_expect(place->address >= ELF_BASE && place->address < text + bytes);
		if (i)
			fuzz_expect(place[-1].address < place->address);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	uint64_t part = input_number(&input, 2), offsets[PARTS];
	Elf64_Rela relocations[3];
	Elf64_Sym symbols[2] = { 0 };
	struct exits exits = { 0 };
	struct image *image;
	size_t bytes, file_bytes;
	uint8_t *code = input_bytes(&input, CODE_MAX, &bytes), *file;
	const struct part parts[] = {
		{ ".text", SHT_PROGBITS, 0, 0, code, bytes, SHF_ALLOC | SHF_EXECINSTR },
		{ ".rela.dyn", SHT_RELA, 3, sizeof(*relocations), relocations, sizeof(relocations),
		  0 },
		{ ".dynsym", SHT_DYNSYM, 4, sizeof(*symbols), symbols, sizeof(symbols), 0 },
		{ ".dynstr", SHT_STRTAB, 0, 0, "", 1, 0 },
	};
	uint64_t text = ELF_BASE + sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr);

	fill(relocations, symbols, text, bytes);
	file = fuzz_elf(parts, PARTS, &file_bytes, offsets);
	fuzz_expect(offsets[0] + ELF_BASE == text);
	fuzz_expect(!image_open_bytes(&image, file, file_bytes));
	part = part > bytes ? bytes : part;
	if (exits_find(&exits, image, text,
		       (struct extent[]){ { text, text + part }, { text + part, text + bytes } },
		       2))
		fuzz_end("%s", error_message());
	else
		fuzz_end("%zu exits, the first %s", exits.places.count,
			 exits.places.items[0].unseen ? "unseen" : "seen");
	check(&exits, ELF_BASE, file_bytes);
	exits_clear(&exits);
	image_free(image);
	free(file);
	free(code);
	return 0;
}
