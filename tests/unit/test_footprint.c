/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Growth and its forecast, control groups of both versions from folders of files, and documents. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "record/footprint_file.h"
#include "report/footprint.h"
#include "survey/group.h"

#define MIB(n) ((uint64_t)(n) << 20)

/* -- growth ------------------------------------------------------------------------------------ */

/* Usage grows by 3 MiB a second, 1 MiB of it page cache, and by 1 MiB of arenas. */
static void add_second(struct growth *growth, uint64_t second)
{
	struct footprint footprint = {
		.monotonic_ns = (100 + second) * 1000000000,
		.total.rss_bytes = MIB(50 + second),
		.group = { .path = "x",
			   .usage_bytes = MIB(100 + 3 * second),
			   .inactive_file_bytes = MIB(second),
			   .limit_bytes = MIB(400) },
	};

	footprint.classes[CLASS_ARENA].rss_bytes = MIB(50 + second);
	growth_add(growth, &footprint);
}

static void test_growth(void **state)
{
	struct footprint_group group = { .path = "x", .limit_bytes = MIB(400) };
	struct growth growth = { 0 };

	add_second(&growth, 0);
	assert_true(growth_rate(&growth, CLASS_ARENA) == 0);
	assert_true(growth_seconds_to_limit(&growth, &group) < 0);
	/* More than there is room for: every other one is forgotten, twice. */
	for (uint64_t second = 1; second <= 99; second++)
		add_second(&growth, second);
	assert_int_equal(growth_seconds(&growth), 99);
	assert_true(growth.count < GROWTH_SAMPLES);
	assert_int_equal(growth_rate(&growth, CLASS_ARENA) + 0.5, MIB(1));
	assert_int_equal(growth_rate(&growth, CLASSES) + 0.5, MIB(1));
	assert_int_equal(growth_charged_rate(&growth) + 0.5, MIB(2));
	assert_int_equal(growth_change(&growth, CLASS_ARENA), MIB(99));
	assert_int_equal(growth_change(&growth, CLASS_FILE), 0);
	/* 100 + 2 * 99 of 400 MiB, without page cache. */
	assert_int_equal(growth_seconds_to_limit(&growth, &group) + 0.5, 51);
	group.limit_bytes = MIB(10);
	assert_true(growth_seconds_to_limit(&growth, &group) == 0);
	group.limit_bytes = UINT64_MAX;
	assert_true(growth_seconds_to_limit(&growth, &group) < 0);
}

/* -- groups ------------------------------------------------------------------------------------ */

static void write_file(const char *folder, const char *name, const char *text)
{
	cleanup_free char *path = mem_printf("%s/%s", folder, name);
	cleanup_fclose FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
}

static char *new_folder(void)
{
	char *folder = mem_string("/tmp/unfreed-group-XXXXXX");

	assert_non_null(mkdtemp(folder));
	return folder;
}

static void remove_folder(char *folder)
{
	cleanup_free char *command = mem_printf("rm -r '%s'", folder);

	assert_int_equal(system(command), 0);
	mem_free(folder);
}

static void test_group_v1(void **state)
{
	char *folder = new_folder();
	struct footprint_group group;

	assert_int_equal(group_read(&group, folder), -ENOENT);
	write_file(folder, "memory.usage_in_bytes", "1000000\n");
	write_file(folder, "memory.limit_in_bytes", "9223372036854771712\n");
	write_file(folder, "memory.failcnt", "7\n");
	write_file(folder, "memory.kmem.usage_in_bytes", "5000\n");
	write_file(folder, "memory.oom_control", "oom_kill_disable 0\nunder_oom 1\noom_kill 3\n");
	write_file(folder, "memory.stat",
		   "cache 1\nrss 2\ninactive_file 3\nhierarchical_memory_limit 2000000\n"
		   "total_cache 11\ntotal_rss 12\ntotal_inactive_file 13\ntotal_active_file 4\n");
	assert_int_equal(group_read(&group, folder), 0);
	assert_int_equal(group.version, 1);
	assert_int_equal(group.usage_bytes, 1000000);
	assert_int_equal(group.limit_bytes, 2000000);
	assert_int_equal(group.limit_hits, 7);
	assert_int_equal(group.kernel_bytes, 5000);
	assert_int_equal(group.oom_kills, 3);
	assert_int_equal(group.file_bytes, 11);
	assert_int_equal(group.anon_bytes, 12);
	assert_int_equal(footprint_working_set(&group), 1000000 - 13);
	assert_int_equal(footprint_reclaimable(&group), 17);
	write_file(folder, "memory.stat", "hierarchical_memory_limit 9223372036854771712\n");
	assert_int_equal(group_read(&group, folder), 0);
	assert_true(group.limit_bytes == UINT64_MAX);
	remove_folder(folder);
}

static void test_group_v2(void **state)
{
	char *folder = new_folder();
	cleanup_free char *inner = mem_printf("%s/inner", folder);
	struct footprint_group group;

	assert_int_equal(mkdir(inner, 0700), 0);
	write_file(folder, "memory.max", "3000000\n");
	write_file(inner, "memory.max", "max\n");
	write_file(inner, "memory.current", "700\n");
	write_file(inner, "memory.events", "low 0\nhigh 1\nmax 9\noom 2\noom_kill 4\n");
	write_file(inner, "memory.stat",
		   "anon 100\nfile 200\nkernel_stack 10\npagetables 20\nsock 5\nshmem 6\n"
		   "file_mapped 7\ninactive_file 800\nslab 30\n");
	assert_int_equal(group_read(&group, inner), 0);
	assert_int_equal(group.version, 2);
	assert_int_equal(group.limit_bytes, 3000000); /* the outer one's */
	assert_int_equal(group.limit_hits, 9);
	assert_int_equal(group.oom_events, 2);
	assert_int_equal(group.oom_kills, 4);
	assert_int_equal(group.kernel_bytes, 60); /* no "kernel" before 5.18 */
	assert_int_equal(group.socket_bytes, 5);
	assert_int_equal(footprint_working_set(&group), 0);
	write_file(inner, "memory.stat", "kernel 90\n");
	write_file(inner, "memory.max", "1000\n");
	assert_int_equal(group_read(&group, inner), 0);
	assert_int_equal(group.kernel_bytes, 90);
	assert_int_equal(group.limit_bytes, 1000);
	remove_folder(folder);
}

/* -- documents --------------------------------------------------------------------------------- */

static struct footprint *made(void)
{
	struct footprint *footprint = footprint_new();
	struct footprint_process *process = vec_add(&footprint->processes);
	struct footprint_mapping mapping = {
		.start = 0x1000,
		.end = 0x3000,
		.permissions = "rw-p",
		.class = CLASS_ARENA,
		.figures = { 1, 8192, 4096, 4096, 4096, 1024, 0, 0 },
	};

	footprint->target = footprint_string(footprint, "pid 1");
	footprint->unix_ns = 1500000000;
	process->pid = 7;
	process->comm = footprint_string(footprint, "app");
	footprint_add(footprint, process, &mapping);
	mapping.class = CLASS_JAVA_HEAP;
	footprint_add(footprint, process, &mapping);
	return footprint;
}

static int read_at(struct footprint **footprint, const char *path)
{
	FILE *stream = fopen(path, "re");
	int error;

	assert_non_null(stream);
	error = footprint_read(footprint, stream, path);
	fclose(stream);
	return error;
}

static void test_document(void **state)
{
	const struct footprint_options options = { .by = FOOTPRINT_BY_MAPPING };
	struct footprint *footprint = made(), *read;
	char *folder = new_folder();
	cleanup_free char *path = mem_printf("%s/file", folder);
	FILE *stream = fopen(path, "w");

	assert_non_null(stream);
	fputs("{\"kind\":\"map\"}\n", stream);
	footprint_json(footprint, NULL, &options, stream);
	fclose(stream);
	assert_int_equal(read_at(&read, path), 0);
	assert_string_equal(read->target, "pid 1");
	assert_int_equal(read->unix_ns, 1500000000);
	assert_memory_equal(&read->total, &footprint->total, sizeof(read->total));
	assert_memory_equal(read->classes, footprint->classes, sizeof(read->classes));
	assert_int_equal(read->processes.count, 1);
	assert_string_equal(read->processes.items[0].comm, "app");
	assert_memory_equal(read->processes.items[0].classes, footprint->processes.items[0].classes,
			    sizeof(read->classes));
	footprint_free(read);
	footprint_free(footprint);
	remove_folder(folder);
}

/* Of a later version, broken, of something else: never taken for what it is not. */
static void test_foreign_documents(void **state)
{
	static const char *const bad[] = {
		"", "[", "[]", "7", "{}", "{\"kind\":\"trace\"}", "{\"kind\":\"map\"} x",
	};
	struct footprint *read;
	char *folder = new_folder();
	cleanup_free char *path = mem_printf("%s/file", folder);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		write_file(folder, "file", bad[i]);
		assert_int_equal(read_at(&read, path), -EINVAL);
	}
	write_file(folder, "file",
		   "{\"kind\":\"map\",\"rss_bytes\":-5,\"classes\":[{\"name\":\"new one\","
		   "\"rss_bytes\":9},3,{}],\"processes\":{\"a\":1}}");
	assert_int_equal(read_at(&read, path), 0);
	assert_int_equal(read->classes[CLASS_UNKNOWN].rss_bytes, 9);
	assert_int_equal(read->total.rss_bytes, 0);
	assert_int_equal(read->processes.count, 0);
	footprint_free(read);
	remove_folder(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_group_v1),
		cmocka_unit_test(test_group_v2),
		cmocka_unit_test(test_document),
		cmocka_unit_test(test_foreign_documents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
