/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A heap of glibc of which some words are forged. Input: a version (8 bits), then for each word a
 * page (8 bits, the highest: is not there), which word of it (16 bits), and what to put (64 bits).
 */
#include "../unit/heap_image.h"
#include "fuzz.h"

enum { FETCHED_MAX = 1 << 12 }; /* pages: each of the image's a hundred times */

static void forge(struct heap_image *image, struct input *input)
{
	uint64_t page = input_number(input, 1), word = input_number(input, 2) % 512;
	uint64_t value = input_number(input, 8);

	if (page & 0x80)
		image->states[(page & 0x7f) % IMAGE_PAGES] = value & 1 ? PAGE_SWAPPED : PAGE_ABSENT;
	else
		image_put(image, image_base(page % IMAGE_PAGES) + word * 8, value);
}

static void check(const struct heap_image *image, const struct walk *walk)
{
	fuzz_expect(image->fetched <= 2 * FETCHED_MAX + (1 << 17));
	vec_for_each (arena, &walk->arenas)
		fuzz_expect(arena->in_use_bytes <= arena->system_bytes);
	for (size_t i = 0; i < walk->size_count; i++)
		fuzz_expect(walk->sizes[i].blocks && walk->sizes[i].size_bytes >= 32);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	struct heap_image *image = image_new(&image_glibcs[input_number(&input, 1) % IMAGE_GLIBCS]);
	struct walk walk;
	int error;

	image->fetched_max = FETCHED_MAX;
	while (input.left)
		forge(image, &input);
	error = walk_heap(&walk, image->reader, &image->maps, IMAGE_BRK, NULL);
	fuzz_expect(!error || !walk.arenas.count);
	check(image, &walk);
	fuzz_end("%d: %zu arenas, %zu sizes, %llu mmapped", error, walk.arenas.count,
		 walk.size_count, (unsigned long long)walk.mmapped.blocks);
	walk_free(&walk);
	image_free(image);
	return 0;
}
