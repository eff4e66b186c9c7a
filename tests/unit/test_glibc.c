/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The walk of glibc's heap: every layout there is, pages that are not there, and forged heaps. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "heap_image.h"

static int walk(struct heap_image *image, struct walk *result)
{
	image->fetched = 0;
	reader_refresh(image->reader);
	return walk_heap(result, image->reader, &image->maps, IMAGE_BRK, NULL);
}

static uint64_t blocks_of(const struct walk *result, uint64_t size_bytes)
{
	for (size_t i = 0; i < result->size_count; i++) {
		if (result->sizes[i].size_bytes == size_bytes)
			return result->sizes[i].blocks;
	}
	return 0;
}

static void expect_sound(const struct walk *result)
{
	vec_for_each (arena, &result->arenas)
		assert_int_equal(arena->system_bytes,
				 arena->in_use_bytes + arena->free_bytes + arena->unread_bytes);
	assert_int_equal(result->retries + result->broken_lists + result->broken_heaps, 0);
}

static void expect_whole(const struct heap_image *image, const struct walk *result)
{
	const struct walk_arena *main = &result->arenas.items[0], *second = main + 1;
	bool fastbins = image->glibc.start_to_bins > 96;

	assert_int_equal(result->arenas.count, 2);
	expect_sound(result);
	assert_true(main->main);
	assert_false(second->main);
	assert_int_equal(main->system_bytes, IMAGE_BRK_PAGES * READER_PAGE);
	assert_int_equal(main->binned_bytes, 3 * READER_PAGE + 128);
	assert_int_equal(main->binned_blocks, 2);
	assert_int_equal(main->fastbin_blocks, fastbins ? 2 : 0);
	assert_int_equal(main->fastbin_bytes, fastbins ? 128 : 0);
	assert_int_equal(main->cached_bytes, image->glibc.tcache_bytes ? 48 : 0);
	assert_int_equal(main->releasable_bytes, 2 * READER_PAGE);
	assert_int_equal(second->binned_bytes, 2 * READER_PAGE + 512);
	assert_int_equal(second->heaps, 1);
	assert_int_equal(second->has_attached, image->glibc.has_attached);
	assert_int_equal(blocks_of(result, 512), 20);
	assert_int_equal(blocks_of(result, 7168), 1);
	assert_int_equal(blocks_of(result, 64), fastbins ? 0 : 2);
	assert_int_equal(result->mmapped.blocks, 1);
	assert_int_equal(result->mmapped.bytes, IMAGE_MMAPPED_PAGES * READER_PAGE);
}

static void test_layouts(void **state)
{
	for (size_t i = 0; i < IMAGE_GLIBCS; i++) {
		struct heap_image *image = image_new(&image_glibcs[i]);
		struct walk result;

		assert_int_equal(walk(image, &result), 0);
		expect_whole(image, &result);
		walk_free(&result);
		image_free(image);
	}
}

/* -- pages that are not there ------------------------------------------------------------------ */

static struct heap_image *image_with(struct walk *result, uint64_t page, enum page_state page_state)
{
	struct heap_image *image = image_new(&image_glibcs[IMAGE_GLIBC_2_35]);

	image->states[image_page(page)] = page_state;
	assert_int_equal(walk(image, result), 0);
	return image;
}

/* Given back inside of a free chunk: nothing is missing, and there is less to release. */
static void test_returned_page(void **state)
{
	struct walk result;
	uint64_t inside = page_up(IMAGE_BRK + 0x290 + 20 * 512 + 48);
	struct heap_image *image = image_with(&result, inside, PAGE_ABSENT);

	expect_sound(&result);
	assert_int_equal(result.arenas.items[0].unread_bytes, 0);
	assert_int_equal(result.arenas.items[0].releasable_bytes, READER_PAGE);
	assert_int_equal(result.arenas.items[0].resident_bytes,
			 (IMAGE_BRK_PAGES - 1) * READER_PAGE);
	walk_free(&result);
	image_free(image);
}

/* Swapped out: chunks in it are counted as unread, and those behind are found. */
static void test_swapped_page(void **state)
{
	struct walk result;
	struct heap_image *image = image_with(&result, IMAGE_BRK + READER_PAGE, PAGE_SWAPPED);
	const struct walk_arena *main = &result.arenas.items[0];

	assert_int_equal(main->swapped_bytes, READER_PAGE);
	assert_true(main->unread_bytes >= READER_PAGE);
	assert_true(main->unread_bytes <= READER_PAGE + 1024);
	assert_int_equal(main->binned_bytes, 3 * READER_PAGE + 128);
	assert_int_equal(blocks_of(&result, 7168), 1);
	walk_free(&result);
	image_free(image);
}

/* -- forged ------------------------------------------------------------------------------------ */

/* Whatever stands there, the walk ends within its bounds, with sums that add up. */
static void expect_bounded(struct heap_image *image)
{
	struct walk result;

	if (walk(image, &result)) {
		assert_int_equal(result.arenas.count, 0);
	} else {
		vec_for_each (arena, &result.arenas)
			assert_true(arena->in_use_bytes <= arena->system_bytes);
	}
	assert_true(image->fetched <= IMAGE_FETCHED_MAX + (1 << 17));
	walk_free(&result);
}

static void forge(uint64_t address, uint64_t value)
{
	struct heap_image *image = image_new(&image_glibcs[IMAGE_GLIBC_2_35]);

	image_put(image, address, value);
	expect_bounded(image);
	image_free(image);
}

static void test_forged_sizes(void **state)
{
	static const uint64_t sizes[] = {
		0, 1, 8, 17, 33, 0x7ffffffffffffff1, UINT64_MAX, 0xfffffffffffff001, 0x100000001,
	};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		forge(IMAGE_BRK + 0x290 + 8, sizes[i]);
		forge(IMAGE_BRK + 0x290 + 512 * 5 + 8, sizes[i]);
		forge(IMAGE_HEAP + 16, sizes[i]); /* of a heap */
		forge(IMAGE_MMAPPED + 8, sizes[i] | 2);
		for (uint64_t word = 0; word < 2048 + 112 + 40; word += word < 128 ? 8 : 56)
			forge(image_main_arena() + word, sizes[i]);
	}
}

static void test_forged_loops(void **state)
{
	uint64_t main = image_main_arena(), first = IMAGE_BRK + 0x290 + 20 * 512 + 3 * READER_PAGE;
	struct heap_image *image = image_new(&image_glibcs[IMAGE_GLIBC_2_35]);

	/* an arena that is its own next, behind the main one; a heap before itself */
	forge(IMAGE_HEAP + 48 + 112 + 2048, IMAGE_HEAP + 48);
	forge(IMAGE_HEAP + 8, IMAGE_HEAP);
	/* a fastbin whose chunk leads to itself; into another mapping; to nowhere */
	forge(first + 16, first ^ (first >> 12));
	forge(main + 112 - 96 + 16, IMAGE_LIBC + 0x100);
	forge(main + 112 - 96 + 16, 0xdead0000dead0000);
	/* a tcache whose chunk leads to itself */
	forge(IMAGE_BRK + 16 + 128 + 8, IMAGE_BRK + 16);
	/* the top in a mapping of a file, behind the end of all, before the heap */
	forge(main + 96, IMAGE_LIBC);
	forge(main + 96, 0xfffffffffffffff0);
	forge(main + 96, IMAGE_BRK - 16);
	/* all that there is, and no time */
	image_put(image, main + 112 + 2048 + 24, 1ULL << 46);
	image_put(image, main + 96, IMAGE_BRK + (1ULL << 45));
	expect_bounded(image);
	image_free(image);
}

/* Self-links without an end: candidates are tried, but not for ever. */
static void test_forged_bins(void **state)
{
	struct heap_image *image = image_new(&image_glibcs[IMAGE_GLIBC_2_35]);
	struct walk result;

	for (uint64_t at = IMAGE_LIBC + 8; at < IMAGE_LIBC + IMAGE_LIBC_PAGES * READER_PAGE - 16;
	     at += 16) {
		image_put(image, at, at - 16);
		image_put(image, at + 8, at - 16);
	}
	assert_int_equal(walk(image, &result), -ENOENT);
	walk_free(&result);
	image_free(image);
}

/* Words overwritten at random: xorshift64, the same each time. */
static void test_forged_at_random(void **state)
{
	uint64_t random = 88172645463325252ULL;

	for (int round = 0; round < 1000; round++) {
		struct heap_image *image = image_new(&image_glibcs[round % IMAGE_GLIBCS]);

		for (int i = 0; i < 1 + round % 6; i++) {
			uint64_t page, address, value;

			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			page = random % IMAGE_PAGES;
			address = image_base(page) + (random >> 8) % 512 * 8;
			switch (random >> 20 & 3) {
			case 0:
				value = random;
				break;
			case 1:
				value = random >> 40;
				break;
			default: /* somewhere else */
				value = image_base((random >> 24) % IMAGE_PAGES) +
					(random >> 32) % 256 * 16;
			}
			image_put(image, address, value);
		}
		expect_bounded(image);
		image_free(image);
	}
}

static void test_no_heap(void **state)
{
	struct heap_image *image = image_new(&image_glibcs[0]);
	struct walk result;

	memset(image->bytes, 0, sizeof(image->bytes));
	assert_int_equal(walk(image, &result), -ENOENT);
	walk_free(&result);
	memset(image->states, PAGE_ABSENT, sizeof(image->states));
	assert_int_equal(walk(image, &result), -ENOENT);
	walk_free(&result);
	image_free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layouts),		 cmocka_unit_test(test_returned_page),
		cmocka_unit_test(test_swapped_page),	 cmocka_unit_test(test_forged_sizes),
		cmocka_unit_test(test_forged_loops),	 cmocka_unit_test(test_forged_bins),
		cmocka_unit_test(test_forged_at_random), cmocka_unit_test(test_no_heap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
