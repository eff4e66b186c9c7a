/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Direct buffers by the JDK's own counters, in a forged JVM: narrow references and classes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hotspot/direct.h"

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

enum {
	STATICS = 0x10000, /* pointers to the heap's object, and to the first loader */
	HEAP_OBJECT = 0x10100,
	LOADER = 0x10200,
	KLASSES = 0x11000, /* 0x100 apart, each with its name */
	HANDLE = 0x12000,
	HEAP = 0x20000,
	HEAP_END = 0x30000,
	MIRROR = HEAP + 0x100,
	COUNTERS = HEAP + 0x1000, /* 0x18 apart */
	NARROW_KLASS = 0x4000, /* of the first class */
	COUNTERS_AT = 0x84, /* in the mirror */
};

static const char *const names[] = { "java/lang/Class", "java/lang/String", "java/nio/Bits",
				     "java/util/concurrent/atomic/AtomicLong" };
enum { CLASS, STRING, BITS, COUNTER, CLASSES };

static const struct vmstructs vm = {
	.collected_heap = STATICS,
	.loader_data_head = STATICS + 8,
	.heap_reserved = 16,
	.region_words = 8,
	.loader_next = 8,
	.loader_klasses = 16,
	.klass_next = 8,
	.klass_name = 16,
	.klass_mirror = 24,
	.symbol_length = 0,
	.symbol_length_high = VM_ABSENT,
	.symbol_body = 2,
};

static struct memory *memory;

static void put(uint64_t address, uint64_t value, size_t bytes)
{
	assert_int_equal(pwrite(memory->fd, &value, bytes, (off_t)address), bytes);
}

static uint64_t klass(int i)
{
	return KLASSES + 0x100 * (uint64_t)i;
}

/* Header with a narrow class: as in most JVMs. */
static void put_object(uint64_t address, int class)
{
	put(address, 1, 8);
	put(address + 8, NARROW_KLASS + (klass(class) - klass(CLASS)) / 8, 4);
}

static void put_counter(int i, uint64_t value)
{
	uint64_t object = COUNTERS + 0x18 * (uint64_t)i;

	put_object(object, COUNTER);
	put(object + 16, value, 8);
	put(MIRROR + COUNTERS_AT + 4 * i, object / 8, 4);
}

static int set_up(void **state)
{
	memory = calloc(1, sizeof(*memory));
	memory->fd = memfd_create("jvm", 0);
	assert_int_equal(ftruncate(memory->fd, HEAP_END), 0);
	put(STATICS, HEAP_OBJECT, 8);
	put(HEAP_OBJECT + 16, HEAP, 8);
	put(HEAP_OBJECT + 24, (HEAP_END - HEAP) / 8, 8);
	put(STATICS + 8, LOADER, 8);
	put(LOADER + 16, klass(0), 8);
	for (int i = 0; i < CLASSES; i++) {
		put(klass(i) + 8, i + 1 < CLASSES ? klass(i + 1) : 0, 8);
		put(klass(i) + 16, klass(i) + 0x40, 8);
		put(klass(i) + 0x40, strlen(names[i]), 2);
		assert_true(pwrite(memory->fd, names[i], strlen(names[i]), (off_t)klass(i) + 0x42) >
			    0);
	}
	put(klass(BITS) + 24, HANDLE, 8);
	put(HANDLE, MIRROR, 8);
	put_object(MIRROR, CLASS);
	put_object(HEAP + 0x2000, STRING);
	put(MIRROR + COUNTERS_AT - 4, (HEAP + 0x2000) / 8, 4);
	put_counter(0, 5000);
	put_counter(1, 4800);
	put_counter(2, 7);
	return 0;
}

static int tear_down(void **state)
{
	close(memory->fd);
	free(memory);
	return 0;
}

static bool read_direct(uint64_t *bytes, uint64_t *buffers)
{
	memory_refresh(memory);
	return direct_read(memory, &vm, bytes, buffers);
}

static void test_counters(void **state)
{
	uint64_t bytes, buffers;

	assert_true(read_direct(&bytes, &buffers));
	assert_int_equal(bytes, 5000);
	assert_int_equal(buffers, 7);
	/* until 9, a class has its mirror itself */
	put(klass(BITS) + 24, MIRROR, 8);
	assert_true(read_direct(&bytes, &buffers));
	assert_int_equal(bytes, 5000);
	assert_false(memory->failed);
}

/* What does not fit is not told. */
static void test_what_is_none(void **state)
{
	uint64_t bytes, buffers;

	put_object(COUNTERS + 0x18, STRING);
	assert_false(read_direct(&bytes, &buffers));
	put_counter(1, 5001); /* more than is reserved */
	assert_false(read_direct(&bytes, &buffers));
	put_counter(1, 4800);
	put_counter(0, (uint64_t)-1);
	assert_false(read_direct(&bytes, &buffers));
	put_counter(0, 5000);
	put(HANDLE, HEAP_END, 8);
	assert_false(read_direct(&bytes, &buffers));
	put(HANDLE, MIRROR, 8);
	assert_true(read_direct(&bytes, &buffers));
	put(klass(COUNTER) + 0x42, 'k', 1);
	assert_false(read_direct(&bytes, &buffers));
}

/* Lists without end, and pointers to nowhere: it ends. */
static void test_hostile(void **state)
{
	uint64_t bytes, buffers;

	put(klass(COUNTER) + 0x42, 'k', 1);
	put(klass(COUNTER) + 8, klass(0), 8);
	put(LOADER + 8, LOADER, 8);
	assert_false(read_direct(&bytes, &buffers));
	srandom(1);
	for (int i = 0; i < 2000; i++) {
		put(STATICS + (uint64_t)random() % (HEAP + 0x2000 - STATICS), (uint64_t)random(),
		    1);
		if (i % 10 == 0)
			read_direct(&bytes, &buffers);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_counters),
		TEST(test_what_is_none),
		TEST(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
