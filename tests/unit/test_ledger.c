/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The ledger of mappings: one test for each rule. test_ledger_random.c tries them all together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "model/ledger.h"

enum { PAGE = 4096, MIB = 1 << 20, PRIVATE = MAP_PRIVATE | MAP_ANONYMOUS };
enum { RW = PROT_READ | PROT_WRITE };
static const uint64_t A = 0x7f0000000000; /* a multiple of 64 MiB */

/* One ledger, and a clock: each call enters one tick behind the exit of the last. */
struct bench {
	struct ledger *ledger;
	uint64_t now_ns;
	uint32_t allocator;
};

static int set_up(void **state)
{
	static struct bench bench;

	bench = (struct bench){ .ledger = ledger_new(PAGE) };
	*state = &bench;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *bench = *state;

	ledger_free(bench->ledger);
	return 0;
}

static uint64_t apply(struct bench *bench, struct ledger_event event)
{
	if (!event.exit_ns) {
		event.enter_ns = ++bench->now_ns;
		event.exit_ns = ++bench->now_ns;
	}
	event.allocator = bench->allocator;
	return ledger_apply(bench->ledger, &event);
}

static uint64_t map(struct bench *bench, uint64_t site, uint64_t at, uint64_t bytes, int protection)
{
	return apply(bench, (struct ledger_event){ .call = LEDGER_MMAP,
						   .site = site,
						   .result = at,
						   .args = { 0, bytes, protection, PRIVATE } });
}

static uint64_t map_fixed(struct bench *bench, uint64_t site, uint64_t at, uint64_t bytes,
			  int protection)
{
	return apply(bench, (struct ledger_event){
				    .call = LEDGER_MMAP,
				    .site = site,
				    .result = at,
				    .args = { at, bytes, protection, PRIVATE | MAP_FIXED } });
}

static void unmap(struct bench *bench, uint64_t at, uint64_t bytes)
{
	apply(bench,
	      (struct ledger_event){ .call = LEDGER_MUNMAP, .site = 99, .args = { at, bytes } });
}

static void protect(struct bench *bench, uint64_t site, uint64_t at, uint64_t bytes, int protection)
{
	apply(bench, (struct ledger_event){ .call = LEDGER_MPROTECT,
					    .site = site,
					    .args = { at, bytes, protection } });
}

static uint64_t remap(struct bench *bench, uint64_t site, uint64_t from, uint64_t old, uint64_t new,
		      int flags, uint64_t to)
{
	return apply(bench, (struct ledger_event){ .call = LEDGER_MREMAP,
						   .site = site,
						   .result = to,
						   .args = { from, old, new, flags, to } });
}

static uint64_t set_brk(struct bench *bench, uint64_t site, uint64_t wanted, uint64_t result)
{
	return apply(bench, (struct ledger_event){ .call = LEDGER_BRK,
						   .site = site,
						   .result = result,
						   .args = { wanted } });
}

struct picture {
	struct ledger_interval rows[16];
	unsigned int count;
};

static void draw(const struct ledger_interval *interval, void *context)
{
	struct picture *picture = context;

	assert_in_range(picture->count, 0, 15);
	picture->rows[picture->count++] = *interval;
}

static struct picture picture_of(const struct bench *bench)
{
	struct picture picture = {};

	ledger_visit(bench->ledger, draw, &picture);
	return picture;
}

/* One expected interval: offsets from A in pages. */
struct expected {
	uint64_t start, end, site, commit_site;
};

static void check_rows(const struct picture *picture, uint64_t base, const struct expected *rows,
		       unsigned int count)
{
	assert_int_equal(picture->count, count);
	for (unsigned int i = 0; i < count; i++) {
		assert_int_equal(picture->rows[i].start, base + rows[i].start * PAGE);
		assert_int_equal(picture->rows[i].end, base + rows[i].end * PAGE);
		assert_int_equal(picture->rows[i].site, rows[i].site);
		assert_int_equal(picture->rows[i].commit_site, rows[i].commit_site);
		assert_int_equal(picture->rows[i].committed, rows[i].commit_site != 0);
	}
}

#define CHECK(bench, base, ...)                                                     \
	do {                                                                        \
		const struct expected rows_[] = { __VA_ARGS__ };                    \
		struct picture picture_ = picture_of(bench);                        \
		check_rows(&picture_, base, rows_, sizeof(rows_) / sizeof(*rows_)); \
	} while (0)

static void check_nothing(const struct bench *bench)
{
	assert_int_equal(picture_of(bench).count, 0);
}

static void check_sums(const struct bench *bench, uint64_t mapped, uint64_t unmapped,
		       uint64_t preexisting)
{
	struct ledger_sums sums = ledger_sums(bench->ledger);

	assert_int_equal(sums.mapped_bytes, mapped * PAGE);
	assert_int_equal(sums.unmapped_bytes, unmapped * PAGE);
	assert_int_equal(sums.preexisting_unmapped_bytes, preexisting * PAGE);
	assert_int_equal(sums.overlaps, 0);
	assert_false(ledger_doubtful(bench->ledger));
}

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

/* -- concurrent calls -------------------------------------------------------------------------- */

static struct ledger_event at(struct ledger_event event, uint64_t enter_ns, uint64_t exit_ns)
{
	event.enter_ns = enter_ns;
	event.exit_ns = exit_ns;
	return event;
}

static struct ledger_event mmap_event(uint64_t site, uint64_t to, uint64_t pages, int flags)
{
	return (struct ledger_event){ .call = LEDGER_MMAP,
				      .site = site,
				      .result = to,
				      .args = { to, pages * PAGE, RW, PRIVATE | flags } };
}

static struct ledger_event munmap_event(uint64_t from, uint64_t pages)
{
	return (struct ledger_event){ .call = LEDGER_MUNMAP,
				      .site = 99,
				      .args = { from, pages * PAGE } };
}

/* One thread's munmap exits after another's mmap was given the same pages. */
static void munmap_that_exits_after_the_mmap_of_its_range(void **state)
{
	struct bench *bench = *state;

	apply(bench, at(mmap_event(1, A, 4, 0), 1, 2));
	apply(bench, at(mmap_event(2, A + PAGE, 2, 0), 11, 12));
	apply(bench, at(munmap_event(A, 4), 10, 13));
	CHECK(bench, A, { 1, 3, 2, 2 });
	check_sums(bench, 6, 4, 0);
	apply(bench, at(munmap_event(A, 4), 14, 15));
	check_sums(bench, 6, 6, 0);
}

static void mremap_that_exits_after_the_mmap_of_its_old_range(void **state)
{
	struct bench *bench = *state;
	struct ledger_event event = { .call = LEDGER_MREMAP,
				      .site = 3,
				      .result = A + 8 * PAGE,
				      .args = { A, 4 * PAGE, 5 * PAGE, MREMAP_MAYMOVE } };

	apply(bench, at(mmap_event(1, A, 4, 0), 1, 2));
	apply(bench, at(mmap_event(2, A, 3, 0), 11, 12));
	apply(bench, at(event, 10, 13));
	CHECK(bench, A, { 0, 3, 2, 2 }, { 8, 12, 1, 1 }, { 12, 13, 3, 3 });
	check_sums(bench, 8, 0, 0);
}

/* What came to the old range and left it again while the mremap was under way was not moved. */
static void mremap_moves_what_was_there_when_it_began(void **state)
{
	struct bench *bench = *state;
	struct ledger_event event = { .call = LEDGER_MREMAP,
				      .site = 4,
				      .result = A + 8 * PAGE,
				      .args = { A, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE } };

	apply(bench, at(mmap_event(1, A, 4, 0), 1, 2));
	apply(bench, at(mmap_event(2, A, 4, 0), 11, 12));
	apply(bench, at(mmap_event(3, A, 4, 0), 14, 15));
	apply(bench, at(munmap_event(A, 4), 13, 16));
	apply(bench, at(event, 10, 17));
	CHECK(bench, A, { 0, 4, 3, 3 }, { 8, 12, 1, 1 });
	check_sums(bench, 12, 4, 0);
}

static void order_that_cannot_be_told_is_counted(void **state)
{
	struct bench *bench = *state;

	apply(bench, at(mmap_event(1, A, 4, 0), 1, 2));
	apply(bench, at(mmap_event(2, A, 4, MAP_FIXED), 11, 12));
	assert_false(ledger_doubtful(bench->ledger));
	apply(bench, at(munmap_event(A, 4), 10, 13));
	assert_true(ledger_doubtful(bench->ledger));
	assert_int_equal(ledger_sums(bench->ledger).overlaps, 1);
}

static void fixed_mapping_beside_a_munmap_is_counted(void **state)
{
	struct bench *bench = *state;

	apply(bench, at(mmap_event(1, A, 4, 0), 1, 2));
	apply(bench, at(munmap_event(A, 4), 10, 13));
	apply(bench, at(mmap_event(2, A, 4, MAP_FIXED), 11, 14));
	assert_true(ledger_doubtful(bench->ledger));
}

static void two_brk_calls_at_once_are_counted(void **state)
{
	struct bench *bench = *state;
	struct ledger_event event = { .call = LEDGER_BRK, .site = 1 };

	ledger_seed_brk(bench->ledger, A);
	event.args[0] = event.result = A + 2 * PAGE;
	apply(bench, at(event, 10, 12));
	event.args[0] = event.result = A + PAGE;
	apply(bench, at(event, 11, 13));
	assert_true(ledger_doubtful(bench->ledger));
}

static void two_mprotect_calls_at_once_are_counted(void **state)
{
	struct bench *bench = *state;
	struct ledger_event event = { .call = LEDGER_MPROTECT, .args = { A, PAGE, RW } };

	apply(bench, at(mmap_event(1, A, 4, 0), 1, 2));
	apply(bench, at(event, 10, 12));
	assert_false(ledger_doubtful(bench->ledger)); /* changes nothing */
	event.args[2] = PROT_NONE;
	apply(bench, at(event, 20, 22));
	event.args[2] = RW;
	apply(bench, at(event, 21, 23));
	assert_true(ledger_doubtful(bench->ledger));
}

static void reconcile_reads_the_truth(void **state)
{
	struct bench *bench = *state;
	const struct ledger_range maps[] = {
		{ A, A + 2 * PAGE, true, false },
		{ A + 3 * PAGE, A + 8 * PAGE, false, false },
		{ A + 20 * PAGE, A + 24 * PAGE, true, true },
	};

	order_that_cannot_be_told_is_counted(state);
	map(bench, 3, A + 6 * PAGE, 4 * PAGE, PROT_NONE);
	map(bench, 4, A, 4 * PAGE, RW);
	ledger_reconcile(bench->ledger, maps, 3);
	assert_false(ledger_doubtful(bench->ledger));
	CHECK(bench, A, { 0, 2, 4, 4 }, { 3, 4, 4, 0 }, { 6, 8, 3, 0 });
	unmap(bench, A + 4 * PAGE, 2 * PAGE);
	assert_int_equal(ledger_sums(bench->ledger).preexisting_unmapped_bytes, 2 * PAGE);
	set_brk(bench, 5, A + 25 * PAGE, A + 25 * PAGE);
	assert_int_equal(picture_of(bench).rows[3].start, A + 24 * PAGE);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

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
		TEST(munmap_that_exits_after_the_mmap_of_its_range),
		TEST(mremap_that_exits_after_the_mmap_of_its_old_range),
		TEST(mremap_moves_what_was_there_when_it_began),
		TEST(order_that_cannot_be_told_is_counted),
		TEST(fixed_mapping_beside_a_munmap_is_counted),
		TEST(two_brk_calls_at_once_are_counted),
		TEST(two_mprotect_calls_at_once_are_counted),
		TEST(reconcile_reads_the_truth),
		TEST(many_intervals),
		TEST(absurd_arguments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
