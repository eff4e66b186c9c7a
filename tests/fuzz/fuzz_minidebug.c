/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * .gnu_debugdata in a sound file. First byte 0: the section as it is. 1: where to damage it (16
 * bits) and by what to change the byte there (8 bits), then what is packed by xz here: mutations
 * alone never get past its checksums.
 */
#include <elf.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>

#include "elf/symtab.h"
#include "fuzz.h"
#include "symbol/minidebug.h"

enum { PACKED_MAX = 1 << 16, ENCODER_MAX = 4 << 20, ALIGNMENT = 64 };

/* The encoder's memory is the same for each input: to map it anew would take most of the time. */
struct arena {
	_Alignas(ALIGNMENT) uint8_t bytes[ENCODER_MAX];
	size_t used;
};

static void *take(void *opaque, size_t count, size_t bytes)
{
	struct arena *arena = opaque;
	size_t wanted = (count * bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
	void *at = arena->bytes + arena->used;

	fuzz_expect(wanted <= ENCODER_MAX - arena->used);
	arena->used += wanted;
	return at;
}

static void keep(void *opaque, void *memory)
{
	(void)opaque;
	(void)memory;
}

static uint8_t *pack(struct input *input, size_t *count)
{
	static struct arena arena;
	const lzma_allocator allocator = { take, keep, &arena };
	size_t place = input_number(input, 2);
	uint8_t change = (uint8_t)input_number(input, 1), *packed = malloc(PACKED_MAX);
	lzma_options_lzma options;
	lzma_filter filters[] = { { LZMA_FILTER_LZMA2, &options }, { LZMA_VLI_UNKNOWN, NULL } };

	*count = arena.used = 0;
	fuzz_expect(!lzma_lzma_preset(&options, 0));
	options.dict_size = LZMA_DICT_SIZE_MIN;
	fuzz_expect(!lzma_stream_buffer_encode(filters, LZMA_CHECK_CRC32, &allocator, input->at,
					       input->left, packed, count, PACKED_MAX));
	packed[place % *count] ^= change;
	return packed;
}

/* Each name that is said to be there is there. */
static size_t count_symbols(struct image *mini)
{
	struct symtab *symtab = symtab_new(mini, NULL);
	size_t found = 0;

	for (uint64_t at = 0; at < 8192; at += 16) {
		const struct symtab_entry *entry = symtab_find(symtab, at);

		found += entry && strlen(entry->name);
	}
	symtab_free(symtab);
	return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	bool packs = input_number(&input, 1) & 1;
	size_t count = input.left, bytes;
	uint8_t *section = packs ? pack(&input, &count) : input_bytes(&input, count, &count);
	uint8_t *file = fuzz_elf(
		(struct part[]){ { ".gnu_debugdata", SHT_PROGBITS, 0, 0, section, count, 0 } }, 1,
		&bytes, NULL);
	struct image *image, *mini;

	fuzz_expect(!image_open_bytes(&image, file, bytes));
	mini = minidebug_open(image);
	if (mini) {
		fuzz_expect(image_info(mini)->machine == image_info(image)->machine);
		fuzz_expect(image_info(mini)->bits32 == image_info(image)->bits32);
		fuzz_end("%zu symbols", count_symbols(mini));
	} else {
		fuzz_end("nothing");
	}
	image_free(mini);
	image_free(image);
	free(file);
	free(section);
	return 0;
}
