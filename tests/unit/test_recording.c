/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Recordings: what is read is what was written, whatever is cut off or damaged. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/error.h"
#include "record/recording.h"
#include "report/report.h"

enum { SITES = 40, MANY = 150, KILLS = 20 };

static uint64_t seed;

static uint64_t any(uint64_t limit)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (seed >> 33) % limit;
}

/* -- made-up snapshots ------------------------------------------------------------------------- */

static const char *name_of(struct snapshot *snapshot, const char *what, uint64_t number)
{
	char text[64];

	snprintf(text, sizeof(text), "%s_%llu", what, (unsigned long long)number);
	return snapshot_string(snapshot, text);
}

/* Stack and process of a site are those of its number in every snapshot. */
static void add_site(struct snapshot *snapshot, uint64_t number)
{
	struct site *site = vec_add(&snapshot->sites);
	struct frame frames[8];
	size_t count = number % 8;

	for (size_t i = 0; i < count; i++)
		frames[i] = (struct frame){
			.name = i % 3 ? name_of(snapshot, "function", number / (i + 1)) : NULL,
			.module = name_of(snapshot, "/lib/module", number % 5),
			.offset = number << i,
			.file = i % 2 ? name_of(snapshot, "file.c", i) : NULL,
			.line = (uint32_t)(i % 2 * number),
			.type = (enum frame_type)((number + i) % (FRAME_KERNEL + 1)),
		};
	site->kind = (enum site_kind)(number % 2);
	site->pid = (pid_t)(100 + number % 3);
	site->frames = snapshot_frames(snapshot, frames, count);
	site->frame_count = count;
	site->end = (enum site_end)(number % SITE_ENDS);
	site->bytes = any(1000) << any(40);
	site->blocks = any(1000);
	site->allocated_bytes = site->bytes + any(77);
	site->allocated_blocks = site->blocks + any(7);
	site->young_bytes = any(site->bytes + 1);
	site->min_age_ns = any(2) ? any(1000000000) : 0;
	site->max_age_ns = site->min_age_ns + any(1000);
	site->resident_known = any(2);
	site->resident_bytes = any(5) * 4096;
	site->standard_error_bytes = any(3);
	site->owner = any(2) ? snapshot_string(snapshot, "glibc arena") : NULL;
	site->verdict = any(3) ? NULL : snapshot_string(snapshot, "leak");
}

static struct snapshot *make_snapshot(uint64_t number)
{
	struct snapshot *snapshot = snapshot_new();

	seed = number;
	snapshot->target = snapshot_string(snapshot, "container \033[1m\n\xff demo");
	snapshot->mode = number % 2 ? "windowed" : "exact";
	snapshot->start_unix_ns = 1785585600ull * 1000000000;
	snapshot->window_ns = (number + 1) * 1000000000 + any(1000);
	snapshot->min_age_ns = 5000000000;
	snapshot->sample_bytes = any(3);
	snapshot->heap = snapshot->mapping = true;
	snapshot->ended_by = "interval";
	snapshot->command_status = number % 3 ? -1 : 9;
	snapshot->heap_totals.live_bytes = any(1 << 30);
	snapshot->mapping_totals.committed_bytes = any(1 << 30);
	*vec_add(&snapshot->epochs) = (struct epoch){ "exact", 0, any(10), any(3), any(1000) };
	*vec_add(&snapshot->losses) = (struct counted){ "lost", "lost things", any(3) };
	*vec_add(&snapshot->processes) =
		(struct process){ .pid = 101,
				  .comm = name_of(snapshot, "comm", number / 50),
				  .rss_bytes = any(1 << 30) };
	snapshot_module(snapshot, "/lib/module_1", (const uint8_t *)"abcd", 4);
	snapshot_note(snapshot, "note %llu", (unsigned long long)number);
	*vec_add(&snapshot->verdicts) = (struct process_verdict){
		.pid = 101,
		.kind = "leak",
		.rule = "growth",
		.evidence = name_of(snapshot, "grew by", number),
		.remedy = "watch",
		.gain_bytes = any(1 << 30),
		.in_use_bytes = any(1 << 30),
		.retained_bytes = any(1 << 30),
	};
	*vec_add(&snapshot->incidents) = (struct incident){
		.reason = "oom",
		.time_ns = any(1 << 30),
		.pid = 101,
		.comm = name_of(snapshot, "comm", number),
		.ended = any(2),
		.exit_code = any(256),
		.signal = 9,
		.sender = any(1000),
		.sender_comm = "systemd-oomd",
		.asking_pid = 101,
		.asking_tid = any(1000),
		.asking_comm = "worker",
		.usage_bytes = any(1 << 30),
		.limit_bytes = any(1 << 30),
		.groups_up = any(3),
	};
	*vec_add(&snapshot->readings) = (struct reading){ any(1 << 30), any(1 << 30), any(1 << 30),
							  any(1 << 30), any(1 << 30), number };
	snapshot->cost.hit_ns = 941.5;
	snapshot->cost.hits = any(1000000);
	/* some come, some go, and some are twice there */
	for (uint64_t i = 0; i < SITES; i++)
		if ((i + number) % 7)
			add_site(snapshot, i + number / 10);
	add_site(snapshot, 7);
	snapshot_round_ages(snapshot);
	snapshot_sort(snapshot);
	return snapshot;
}

/* All that a report says of it. */
static char *text_of(const struct snapshot *snapshot)
{
	struct report_options options = { .top = UINT64_MAX };
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	report_find("json")->write(snapshot, &options, stream);
	report_find("table")->write(snapshot, &options, stream);
	fclose(stream);
	return text;
}

/* -- recordings -------------------------------------------------------------------------------- */

struct bytes {
	char *items;
	size_t count;
};

static struct bytes record(uint64_t snapshots, const char *footprint)
{
	const struct fact facts[] = { { "kernel", "6.1" }, { "command", "unfreed trace" } };
	struct bytes bytes = { 0 };
	FILE *stream = open_memstream(&bytes.items, &bytes.count);
	struct recorder *recorder;

	assert_int_equal(recorder_new(&recorder, stream, facts, 2), 0);
	for (uint64_t i = 0; i < snapshots; i++) {
		struct snapshot *snapshot = make_snapshot(i);

		assert_int_equal(recorder_add(recorder, snapshot, footprint), 0);
		snapshot_free(snapshot);
	}
	assert_int_equal(recorder_end(recorder), 0);
	recorder_free(recorder);
	fclose(stream);
	return bytes;
}

static int parse(struct series **series, const struct bytes *bytes, size_t count)
{
	uint8_t *copy = malloc(count + 1);

	memcpy(copy, bytes->items, count);
	return recording_parse(series, copy, count);
}

static void expect_snapshot(struct series *series, size_t i)
{
	struct snapshot *made = make_snapshot(i), *read = series_load(series, i);
	char *expected = text_of(made), *found = text_of(read);

	assert_string_equal(found, expected);
	assert_int_equal(series->moments.items[i].unix_ns, made->start_unix_ns + made->window_ns);
	assert_int_equal(series->moments.items[i].heap.live_bytes, made->heap_totals.live_bytes);
	free(expected);
	free(found);
	snapshot_free(made);
	snapshot_free(read);
}

static void test_what_is_read_is_what_was_written(void **state)
{
	struct bytes bytes = record(MANY, NULL);
	struct series *series;
	size_t i;

	assert_int_equal(parse(&series, &bytes, bytes.count), 0);
	assert_null(series->warning);
	assert_int_equal(series->moments.count, MANY);
	assert_int_equal(series->facts.count, 2);
	assert_string_equal(series->facts.items[1].name, "command");
	assert_string_equal(series->facts.items[1].text, "unfreed trace");
	for (i = 0; i < MANY; i++)
		expect_snapshot(series, i);
	/* in any order, and one twice */
	seed = 1;
	for (i = 0; i < 40; i++) {
		uint64_t kept, which = any(MANY);

		kept = seed;
		expect_snapshot(series, which);
		expect_snapshot(series, which);
		seed = kept;
	}
	series_free(series);
	free(bytes.items);
}

static void test_equal_stacks_have_one_address(void **state)
{
	struct bytes bytes = record(2, NULL);
	struct snapshot *first, *second;
	struct series *series;
	size_t same = 0;

	assert_int_equal(parse(&series, &bytes, bytes.count), 0);
	first = series_load(series, 0);
	second = series_load(series, 1);
	vec_for_each (a, &first->sites)
		vec_for_each (b, &second->sites)
			same += a->frames && a->frames == b->frames && a->pid == b->pid;
	assert_true(same > SITES / 2);
	snapshot_free(first);
	snapshot_free(second);
	series_free(series);
	free(bytes.items);
}

static void test_a_series_of_one(void **state)
{
	struct snapshot *snapshot = make_snapshot(3), *copy;
	struct series *series = series_of(snapshot);
	char *expected = text_of(snapshot), *found;

	assert_int_equal(series->moments.count, 1);
	copy = series_load(series, 0);
	found = text_of(copy);
	assert_string_equal(found, expected);
	copy->sites.items[0].bytes = 1;
	copy->sites.count = 1;
	snapshot_note(copy, "one more");
	snapshot_free(copy);
	free(found);
	found = text_of(snapshot);
	assert_string_equal(found, expected);
	assert_null(series_footprint(series, 0));
	free(found);
	free(expected);
	series_free(series);
	snapshot_free(snapshot);
}

/* -- cut off, or damaged ----------------------------------------------------------------------- */

static void test_every_prefix(void **state)
{
	struct bytes bytes = record(4, NULL);
	size_t most = 0;

	for (size_t count = 0; count <= bytes.count; count++) {
		struct series *series = NULL;
		int error = parse(&series, &bytes, count);

		if (error) {
			assert_int_equal(most, 0);
			assert_true(*error_message());
			continue;
		}
		assert_int_equal(!series->warning, count == bytes.count);
		assert_true(series->moments.count >= most);
		if (series->moments.count > most)
			expect_snapshot(series, most);
		most = series->moments.count;
		series_free(series);
	}
	assert_int_equal(most, 4);
	free(bytes.items);
}

static void test_every_damaged_byte(void **state)
{
	struct bytes bytes = record(3, NULL);

	for (size_t i = 0; i < bytes.count; i++) {
		struct series *series = NULL;

		bytes.items[i] ^= 0x41;
		if (parse(&series, &bytes, bytes.count)) {
			assert_true(*error_message());
		} else {
			assert_non_null(series->warning);
			assert_true(series->moments.count <= 3);
			for (size_t j = 0; j < series->moments.count; j++)
				expect_snapshot(series, j);
		}
		series_free(series);
		bytes.items[i] ^= 0x41;
	}
	free(bytes.items);
}

/* Records for good; *written is what must be there of it. */
static void record_until_killed(const char *path, _Atomic uint64_t *written)
{
	FILE *stream = fopen(path, "w");
	struct recorder *recorder;

	if (!stream || recorder_new(&recorder, stream, NULL, 0))
		_exit(1);
	for (uint64_t i = 0;; i++) {
		struct snapshot *snapshot = make_snapshot(i);

		if (recorder_add(recorder, snapshot, NULL))
			_exit(1);
		snapshot_free(snapshot);
		*written = i + 1;
	}
}

static void test_a_killed_writer(void **state)
{
	_Atomic uint64_t *written =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char path[] = "/tmp/unfreed-test-XXXXXX";

	close(mkstemp(path));
	for (int i = 0; i < KILLS; i++) {
		struct series *series;
		FILE *file;
		pid_t child;

		*written = 0;
		child = fork();
		if (!child)
			record_until_killed(path, written);
		while (!*written)
			assert_int_equal(waitpid(child, NULL, WNOHANG), 0);
		usleep((useconds_t)(i * 1777 % 20000));
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		file = fopen(path, "re");
		assert_non_null(file);
		assert_int_equal(recording_read(&series, file, path), 0);
		fclose(file);
		assert_non_null(series->warning);
		assert_in_range(series->moments.count, *written, *written + 1);
		expect_snapshot(series, series->moments.count - 1);
		series_free(series);
	}
	unlink(path);
	munmap(written, 4096);
}

static void test_what_is_none(void **state)
{
	struct bytes text = { "{\"kind\":\"map\"}", 14 };
	struct series *series;

	assert_int_not_equal(parse(&series, &text, text.count), 0);
	assert_string_equal(error_message(), "no recording of 'unfreed trace -w'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_read_is_what_was_written),
		cmocka_unit_test(test_equal_stacks_have_one_address),
		cmocka_unit_test(test_a_series_of_one),
		cmocka_unit_test(test_every_prefix),
		cmocka_unit_test(test_every_damaged_byte),
		cmocka_unit_test(test_a_killed_writer),
		cmocka_unit_test(test_what_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
