/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which class a mapping has: a table of what kernels and programs name, claims, and splitting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "glibc/recognise.h"
#include "survey/classify.h"

struct result {
	VEC(struct footprint_mapping) rows;
};

static void take(const struct footprint_mapping *mapping, void *context)
{
	*vec_add(&((struct result *)context)->rows) = *mapping;
}

/* Half of all pages are there. */
static uint64_t half(uint64_t start, uint64_t end, void *context)
{
	return (end - start) / 4096 / 2;
}

static struct result run(const char *text, const struct claims *claims, enum memory_class residual,
			 struct smaps *smaps)
{
	static const uint64_t tmpfs[] = { 0x17 };
	struct result result = { 0 };
	struct classify input = {
		.claims = claims,
		.program = "/bin/app",
		.tmpfs = tmpfs,
		.tmpfs_count = 1,
		.residual = residual,
		.page_bytes = 4096,
		.pages = half,
	};

	assert_int_equal(smaps_parse(smaps, mem_string(text)), 0);
	input.rows = smaps->rows.items;
	input.count = smaps->rows.count;
	classify(&input, take, &result);
	return result;
}

/* -- names ------------------------------------------------------------------------------------- */

static const struct {
	const char *line;
	enum memory_class class;
} names[] = {
	{ "r--p 0 08:01 7 /bin/app", CLASS_PROGRAM_TEXT },
	{ "r-xp 0 08:01 7 /bin/app", CLASS_PROGRAM_TEXT },
	{ "rw-p 0 08:01 7 /bin/app", CLASS_PROGRAM_DATA },
	{ "r-xp 0 08:01 8 /lib/libx.so", CLASS_LIBRARY_TEXT },
	{ "r--p 0 08:01 8 /lib/libx.so", CLASS_LIBRARY_TEXT },
	{ "rw-p 0 08:01 8 /lib/libx.so (deleted)", CLASS_LIBRARY_DATA },
	{ "r--p 0 08:01 9 /usr/lib/locale/x", CLASS_FILE },
	{ "rw-s 0 08:01 9 /data/file", CLASS_FILE },
	{ "r--p 0 00:17 9 /tmp/on-tmpfs", CLASS_SHARED_MEMORY },
	{ "rw-p 0 08:01 10 /jvm/lib/server/classes.jsa", CLASS_CDS_ARCHIVE },
	{ "rw-p 0 00:00 0 [heap]", CLASS_MAIN_HEAP },
	{ "rw-p 0 00:00 0 [stack]", CLASS_THREAD_STACK },
	{ "r--p 0 00:00 0 [vvar]", CLASS_KERNEL_PAGE },
	{ "r--p 0 00:00 0 [vvar_vclock]", CLASS_KERNEL_PAGE },
	{ "r-xp 0 00:00 0 [vdso]", CLASS_KERNEL_PAGE },
	{ "r-xp 0 00:00 0 [uprobes]", CLASS_KERNEL_PAGE },
	{ "--xp 0 00:00 0 [vsyscall]", CLASS_KERNEL_PAGE },
	{ "rw-s 0 00:01 5 /dev/zero (deleted)", CLASS_SHARED_MEMORY },
	{ "rw-s 0 00:01 5 /SYSV00000000 (deleted)", CLASS_SHARED_MEMORY },
	{ "rw-s 0 00:01 5 /memfd:x (deleted)", CLASS_SHARED_MEMORY },
	{ "rw-s 0 00:01 5 /memfd:java_heap (deleted)", CLASS_JAVA_HEAP },
	{ "r-xs 0 00:01 6 /memfd:doublemapper (deleted)", CLASS_JIT_CODE },
	{ "rw-s 0 00:1a 5 /dev/shm/x", CLASS_SHARED_MEMORY },
	{ "rw-s 0 00:06 5 /dev/dri/card0", CLASS_DEVICE },
	{ "rw-s 0 00:0f 5 anon_inode:[io_uring]", CLASS_IO_URING },
	{ "rw-s 0 00:0f 5 anon_inode:[perf_event]", CLASS_DEVICE },
	{ "rw-s 0 00:0f 5 socket:[123]", CLASS_DEVICE },
	{ "rw-s 0 00:00 0 [anon_shmem:x]", CLASS_SHARED_MEMORY },
	{ "rw-p 0 00:00 0 [anon:jemalloc_pg]", CLASS_JEMALLOC },
	{ "rw-p 0 00:00 0 [anon:scudo:primary]", CLASS_OTHER_ALLOCATOR },
	{ "rw-p 0 00:00 0 [anon:partition_alloc]", CLASS_OTHER_ALLOCATOR },
	{ "rw-p 0 00:00 0 [anon: glibc: malloc arena]", CLASS_ARENA },
	{ "rw-p 0 00:00 0 [anon: glibc: malloc]", CLASS_MMAPPED_BLOCK },
	{ "rw-p 0 00:00 0 [anon: glibc: pthread stack: 12]", CLASS_THREAD_STACK },
	{ "rw-p 0 00:00 0 [anon: Go: heap]", CLASS_RUNTIME_HEAP },
	{ "rw-p 0 00:00 0 [anon:v8]", CLASS_RUNTIME_HEAP },
	{ "rw-p 0 00:00 0 [anon:my pool]", CLASS_NAMED },
	{ "rwxp 0 00:00 0 ", CLASS_JIT_CODE },
	{ "---p 0 00:00 0 ", CLASS_RESERVED },
	{ "rw-p 0 00:00 0 ", CLASS_UNKNOWN },
	{ "rw-p 0 00:0f 3 /anon_hugepage (deleted)", CLASS_UNKNOWN },
};

enum { NAMES = sizeof(names) / sizeof(names[0]) };

/* Each has space around it, so that neighbours say nothing. */
static void test_names(void **state)
{
	struct claims claims = { 0 };
	char text[NAMES * 96];
	struct result result;
	struct smaps smaps;
	size_t used = 0;

	for (size_t i = 0; i < NAMES; i++)
		used += snprintf(text + used, sizeof(text) - used,
				 "%zx0000-%zx1000 %s\nRss: 4 kB\n", i + 1, i + 1, names[i].line);
	result = run(text, &claims, CLASS_UNKNOWN, &smaps);
	assert_int_equal(result.rows.count, NAMES);
	for (size_t i = 0; i < NAMES; i++) {
		if (result.rows.items[i].class != names[i].class)
			fail_msg("%s: %s, not %s", names[i].line,
				 class_name(result.rows.items[i].class),
				 class_name(names[i].class));
		assert_int_equal(result.rows.items[i].figures.rss_bytes, 4096);
	}
	vec_free(&result.rows);
	smaps_free(&smaps);
}

static void test_class_names(void **state)
{
	for (int class = 0; class < CLASSES; class ++) {
		assert_non_null(class_name(class));
		assert_non_null(class_text(class));
		assert_int_equal(class_find(class_name(class)), class);
	}
	assert_int_equal(class_find("none"), CLASSES);
}

/* -- neighbours -------------------------------------------------------------------------------- */

static void test_neighbours(void **state)
{
	struct claims claims = { 0 };
	struct smaps smaps;
	struct result result;

	claims_add(&claims, 0x9000, 0xa000, CLASS_THREAD_STACK, "main");
	result =
		run("1000-2000 r-xp 0 08:01 8 /lib/libx.so\n"
		    "2000-3000 rw-p 0 08:01 8 /lib/libx.so\n"
		    "3000-4000 rw-p 0 00:00 0 \n" /* its .bss */
		    "5000-6000 rw-p 0 00:00 0 \n" /* the residual's */
		    "8000-9000 ---p 0 00:00 0 \n" /* the guard */
		    "9000-a000 rw-p 0 00:00 0 \n"
		    "b000-c000 r--p 0 00:00 0 \n",
		    &claims, CLASS_JEMALLOC, &smaps);
	assert_int_equal(result.rows.count, 7);
	assert_int_equal(result.rows.items[2].class, CLASS_LIBRARY_DATA);
	assert_string_equal(result.rows.items[2].name, "/lib/libx.so");
	assert_int_equal(result.rows.items[3].class, CLASS_JEMALLOC);
	assert_int_equal(result.rows.items[4].class, CLASS_STACK_GUARD);
	assert_int_equal(result.rows.items[5].class, CLASS_THREAD_STACK);
	assert_int_equal(result.rows.items[6].class, CLASS_UNKNOWN);
	vec_free(&result.rows);
	smaps_free(&smaps);
	claims_free(&claims);
}

/* One mapping of the kernel's, three owners: whatever the parts get, the sums stay. */
static void test_split(void **state)
{
	struct claims claims = { 0 };
	struct figures sum = { 0 };
	struct result result;
	struct smaps smaps;

	claims_add(&claims, 0x13000, 0x17000, CLASS_MMAPPED_BLOCK, NULL);
	claims_add(&claims, 0x17000, 0x18000, CLASS_MMAPPED_BLOCK, NULL);
	result =
		run("10000-20000 rw-p 0 00:00 0 \nRss: 28 kB\nPss: 27 kB\nPrivate_Dirty: 20 kB\n"
		    "Swap: 4 kB\n",
		    &claims, CLASS_UNKNOWN, &smaps);
	assert_int_equal(result.rows.count, 3);
	assert_int_equal(result.rows.items[0].class, CLASS_UNKNOWN);
	assert_int_equal(result.rows.items[1].class, CLASS_MMAPPED_BLOCK);
	assert_int_equal(result.rows.items[1].end, 0x18000);
	assert_int_equal(result.rows.items[2].class, CLASS_UNKNOWN);
	vec_for_each (row, &result.rows)
		figures_add(&sum, &row->figures);
	assert_int_equal(sum.mappings, 1);
	assert_int_equal(sum.size_bytes, 0x10000);
	assert_int_equal(sum.rss_bytes, 28 << 10);
	assert_int_equal(sum.pss_bytes, 27 << 10);
	assert_int_equal(sum.private_dirty_bytes, 20 << 10);
	assert_int_equal(sum.swap_bytes, 4 << 10);
	assert_int_equal(result.rows.items[1].figures.rss_bytes % 4096, 0);
	vec_free(&result.rows);
	smaps_free(&smaps);
	claims_free(&claims);
}

static void test_claims(void **state)
{
	struct claims claims = { 0 };

	claims_add(&claims, 30, 40, CLASS_ARENA, "b");
	claims_add(&claims, 10, 20, CLASS_ARENA, "a");
	claims_add(&claims, 5, 50, CLASS_JAVA_HEAP, NULL);
	claims_add(&claims, 10, 20, CLASS_CODE_CACHE, NULL);
	assert_int_equal(claims.rows.count, 5);
	for (size_t i = 0; i + 1 < claims.rows.count; i++)
		assert_int_equal(claims.rows.items[i].end, claims.rows.items[i + 1].start);
	assert_int_equal(claims.rows.items[0].start, 5);
	assert_int_equal(claims.rows.items[4].end, 50);
	assert_string_equal(claims.rows.items[1].name, "a");
	assert_true(claims_touch(&claims, 49, 60));
	assert_false(claims_touch(&claims, 50, 60));
	assert_false(claims_touch(&claims, 0, 5));
	claims_free(&claims);
}

/* -- glibc's shapes ---------------------------------------------------------------------------- */

#define HEAP (7 * GLIBC_HEAP_BYTES)

static void test_heaps(void **state)
{
	static const struct {
		uint64_t address, words[4];
		bool is_heap;
	} cases[] = {
		{ HEAP, { HEAP + 48, 0, 0x21000, 0x21000 }, true },
		{ HEAP, { HEAP + 32, 0, 0x20000, 0x21000 }, true },
		{ HEAP, { 2 * HEAP + 48, 3 * HEAP, 0x1000, 0x1000 }, true },
		{ HEAP + 4096, { HEAP + 48, 0, 0x21000, 0x21000 }, false },
		{ HEAP, { HEAP + 48, 2 * HEAP, 0x21000, 0x21000 }, false },
		{ HEAP, { 2 * HEAP + 48, 0, 0x21000, 0x21000 }, false },
		{ HEAP, { 2 * HEAP + 48, HEAP, 0x21000, 0x21000 }, false },
		{ HEAP, { HEAP + 44, 0, 0x21000, 0x21000 }, false },
		{ HEAP, { HEAP, 0, 0x21000, 0x21000 }, false },
		{ HEAP, { HEAP + 8192, 0, 0x21000, 0x21000 }, false },
		{ HEAP, { HEAP + 48, 0, 0x21001, 0x22000 }, false },
		{ HEAP, { HEAP + 48, 0, 0x22000, 0x21000 }, false },
		{ HEAP, { HEAP + 48, 0, 0x21000, GLIBC_HEAP_BYTES + 4096 }, false },
		{ HEAP, { HEAP + 48, 0, 0, 0x21000 }, false },
		{ HEAP, { 0, 0, 0, 0 }, false },
	};
	struct glibc_heap heap;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(glibc_heap_recognise(&heap, cases[i].address,
						      (const uint8_t *)cases[i].words),
				 cases[i].is_heap);
}

static void test_blocks(void **state)
{
	static const struct {
		uint64_t address, words[2], bytes;
	} cases[] = {
		{ 0x1000, { 0, 0x21002 }, 0x21000 },
		{ 0x1000, { 0, 0x20ff2 }, 0x21000 }, /* from 2.43 on */
		{ 0x1000, { 0, 0x21003 }, 0 }, /* PREV_INUSE */
		{ 0x1000, { 0, 0x21006 }, 0 }, /* of another arena */
		{ 0x1000, { 8, 0x21002 }, 0 },
		{ 0x1000, { 0, 0x21012 }, 0 },
		{ 0x1010, { 0, 0x21002 }, 0 },
		{ 0x1000, { 0, 2 }, 0 },
		{ 0x1000, { 0, UINT64_MAX - 4093 }, 0 },
		{ 0x1000, { 0, 0 }, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(glibc_block_recognise(cases[i].address,
						       (const uint8_t *)cases[i].words, 4096),
				 cases[i].bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),	   cmocka_unit_test(test_class_names),
		cmocka_unit_test(test_neighbours), cmocka_unit_test(test_split),
		cmocka_unit_test(test_claims),	   cmocka_unit_test(test_heaps),
		cmocka_unit_test(test_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
