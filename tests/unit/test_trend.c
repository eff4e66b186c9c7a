/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What sites held at the latest moments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "report/trend.h"

enum { SECOND_NS = 1000000000 };

/* A moment in which leak() holds so much, and other() so much: each has a stack of its own, which
 * is elsewhere in memory each time. */
static struct snapshot *make(uint64_t seconds, uint64_t leak, uint64_t other)
{
	static const char *const names[] = { "leak", "other" };
	const uint64_t held[] = { leak, other };
	struct snapshot *snapshot = snapshot_new();

	snapshot->window_ns = seconds * SECOND_NS;
	for (size_t i = 0; i < 2; i++) {
		const struct frame frames[] = { { .name = snapshot_string(snapshot, names[i]) } };

		if (!held[i])
			continue;
		*vec_add(&snapshot->sites) = (struct site){
			.pid = 1,
			.bytes = held[i],
			.young_bytes = 5,
			.frames = snapshot_frames(snapshot, frames, 1),
			.frame_count = 1,
		};
	}
	snapshot_sort(snapshot);
	return snapshot;
}

static void add(struct trend *trend, uint64_t seconds, uint64_t leak, uint64_t other)
{
	struct snapshot *snapshot = make(seconds, leak, other);

	trend_add(trend, snapshot, false);
	snapshot_free(snapshot);
}

/* The numbers of leak() and other(), where both are there, leak() with more. */
static void look(struct trend *trend, uint64_t numbers[2])
{
	struct snapshot *snapshot = make(0, 2000, 1000);

	trend_numbers(trend, snapshot, numbers);
	snapshot_free(snapshot);
}

static void test_sites_are_known_again(void **state)
{
	struct trend *trend = trend_new();
	uint64_t numbers[2];

	add(trend, 1, 100, 0);
	add(trend, 2, 300, 700); /* in another order */
	add(trend, 4, 350, 0);
	look(trend, numbers);
	assert_int_equal(trend_count(trend), 4);
	assert_int_equal(trend_bytes(trend, numbers[0], 0), 350);
	assert_int_equal(trend_bytes(trend, numbers[0], 1), 300);
	assert_int_equal(trend_bytes(trend, numbers[0], 2), 100);
	assert_int_equal(trend_bytes(trend, numbers[0], 3), 0);
	assert_int_equal(trend_bytes(trend, numbers[1], 0), 0);
	assert_int_equal(trend_bytes(trend, numbers[1], 1), 700);
	assert_int_equal(trend_span_ns(trend, 1), 2ull * SECOND_NS);
	assert_int_equal(trend_span_ns(trend, 3), 4ull * SECOND_NS);
	assert_int_equal(trend_bytes(trend, numbers[0], 4), 0);
	assert_int_equal(trend_bytes(trend, 99, 0), 0);
	trend_free(trend);
}

static void test_old_moments_go(void **state)
{
	struct trend *trend = trend_new();
	uint64_t numbers[2];

	for (uint64_t i = 1; i <= 3 * TREND_MOMENTS; i++)
		add(trend, i, i, 0);
	look(trend, numbers);
	assert_int_equal(trend_count(trend), TREND_MOMENTS);
	for (uint64_t ago = 0; ago < TREND_MOMENTS; ago++)
		assert_int_equal(trend_bytes(trend, numbers[0], ago), 3 * TREND_MOMENTS - ago);
	assert_int_equal(trend_bytes(trend, numbers[0], TREND_MOMENTS), 0);
	trend_free(trend);
}

static void test_what_is_forgotten(void **state)
{
	struct trend *trend = trend_new();
	uint64_t numbers[2];

	add(trend, 1, 100, 0);
	trend_forget(trend);
	assert_int_equal(trend_count(trend), 0);
	add(trend, 2, 0, 50);
	look(trend, numbers);
	assert_int_equal(trend_count(trend), 1);
	assert_int_equal(trend_bytes(trend, numbers[0], 0), 0);
	assert_int_equal(trend_bytes(trend, numbers[1], 0), 50);
	trend_free(trend);
}

static void test_young_blocks(void **state)
{
	struct trend *trend = trend_new();
	struct snapshot *snapshot = make(1, 100, 0);
	uint64_t numbers[2];

	trend_add(trend, snapshot, true);
	look(trend, numbers);
	assert_int_equal(trend_bytes(trend, numbers[0], 0), 95);
	snapshot_free(snapshot);
	trend_free(trend);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sites_are_known_again),
		cmocka_unit_test(test_old_moments_go),
		cmocka_unit_test(test_what_is_forgotten),
		cmocka_unit_test(test_young_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
