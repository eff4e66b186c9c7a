/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A process's memory with a heap of glibc in it, made by hand: what is in which place is known, and
 * can be forged. Shared by the unit tests of the walk and its fuzzer.
 */
#ifndef UNFREED_TESTS_HEAP_IMAGE_H
#define UNFREED_TESTS_HEAP_IMAGE_H

#include <stdio.h>
#include <string.h>

#include "base/vec.h"
#include "glibc/walk.h"

#define IMAGE_LIBC 0x7f0000000000ULL
#define IMAGE_BRK 0x555500000000ULL
#define IMAGE_HEAP 0x7e0000000000ULL /* of the second arena: a multiple of 64 MiB */
#define IMAGE_MMAPPED 0x7d0000000000ULL

enum {
	IMAGE_LIBC_PAGES = 4,
	IMAGE_BRK_PAGES = 16,
	IMAGE_HEAP_PAGES = 8,
	IMAGE_MMAPPED_PAGES = 2,
	IMAGE_PAGES = IMAGE_LIBC_PAGES + IMAGE_BRK_PAGES + IMAGE_HEAP_PAGES + IMAGE_MMAPPED_PAGES,
	IMAGE_FETCHED_MAX = 1 << 20,
};

/* How a version of glibc lays things out. */
struct image_glibc {
	uint16_t start_to_bins;
	bool has_attached, mangles;
	uint16_t heap_info_bytes;
	uint64_t tcache_bytes; /* of its chunk; 0: none */
};

struct heap_image {
	struct image_glibc glibc;
	uint8_t bytes[IMAGE_PAGES][READER_PAGE];
	uint8_t states[IMAGE_PAGES];
	uint64_t fetched, fetched_max; /* pages; then the time is up */
	struct maps maps;
	struct reader *reader;
	/* Where chunks are put next. */
	uint64_t at, flags;
	bool previous_free;
	/* What is known. */
	uint64_t free_bytes, in_use_bytes;
};

static const struct {
	uint64_t address;
	size_t pages;
} image_parts[] = {
	{ IMAGE_LIBC, IMAGE_LIBC_PAGES },
	{ IMAGE_BRK, IMAGE_BRK_PAGES },
	{ IMAGE_HEAP, IMAGE_HEAP_PAGES },
	{ IMAGE_MMAPPED, IMAGE_MMAPPED_PAGES },
};

static inline uint64_t image_base(size_t page)
{
	for (size_t i = 0; i < 4; i++) {
		if (page < image_parts[i].pages)
			return image_parts[i].address + page * READER_PAGE;
		page -= image_parts[i].pages;
	}
	return 0;
}

/* The page that address is in, or IMAGE_PAGES. */
static inline size_t image_page(uint64_t address)
{
	size_t before = 0;

	for (size_t i = 0; i < 4; before += image_parts[i++].pages) {
		uint64_t page = (address - image_parts[i].address) / READER_PAGE;

		if (page < image_parts[i].pages)
			return before + page;
	}
	return IMAGE_PAGES;
}

static inline void image_fetch(void *context, uint64_t address, size_t pages, uint8_t *buffer,
			       uint8_t *states)
{
	struct heap_image *image = context;

	image->fetched += pages;
	for (size_t i = 0; i < pages; i++) {
		size_t page = image_page(address + i * READER_PAGE);

		states[i] = page < IMAGE_PAGES ? image->states[page] : PAGE_ABSENT;
		if (buffer && states[i] == PAGE_PRESENT)
			memcpy(buffer + i * READER_PAGE, image->bytes[page], READER_PAGE);
		else if (buffer)
			memset(buffer + i * READER_PAGE, 0, READER_PAGE);
	}
}

static inline bool image_is_over(void *context)
{
	const struct heap_image *image = context;

	return image->fetched > image->fetched_max;
}

static inline void image_put(struct heap_image *image, uint64_t address, uint64_t value)
{
	size_t page = image_page(address);

	if (page < IMAGE_PAGES)
		memcpy(&image->bytes[page][address % READER_PAGE], &value, sizeof(value));
}

/* -- arenas ------------------------------------------------------------------------------------ */

static inline void image_put_arena(struct heap_image *image, uint64_t address, uint64_t next,
				   uint64_t top, uint64_t system_bytes)
{
	uint64_t bins = address + image->glibc.start_to_bins;

	for (uint64_t i = 0; i < 127; i++) {
		image_put(image, bins + 16 * i, bins + 16 * i - 16);
		image_put(image, bins + 16 * i + 8, bins + 16 * i - 16);
	}
	image_put(image, bins - 16, top);
	image_put(image, bins + 2048, next);
	bins += 2064;
	if (image->glibc.has_attached) {
		image_put(image, bins, 1);
		bins += 8;
	}
	image_put(image, bins, system_bytes);
	image_put(image, bins + 8, system_bytes);
}

static inline uint64_t image_main_arena(void)
{
	return IMAGE_LIBC + 0x1c80;
}

static inline uint64_t image_second_arena(const struct heap_image *image)
{
	return IMAGE_HEAP + image->glibc.heap_info_bytes;
}

/* -- chunks ------------------------------------------------------------------------------------ */

/* Where in the arena the next chunk goes; returns its address. */
static inline uint64_t image_chunk(struct heap_image *image, uint64_t bytes, bool in_use)
{
	uint64_t address = image->at;

	image_put(image, address + 8, bytes | !image->previous_free | (in_use ? image->flags : 0));
	if (!in_use)
		image_put(image, address + bytes, bytes);
	*(in_use ? &image->in_use_bytes : &image->free_bytes) += bytes;
	image->previous_free = !in_use;
	image->at += bytes;
	return address;
}

static inline void image_begin_chunks(struct heap_image *image, uint64_t address, uint64_t flags)
{
	image->at = address;
	image->flags = flags;
	image->previous_free = false;
}

static inline uint64_t image_top(struct heap_image *image, uint64_t end)
{
	image_put(image, image->at + 8, (end - image->at) | 1);
	return image->at;
}

static inline uint64_t image_link(const struct heap_image *image, uint64_t place, uint64_t to)
{
	return image->glibc.mangles ? (place >> 12) ^ to : to;
}

/* A list of two chunks in the fastbin of their size. */
static inline void image_put_fastbin(struct heap_image *image, uint64_t arena, uint64_t first,
				     uint64_t second, uint64_t bytes)
{
	uint64_t bins = arena + image->glibc.start_to_bins;

	image_put(image, bins - 96 + (bytes / 16 - 2) * 8, first);
	image_put(image, first + 16, image_link(image, first + 16, second));
	image_put(image, second + 16, image_link(image, second + 16, 0));
}

/* A tcache in its own chunk, with one chunk of 48 bytes in it. */
static inline void image_put_tcache(struct heap_image *image, uint64_t tcache, uint64_t cached)
{
	uint64_t bytes = image->glibc.tcache_bytes, memory = tcache + 16;
	uint64_t counts = bytes == 0x250 ? 64 : bytes == 0x290 ? 128 : 152;

	image_put(image, memory, bytes == 0x250 ? 1 << 8 : 1 << 16);
	image_put(image, memory + counts + 8, cached + 16);
	image_put(image, cached + 16, image_link(image, cached + 16, 0));
}

/* -- the whole --------------------------------------------------------------------------------- */

static inline void image_put_main(struct heap_image *image)
{
	bool fastbins = image->glibc.start_to_bins > 96;
	uint64_t end = IMAGE_BRK + IMAGE_BRK_PAGES * READER_PAGE, first, second, tcache = 0, top;

	image_begin_chunks(image, IMAGE_BRK, 0);
	if (image->glibc.tcache_bytes)
		tcache = image_chunk(image, image->glibc.tcache_bytes, true);
	for (int i = 0; i < 20; i++)
		image_chunk(image, 512, true);
	image_chunk(image, 3 * READER_PAGE, false);
	first = image_chunk(image, 64, true);
	image_chunk(image, 1024, true);
	second = image_chunk(image, 64, true);
	image_chunk(image, 128, false);
	if (tcache)
		image_put_tcache(image, tcache, image_chunk(image, 48, true));
	image_chunk(image, 7168, true);
	top = image_top(image, end);
	image_put_arena(image, image_main_arena(), image_second_arena(image), top,
			IMAGE_BRK_PAGES * READER_PAGE);
	if (fastbins)
		image_put_fastbin(image, image_main_arena(), first, second, 64);
}

static inline void image_put_second(struct heap_image *image)
{
	uint64_t arena = image_second_arena(image), bytes = IMAGE_HEAP_PAGES * READER_PAGE, top;
	uint64_t start =
		arena + image->glibc.start_to_bins + 2048 + (image->glibc.has_attached ? 40 : 32);

	image_put(image, IMAGE_HEAP, arena);
	image_put(image, IMAGE_HEAP + 16, bytes);
	image_put(image, IMAGE_HEAP + 24, bytes);
	image_begin_chunks(image, (start + 15) & ~15ULL, 4);
	image_chunk(image, 2000, true);
	image_chunk(image, 2 * READER_PAGE + 512, false);
	image_chunk(image, 96, true);
	top = image_top(image, IMAGE_HEAP + bytes);
	image_put_arena(image, arena, image_main_arena(), top, bytes);
}

/* Two arenas, a block with a mapping of its own, and no malloc_par. */
static inline struct heap_image *image_new(const struct image_glibc *glibc)
{
	struct heap_image *image = mem_alloc(sizeof(*image));
	char text[512];

	image->glibc = *glibc;
	image->fetched_max = IMAGE_FETCHED_MAX;
	memset(image->states, PAGE_PRESENT, sizeof(image->states));
	snprintf(text, sizeof(text),
		 "%llx-%llx rw-p 00000000 00:00 0 [heap]\n"
		 "%llx-%llx rw-p 00000000 00:00 0\n"
		 "%llx-%llx rw-p 00000000 00:00 0\n"
		 "%llx-%llx rw-p 001d0000 08:01 99 /lib/libc.so.6\n",
		 IMAGE_BRK, IMAGE_BRK + IMAGE_BRK_PAGES * READER_PAGE, IMAGE_MMAPPED,
		 IMAGE_MMAPPED + IMAGE_MMAPPED_PAGES * READER_PAGE, IMAGE_HEAP,
		 IMAGE_HEAP + IMAGE_HEAP_PAGES * READER_PAGE, IMAGE_LIBC,
		 IMAGE_LIBC + IMAGE_LIBC_PAGES * READER_PAGE);
	maps_parse(&image->maps, text);
	image->reader = reader_new(image_fetch, image);
	image->reader->is_over = image_is_over;
	image_put_main(image);
	image_put_second(image);
	image_put(image, IMAGE_MMAPPED + 8, (IMAGE_MMAPPED_PAGES * READER_PAGE) | 2);
	return image;
}

/* What versions there are of it. */
static const struct image_glibc image_glibcs[] = {
	{ 104, false, false, 32, 0 }, /* 2.17 */
	{ 104, true, false, 32, 0 }, /* 2.23 */
	{ 104, true, false, 32, 0x250 }, /* 2.26 */
	{ 112, true, false, 32, 0x250 }, /* 2.27 */
	{ 112, true, false, 32, 0x290 }, /* 2.30 */
	{ 112, true, true, 32, 0x290 }, /* 2.32 */
	{ 112, true, true, 48, 0x290 }, /* 2.35 */
	{ 112, true, true, 48, 0x300 }, /* 2.42 */
	{ 24, true, true, 48, 0x300 }, /* 2.43 */
};

enum { IMAGE_GLIBCS = sizeof(image_glibcs) / sizeof(*image_glibcs), IMAGE_GLIBC_2_35 = 6 };

static inline void image_free(struct heap_image *image)
{
	mem_free(image->reader);
	maps_free(&image->maps);
	mem_free(image);
}

#endif
