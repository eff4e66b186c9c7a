/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What of a snapshot is shown, and how it is grouped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/error.h"
#include "model/ends.h"
#include "report/view.h"

#define S(n) ((n)*1000000000ull)
#define LIBC "/lib/libc.so.6"

/* A made-up service: two functions, one of which allocates by two ways, and a mapping. */
static struct snapshot *make(void)
{
	static const struct frame first[] = {
		{ .name = "malloc", .module = LIBC },
		{ .name = "Cache::put()", .module = "/srv/app", .file = "cache.cc", .line = 7 },
		{ .name = "worker", .module = "/srv/app" },
		{ .name = "start_thread", .module = LIBC },
	};
	static const struct frame second[] = {
		{ .name = "malloc", .module = LIBC },
		{ .name = "operator new(unsigned long)", .module = "/lib/libstdc++.so.6" },
		{ .name = "Cache::put()", .module = "/srv/app", .file = "cache.cc", .line = 9 },
		{ .name = "main", .module = "/srv/app" },
		{ .name = "_start", .module = "/srv/app" },
	};
	static const struct frame third[] = {
		{ .name = "mmap", .module = LIBC },
		{ .module = "/srv/plugin.so", .offset = 0x1234 },
	};
	struct snapshot *snapshot = snapshot_new();
	struct heap_totals *heap = &snapshot->heap_totals;

	snapshot->heap = snapshot->mapping = true;
	snapshot->min_age_ns = S(5);
	*vec_add(&snapshot->processes) = (struct process){ .pid = 1, .comm = "app" };
	*vec_add(&snapshot->sites) = (struct site){
		.kind = SITE_HEAP,
		.pid = 1,
		.bytes = 1000,
		.blocks = 10,
		.allocated_bytes = 3000,
		.allocated_blocks = 30,
		.young_bytes = 300,
		.young_blocks = 3,
		.min_age_ns = S(1),
		.max_age_ns = S(20),
		.frames = first,
		.frame_count = 4,
		.end = SITE_END_NO_TABLE,
	};
	*vec_add(&snapshot->sites) = (struct site){
		.kind = SITE_HEAP,
		.pid = 1,
		.bytes = 500,
		.blocks = 1,
		.allocated_bytes = 500,
		.allocated_blocks = 1,
		.min_age_ns = S(30),
		.max_age_ns = S(30),
		.frames = second,
		.frame_count = 5,
	};
	*vec_add(&snapshot->sites) = (struct site){
		.kind = SITE_MAPPING,
		.pid = 1,
		.bytes = 4096,
		.blocks = 1,
		.allocated_bytes = 4096,
		.allocated_blocks = 1,
		.committed_bytes = 4096,
		.young_bytes = 4096,
		.young_blocks = 1,
		.min_age_ns = S(2),
		.max_age_ns = S(2),
		.frames = third,
		.frame_count = 2,
		.owner = "glibc arena",
	};
	heap->live_bytes = 1500;
	heap->live_blocks = 11;
	heap->allocated_bytes = 3500;
	heap->allocated_blocks = 31;
	heap->freed_bytes = 2000;
	heap->freed_blocks = 20;
	snapshot->mapping_totals = (struct mapping_totals){ .live_bytes = 4096,
							    .committed_bytes = 4096,
							    .live_mappings = 1,
							    .mapped_bytes = 4096 };
	snapshot_sort(snapshot);
	return snapshot;
}

/* "bytes/blocks innermost" of each site, then the totals of the heap. */
static void expect(struct view *view, const char *expected)
{
	struct snapshot *snapshot = view_apply(view, make());
	char text[1024] = "";

	vec_for_each (site, &snapshot->sites)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%llu/%llu %s; ",
			 (unsigned long long)site->bytes, (unsigned long long)site->blocks,
			 site->frames->name);
	snprintf(text + strlen(text), sizeof(text) - strlen(text), "heap %llu/%llu",
		 (unsigned long long)snapshot->heap_totals.live_bytes,
		 (unsigned long long)snapshot->heap_totals.allocated_bytes);
	assert_string_equal(text, expected);
	snapshot_free(snapshot);
	view_free(view);
}

static void test_plain_shows_all_as_it_is(void **state)
{
	struct snapshot *snapshot = make();
	struct view view;

	view_init(&view);
	assert_true(view_is_plain(&view));
	assert_ptr_equal(view_apply(&view, snapshot), snapshot);
	snapshot_free(snapshot);
	view_free(&view);
}

static void test_by_what_stands_in_stacks(void **state)
{
	struct view view;

	view_init(&view);
	assert_int_equal(view_want(&view, "^worker$"), 0);
	expect(&view, "1000/10 malloc; heap 1000/3000");
	view_init(&view);
	assert_int_equal(view_want(&view, "plugin"), 0);
	assert_int_equal(view_want(&view, "main"), 0);
	expect(&view, "4096/1 mmap; 500/1 malloc; heap 500/500");
	view_init(&view);
	assert_int_equal(view_exclude(&view, "cache\\.cc"), 0);
	expect(&view, "4096/1 mmap; heap 0/0");
	view_init(&view);
	assert_int_equal(view_want(&view, "a("), -22);
	assert_non_null(strstr(error_message(), "'a(' is no regular expression"));
	view_free(&view);
}

static void test_by_kind_class_and_size(void **state)
{
	struct view view;

	view_init(&view);
	assert_int_equal(view_kind(&view, "heap"), 0);
	expect(&view, "1000/10 malloc; 500/1 malloc; heap 1500/3500");
	view_init(&view);
	assert_int_equal(view_class(&view, "Glibc Arena"), 0);
	expect(&view, "4096/1 mmap; heap 0/0");
	view_init(&view);
	assert_int_equal(view_class(&view, "heap"), 0);
	view.min_bytes = 501;
	expect(&view, "1000/10 malloc; heap 1000/3000");
	view_init(&view);
	assert_int_equal(view_kind(&view, "hea"), -22);
	assert_int_equal(view_group_by(&view, "line"), -22);
	view_free(&view);
}

/* The age that the snapshot knows takes the young blocks; another one whole stacks. */
static void test_by_age(void **state)
{
	struct view view;

	view_init(&view);
	view.older_ns = S(5);
	expect(&view, "700/7 malloc; 500/1 malloc; heap 1200/3500");
	view_init(&view);
	view.older_ns = S(25);
	expect(&view, "500/1 malloc; heap 500/500");
	view_init(&view);
	view.younger_ns = S(5);
	expect(&view, "4096/1 mmap; 300/3 malloc; heap 300/3000");
	view_init(&view);
	view.younger_ns = S(25);
	expect(&view, "4096/1 mmap; 1000/10 malloc; heap 1000/3000");
}

static void test_groups(void **state)
{
	struct view view;

	view_init(&view);
	assert_int_equal(view_group_by(&view, "function"), 0);
	expect(&view, "4096/1 plugin.so+0x1234; 1500/11 Cache::put(); heap 1500/3500");
	view_init(&view);
	assert_int_equal(view_group_by(&view, "module"), 0);
	expect(&view, "4096/1 /srv/plugin.so; 1500/11 /srv/app; heap 1500/3500");
	view_init(&view);
	assert_int_equal(view_group_by(&view, "thread"), 0);
	expect(&view, "4096/1 plugin.so+0x1234; 1000/10 worker; 500/1 main; heap 1500/3500");
	view_init(&view);
	assert_int_equal(view_group_by(&view, "process"), 0);
	expect(&view, "4096/1 app (pid 1); 1500/11 app (pid 1); heap 1500/3500");
	view_init(&view);
	view.invert = true;
	expect(&view, "4096/1 (null); 1000/10 start_thread; 500/1 _start; heap 1500/3500");
}

static void test_coverage_is_that_of_the_whole(void **state)
{
	struct snapshot *snapshot = make(), *shown;
	double complete = snapshot_stacks_complete(snapshot);
	struct view view;
	struct ends ends;

	view_init(&view);
	view_kind(&view, "mapping");
	view_group_by(&view, "function");
	shown = view_apply(&view, snapshot);
	assert_true(complete < 1);
	assert_true(snapshot_stacks_complete(shown) == complete);
	ends_sum(&ends, shown);
	assert_int_equal(ends.sums.count, 1);
	assert_int_equal(ends.sums.items[0].end, SITE_END_NO_TABLE);
	ends_free(&ends);
	assert_string_equal(shown->notes.items[0],
			    "left out, as was asked for: 1.5 KiB outstanding, 2 stacks whole");
	snapshot_free(shown);
	view_free(&view);
}

/* Groups of the snapshots of a series have one address, as its stacks have. */
static void test_groups_of_a_series(void **state)
{
	struct snapshot *snapshot = make(), *first, *second;
	struct series *series;
	struct view view;

	view_init(&view);
	view_group_by(&view, "function");
	series = view_series(&view, series_of(snapshot));
	first = series_load(series, 0);
	second = series_load(series, 0);
	assert_int_equal(first->sites.count, 2);
	for (size_t i = 0; i < 2; i++)
		assert_ptr_equal(first->sites.items[i].frames, second->sites.items[i].frames);
	snapshot_free(first);
	snapshot_free(second);
	series_free(series);
	view_free(&view);
	snapshot_free(snapshot);
}

static void test_exclude_file(void **state)
{
	char path[] = "/tmp/unfreed-test-XXXXXX";
	int fd = mkstemp(path);
	FILE *file = fdopen(fd, "w");
	struct view view;

	fputs("# known caches\n\n  Cache::put  # bounded\n", file);
	fflush(file);
	view_init(&view);
	assert_int_equal(view_exclude_from(&view, path), 0);
	expect(&view, "4096/1 mmap; heap 0/0");
	fputs("[\n", file);
	fclose(file);
	view_init(&view);
	assert_int_equal(view_exclude_from(&view, path), -22);
	assert_non_null(strstr(error_message(), ":4: '[' is no regular expression"));
	unlink(path);
	assert_int_equal(view_exclude_from(&view, path), -2);
	view_free(&view);
}

static void test_moments_by_name(void **state)
{
	static const struct {
		const char *text;
		int found;
	} rows[] = {
		{ "1", 0 },	{ "3", 2 },	 { "-1", 2 },	  { "-3", 0 },
		{ "90s", 1 },	{ "1m", 0 },	 { "1h", 2 },	  { "00:02", 1 },
		{ "00:59", 2 }, { "0", -1 },	 { "4", -1 },	  { "-4", -1 },
		{ "x", -1 },	{ "3x", -1 },	 { "", -1 },	  { "1970-01-01T00:03:00", 2 },
		{ "23:59", 2 }, { "0:1:10", 0 }, { "25:00", -1 },
	};
	static const struct series_ops none = { 0 };
	struct series *series = series_new(&none, NULL);

	for (size_t i = 1; i <= 3; i++)
		*vec_add(&series->moments) =
			(struct moment){ .unix_ns = S(60 * i), .window_ns = S(60 * i - 30) };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t found = 99;
		int error = series_find(series, rows[i].text, &found);

		if ((rows[i].found < 0) != (error < 0) || (!error && (int)found != rows[i].found))
			fail_msg("'%s': %d, %zu", rows[i].text, error, found);
	}
	series_free(series);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_shows_all_as_it_is),
		cmocka_unit_test(test_by_what_stands_in_stacks),
		cmocka_unit_test(test_by_kind_class_and_size),
		cmocka_unit_test(test_by_age),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_coverage_is_that_of_the_whole),
		cmocka_unit_test(test_groups_of_a_series),
		cmocka_unit_test(test_exclude_file),
		cmocka_unit_test(test_moments_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
