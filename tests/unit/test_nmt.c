/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What JVMs of several versions answer about their memory, and whom they may be asked by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <cmocka.h>

#include "hotspot/nmt.h"
#include "process/signals.h"

static const char jdk8[] =
	"\nNative Memory Tracking:\n\n"
	"Total: reserved=1442355KB, committed=112283KB\n"
	"-                 Java Heap (reserved=81920KB, committed=49152KB)\n"
	"                            (mmap: reserved=81920KB, committed=49152KB) \n \n"
	"-                    Thread (reserved=13365KB, committed=13365KB)\n"
	"                            (thread #13)\n"
	"                            (stack: reserved=13312KB, committed=13312KB)\n"
	"                            (malloc=38KB #78) \n"
	"                            (arena=15KB #26)\n \n"
	"-                  Internal (reserved=10MB, committed=10MB)\n"
	"                            (malloc=10MB #1234) \n";

static const char jdk25[] =
	"Native Memory Tracking:\n\nTotal: reserved=900, committed=800\n"
	"       malloc: 70 #6, peak=70 #6\n       mmap:   reserved=830, committed=730\n\n"
	"-                     Class (reserved=500, committed=400)\n"
	"                            (classes #515)\n"
	"                            (malloc=30 tag=Class #5) (at peak)\n"
	"                            (mmap: reserved=470, committed=370, at peak)\n"
	"                            (  Metadata:   )\n"
	"                            (    reserved=67108864, committed=196608)\n"
	"-                     Other (reserved=40, committed=40)\n"
	"                            (malloc=40 tag=Other #1) (at peak)\n\n"
	"Virtual memory map:\n\n[0x1 - 0x2] reserved and committed 8 for Class from\n"
	"    [0x5]x()+0x5\n\nDetails:\n\n"
	"[0x00007fda48cd0c9c] Unsafe_AllocateMemory0+0x7c\n[0x00007fda309455da]\n"
	"                             (malloc=40 type=Other #1) (at peak)\n\n"
	"[0x1]big(int)+0x5a9 in libjvm.so\n[0x2]init()+0x1\n"
	"                             (malloc=300 tag=Shared class space #7) (peak=400 #8)\n\n"
	"[0x3]mapped()+0x1\n                             (reserved=8192, committed=8192 Tag=GC)\n";

static void test_old(void **state)
{
	struct nmt *nmt = calloc(1, sizeof(*nmt));
	const struct nmt_category *thread;

	assert_true(nmt_parse(nmt, jdk8));
	assert_int_equal(nmt->committed_bytes, 112283 << 10);
	assert_int_equal(nmt->category_count, 3);
	assert_int_equal(nmt_find(nmt, "Java Heap")->mapped_bytes, 49152 << 10);
	thread = nmt_find(nmt, "Thread");
	assert_int_equal(thread->mapped_bytes, 13312 << 10);
	assert_int_equal(thread->malloc_bytes, 38 << 10);
	assert_int_equal(thread->malloc_blocks, 78);
	assert_int_equal(thread->arena_bytes, 15 << 10);
	assert_int_equal(nmt->malloc_bytes, (10 << 20) + (53 << 10));
	assert_null(nmt_find(nmt, "Other"));
	free(nmt);
}

static void test_new_in_detail(void **state)
{
	struct nmt *nmt = calloc(1, sizeof(*nmt));

	assert_true(nmt_parse(nmt, jdk25));
	assert_int_equal(nmt->category_count, 2);
	assert_int_equal(nmt_find(nmt, "Class")->mapped_bytes, 370);
	assert_int_equal(nmt_find(nmt, "Other")->malloc_bytes, 40);
	assert_int_equal(nmt->malloc_bytes, 70);
	assert_int_equal(nmt->site_count, 2);
	assert_string_equal(nmt->sites[0].frames, "big(int) < init()");
	assert_string_equal(nmt->sites[0].category, "Shared class space");
	assert_int_equal(nmt->sites[0].bytes, 300);
	assert_int_equal(nmt->sites[0].blocks, 7);
	assert_string_equal(nmt->sites[1].frames, "Unsafe_AllocateMemory0 < ?");
	free(nmt);
}

static void test_no_answer(void **state)
{
	static const char *const texts[] = { "", "Native memory tracking is not enabled\n",
					     "Total: reserved=1, committed=1\n",
					     "-  Java Heap (reserved=1, committed=1)\n" };
	struct nmt *nmt = calloc(1, sizeof(*nmt));

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(nmt_parse(nmt, texts[i]));
	free(nmt);
}

/* More categories and sites than there is room for: the largest are kept, the rest counted. */
static void test_too_many(void **state)
{
	struct nmt *nmt = calloc(1, sizeof(*nmt));
	char *text = malloc(1 << 20), *end = text;

	end += sprintf(end, "Total: reserved=1, committed=1\n");
	for (int i = 0; i < 200; i++)
		end += sprintf(end, "- category %d (reserved=1, committed=%d)\n (malloc=1 #1)\n", i,
			       i);
	end += sprintf(end, "Details:\n");
	for (int i = 0; i < 200; i++)
		end += sprintf(end, "[0x1] f%d+0x1\n (malloc=%d type=Other #1)\n", i, i);
	assert_true(nmt_parse(nmt, text));
	assert_int_equal(nmt->category_count, NMT_CATEGORIES_MAX);
	assert_int_equal(nmt->site_count, NMT_SITES_MAX);
	assert_int_equal(nmt->sites[0].bytes, 199);
	assert_int_equal(nmt->sites[NMT_SITES_MAX - 1].bytes, 200 - NMT_SITES_MAX);
	assert_int_equal(nmt->sites_left_out, 200 - NMT_SITES_MAX);
	free(text);
	free(nmt);
}

static void test_signals(void **state)
{
	struct signals signals;

	assert_true(signals_parse(&signals,
				  "Name:\tjava\nState:\tS (sleeping)\nNSpid:\t4711\t7\n"
				  "Uid:\t0\t65534\t0\t0\nGid:\t0\t100\t0\t0\n"
				  "SigIgn:\t0000000000000004\nSigCgt:\t2000000181005ccf\n"));
	assert_true(signals.caught & SIGNAL_BIT(SIGQUIT));
	assert_int_equal(signals.uid, 65534);
	assert_int_equal(signals.gid, 100);
	assert_int_equal(signals.own_id, 7);
	assert_false(signals.stopped);
	assert_true(signals_parse(&signals,
				  "Name:\tx\\nSigCgt:\t4\nState:\tT (stopped)\nNSpid:\t9\n"
				  "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n"
				  "SigCgt:\t0000000000000000\n"));
	assert_false(signals.caught & SIGNAL_BIT(SIGQUIT));
	assert_true(signals.stopped);
	assert_false(signals_parse(&signals, "State:\tS\nNSpid:\t9\nUid:\t0\t0\nGid:\t0\t0\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_old),	  cmocka_unit_test(test_new_in_detail),
		cmocka_unit_test(test_no_answer), cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
