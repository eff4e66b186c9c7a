/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The budget of probes, and what is concluded from samples. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "model/budget.h"
#include "model/estimate.h"

static const uint64_t second = 1000000000;

/* cmocka 1.1.5 has none for doubles */
static void assert_close(double found, double expected, double within)
{
	assert_true(found >= expected - within && found <= expected + within);
}

static void test_accrues_to_one_window(void **state)
{
	struct budget budget;

	(void)state;
	budget_begin(&budget, 0.05, 20e6, second);
	assert_false(budget_allows(&budget, 1));
	budget_spend(&budget, second + second / 10, 0);
	assert_true(budget_allows(&budget, 4e6));
	assert_false(budget_allows(&budget, 5e6));
	budget_spend(&budget, 100 * second, 0);
	assert_true(budget_allows(&budget, 20e6));
	assert_false(budget_allows(&budget, 21e6));
}

static void test_no_limit(void **state)
{
	struct budget budget;

	(void)state;
	budget_begin(&budget, 0, 20e6, second);
	assert_true(budget_allows(&budget, 1e18));
	assert_int_equal(budget_wait_ns(&budget, 1e18), 0);
}

static void test_overdrawn_is_paid_back(void **state)
{
	struct budget budget;
	uint64_t wait_ns;

	(void)state;
	budget_begin(&budget, 0.05, 20e6, second);
	budget_spend(&budget, second, 50e6);
	wait_ns = budget_wait_ns(&budget, 10e6);
	assert_in_range(wait_ns, second, 2 * second);
	budget_spend(&budget, second + wait_ns, 0);
	assert_true(budget_allows(&budget, 10e6));
}

/* Whoever spends as soon as he may, keeps to the share in every slice. */
static void test_every_slice_holds(void **state)
{
	struct budget budget;
	uint64_t now_ns = second;

	(void)state;
	budget_begin(&budget, 0.05, 30e6, now_ns);
	for (int i = 0; i < 10000; i++) {
		double window_ns = 20e6 + 1e6 * (i % 11);

		now_ns += budget_wait_ns(&budget, budget.most_ns);
		budget_spend(&budget, now_ns, 0);
		assert_true(budget_allows(&budget, budget.most_ns));
		now_ns += (uint64_t)window_ns;
		budget_spend(&budget, now_ns, window_ns);
	}
	assert_true(budget_worst(&budget, now_ns) <= 0.05);
	assert_true(budget_used(&budget, now_ns) > 0.04);
}

/* A machine on which probes sometimes take long to come off, and once in a while much longer. */
static void test_surprises_find_room(void **state)
{
	struct budget budget;
	uint64_t now_ns = second;
	int windows = 0;

	(void)state;
	budget_begin(&budget, 0.05, 50e6, now_ns);
	budget_surprise(&budget, 100e6, 0);
	while (now_ns < 1000 * second) {
		double window_ns = windows % 29 == 28 ? 145e6 : windows % 7 == 6 ? 90e6 : 50e6;

		now_ns += budget_wait_ns(&budget, budget.most_ns);
		budget_spend(&budget, now_ns, 0);
		assert_true(budget_allows(&budget, budget.most_ns));
		now_ns += (uint64_t)window_ns;
		budget_spend(&budget, now_ns, window_ns);
		budget_surprise(&budget, window_ns - budget.most_ns, 50e6);
		windows++;
	}
	assert_true(budget_worst(&budget, now_ns) <= 0.05);
	assert_true(budget_used(&budget, now_ns) > 0.02);
}

/* One that fills a slice is not the end of all windows. */
static void test_a_surprise_fades(void **state)
{
	struct budget budget;
	uint64_t now_ns = second;

	(void)state;
	budget_begin(&budget, 0.05, 50e6, now_ns);
	budget_surprise(&budget, 1e9, 50e6);
	for (int i = 0; i < 200; i++) {
		uint64_t wait_ns = budget_wait_ns(&budget, 50e6);

		assert_true(wait_ns <= BUDGET_SLICE_SECONDS * second);
		now_ns += wait_ns;
		budget_spend(&budget, now_ns, 0);
		assert_true(budget_allows(&budget, 50e6));
		budget_spend(&budget, now_ns, 50e6);
		budget_surprise(&budget, 0, 50e6);
	}
	assert_close(budget.surprise_ns, 50e6, 1);
}

static void test_worst_slice(void **state)
{
	struct budget budget;

	(void)state;
	budget_begin(&budget, 0.05, 30e6, 0);
	budget_spend(&budget, second, 1e9);
	assert_true(budget_worst(&budget, second) > 0.99);
	budget_spend(&budget, 5 * second, 0);
	budget_spend(&budget, 20 * second, 0);
	assert_true(budget_worst(&budget, 20 * second) > 0.19);
	assert_true(budget_used(&budget, 20 * second) < 0.06);
}

/* -- estimates --------------------------------------------------------------------------------- */

static struct estimate samples(uint64_t sampled, uint64_t live, uint64_t aged, uint64_t aged_live)
{
	return (struct estimate){
		.sampled_blocks = sampled,
		.sampled_bytes = sampled * 100,
		.live_blocks = live,
		.live_bytes = live * 100,
		.live_heap_bytes = live * 125,
		.live_heap_squares = (double)live * 125 * 125,
		.aged_blocks = aged,
		.aged_live_blocks = aged_live,
	};
}

static void test_growth_is_shared_by_what_stays(void **state)
{
	struct estimate sites[] = {
		samples(300, 300, 200, 200),
		samples(100, 100, 60, 60),
		samples(50000, 0, 0, 0),
		samples(1000, 500, 400, 200),
	};

	(void)state;
	estimate_sites(sites, 4, 30, 1, 5e6);
	assert_int_equal(sites[0].verdict, ESTIMATE_LEAK);
	assert_int_equal(sites[1].verdict, ESTIMATE_LEAK);
	assert_int_equal(sites[2].verdict, ESTIMATE_NOTHING);
	assert_int_equal(sites[3].verdict, ESTIMATE_CACHE);
	assert_close(sites[0].bytes_per_second, 3e6, 1);
	assert_close(sites[1].bytes_per_second, 1e6, 1);
	/* its own 100 samples of 400, and the 300 others */
	assert_close(sites[1].standard_error, 1e6 * sqrt(1.0 / 100 + 300.0 / (400 * 400)), 1);
	assert_close(sites[3].bytes_per_second, 0, 0);
}

/* What windows have seen grow is the least, whatever the memory as a whole did. */
static void test_never_below_what_was_seen(void **state)
{
	struct estimate sites[] = { samples(300, 300, 200, 200) };

	(void)state;
	estimate_sites(sites, 1, 30, 2, -5e6);
	assert_close(sites[0].bytes_per_second, 15000, 1);
}

static void test_few_samples_are_unresolved(void **state)
{
	struct estimate sites[] = { samples(2, 2, 2, 2), samples(9, 9, 0, 0) };

	(void)state;
	estimate_sites(sites, 2, 30, 1, 1e6);
	assert_int_equal(sites[0].verdict, ESTIMATE_UNRESOLVED);
	assert_int_equal(sites[1].verdict, ESTIMATE_UNRESOLVED);
}

/* A hash table was enlarged in a window: that is no rate, and leaves a leak its own. */
static void test_one_large_block_is_no_rate(void **state)
{
	struct estimate sites[] = { samples(1000, 1000, 500, 500), samples(1, 1, 1, 1) };

	(void)state;
	sites[1].live_bytes = sites[1].live_heap_bytes = 1 << 20;
	sites[1].live_heap_squares = (double)(1 << 20) * (1 << 20);
	estimate_sites(sites, 2, 32, 1, 1e6);
	assert_int_equal(sites[0].verdict, ESTIMATE_LEAK);
	assert_int_equal(sites[1].verdict, ESTIMATE_UNRESOLVED);
	assert_close(sites[1].bytes_per_second, (1 << 20) / 32, 1);
	assert_close(sites[1].standard_error, (1 << 20) / 32, 1);
	assert_close(sites[0].bytes_per_second, (1e6 - (1 << 20) / 32) * 100 / 125, 1);
}

/* Nine small tables and a large one: ten samples, and no better known than by one. */
static void test_a_large_block_makes_it_uncertain(void **state)
{
	struct estimate sites[] = { samples(10, 10, 9, 9), samples(1000, 1000, 500, 500) };

	(void)state;
	sites[0].live_bytes = sites[0].live_heap_bytes = 900 + 125000;
	sites[0].live_heap_squares = 9e4 + 125000.0 * 125000;
	estimate_sites(sites, 2, 30, 1, 1e6);
	assert_true(sites[0].standard_error > 0.9 * sites[0].bytes_per_second);
	assert_true(sites[1].standard_error > 0.4 * sites[1].bytes_per_second);
}

/* 1 % of all allocations leak: 1 % of the churn's addresses end as theirs. */
static void test_survivors_by_another_ones_leak(void **state)
{
	struct estimate sites[] = { samples(600, 600, 300, 300), samples(60000, 620, 310, 310),
				    samples(60000, 0, 0, 0) };

	(void)state;
	estimate_sites(sites, 2, 30, 1, 1e6);
	assert_int_equal(sites[0].verdict, ESTIMATE_LEAK);
	assert_int_equal(sites[1].verdict, ESTIMATE_UNRESOLVED);
	assert_close(sites[1].bytes_per_second, 0, 0);
	/* a site of which a tenth stays is one that leaks, */
	sites[1] = samples(60000, 6000, 3000, 3000);
	estimate_sites(sites, 2, 30, 1, 1e6);
	assert_int_equal(sites[1].verdict, ESTIMATE_LEAK);
	/* but not where its blocks have the size of what leaks more */
	sites[1] = samples(3000, 300, 200, 200);
	estimate_sites(sites, 3, 30, 1, 1e6);
	assert_int_equal(sites[1].verdict, ESTIMATE_UNRESOLVED);
	sites[1].live_heap_bytes *= 2;
	estimate_sites(sites, 3, 30, 1, 1e6);
	assert_int_equal(sites[1].verdict, ESTIMATE_LEAK);
}

/* Found in one time of sampling, and in the next hardly seen. */
static void test_estimates_add_up(void **state)
{
	struct estimate sites[] = { samples(300, 300, 200, 200) }, few[] = { samples(3, 3, 0, 0) };
	struct estimate_sum sum = { 0 };

	(void)state;
	estimate_sites(sites, 1, 30, 1, 3e6);
	estimate_add(&sum, &sites[0], 10);
	assert_int_equal(sum.verdict, ESTIMATE_LEAK);
	assert_close(sum.bytes, 24e6, 1);
	assert_close(sum.blocks, 24e4, 1);
	estimate_sites(few, 1, 30, 1, 1.25e6);
	estimate_add(&sum, &few[0], 1);
	assert_int_equal(sum.verdict, ESTIMATE_LEAK);
	assert_close(sum.bytes, 25e6, 1);
	assert_close(sqrt(sum.variance), sqrt(3e12 * 64 / 100 + 1e12 / 3), 1);
	assert_int_equal(sum.sampled_blocks, 303);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accrues_to_one_window),
		cmocka_unit_test(test_no_limit),
		cmocka_unit_test(test_overdrawn_is_paid_back),
		cmocka_unit_test(test_every_slice_holds),
		cmocka_unit_test(test_surprises_find_room),
		cmocka_unit_test(test_a_surprise_fades),
		cmocka_unit_test(test_worst_slice),
		cmocka_unit_test(test_growth_is_shared_by_what_stays),
		cmocka_unit_test(test_never_below_what_was_seen),
		cmocka_unit_test(test_few_samples_are_unresolved),
		cmocka_unit_test(test_one_large_block_is_no_rate),
		cmocka_unit_test(test_a_large_block_makes_it_uncertain),
		cmocka_unit_test(test_survivors_by_another_ones_leak),
		cmocka_unit_test(test_estimates_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
