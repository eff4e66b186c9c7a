/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What changed between two snapshots. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "report/diff.h"

#define HOUR 3600000000000ull

/* Watched for an hour of its own, unless start is the same. */
static struct snapshot *make(uint64_t start_ns, uint64_t window_ns, const char *build_id)
{
	struct snapshot *snapshot = snapshot_new();

	snapshot->target = "demo";
	snapshot->start_unix_ns = start_ns;
	snapshot->window_ns = window_ns;
	snapshot->heap = true;
	*vec_add(&snapshot->processes) =
		(struct process){ .pid = 7 + (pid_t)start_ns, .comm = "app" };
	snapshot_module(snapshot, "/srv/plugin.so", (const uint8_t *)build_id, strlen(build_id));
	return snapshot;
}

/* As another run has it: texts, addresses and lines are others. */
static void add(struct snapshot *snapshot, const char *name, uint64_t offset, uint64_t bytes,
		const char *owner)
{
	struct frame frame = {
		.name = snapshot_string(snapshot, name),
		.module = snapshot_string(snapshot, name ? "/srv/app" : "/srv/plugin.so"),
		.offset = name ? (uint64_t)(uintptr_t)snapshot : offset,
		.line = (uint32_t)snapshot->sites.count,
	};

	*vec_add(&snapshot->sites) = (struct site){
		.kind = owner ? SITE_MAPPING : SITE_HEAP,
		.pid = snapshot->processes.items[0].pid,
		.bytes = bytes,
		.blocks = bytes ? 1 : 0,
		.owner = snapshot_string(snapshot, owner),
		.frames = snapshot_frames(snapshot, &frame, 1),
		.frame_count = 1,
	};
}

/* "state growth name" of each site that changed. */
static void expect(struct snapshot *before, struct snapshot *after, const char *expected)
{
	struct diff *diff = diff_new(before, after);
	char text[1024] = "";
	diff_sites sites;

	diff_sort_sites(diff->shown, &sites);
	vec_for_each (site, &sites)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s %lld %s; ",
			 diff_state(*site), (long long)diff_growth(*site),
			 (*site)->frames->name ? (*site)->frames->name : "-");
	assert_string_equal(text, expected);
	vec_free(&sites);
	diff_free(diff);
	snapshot_free(before);
	snapshot_free(after);
}

static void test_sites_are_known_by_functions(void **state)
{
	struct snapshot *before = make(0, HOUR, "one"), *after = make(1, HOUR, "one");

	add(before, "grown", 0, 100, NULL);
	add(before, "shrunk", 0, 100, NULL);
	add(before, "vanished", 0, 50, NULL);
	add(before, "same", 0, 77, NULL);
	add(after, "same", 0, 77, NULL);
	add(after, "new", 0, 1, NULL);
	/* two lines of one function */
	add(after, "grown", 0, 60, NULL);
	add(after, "grown", 0, 60, NULL);
	add(after, "shrunk", 0, 99, NULL);
	expect(before, after,
	       "grown 20 grown; new 1 new; shrunk -1 shrunk; vanished -50 vanished; ");
}

static void test_code_without_names_by_build_id(void **state)
{
	struct snapshot *before = make(0, HOUR, "one"), *after = make(1, HOUR, "one");

	add(before, NULL, 0x10, 100, NULL);
	add(after, NULL, 0x10, 150, NULL);
	add(after, NULL, 0x20, 10, NULL);
	expect(before, after, "grown 50 -; new 10 -; ");
	before = make(0, HOUR, "one");
	after = make(1, HOUR, "two"); /* another build: its offsets say nothing */
	add(before, NULL, 0x10, 100, NULL);
	add(after, NULL, 0x10, 150, NULL);
	expect(before, after, "new 150 -; vanished -100 -; ");
}

static void test_other_processes_are_others(void **state)
{
	struct snapshot *before = make(0, HOUR, "one"), *after = make(1, HOUR, "one");

	after->processes.items[0].comm = "other";
	add(before, "a", 0, 100, NULL);
	add(after, "a", 0, 150, NULL);
	expect(before, after, "new 150 a; vanished -100 a; ");
	before = make(0, HOUR, "one");
	after = make(0, 2 * HOUR, "one"); /* of one watch the pid tells */
	after->processes.items[0].pid = 8;
	add(before, "a", 0, 100, NULL);
	add(after, "a", 0, 150, NULL);
	expect(before, after, "new 150 a; vanished -100 a; ");
}

static void test_rates_and_classes(void **state)
{
	struct snapshot *before = make(5, HOUR, "one"), *after = make(5, 3 * HOUR, "one");
	struct diff *diff;
	diff_classes classes;

	add(before, "a", 0, 100, NULL);
	add(after, "a", 0, 500, NULL);
	add(before, "b", 0, 4096, "glibc arena");
	add(before, "c", 0, 4096, "glibc arena");
	add(after, "d", 0, 100, "thread stack");
	diff = diff_new(before, after);
	assert_true(diff->same_watch);
	assert_true(diff_rate(diff, 100, 500) == 200);
	diff_sum_classes(diff->shown, &classes);
	assert_int_equal(classes.count, 3);
	assert_string_equal(classes.items[0].name, "heap");
	assert_string_equal(classes.items[1].name, "thread stack");
	assert_string_equal(classes.items[2].name, "glibc arena");
	assert_int_equal(classes.items[2].before_bytes, 8192);
	assert_int_equal(classes.items[2].bytes, 0);
	vec_free(&classes);
	diff_keep_changed(diff, 401);
	assert_int_equal(diff->shown->sites.count, 2);
	diff_free(diff);
	after->start_unix_ns = 6; /* two watches: 500 in 3 hours, 100 in one */
	diff = diff_new(before, after);
	assert_false(diff->same_watch);
	assert_true(diff_rate(diff, 100, 600) == 100);
	diff_free(diff);
	snapshot_free(before);
	snapshot_free(after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sites_are_known_by_functions),
		cmocka_unit_test(test_code_without_names_by_build_id),
		cmocka_unit_test(test_other_processes_are_others),
		cmocka_unit_test(test_rates_and_classes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
