/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The ledger of mappings: calls that were under way at the same time, and doubt. */
#include "ledger_bench.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(munmap_that_exits_after_the_mmap_of_its_range),
		TEST(mremap_that_exits_after_the_mmap_of_its_old_range),
		TEST(mremap_moves_what_was_there_when_it_began),
		TEST(order_that_cannot_be_told_is_counted),
		TEST(fixed_mapping_beside_a_munmap_is_counted),
		TEST(two_brk_calls_at_once_are_counted),
		TEST(two_mprotect_calls_at_once_are_counted),
		TEST(reconcile_reads_the_truth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
