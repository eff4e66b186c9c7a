/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The ledger of mappings: one test for each rule. test_ledger_order.c has concurrent calls,
 * test_ledger_random.c tries all together.
 */
#include "ledger_bench.h"

/* -- mmap and munmap --------------------------------------------------------------------------- */

static void lengths_are_rounded_up(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(map(bench, 1, A, 1, RW), PAGE);
	map(bench, 2, A + 4 * PAGE, 3 * PAGE + 5, PROT_NONE);
	unmap(bench, A + 4 * PAGE, PAGE + 1);
	CHECK(bench, A, { 0, 1, 1, 1 }, { 6, 8, 2, 0 });
	check_sums(bench, 5, 2, 0);
}

static void huge_pages_are_rounded_up_to(void **state)
{
	struct bench *bench = *state;
	struct ledger_event event = { .call = LEDGER_MMAP,
				      .site = 1,
				      .result = A,
				      .args = { 0, 1, RW, PRIVATE | MAP_HUGETLB } };

	assert_int_equal(apply(bench, event), 2 * MIB);
	event.result = A + (UINT64_C(1) << 30);
	event.args[3] |= 30u << MAP_HUGE_SHIFT;
	assert_int_equal(apply(bench, event), UINT64_C(1) << 30);
}

static void munmap_of_head_tail_and_hole(void **state)
{
	struct bench *bench = *state;

	map(bench, 1, A, 10 * PAGE, RW);
	unmap(bench, A, 2 * PAGE);
	unmap(bench, A + 9 * PAGE, PAGE);
	unmap(bench, A + 4 * PAGE, 2 * PAGE);
	CHECK(bench, A, { 2, 4, 1, 1 }, { 6, 9, 1, 1 });
	assert_int_equal(picture_of(bench).rows[0].id, picture_of(bench).rows[1].id);
	check_sums(bench, 10, 5, 0);
}

static void munmap_that_spans_mappings(void **state)
{
	struct bench *bench = *state;

	map(bench, 1, A, 4 * PAGE, RW);
	map(bench, 2, A + 4 * PAGE, 4 * PAGE, RW);
	map(bench, 3, A + 10 * PAGE, 4 * PAGE, RW);
	unmap(bench, A + 3 * PAGE, 9 * PAGE);
	CHECK(bench, A, { 0, 3, 1, 1 }, { 12, 14, 3, 3 });
	check_sums(bench, 12, 7, 0);
}

static void map_fixed_replaces(void **state)
{
	struct bench *bench = *state;

	ledger_seed(bench->ledger, A + 10 * PAGE, A + 12 * PAGE, true, false);
	map(bench, 1, A, 10 * PAGE, RW);
	map_fixed(bench, 2, A + 8 * PAGE, 3 * PAGE, PROT_READ);
	CHECK(bench, A, { 0, 8, 1, 1 }, { 8, 11, 2, 2 });
	check_sums(bench, 13, 2, 1);
}

static void map_fixed_noreplace_takes_free_space(void **state)
{
	struct bench *bench = *state;

	map(bench, 1, A, 2 * PAGE, RW);
	apply(bench, (struct ledger_event){
			     .call = LEDGER_MMAP,
			     .site = 2,
			     .result = A + 2 * PAGE,
			     .args = { A + 2 * PAGE, PAGE, RW, PRIVATE | MAP_FIXED_NOREPLACE } });
	CHECK(bench, A, { 0, 2, 1, 1 }, { 2, 3, 2, 2 });
	check_sums(bench, 3, 0, 0);
}

static void neighbours_of_one_site_stay_two_mappings(void **state)
{
	struct bench *bench = *state;

	map(bench, 1, A, PAGE, RW);
	map(bench, 1, A + PAGE, PAGE, RW);
	CHECK(bench, A, { 0, 1, 1, 1 }, { 1, 2, 1, 1 });
	assert_int_not_equal(picture_of(bench).rows[0].id, picture_of(bench).rows[1].id);
}

/* -- from before the attach -------------------------------------------------------------------- */

static void seeded_mappings_are_never_ours(void **state)
{
	struct bench *bench = *state;

	ledger_seed(bench->ledger, A, A + 8 * PAGE, true, false);
	ledger_seed(bench->ledger, A + 8 * PAGE, A + 16 * PAGE, false, false);
	unmap(bench, A + 6 * PAGE, 4 * PAGE);
	protect(bench, 5, A, PAGE, PROT_NONE);
	remap(bench, 6, A, 6 * PAGE, 6 * PAGE, MREMAP_MAYMOVE, A + 32 * PAGE);
	check_nothing(bench);
	check_sums(bench, 0, 0, 4);
}

static void seeded_mapping_grown_by_mremap(void **state)
{
	struct bench *bench = *state;

	ledger_seed(bench->ledger, A, A + 4 * PAGE, true, false);
	assert_int_equal(remap(bench, 1, A, 4 * PAGE, 6 * PAGE, 0, A), 2 * PAGE);
	remap(bench, 2, A, 6 * PAGE, 9 * PAGE, MREMAP_MAYMOVE, A + 16 * PAGE);
	CHECK(bench, A, { 20, 22, 1, 1 }, { 22, 25, 2, 2 });
	unmap(bench, A + 16 * PAGE, 9 * PAGE);
	check_sums(bench, 5, 5, 4);
}

static void seeded_reservation_that_grows_is_visited(void **state)
{
	struct bench *bench = *state;
	struct picture picture = {};

	ledger_seed(bench->ledger, A, A + 16 * PAGE, false, false);
	protect(bench, 3, A, 4 * PAGE, RW);
	check_nothing(bench);
	ledger_visit_grown(bench->ledger, draw, &picture);
	assert_int_equal(picture.count, 1);
	assert_int_equal(picture.rows[0].end - picture.rows[0].start, 4 * PAGE);
	assert_int_equal(picture.rows[0].commit_site, 3);
}

/* -- mremap ------------------------------------------------------------------------------------ */

static void mremap_shrinks_and_grows_in_place(void **state)
{
	struct bench *bench = *state;

	map(bench, 1, A, 8 * PAGE, RW);
	assert_int_equal(remap(bench, 2, A, 8 * PAGE, 5 * PAGE - 1, 0, A), 0);
	CHECK(bench, A, { 0, 5, 1, 1 });
	remap(bench, 3, A, 5 * PAGE, 7 * PAGE, MREMAP_MAYMOVE, A);
	CHECK(bench, A, { 0, 5, 1, 1 }, { 5, 7, 3, 3 });
	assert_int_equal(picture_of(bench).rows[0].id, picture_of(bench).rows[1].id);
	check_sums(bench, 10, 3, 0);
}

static void mremap_moves_all_that_a_mapping_has(void **state)
{
	struct bench *bench = *state;

	map(bench, 1, A, 4 * PAGE, PROT_NONE);
	protect(bench, 2, A + PAGE, PAGE, RW);
	remap(bench, 3, A, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE, A + 64 * PAGE);
	CHECK(bench, A + 64 * PAGE, { 0, 1, 1, 0 }, { 1, 2, 1, 2 }, { 2, 4, 1, 0 });
	assert_int_equal(picture_of(bench).rows[0].time_ns, 2);
	check_sums(bench, 4, 0, 0);
}

static void mremap_moves_and_shrinks(void **state)
{
	struct bench *bench = *state;

	map(bench, 1, A, 4 * PAGE, RW);
	remap(bench, 2, A, 4 * PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, A + 8 * PAGE);
	CHECK(bench, A, { 8, 11, 1, 1 });
	check_sums(bench, 4, 1, 0);
}

static void mremap_of_the_middle_leaves_the_ends(void **state)
{
	struct bench *bench = *state;

	map(bench, 1, A, 6 * PAGE, RW);
	remap(bench, 2, A + 2 * PAGE, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE, A + 8 * PAGE);
	CHECK(bench, A, { 0, 2, 1, 1 }, { 4, 6, 1, 1 }, { 8, 10, 1, 1 }, { 10, 11, 2, 2 });
	check_sums(bench, 7, 0, 0);
}

static void mremap_fixed_replaces(void **state)
{
	struct bench *bench = *state;

	map(bench, 1, A, 2 * PAGE, RW);
	map(bench, 2, A + 8 * PAGE, 4 * PAGE, RW);
	remap(bench, 3, A, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, A + 9 * PAGE);
	CHECK(bench, A, { 8, 9, 2, 2 }, { 9, 11, 1, 1 }, { 11, 12, 2, 2 });
	check_sums(bench, 6, 2, 0);
}

static void mremap_that_keeps_the_old_range(void **state)
{
	struct bench *bench = *state;

	map(bench, 1, A, 4 * PAGE, RW);
	remap(bench, 2, A, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, A + 8 * PAGE);
	remap(bench, 3, A, 0, 2 * PAGE, MREMAP_MAYMOVE, A + 16 * PAGE);
	CHECK(bench, A, { 0, 4, 1, 1 }, { 8, 12, 2, 2 }, { 16, 18, 3, 3 });
	assert_int_not_equal(picture_of(bench).rows[0].id, picture_of(bench).rows[1].id);
	check_sums(bench, 10, 0, 0);
}

static void growth_of_a_reservation_is_not_committed(void **state)
{
	struct bench *bench = *state;

	map(bench, 1, A, PAGE, PROT_NONE);
	remap(bench, 2, A, PAGE, 2 * PAGE, 0, A);
	CHECK(bench, A, { 0, 1, 1, 0 }, { 1, 2, 2, 0 });
}

/* -- brk --------------------------------------------------------------------------------------- */

static void brk_grows_and_shrinks(void **state)
{
	struct bench *bench = *state;

	ledger_seed(bench->ledger, A, A + 4 * PAGE, true, true);
	assert_int_equal(set_brk(bench, 1, A + 6 * PAGE + 1, A + 6 * PAGE + 1), 3 * PAGE);
	set_brk(bench, 2, 0, A + 6 * PAGE + 1);
	set_brk(bench, 3, A + 7 * PAGE, A + 7 * PAGE); /* within the page */
	set_brk(bench, 4, A + 10 * PAGE, A + 10 * PAGE);
	set_brk(bench, 5, A - PAGE, A + 10 * PAGE); /* refused */
	CHECK(bench, A, { 4, 7, 1, 1 }, { 7, 10, 4, 4 });
	assert_true(picture_of(bench).rows[0].brk);
	assert_int_equal(picture_of(bench).rows[0].id, picture_of(bench).rows[1].id);
	set_brk(bench, 6, A + 2 * PAGE, A + 2 * PAGE);
	check_nothing(bench);
	check_sums(bench, 6, 6, 2);
}

static void first_brk_call_tells_the_break(void **state)
{
	struct bench *bench = *state;

	set_brk(bench, 1, 0, A);
	set_brk(bench, 2, A + PAGE, A + PAGE);
	CHECK(bench, A, { 0, 1, 2, 2 });
	check_sums(bench, 1, 0, 0);
}

static void break_without_a_heap_is_seeded(void **state)
{
	struct bench *bench = *state;

	ledger_seed_brk(bench->ledger, A + 5);
	set_brk(bench, 2, A + 3 * PAGE, A + 3 * PAGE);
	CHECK(bench, A, { 1, 3, 2, 2 });
}

/* A refused call tells where the break is, not who moved it there. */
static void break_that_moved_unseen(void **state)
{
	struct bench *bench = *state;

	ledger_seed_brk(bench->ledger, A);
	set_brk(bench, 1, 0, A + 2 * PAGE);
	check_nothing(bench);
	set_brk(bench, 2, A + 3 * PAGE, A + 3 * PAGE);
	CHECK(bench, A, { 2, 3, 2, 2 });
}

/* -- mprotect and madvise ---------------------------------------------------------------------- */

static void mprotect_across_mappings(void **state)
{
	struct bench *bench = *state;

	map(bench, 1, A, 4 * PAGE, PROT_NONE);
	map(bench, 2, A + 4 * PAGE, 4 * PAGE, RW);
	protect(bench, 3, A + 2 * PAGE, 4 * PAGE - 7, RW | PROT_GROWSDOWN);
	CHECK(bench, A, { 0, 2, 1, 0 }, { 2, 4, 1, 3 }, { 4, 8, 2, 2 });
	protect(bench, 4, A + 3 * PAGE, 3 * PAGE, PROT_READ);
	protect(bench, 5, A + 3 * PAGE, 2 * PAGE, PROT_NONE);
	CHECK(bench, A, { 0, 2, 1, 0 }, { 2, 3, 1, 3 }, { 3, 4, 1, 0 }, { 4, 5, 2, 0 },
	      { 5, 8, 2, 2 });
	check_sums(bench, 8, 0, 0);
}

static void pieces_that_are_equal_again_are_joined(void **state)
{
	struct bench *bench = *state;

	map(bench, 1, A, 8 * PAGE, PROT_NONE);
	protect(bench, 2, A + 2 * PAGE, PAGE, RW);
	protect(bench, 3, A + 2 * PAGE, PAGE, PROT_NONE);
	CHECK(bench, A, { 0, 8, 1, 0 });
}

static void madvise_changes_nothing(void **state)
{
	struct bench *bench = *state;

	map(bench, 1, A, 4 * PAGE, RW);
	apply(bench, (struct ledger_event){ .call = LEDGER_MADVISE,
					    .site = 2,
					    .args = { A, 4 * PAGE, MADV_DONTNEED } });
	CHECK(bench, A, { 0, 4, 1, 1 });
	check_sums(bench, 4, 0, 0);
}

/* -- glibc's arenas ---------------------------------------------------------------------------- */

/* new_heap of malloc/arena.c: 128 MiB reserved, trimmed to 64 MiB at a multiple of 64 MiB. */
static void reserve_arena(struct bench *bench)
{
	bench->allocator = 1;
	map(bench, 1, A - 16 * MIB, 128 * MIB, PROT_NONE);
	unmap(bench, A - 16 * MIB, 16 * MIB);
	unmap(bench, A + 64 * MIB, 48 * MIB);
	protect(bench, 2, A, 33 * PAGE, RW);
}

static void arena_is_recognised(void **state)
{
	struct bench *bench = *state;
	struct picture picture;

	reserve_arena(bench);
	protect(bench, 3, A + 33 * PAGE, 7 * PAGE, RW);
	CHECK(bench, A, { 0, 33, 1, 2 }, { 33, 40, 1, 3 }, { 40, 16384, 1, 0 });
	picture = picture_of(bench);
	for (unsigned int i = 0; i < picture.count; i++) {
		assert_true(picture.rows[i].arena);
		assert_int_equal(picture.rows[i].id, picture.rows[0].id);
	}
	check_sums(bench, 32768, 16384, 0);
}

/* shrink_heap maps PROT_NONE over the top of the heap where memory is not overcommitted. */
static void arena_shrunk_by_mapping_over_it(void **state)
{
	struct bench *bench = *state;

	reserve_arena(bench);
	assert_int_equal(map_fixed(bench, 4, A + 20 * PAGE, 13 * PAGE, PROT_NONE), 0);
	CHECK(bench, A, { 0, 20, 1, 2 }, { 20, 16384, 1, 0 });
	unmap(bench, A, 64 * MIB);
	check_nothing(bench);
	check_sums(bench, 32768, 32768, 0);
}

static void reservations_of_the_program_are_no_arenas(void **state)
{
	struct bench *bench = *state;

	map(bench, 1, A, 64 * MIB, PROT_NONE);
	protect(bench, 2, A, PAGE, RW);
	assert_false(picture_of(bench).rows[0].arena);
}

/* -- much -------------------------------------------------------------------------------------- */

static void sum_bytes(const struct ledger_interval *interval, void *context)
{
	*(uint64_t *)context += interval->end - interval->start;
}

static void many_intervals(void **state)
{
	enum { MANY = 100000 };
	struct bench *bench = *state;
	uint64_t bytes = 0;

	for (uint64_t i = MANY; i-- > 0;) /* downwards, as the kernel hands them out */
		map(bench, 1 + i % 7, A + 4 * i * PAGE, 3 * PAGE, RW);
	for (uint64_t i = 0; i < MANY; i++)
		unmap(bench, A + 4 * i * PAGE + PAGE, PAGE);
	ledger_visit(bench->ledger, sum_bytes, &bytes);
	assert_int_equal(bytes, UINT64_C(2) * MANY * PAGE);
	unmap(bench, A + PAGE, UINT64_C(4) * MANY * PAGE);
	CHECK(bench, A, { 0, 1, 1, 1 });
}

/* Addresses at the ends of the world must not wrap around. */
static void absurd_arguments(void **state)
{
	struct bench *bench = *state;

	map(bench, 1, A, PAGE, RW);
	map(bench, 2, UINT64_MAX - PAGE + 1, UINT64_MAX, RW);
	unmap(bench, A + 2 * PAGE, UINT64_MAX);
	unmap(bench, UINT64_MAX, 5);
	protect(bench, 3, UINT64_MAX - 1, UINT64_MAX - 1, RW);
	remap(bench, 4, UINT64_MAX - 5, UINT64_MAX, 3 * PAGE, MREMAP_MAYMOVE, UINT64_MAX - 9);
	remap(bench, 5, 0, 0, UINT64_MAX, MREMAP_MAYMOVE, 1);
	CHECK(bench, A, { 0, 1, 1, 1 });
	set_brk(bench, 6, UINT64_MAX, UINT64_MAX);
	set_brk(bench, 7, 0, 0);
	check_nothing(bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lengths_are_rounded_up),
		TEST(huge_pages_are_rounded_up_to),
		TEST(munmap_of_head_tail_and_hole),
		TEST(munmap_that_spans_mappings),
		TEST(map_fixed_replaces),
		TEST(map_fixed_noreplace_takes_free_space),
		TEST(neighbours_of_one_site_stay_two_mappings),
		TEST(seeded_mappings_are_never_ours),
		TEST(seeded_mapping_grown_by_mremap),
		TEST(seeded_reservation_that_grows_is_visited),
		TEST(mremap_shrinks_and_grows_in_place),
		TEST(mremap_moves_all_that_a_mapping_has),
		TEST(mremap_moves_and_shrinks),
		TEST(mremap_of_the_middle_leaves_the_ends),
		TEST(mremap_fixed_replaces),
		TEST(mremap_that_keeps_the_old_range),
		TEST(growth_of_a_reservation_is_not_committed),
		TEST(brk_grows_and_shrinks),
		TEST(first_brk_call_tells_the_break),
		TEST(break_without_a_heap_is_seeded),
		TEST(break_that_moved_unseen),
		TEST(mprotect_across_mappings),
		TEST(pieces_that_are_equal_again_are_joined),
		TEST(madvise_changes_nothing),
		TEST(arena_is_recognised),
		TEST(arena_shrunk_by_mapping_over_it),
		TEST(reservations_of_the_program_are_no_arenas),
		TEST(many_intervals),
		TEST(absurd_arguments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
