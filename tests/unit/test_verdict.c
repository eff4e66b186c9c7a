/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The verdict: a test for each rule, and for what comes before another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "model/verdict.h"

#define MIB (1ULL << 20)

/* A process with 100 MiB in use, nothing free. */
static struct verdict_facts plain(void)
{
	return (struct verdict_facts){
		.rss_bytes = 120 * MIB,
		.heap_resident_bytes = 102 * MIB,
		.in_use_bytes = 100 * MIB,
		.arenas = 2,
		.top_size_bytes = 1024,
		.top_size_blocks = 40 * 1024,
	};
}

static struct verdict_facts watched(int64_t growth_bytes)
{
	struct verdict_facts facts = plain();

	facts.has_growth = true;
	facts.seconds = 60;
	facts.growth_bytes = growth_bytes;
	return facts;
}

static void expect(const struct verdict_facts *facts, const char *rule, enum verdict_kind kind,
		   uint64_t gain_bytes, const char *remedy)
{
	struct verdict verdict = verdict_of(facts);

	assert_string_equal(verdict.rule, rule);
	assert_int_equal(verdict.kind, kind);
	assert_int_equal(verdict.gain_bytes, gain_bytes);
	assert_non_null(strstr(verdict.remedy, remedy));
	assert_true(strlen(verdict.evidence) > 10);
}

static void test_leak(void **state)
{
	struct verdict_facts facts = watched(20 * (int64_t)MIB);

	facts.grown_size_bytes = 7168;
	facts.grown_blocks = 2900;
	facts.grown_size_blocks = 10000;
	expect(&facts, "leak", VERDICT_LEAK, 71680000, "unfreed trace");
	/* also where much is free besides */
	facts.releasable_bytes = facts.free_resident_bytes = 90 * MIB;
	facts.heap_resident_bytes += 90 * MIB;
	expect(&facts, "leak", VERDICT_LEAK, 71680000, "unfreed trace");
	/* of pages that were never written to, nothing is to be had back */
	facts.heap_resident_bytes = 90 * MIB + 50 * MIB;
	expect(&facts, "leak", VERDICT_LEAK, 71680000 / 2, "unfreed trace");
}

static void test_growth(void **state)
{
	struct verdict_facts facts = watched(20 * (int64_t)MIB);

	facts.grown_size_bytes = 64;
	facts.grown_blocks = 1000;
	facts.grown_size_blocks = 5000;
	expect(&facts, "growth", VERDICT_LEAK, 20 * MIB, "-d 10m");
}

static void test_page_cache(void **state)
{
	struct verdict_facts facts = plain();

	facts.page_cache_bytes = 900 * MIB;
	expect(&facts, "page cache", VERDICT_NOT_NATIVE, 900 * MIB, "page cache");
	facts.page_cache_bytes = 100 * MIB;
	expect(&facts, "in use", VERDICT_IN_USE, 0, "-d");
}

static void test_java_heap(void **state)
{
	struct verdict_facts facts = plain();

	facts.rss_bytes = 600 * MIB;
	facts.java_heap_bytes = 400 * MIB;
	expect(&facts, "java heap", VERDICT_NOT_NATIVE, 0, "-Xmx");
	facts.free_resident_bytes = facts.releasable_bytes = 300 * MIB;
	facts.heap_resident_bytes = 400 * MIB;
	expect(&facts, "retention", VERDICT_RETENTION, 300 * MIB, "malloc_trim");
}

/* Remedies of what runs there, each with the verdicts that it is one for. */
static void test_hints(void **state)
{
	struct verdict_facts leak = watched(20 * (int64_t)MIB), kept = plain();
	struct verdict verdict = verdict_of(&leak);

	assert_null(strstr(verdict.remedy, "JVM"));
	assert_null(strstr(verdict.remedy, "RocksDB"));
	leak.jvm_version = 8;
	leak.has_rocksdb = leak.has_netty = true;
	leak.grown_size_bytes = 7168;
	leak.grown_blocks = 2900;
	expect(&leak, "leak", VERDICT_LEAK, 0, "-XX:MaxDirectMemorySize");
	expect(&leak, "leak", VERDICT_LEAK, 0, "WriteBufferManager");
	expect(&leak, "leak", VERDICT_LEAK, 0, "-Dio.netty.maxDirectMemory");
	assert_null(strstr(verdict_of(&leak).evidence, "direct"));
	leak.direct_bytes = 80 * MIB;
	leak.direct_buffers = 81;
	assert_non_null(strstr(verdict_of(&leak).evidence, "direct buffers hold 80.0 MiB, 81 of"));
	/* all of them at once have room */
	assert_true(strlen(verdict_of(&leak).remedy) < VERDICT_TEXT_MAX - 1);
	kept.releasable_bytes = kept.free_resident_bytes = 300 * MIB;
	kept.heap_resident_bytes += 300 * MIB;
	kept.has_rocksdb = true;
	kept.jvm_version = 11;
	verdict = verdict_of(&kept);
	assert_null(strstr(verdict.remedy, "TrimNativeHeap"));
	assert_null(strstr(verdict.remedy, "RocksDB"));
	kept.jvm_version = 17;
	expect(&kept, "retention", VERDICT_RETENTION, 300 * MIB, "-XX:TrimNativeHeapInterval");
}

/* Only what is resident of an allocator is known. */
static void test_closed_books(void **state)
{
	struct verdict_facts facts = { .rss_bytes = 100 * MIB,
				       .heap_resident_bytes = 80 * MIB,
				       .in_use_bytes = 80 * MIB,
				       .closed = "jemalloc" };

	expect(&facts, "closed books", VERDICT_IN_USE, 0, "unfreed trace");
	assert_non_null(strstr(verdict_of(&facts).evidence, "jemalloc has 80.0 MiB of 100 MiB"));
	facts.has_growth = true;
	facts.seconds = 60;
	facts.growth_bytes = -(int64_t)MIB;
	expect(&facts, "closed books", VERDICT_IN_USE, 0, "unfreed trace");
	assert_non_null(strstr(verdict_of(&facts).evidence, "from 81.0 MiB to 80.0 MiB"));
	facts.growth_bytes = 20 * (int64_t)MIB;
	expect(&facts, "growth", VERDICT_LEAK, 20 * MIB, "unfreed trace");
	assert_non_null(strstr(verdict_of(&facts).evidence, "what jemalloc has resident grew"));
	facts.java_heap_bytes = 70 * MIB;
	facts.has_growth = false;
	facts.growth_bytes = 0;
	expect(&facts, "java heap", VERDICT_NOT_NATIVE, 0, "-Xmx");
}

/* Native, and not malloc's: each by its class of memory. */
static void test_outside(void **state)
{
	struct verdict_facts stacks = plain(), metaspace = plain(), code = plain();

	stacks.rss_bytes = metaspace.rss_bytes = code.rss_bytes = 400 * MIB;
	stacks.stack_bytes = 200 * MIB;
	expect(&stacks, "thread stacks", VERDICT_OUTSIDE, 200 * MIB, "fewer threads");
	metaspace.metaspace_bytes = 150 * MIB;
	expect(&metaspace, "metaspace", VERDICT_OUTSIDE, 150 * MIB, "-XX:MaxMetaspaceSize");
	code.code_cache_bytes = 120 * MIB;
	expect(&code, "code cache", VERDICT_OUTSIDE, 60 * MIB, "-XX:ReservedCodeCacheSize");
	assert_false(verdict_of(&code).gain_is_least);
	code.code_malloc_bytes = 40 * MIB;
	code.jvm_version = 20;
	expect(&code, "code cache", VERDICT_OUTSIDE, 80 * MIB, "-XX:ReservedCodeCacheSize");
	assert_true(verdict_of(&code).gain_is_least);
	metaspace.kept_metaspace_bytes = 30 * MIB;
	expect(&metaspace, "metaspace", VERDICT_OUTSIDE, 120 * MIB, "-XX:MaxMetaspaceSize");
	metaspace.kept_metaspace_bytes = 0;
	/* the larger one of the two */
	metaspace.code_cache_bytes = 140 * MIB;
	expect(&metaspace, "metaspace", VERDICT_OUTSIDE, 150 * MIB, "-XX:MaxMetaspaceSize");
	metaspace.code_cache_bytes = 160 * MIB;
	expect(&metaspace, "code cache", VERDICT_OUTSIDE, 80 * MIB, "-XX:ReservedCodeCacheSize");
	code.code_cache_bytes = 20 * MIB;
	expect(&code, "in use", VERDICT_IN_USE, 0, "-d");
}

static void test_arenas(void **state)
{
	struct verdict_facts facts = plain();

	facts.arenas = 16;
	facts.heap_resident_bytes = 300 * MIB;
	facts.free_resident_bytes = 190 * MIB;
	facts.releasable_bytes = 180 * MIB;
	facts.spread_bytes = 150 * MIB;
	expect(&facts, "arenas", VERDICT_RETENTION, 150 * MIB, "MALLOC_ARENA_MAX=2");
	facts.arenas = 3;
	expect(&facts, "retention", VERDICT_RETENTION, 180 * MIB, "malloc_trim");
}

static void test_late_trim(void **state)
{
	struct verdict_facts facts = plain();

	facts.heap_resident_bytes = 160 * MIB;
	facts.free_resident_bytes = facts.releasable_bytes = 58 * MIB;
	facts.trims_late = true;
	expect(&facts, "late trim", VERDICT_RETENTION, 58 * MIB, "MALLOC_TRIM_THRESHOLD_");
}

static void test_retention(void **state)
{
	struct verdict_facts facts = plain();

	facts.heap_resident_bytes = 160 * MIB;
	facts.free_resident_bytes = facts.releasable_bytes = 58 * MIB;
	expect(&facts, "retention", VERDICT_RETENTION, 58 * MIB, "malloc_trim");
	/* of a small process: not worth a word */
	facts.heap_resident_bytes = 3 * MIB;
	facts.free_resident_bytes = facts.releasable_bytes = 2 * MIB;
	expect(&facts, "in use", VERDICT_IN_USE, 0, "-d");
}

static void test_fragmentation(void **state)
{
	struct verdict_facts facts = plain();

	facts.heap_resident_bytes = 300 * MIB;
	facts.free_resident_bytes = facts.pinned_bytes = 190 * MIB;
	facts.releasable_bytes = 10 * MIB;
	expect(&facts, "fragmentation", VERDICT_FRAGMENTATION, 190 * MIB, "jemalloc");
}

static void test_plateau(void **state)
{
	struct verdict_facts facts = watched(100000);

	expect(&facts, "plateau", VERDICT_POOL, 40 * MIB, "bound the cache");
	facts.growth_bytes = -5 * (int64_t)MIB;
	expect(&facts, "plateau", VERDICT_POOL, 40 * MIB, "bound the cache");
}

static void test_in_use(void **state)
{
	struct verdict_facts facts = plain(), nothing = { 0 };

	expect(&facts, "in use", VERDICT_IN_USE, 0, "-d 1m");
	expect(&nothing, "in use", VERDICT_IN_USE, 0, "-d 1m");
}

static void test_names(void **state)
{
	for (int kind = VERDICT_LEAK; kind <= VERDICT_IN_USE; kind++)
		assert_true(strlen(verdict_name((enum verdict_kind)kind)) > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leak),	      cmocka_unit_test(test_growth),
		cmocka_unit_test(test_page_cache),    cmocka_unit_test(test_java_heap),
		cmocka_unit_test(test_outside),	      cmocka_unit_test(test_arenas),
		cmocka_unit_test(test_closed_books),  cmocka_unit_test(test_arenas),
		cmocka_unit_test(test_hints),	      cmocka_unit_test(test_arenas),
		cmocka_unit_test(test_late_trim),     cmocka_unit_test(test_retention),
		cmocka_unit_test(test_fragmentation), cmocka_unit_test(test_plateau),
		cmocka_unit_test(test_in_use),	      cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
