/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Snapshots: their text, their order, their sums. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "model/merge.h"
#include "model/snapshot.h"

static struct site *add(struct snapshot *snapshot, uint64_t bytes, uint64_t blocks, pid_t pid,
			const char *leaf)
{
	struct frame frame = { .name = snapshot_string(snapshot, leaf) };
	struct site *site = vec_add(&snapshot->sites);

	site->bytes = bytes;
	site->blocks = blocks;
	site->pid = pid;
	site->frames = snapshot_frames(snapshot, &frame, 1);
	site->frame_count = 1;
	return site;
}

static void test_text_is_copied_once(void **state)
{
	struct snapshot *snapshot = snapshot_new();
	char text[] = "malloc";
	const char *first = snapshot_string(snapshot, text);
	char name[16];
	int i;

	text[0] = 'x';
	assert_string_equal(first, "malloc");
	assert_ptr_not_equal(first, text);
	for (i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "name%d", i);
		snapshot_string(snapshot, name);
	}
	assert_ptr_equal(snapshot_string(snapshot, "malloc"), first);
	assert_string_equal(snapshot_string(snapshot, "name77"), "name77");
	assert_string_equal(snapshot_string(snapshot, ""), "");
	assert_null(snapshot_string(snapshot, NULL));
	assert_null(snapshot_frames(snapshot, NULL, 0));
	snapshot_free(snapshot);
	snapshot_free(NULL);
}

static void test_frames_are_copied(void **state)
{
	struct snapshot *snapshot = snapshot_new();
	struct frame frames[2] = { { .name = "a", .line = 1 }, { .name = "b", .line = 2 } };
	const struct frame *copy = snapshot_frames(snapshot, frames, 2);

	frames[1].line = 99;
	assert_int_equal(copy[1].line, 2);
	assert_string_equal(copy[0].name, "a");
	snapshot_free(snapshot);
}

static void test_notes(void **state)
{
	struct snapshot *snapshot = snapshot_new();

	snapshot_note(snapshot, "pid %d: %s", 7, "no known allocator");
	assert_int_equal(snapshot->notes.count, 1);
	assert_string_equal(snapshot->notes.items[0], "pid 7: no known allocator");
	snapshot_free(snapshot);
}

/* Whatever the order they come in, sites end in one order: by bytes, blocks, pid and frames. */
static void test_sort_is_total(void **state)
{
	static const struct {
		uint64_t bytes, blocks;
		pid_t pid;
		const char *leaf;
	} expected[] = {
		{ 300, 1, 9, "z" }, { 200, 5, 9, "z" }, { 200, 2, 1, "z" },
		{ 200, 2, 3, "a" }, { 200, 2, 3, "b" }, { 0, 9, 1, "a" },
	};
	enum { COUNT = sizeof(expected) / sizeof(expected[0]) };
	size_t rotation, i;

	for (rotation = 0; rotation < COUNT; rotation++) {
		struct snapshot *snapshot = snapshot_new();

		for (i = 0; i < COUNT; i++) {
			size_t at = (i * 5 + rotation) % COUNT;

			add(snapshot, expected[at].bytes, expected[at].blocks, expected[at].pid,
			    expected[at].leaf);
		}
		snapshot_sort(snapshot);
		for (i = 0; i < COUNT; i++) {
			const struct site *site = &snapshot->sites.items[i];

			assert_int_equal(site->bytes, expected[i].bytes);
			assert_int_equal(site->blocks, expected[i].blocks);
			assert_int_equal(site->pid, expected[i].pid);
			assert_string_equal(site->frames[0].name, expected[i].leaf);
		}
		snapshot_free(snapshot);
	}
}

static void test_sort_prefers_the_shorter_of_equal_stacks(void **state)
{
	struct snapshot *snapshot = snapshot_new();
	struct frame frames[2] = { { .name = "a" }, { 0 } };

	snapshot_sort(snapshot); /* of nothing */
	add(snapshot, 1, 1, 1, "a")->frames = snapshot_frames(snapshot, frames, 2);
	snapshot->sites.items[0].frame_count = 2;
	add(snapshot, 1, 1, 1, "a");
	snapshot_sort(snapshot);
	assert_int_equal(snapshot->sites.items[0].frame_count, 1);
	assert_int_equal(snapshot->sites.items[1].frame_count, 2);
	snapshot_free(snapshot);
}

static void test_stacks_complete_by_bytes_or_count(void **state)
{
	struct snapshot *snapshot = snapshot_new();

	assert_true(snapshot_stacks_complete(snapshot) == 1.0);
	add(snapshot, 0, 0, 1, "a");
	add(snapshot, 0, 0, 1, "b")->end = SITE_END_DEPTH;
	assert_true(snapshot_stacks_complete(snapshot) == 0.5);
	add(snapshot, 300, 1, 1, "c")->end = SITE_END_BARRIER;
	add(snapshot, 100, 1, 1, "d")->end = SITE_END_LOST;
	assert_true(snapshot_stacks_complete(snapshot) == 0.75);
	snapshot_free(snapshot);
}

static void test_losses_and_names(void **state)
{
	struct snapshot *snapshot = snapshot_new();
	int i;

	assert_int_equal(snapshot_losses(snapshot), 0);
	*vec_add(&snapshot->losses) = (struct counted){ "a", "a", 3 };
	*vec_add(&snapshot->losses) = (struct counted){ "b", "b", 4 };
	assert_int_equal(snapshot_losses(snapshot), 7);
	snapshot_free(snapshot);

	for (i = 0; i < SITE_KINDS; i++)
		assert_non_null(site_kind_name(i));
	for (i = 0; i < SITE_ENDS; i++)
		assert_non_null(site_end_name(i));
	for (i = 0; i <= FRAME_KERNEL; i++)
		assert_non_null(frame_type_name(i));
	assert_string_equal(site_kind_name(SITE_MAPPING), "mapping");
	assert_string_equal(site_end_name(SITE_END_BAD_FRAME), "bad frame");
	assert_string_equal(frame_type_name(FRAME_INTERPRETED), "interpreted");
}

/* Two containers may have different files at one path: neither's build-id is true of it then. */
static void test_modules_have_one_build_id_or_none(void **state)
{
	struct snapshot *snapshot = snapshot_new();
	const uint8_t first[] = { 0x00, 0xab, 0x7f }, second[] = { 0x00, 0xab, 0x7e };

	snapshot_module(snapshot, "/lib/a.so", first, sizeof(first));
	snapshot_module(snapshot, "/lib/a.so", first, sizeof(first));
	snapshot_module(snapshot, "/lib/b.so", first, sizeof(first));
	snapshot_module(snapshot, "/lib/b.so", second, sizeof(second));
	snapshot_module(snapshot, "/lib/b.so", first, sizeof(first));
	snapshot_module(snapshot, "/lib/c.so", NULL, 0);
	assert_int_equal(snapshot->modules.count, 3);
	assert_string_equal(snapshot_build_id(snapshot, "/lib/a.so"), "00ab7f");
	assert_null(snapshot_build_id(snapshot, "/lib/b.so"));
	assert_null(snapshot_build_id(snapshot, "/lib/c.so"));
	assert_null(snapshot_build_id(snapshot, "/lib/d.so"));
	snapshot_free(snapshot);
}

static void test_same_stacks_are_merged(void **state)
{
	struct snapshot *snapshot = snapshot_new();
	struct site *site;

	add(snapshot, 7, 1, 1, "before"); /* another process's part: left alone */
	add(snapshot, 7, 1, 1, "before");
	site = add(snapshot, 100, 4, 1, "a");
	site->verdict = "leak";
	site->max_age_ns = site->min_age_ns = 9;
	site->standard_error_bytes = 3;
	add(snapshot, 10, 1, 1, "b");
	site = add(snapshot, 50, 2, 1, "a");
	site->max_age_ns = 20;
	site->min_age_ns = 5;
	site->standard_error_bytes = 4;
	add(snapshot, 50, 2, 2, "a");
	add(snapshot, 50, 2, 1, "a")->end = SITE_END_BARRIER;
	add(snapshot, 50, 2, 1, "a")->kind = SITE_MAPPING;
	add(snapshot, 1, 1, 1, "a")->frame_count = 0; /* lost: they may be any */
	add(snapshot, 1, 1, 1, "a")->frame_count = 0;
	snapshot_merge(snapshot, 2);
	assert_int_equal(snapshot->sites.count, 9);
	site = &snapshot->sites.items[2];
	assert_string_equal(site->frames->name, "a");
	assert_int_equal(site->bytes, 150);
	assert_int_equal(site->blocks, 6);
	assert_int_equal(site->standard_error_bytes, 5);
	assert_int_equal(site->min_age_ns, 5);
	assert_int_equal(site->max_age_ns, 20);
	assert_string_equal(site->verdict, "leak"); /* the larger part's */
	assert_string_equal(snapshot->sites.items[3].frames->name, "b");
	assert_int_equal(snapshot->sites.items[3].bytes, 10);
	snapshot_free(snapshot);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_is_copied_once),
		cmocka_unit_test(test_frames_are_copied),
		cmocka_unit_test(test_same_stacks_are_merged),
		cmocka_unit_test(test_modules_have_one_build_id_or_none),
		cmocka_unit_test(test_notes),
		cmocka_unit_test(test_sort_is_total),
		cmocka_unit_test(test_sort_prefers_the_shorter_of_equal_stacks),
		cmocka_unit_test(test_stacks_complete_by_bytes_or_count),
		cmocka_unit_test(test_losses_and_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
