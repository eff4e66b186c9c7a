/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* smaps as kernels print it, cut and forged; threads' and mounts' files; reading what is there. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "process/mounts.h"
#include "process/resident.h"
#include "process/smaps.h"
#include "process/threads.h"

static const char two[] =
	"55ca7aa8d000-55ca7aa8f000 r--p 00001000 fe:00 247134      /usr/bin/cat\n"
	"Size:                  8 kB\n"
	"KernelPageSize:        4 kB\n"
	"Rss:                   8 kB\n"
	"Pss:                   4 kB\n"
	"Pss_Dirty:             3 kB\n"
	"Shared_Clean:          8 kB\n"
	"Shared_Dirty:          1 kB\n"
	"Private_Clean:         2 kB\n"
	"Private_Dirty:         5 kB\n"
	"Referenced:            8 kB\n"
	"Anonymous:             6 kB\n"
	"AnonHugePages:      2048 kB\n"
	"ShmemPmdMapped:     4096 kB\n"
	"FilePmdMapped:         0 kB\n"
	"Shared_Hugetlb:        7 kB\n"
	"Private_Hugetlb:       9 kB\n"
	"Swap:                 11 kB\n"
	"SwapPss:              10 kB\n"
	"VmFlags: rd mr mw me \n"
	"7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0            [stack]\n"
	"Rss:                  12 kB\n"
	"VmFlags: rd wr mr mw me gd ac \n";

static void test_rows(void **state)
{
	struct smaps smaps;
	const struct smap *row;

	assert_int_equal(smaps_parse(&smaps, mem_string(two)), 0);
	assert_int_equal(smaps.rows.count, 2);
	row = &smaps.rows.items[0];
	assert_int_equal(row->map.start, 0x55ca7aa8d000);
	assert_int_equal(row->map.offset, 0x1000);
	assert_int_equal(row->map.major, 0xfe);
	assert_int_equal(row->map.inode, 247134);
	assert_string_equal(row->map.path, "/usr/bin/cat");
	assert_int_equal(row->rss_bytes, 8 << 10);
	assert_int_equal(row->pss_bytes, 4 << 10);
	assert_int_equal(row->shared_dirty_bytes, 1 << 10);
	assert_int_equal(row->private_clean_bytes, 2 << 10);
	assert_int_equal(row->private_dirty_bytes, 5 << 10);
	assert_int_equal(row->anonymous_bytes, 6 << 10);
	assert_int_equal(row->huge_bytes, (2048 + 4096) << 10);
	assert_int_equal(row->hugetlb_bytes, 16 << 10);
	assert_int_equal(row->swap_bytes, 11 << 10);
	assert_false(row->grows_down);
	assert_int_equal(row[1].rss_bytes, 12 << 10);
	assert_int_equal(row[1].pss_bytes, 0);
	assert_true(row[1].grows_down);
	smaps_free(&smaps);
}

/* Fields that are not there, or in another order, are no error: kernels differ. */
static void test_other_order(void **state)
{
	struct smaps smaps;

	assert_int_equal(smaps_parse(&smaps, mem_string("1000-2000 rw-p 0 00:00 0 \n"
							"Swap: 4 kB\nNew: thing\nRss: 8 kB\n")),
			 0);
	assert_int_equal(smaps.rows.items[0].swap_bytes, 4 << 10);
	assert_int_equal(smaps.rows.items[0].rss_bytes, 8 << 10);
	assert_null(smaps.rows.items[0].map.path);
	smaps_free(&smaps);
}

static void test_malformed(void **state)
{
	static const char *const texts[] = {
		"Rss: 4 kB\n",
		"1000-2000 rw-p 0 00:00 0",
		"1000-2000 rw-p 0 00:00 0 \nRss: 4 kB",
		"1000-2000 rw-p 0 00:00 0 \nRss: kB\n",
		"1000-2000 rw-p 0 00:00 0 \nRss: -4 kB\n",
		"1000-2000 rw-p 0 00:00 0 \nRss: 4 MB\n",
		"1000-2000 rw-p 0 00:00 0 \nRss: 99999999999999999999 kB\n",
		"1000-2000 rw-p 0 00:00 0 \nAnonHugePages: 15000000000000000 kB\n"
		"ShmemPmdMapped: 15000000000000000 kB\n",
		"2000-3000 rw-p 0 00:00 0 \n1000-2000 rw-p 0 00:00 0 \n",
		"1000-5000 rw-p 0 00:00 0 \n2000-5000 rw-p 0 00:00 0 \n",
		"1000-1000 rw-p 0 00:00 0 \n",
		"11111111111111111-22222222222222222 rw-p 0 00:00 0 \n",
		"1000-2000 rwzp 0 00:00 0 \n",
		"1000-2000 rw-p 0 00:00 x \n",
		"1000\n",
	};
	struct smaps smaps;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(smaps_parse(&smaps, mem_string(texts[i])), -EINVAL);
		assert_non_null(strstr(error_message(), "smaps is malformed"));
	}
}

/* Mappings that split and merged while they were read: what came later is true, and counts once. */
static void test_changed_meanwhile(void **state)
{
	struct smaps smaps;
	const struct smap *row;

	assert_int_equal(smaps_parse(&smaps, mem_string("1000-5000 rw-p 0 00:00 0 \n"
							"Rss: 16 kB\nAnonHugePages: 8 kB\n"
							"5000-6000 r--p 0 00:00 0 \nRss: 4 kB\n"
							"6000-7000 rw-p 0 00:00 0 \nRss: 4 kB\n"
							"4000-9000 rw-p 0 00:00 0 \nRss: 20 kB\n"
							"9000-a000 rw-p 0 00:00 0 \nRss: 4 kB\n")),
			 0);
	assert_int_equal(smaps.rows.count, 3);
	row = smaps.rows.items;
	assert_int_equal(row[0].map.start, 0x1000);
	assert_int_equal(row[0].map.end, 0x4000);
	assert_int_equal(row[0].rss_bytes, 12 << 10);
	assert_int_equal(row[0].huge_bytes, 6 << 10);
	assert_int_equal(row[1].map.start, 0x4000);
	assert_int_equal(row[1].map.end, 0x9000);
	assert_int_equal(row[1].rss_bytes, 20 << 10);
	assert_int_equal(row[2].map.start, 0x9000);
	assert_int_equal(row[2].rss_bytes, 4 << 10);
	smaps_free(&smaps);
}

/* Cut anywhere, it is read or refused. */
static void test_cut(void **state)
{
	for (size_t length = 0; length < sizeof(two); length++) {
		char *text = mem_string(two);
		struct smaps smaps;

		text[length] = '\0';
		if (!smaps_parse(&smaps, text))
			smaps_free(&smaps);
	}
}

static void test_own(void **state)
{
	uint64_t rss = 0;
	struct smaps smaps;

	assert_int_equal(smaps_read(&smaps, getpid()), 0);
	vec_for_each (row, &smaps.rows)
		rss += row->rss_bytes;
	assert_true(rss > 100 << 10);
	assert_true(smaps.longest_read_ns > 0);
	smaps_free(&smaps);
	assert_int_equal(smaps_read(&smaps, 999999999), -ESRCH);
}

/* -- threads and mounts ------------------------------------------------------------------------ */

static void test_threads(void **state)
{
	struct threads threads;
	char text[] =
		"36 26 0:23 / /a rw - tmpfs tmpfs rw\n37 26 8:1 / /b rw - ext4 x rw\n"
		"38 26 0:99 / /c rw shared:1 - hugetlbfs x rw\nbroken - tmpfs \n";
	struct device_list devices = { 0 };

	assert_int_equal(threads_parse_syscall("0 0x3 0x7f 0x1 0x0 0x0 0x0 0x7ffc10 0x7f99\n"),
			 0x7ffc10);
	assert_int_equal(threads_parse_syscall("-1 0x7ffc20 0x7f99\n"), 0x7ffc20);
	assert_int_equal(threads_parse_syscall("running\n"), 0);
	assert_int_equal(threads_parse_syscall(""), 0);
	assert_int_equal(threads_parse_own_id("Name:\tx\nNSpid:\t120\t7\nVm: 1\n"), 7);
	assert_int_equal(threads_parse_own_id("Name:\tx\nNSpid:\t120\n"), 120);
	assert_int_equal(threads_parse_own_id("Name:\tx\n"), 0);
	assert_int_equal(threads_read(&threads, getpid()), 0);
	assert_int_equal(threads.rows.count, 1);
	assert_string_equal(threads.rows.items[0].name, "test_smaps");
	threads_free(&threads);

	mounts_parse(text, &devices);
	assert_int_equal(devices.ids.count, 2);
	assert_int_equal(devices.ids.items[0], 23);
	assert_int_equal(devices.ids.items[1], 99);
	vec_free(&devices.ids);
}

/* -- what is there ----------------------------------------------------------------------------- */

enum { PAGE = 4096 };

static void test_only_what_is_there(void **state)
{
	char *memory =
		mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t at = (uintptr_t)memory;
	char first[4], across[2], none[1];
	struct resident_piece pieces[] = {
		{ at, first, sizeof(first), false },
		{ at + PAGE - 1, across, sizeof(across), false },
		{ at + 2 * PAGE, none, sizeof(none), true },
	};
	struct resident *resident;
	unsigned char there[4];

	madvise(memory, 4 * PAGE, MADV_NOHUGEPAGE);
	memcpy(memory, "here", 4);
	memory[PAGE - 1] = 'a';
	memory[PAGE] = 'b';
	assert_int_equal(resident_open(&resident, getpid()), 0);
	assert_true(resident_read(resident, at, first, 4));
	assert_memory_equal(first, "here", 4);
	assert_false(resident_read(resident, at + 2 * PAGE, none, 1));
	assert_false(resident_read(resident, at + 2 * PAGE - 1, across, 2));
	assert_false(resident_read(resident, UINT64_MAX - 1, none, 1));
	assert_false(resident_read(resident, 0, none, 1));
	resident_read_all(resident, pieces, 3);
	assert_true(pieces[0].is_read && pieces[1].is_read);
	assert_false(pieces[2].is_read);
	assert_memory_equal(across, "ab", 2);
	assert_int_equal(resident_count(resident, at, at + 4 * PAGE).present, 2);
	assert_int_equal(resident_page_bytes(resident, at + PAGE + 5), PAGE);
	assert_int_equal(resident_page_bytes(resident, at + 2 * PAGE), 0);
	assert_true(resident_is_held(resident, at));
	assert_false(resident_is_held(resident, at + 3 * PAGE));
	assert_int_equal(madvise(memory, PAGE, MADV_DONTNEED), 0);
	assert_false(resident_is_held(resident, at));
	assert_int_equal(mincore(memory, 4 * PAGE, there), 0);
	assert_int_equal(there[2] | there[3], 0);
	resident_free(resident);
	munmap(memory, 4 * PAGE);
	assert_true(resident_open(&resident, 999999999) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),	  cmocka_unit_test(test_other_order),
		cmocka_unit_test(test_malformed), cmocka_unit_test(test_changed_meanwhile),
		cmocka_unit_test(test_cut),	  cmocka_unit_test(test_own),
		cmocka_unit_test(test_threads),	  cmocka_unit_test(test_only_what_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
