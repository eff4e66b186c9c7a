/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What stacks held some time before a snapshot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/past.h"

static void add_site(struct snapshot *snapshot, enum site_kind kind, pid_t pid, uint64_t id,
		     uint64_t bytes)
{
	*vec_add(&snapshot->sites) = (struct site){ .kind = kind,
						    .pid = pid,
						    .id = id,
						    .bytes = bytes,
						    .blocks = 10,
						    .committed_bytes = bytes / 2,
						    .young_bytes = bytes,
						    .young_blocks = 10 };
}

static void add_past(struct past *past, enum site_kind kind, pid_t pid, uint64_t id, uint64_t bytes)
{
	*vec_add(&past->sites) = (struct past_site){ pid, kind, id, bytes, 1 };
}

/* The same ids in another process, or of another kind, are others; what is gone is left out. */
static void test_each_site_has_what_it_held(void **state)
{
	struct snapshot *later = snapshot_new(), *then;
	struct past past = { .time_ns = 5 };

	later->window_ns = 60;
	later->heap_totals.live_bytes = 12345;
	vec_add(&later->incidents);
	vec_add(&later->readings);
	add_site(later, SITE_HEAP, 7, 1, 1000);
	add_site(later, SITE_HEAP, 7, 2, 900);
	add_site(later, SITE_MAPPING, 7, 1, 800);
	add_site(later, SITE_HEAP, 8, 1, 700);
	add_past(&past, SITE_HEAP, 8, 1, 600);
	add_past(&past, SITE_MAPPING, 7, 1, 300);
	add_past(&past, SITE_HEAP, 7, 3, 999);
	add_past(&past, SITE_HEAP, 7, 1, 400);
	then = past_snapshot(&past, later);
	assert_int_equal(then->window_ns, 5);
	assert_int_equal(then->incidents.count + then->readings.count, 0);
	assert_int_equal(then->sites.count, 3);
	assert_int_equal(then->sites.items[0].bytes, 600);
	assert_int_equal(then->sites.items[0].pid, 8);
	assert_int_equal(then->sites.items[1].bytes, 400);
	assert_int_equal(then->sites.items[1].young_bytes, 0);
	assert_int_equal(then->sites.items[2].kind, SITE_MAPPING);
	assert_int_equal(then->sites.items[2].committed_bytes, 300);
	assert_int_equal(then->heap_totals.live_bytes, 1000);
	assert_int_equal(then->heap_totals.live_blocks, 2);
	assert_int_equal(then->mapping_totals.live_bytes, 300);
	assert_int_equal(later->sites.count, 4);
	assert_int_equal(later->heap_totals.live_bytes, 12345);
	snapshot_free(then);
	past_clear(&past);
	then = past_snapshot(&past, later);
	assert_int_equal(then->sites.count, 0);
	snapshot_free(then);
	snapshot_free(later);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_site_has_what_it_held),
	};

	return cmocka_run_group_tests_name("past", tests, NULL, NULL);
}
