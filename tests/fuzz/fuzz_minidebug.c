/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * .gnu_debugdata in a sound file. First byte 0: the section as it is. 1: where to damage it (16
 * bits) and by what to change the byte there (8 bits), then what is put into an xz file here,
 * stored and not compressed: mutations alone never get past its checksums.
 */
#include <elf.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>

#include "elf/symtab.h"
#include "fuzz.h"
#include "symbol/minidebug.h"

enum {
	PACKED_MAX = 1 << 16,
	BLOCK_AT = LZMA_STREAM_HEADER_SIZE,
	DICTIONARY_SMALL = 8, /* 64 KiB, in the block's header */
	DICTIONARY_LARGE_ODDS = 64,
};

static uint8_t *pack(struct input *input, size_t *count)
{
	size_t place = input_number(input, 2);
	uint8_t change = (uint8_t)input_number(input, 1), *packed = malloc(PACKED_MAX);
	lzma_stream_flags flags = { .check = LZMA_CHECK_CRC32 };
	lzma_filter filters[LZMA_FILTERS_MAX + 1];
	lzma_block block = { .check = flags.check, .filters = filters };
	lzma_index *index = lzma_index_init(NULL);

	*count = LZMA_STREAM_HEADER_SIZE;
	fuzz_expect(!lzma_stream_header_encode(&flags, packed));
	fuzz_expect(!lzma_block_uncomp_encode(&block, input->at, input->left, packed, count,
					      PACKED_MAX));
	fuzz_expect(!lzma_index_append(index, NULL, lzma_block_unpadded_size(&block),
				       block.uncompressed_size));
	fuzz_expect(!lzma_index_buffer_encode(index, packed, count, PACKED_MAX));
	flags.backward_size = lzma_index_size(index);
	fuzz_expect(!lzma_stream_footer_encode(&flags, packed + *count));
	*count += LZMA_STREAM_HEADER_SIZE;
	lzma_index_end(index, NULL);
	packed[place % *count] ^= change;
	return packed;
}

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t size_max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned int seed);

/*
 * Whoever descends from a sample with a dictionary of megabytes would need them too, and nearly all
 * of the time: most get a small one, and the header's checksum that belongs to it.
 */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned int seed)
{
	static const uint8_t lzma2[] = { LZMA_FILTER_LZMA2, 1 };
	uint8_t *block = data + 1 + BLOCK_AT;
	size_t bytes;
	uint32_t sum;

	size = LLVMFuzzerMutate(data, size, size_max);
	bytes = size > 1 + BLOCK_AT ? 4 * (size_t)*block : 0;
	if (bytes < 8 || (data[0] & 1) || bytes + 4 > size - 1 - BLOCK_AT ||
	    memcmp(block + 2, lzma2, sizeof(lzma2)) || block[4] <= DICTIONARY_SMALL ||
	    seed % DICTIONARY_LARGE_ODDS == 0)
		return size;
	block[4] = seed % (DICTIONARY_SMALL + 1);
	sum = lzma_crc32(block, bytes, 0);
	for (int i = 0; i < 4; i++)
		block[bytes + i] = (uint8_t)(sum >> (8 * i));
	return size;
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
