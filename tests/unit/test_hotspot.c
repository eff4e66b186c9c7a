/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A JVM's memory made word by word, good and hostile: tables, code cache, methods and scopes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hotspot/method.h"

/* Where things lie. The memory is a file: what was never written reads as 0, up to its end. */
enum {
	HEAP = 0x10000, /* the code heap */
	HEAP_END = 0x20000,
	SEGMENT_LOG2 = 7,
	SEGMENTS = 0x20000,
	INTERPRETER = 0x18000,
	BLOB = HEAP + 0x1000 + 16, /* the nmethod */
	CODE = BLOB + 0x180,
	SCOPES = BLOB + 0x300,
	PCS = BLOB + 0x400,
	METADATA = BLOB + 0x500,
	HEAP_OBJECT = 0x21000,
	HEAPS = 0x21800,
	QUEUE = 0x21900,
	STATICS = 0x21a00,
	NAMES = 0x22000, /* of blobs */
	OUTER = 0x23000, /* methods: 0x1000 apart */
	INNER = 0x24000,
	CONST = 0x100, /* in a method's page: ConstMethod, */
	POOL = 0x300, /* its constants, */
	KLASS = 0x500, /* its class, */
	SYMBOLS = 0x600, /* 0x100 apart */
	END = 0x30000,
};

enum { AT_CLASS = 1, AT_METHOD, AT_FILE, SLOTS };

static struct vmstructs vm;
static struct memory *memory;
static struct hotspot_layout layout;

static void put(uint64_t address, uint64_t value, size_t bytes)
{
	assert_int_equal(pwrite(memory->fd, &value, bytes, (off_t)address), bytes);
}

static void put_bytes(uint64_t address, const void *bytes, size_t count)
{
	assert_int_equal(pwrite(memory->fd, bytes, count, (off_t)address), count);
}

#define PUT(address, ...)                                    \
	put_bytes(address, (const uint8_t[]){ __VA_ARGS__ }, \
		  sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void put_symbol(uint64_t address, const char *text)
{
	put(address + vm.symbol_length, strlen(text), 2);
	put_bytes(address + vm.symbol_body, text, strlen(text));
}

/* A method of 40 bytes of code, without a table of lines. */
static void put_method(uint64_t method, const char *class, const char *name)
{
	uint64_t pool = method + POOL, slots = pool + vm.pool_bytes;

	put(method + vm.method_const, method + CONST, 8);
	put(method + CONST + vm.const_pool, pool, 8);
	put(method + CONST + vm.const_code_bytes, 40, 2);
	put(method + CONST + vm.const_name, AT_METHOD, 2);
	put(pool + vm.pool_holder, method + KLASS, 8);
	put(pool + vm.pool_length, SLOTS, 4);
	put(pool + vm.pool_file, AT_FILE, 2);
	for (uint64_t i = 1; i < SLOTS; i++)
		put(slots + 8 * i, (method + SYMBOLS + 0x100 * i) | 1, 8);
	put(method + KLASS + vm.klass_name, method + SYMBOLS + 0x100 * AT_CLASS, 8);
	put_symbol(method + SYMBOLS + 0x100 * AT_CLASS, class);
	put_symbol(method + SYMBOLS + 0x100 * AT_METHOD, name);
	put_symbol(method + SYMBOLS + 0x100 * AT_FILE, "File.java");
}

#define PUT_LINES(method, ...)                         \
	(put((method) + CONST + vm.const_flags, 1, 2), \
	 PUT((method) + CONST + vm.const_bytes + 40, __VA_ARGS__))

static void put_heap(void)
{
	put(vm.code_cache_heaps, HEAPS, 8);
	put(HEAPS + vm.array_length, 1, 4);
	put(HEAPS + vm.array_data, HEAPS + 0x40, 8);
	put(HEAPS + 0x40, HEAP_OBJECT, 8);
	put(HEAP_OBJECT + vm.heap_memory + vm.space_low_boundary, HEAP, 8);
	put(HEAP_OBJECT + vm.heap_memory + vm.space_high_boundary, HEAP_END, 8);
	put(HEAP_OBJECT + vm.heap_segment_map + vm.space_low, SEGMENTS, 8);
	put(HEAP_OBJECT + vm.heap_segment_log2, SEGMENT_LOG2, 4);
	put(vm.interpreter_code, QUEUE, 8);
	put(QUEUE + vm.queue_buffer, INTERPRETER, 8);
	put(QUEUE + vm.queue_limit, 0x1000, 4);
	for (uint64_t i = 0; i < (HEAP_END - HEAP) >> SEGMENT_LOG2; i++)
		put(SEGMENTS + i, 0xff, 1);
}

static void put_blob(uint64_t blob, uint32_t bytes, const char *name)
{
	uint64_t segment = (blob - vm.block_bytes - HEAP) >> SEGMENT_LOG2;

	for (uint64_t i = 0; i < bytes >> SEGMENT_LOG2; i++)
		put(SEGMENTS + segment + i, i, 1);
	put(blob + vm.blob_name, NAMES, 8);
	put_bytes(NAMES, name, strlen(name) + 1);
	put(blob + vm.blob_bytes, bytes - vm.block_bytes, 4);
	put(blob + vm.blob_code_begin, CODE, 8);
}

/* The call at CODE + 0x20 stands in INNER at 5, inlined into OUTER at 9. */
static void put_nmethod(void)
{
	put_blob(BLOB, 0x800, "nmethod");
	put(BLOB + vm.nmethod_method, OUTER, 8);
	put(BLOB + vm.nmethod_scopes_data, SCOPES, 8);
	put(BLOB + vm.nmethod_scopes_pcs, PCS - BLOB, 4);
	put(BLOB + vm.nmethod_dependencies, PCS - BLOB + 4 * vm.pc_bytes, 4);
	put(BLOB + vm.nmethod_metadata, METADATA - BLOB, 4);
	put(METADATA, OUTER, 8);
	put(METADATA + 8, INNER, 8);
	PUT(SCOPES + 4, 0, 1, 10); /* no sender, first method, bci + 1 */
	PUT(SCOPES + 8, 4, 2, 6);
	for (int i = 0; i < 4; i++) {
		static const int32_t offsets[] = { -1, 0x10, 0x20, INT32_MAX };

		put(PCS + i * vm.pc_bytes + vm.pc_offset, (uint32_t)offsets[i], 4);
		put(PCS + i * vm.pc_bytes + vm.pc_scope, i == 2 ? 8 : 4, 4);
	}
}

/* Offsets as in JDK 17. */
static const struct vmstructs vm17 = {
	.code_cache_heaps = STATICS,
	.interpreter_code = STATICS + 8,
	.array_data = 8,
	.heap_memory = 8,
	.heap_segment_map = 120,
	.heap_segment_log2 = 256,
	.heap_bytes = 344,
	.space_high_boundary = 8,
	.space_low = 16,
	.block_bytes = 16,
	.queue_buffer = 8,
	.queue_limit = 20,
	.blob_name = 96,
	.blob_bytes = 12,
	.blob_frame_size = 28,
	.blob_code_begin = 32,
	.blob_code_offset = VM_ABSENT,
	.blob_mutable_data = VM_ABSENT,
	.blob_relocation_bytes = VM_ABSENT,
	.block_length = 0,
	.block_used = 8,
	.nmethod_method = 112,
	.nmethod_compile_id = 290,
	.nmethod_metadata = 260,
	.nmethod_scopes_data = 120,
	.nmethod_scopes_data_offset = VM_ABSENT,
	.nmethod_scopes_pcs = 268,
	.nmethod_dependencies = 272,
	.nmethod_immutable_data = VM_ABSENT,
	.pc_scope = 4,
	.pc_bytes = 16,
	.method_const = 8,
	.const_pool = 8,
	.const_flags = 28,
	.const_code_bytes = 32,
	.const_name = 34,
	.const_bytes = 48,
	.pool_holder = 24,
	.pool_length = 60,
	.pool_bytes = 72,
	.pool_file = 54,
	.klass_name = 24,
	.klass_file = VM_ABSENT,
	.symbol_length = 4,
	.symbol_length_high = VM_ABSENT,
	.symbol_body = 6,
	.has_line_numbers = 1,
	.version = 17,
};

static int set_up(void **state)
{
	vm = vm17;
	memory = calloc(1, sizeof(*memory));
	memory->fd = memfd_create("jvm", 0);
	assert_int_equal(ftruncate(memory->fd, END), 0);
	put_heap();
	put_nmethod();
	put_method(OUTER, "a/b/Outer", "outer");
	put_method(INNER, "Inner", "<init>");
	memory_refresh(memory);
	assert_int_equal(codecache_layout(&layout, memory, &vm), 0);
	return 0;
}

static int tear_down(void **state)
{
	close(memory->fd);
	free(memory);
	return 0;
}

/* -- memory --------------------------------------------------------------------------------------
 */

static void test_memory(void **state)
{
	uint64_t word = 1;
	char text[8];

	put(0x2fffc, 0x1122334455667788, 4); /* over two pages, the second is none */
	assert_int_equal(memory_u32(memory, 0x2fffc), 0x55667788);
	assert_false(memory->failed);
	assert_false(memory_read(memory, 0x2fffc, &word, sizeof(word)));
	assert_int_equal(word, 0);
	assert_true(memory->failed);
	memory_refresh(memory);
	assert_false(memory_read(memory, 8, &word, sizeof(word))); /* a null pointer's field */
	assert_false(memory_read(memory, UINT64_MAX - 3, &word, sizeof(word)));
	assert_false(memory_read(memory, INT64_MAX, &word, sizeof(word)));
	memory_refresh(memory);
	put_bytes(NAMES, "longer than 8", 14);
	memory_text(memory, NAMES, text, sizeof(text));
	assert_string_equal(text, "longer ");
	memory->reads_left = 1; /* of a request that goes on for too long */
	assert_true(memory_read(memory, NAMES, &word, 1));
	assert_false(memory_read(memory, NAMES, &word, 1));
	assert_true(memory->failed);
	memory_refresh(memory);
	assert_true(memory_read(memory, NAMES, &word, 1));
}

/* -- the code cache ------------------------------------------------------------------------------
 */

static void test_layout(void **state)
{
	assert_int_equal(layout.version, 17);
	assert_int_equal(layout.heap_count, 1);
	assert_int_equal(layout.heaps[0].start, HEAP);
	assert_int_equal(layout.heaps[0].end, HEAP_END);
	assert_int_equal(layout.heaps[0].segment_map, SEGMENTS);
	assert_int_equal(layout.frame_size_offset, 16 + 28);
	assert_int_equal(layout.bytecode_slot, -8);
	assert_int_equal(layout.interpreter_start, INTERPRETER);
	assert_int_equal(layout.interpreter_end, INTERPRETER + 0x1000);
	assert_int_equal(layout.barrier_end, 0);
}

static void expect_layout(int error)
{
	memory_refresh(memory);
	assert_int_equal(codecache_layout(&layout, memory, &vm), error);
}

static void test_layout_of_a_jvm_that_starts(void **state)
{
	put(vm.interpreter_code, 0, 8);
	expect_layout(-EAGAIN);
	put(HEAPS + vm.array_length, 0, 4);
	expect_layout(-EAGAIN);
	put(vm.code_cache_heaps, 0, 8);
	expect_layout(-EAGAIN);
}

static void test_hostile_layouts(void **state)
{
	put(HEAPS + vm.array_length, UINT32_MAX, 4); /* no more than there may be, none readable */
	expect_layout(-EINVAL);
	put(HEAPS + vm.array_length, 1, 4);
	put(HEAP_OBJECT + vm.heap_segment_log2, 40, 4);
	expect_layout(-EINVAL);
	put(HEAP_OBJECT + vm.heap_segment_log2, SEGMENT_LOG2, 4);
	put(HEAP_OBJECT + vm.heap_memory + vm.space_high_boundary, HEAP, 8);
	expect_layout(-EINVAL);
	put(HEAP_OBJECT + vm.heap_memory + vm.space_high_boundary, UINT64_MAX, 8);
	expect_layout(-EINVAL);
	put(HEAP_OBJECT + vm.heap_memory + vm.space_high_boundary, HEAP_END, 8);
	expect_layout(0);
	put(QUEUE + vm.queue_limit, UINT32_MAX, 4);
	expect_layout(-EINVAL);
	put(HEAPS + 0x40, 0xdead000, 8);
	expect_layout(-EINVAL);
}

static void test_find_blob(void **state)
{
	struct blob blob;

	assert_true(codecache_find(&layout, memory, &vm, CODE + 0x20, &blob));
	assert_int_equal(blob.start, BLOB);
	assert_int_equal(blob.end, BLOB - 16 + 0x800);
	assert_int_equal(blob.code, CODE);
	assert_true(blob.is_method);
	assert_string_equal(blob.name, "nmethod");
	assert_true(codecache_find(&layout, memory, &vm, blob.end - 1, &blob));
	assert_false(codecache_find(&layout, memory, &vm, BLOB - 1, &blob)); /* its header */
	assert_false(codecache_find(&layout, memory, &vm, BLOB - 17, &blob));
	assert_false(codecache_find(&layout, memory, &vm, blob.end, &blob));
	assert_false(codecache_find(&layout, memory, &vm, HEAP_END, &blob));
	put(SEGMENTS + ((BLOB + 0x200 - HEAP) >> SEGMENT_LOG2), 0xfe, 1); /* before the map */
	memory_refresh(memory);
	assert_false(codecache_find(&layout, memory, &vm, BLOB + 0x200, &blob));
}

static void test_continuation_stubs(void **state)
{
	vm.version = 21;
	vm.block_length = 0;
	put(HEAP, (BLOB - 16 - HEAP) >> SEGMENT_LOG2, 4); /* free blocks, too, say their length */
	put(BLOB - 16, 16, 4);
	put_blob(BLOB, 0x800, "StubRoutines (continuation stubs)");
	expect_layout(0);
	assert_int_equal(layout.barrier_start, CODE);
	assert_int_equal(layout.barrier_end, BLOB - 16 + 0x800);
	put(HEAP, 0, 4); /* a block of no length: the search ends */
	expect_layout(0);
	assert_int_equal(layout.barrier_end, 0);
}

static void test_code_state(void **state)
{
	uint64_t before = codecache_state(memory, &vm);

	memory_refresh(memory);
	assert_int_equal(codecache_state(memory, &vm), before);
	put(HEAP_OBJECT + 340, 1, 1);
	memory_refresh(memory);
	assert_int_not_equal(codecache_state(memory, &vm), before);
}

static void test_blob_that_is_replaced(void **state)
{
	struct blob blob;

	put(BLOB - vm.block_bytes + vm.block_used, 1, 1);
	put(BLOB + vm.nmethod_compile_id, 41, 4);
	memory_refresh(memory);
	assert_true(codecache_find(&layout, memory, &vm, CODE + 0x20, &blob));
	assert_true(codecache_holds(memory, &vm, &blob, 41));
	assert_false(codecache_holds(memory, &vm, &blob, 42));
	/* It is looked at as it is now, without memory_refresh. */
	put(BLOB + vm.nmethod_compile_id, 42, 4);
	assert_false(codecache_holds(memory, &vm, &blob, 41));
	assert_true(codecache_holds(memory, &vm, &blob, 42));
	put(BLOB + vm.nmethod_method, 0, 8); /* its class is unloaded */
	assert_false(codecache_holds(memory, &vm, &blob, 42));
	put(BLOB + vm.nmethod_method, OUTER, 8);
	put(BLOB - vm.block_bytes + vm.block_used, 0, 1); /* the block is free */
	assert_false(codecache_holds(memory, &vm, &blob, 42));
	assert_int_equal(ftruncate(memory->fd, HEAP), 0);
	assert_false(codecache_holds(memory, &vm, &blob, 42));
}

/* Compiled methods' data in malloc: by glibc's chunk headers. */
static void test_code_in_malloc(void **state)
{
	vm.nmethod_immutable_data = 128;
	vm.blob_mutable_data = 136;
	put(HEAP, (BLOB - 16 - HEAP) >> SEGMENT_LOG2, 4);
	put(BLOB - 16, 16, 4);
	put(BLOB - vm.block_bytes + vm.block_used, 1, 1);
	put(BLOB + 128, 0x24010, 8);
	put(0x24008, 0x155, 8); /* a chunk of 0x150, and flags */
	put(BLOB + 136, CODE, 8); /* it has none */
	memory_refresh(memory);
	assert_int_equal(codecache_malloc_bytes(&layout, memory, &vm), 0x150);
	put(BLOB + 136, 0x24050, 8);
	put(0x24048, 0x41, 8);
	memory_refresh(memory);
	assert_int_equal(codecache_malloc_bytes(&layout, memory, &vm), 0x190);
	put(0x24048, INT64_MAX, 8); /* no chunk's size */
	put(BLOB + 128, 0xdead000, 8); /* nothing there */
	memory_refresh(memory);
	assert_int_equal(codecache_malloc_bytes(&layout, memory, &vm), 0);
	put(BLOB + 128, 0x24010, 8);
	put(BLOB - vm.block_bytes + vm.block_used, 0, 1); /* the block is free */
	memory_refresh(memory);
	assert_int_equal(codecache_malloc_bytes(&layout, memory, &vm), 0);
}

/* -- methods ------------------------------------------------------------------------------------
 */

static void expect_method(uint64_t address, int32_t bci, const char *name, uint32_t line)
{
	struct method method;

	memory_refresh(memory);
	assert_int_equal(method_read(&method, memory, &vm, address, bci), name != NULL);
	assert_string_equal(method.name, name ? name : "");
	assert_int_equal(method.line, line);
	if (name)
		assert_string_equal(method.file, "File.java");
}

static void test_method(void **state)
{
	expect_method(OUTER, 0, "a.b.Outer.outer", 0);
	expect_method(INNER, METHOD_BCI_NONE, "Inner.<init>", 0);
}

static void test_lines(void **state)
{
	/* bci 0: 30; 4: 33; 10: 1030, in packed signed numbers; 12: 1029; */
	PUT_LINES(OUTER, 0xff, 0, 60, 4 << 3 | 3, 0xff, 12, 192 + (1994 - 192) % 64,
		  (1994 - 192) / 64, 0xff, 4, 1, 0);
	expect_method(OUTER, 0, "a.b.Outer.outer", 30);
	expect_method(OUTER, 3, "a.b.Outer.outer", 30);
	expect_method(OUTER, 4, "a.b.Outer.outer", 33);
	expect_method(OUTER, 10, "a.b.Outer.outer", 1030);
	expect_method(OUTER, 39, "a.b.Outer.outer", 1029);
	expect_method(OUTER, 40, "a.b.Outer.outer", 0); /* behind its code */
}

static void test_lines_since_20(void **state)
{
	vm.version = 21;
	PUT_LINES(OUTER, 0xff, 1, 61, 4 << 3 | 3, 0);
	expect_method(OUTER, 0, "a.b.Outer.outer", 30);
	expect_method(OUTER, 5, "a.b.Outer.outer", 33);
}

static void test_lines_without_end(void **state)
{
	uint8_t same[4096];

	memset(same, 0xf8, sizeof(same)); /* 31 bytes on, the same line */
	PUT_LINES(OUTER, 0xff, 0, 60, 0xf8);
	for (uint64_t at = OUTER + 0x1000; at < END; at += sizeof(same))
		put_bytes(at, same, sizeof(same));
	put_bytes(OUTER + CONST + vm.const_bytes + 43, same, 0x100);
	memory_refresh(memory);
	expect_method(OUTER, 0, "a.b.Outer.outer", 30);
}

static void test_bytecode_index(void **state)
{
	uint64_t code = OUTER + CONST + vm.const_bytes;

	assert_int_equal(method_bci(memory, &vm, OUTER, code), 0);
	assert_int_equal(method_bci(memory, &vm, OUTER, code + 39), 39);
	assert_int_equal(method_bci(memory, &vm, OUTER, code + 40), METHOD_BCI_NONE);
	assert_int_equal(method_bci(memory, &vm, OUTER, code - 1), METHOD_BCI_NONE);
	assert_int_equal(method_bci(memory, &vm, 0xdead000, 0), METHOD_BCI_NONE);
}

static void test_long_names_are_cut(void **state)
{
	struct method method;

	put(OUTER + SYMBOLS + 0x100 * AT_CLASS + vm.symbol_length, 0xffff, 2);
	for (uint64_t at = 0; at < 1024; at++)
		put(OUTER + SYMBOLS + 0x100 * AT_CLASS + vm.symbol_body + at, 'x', 1);
	memory_refresh(memory);
	method_read(&method, memory, &vm, OUTER, 0);
	assert_true(strlen(method.name) < sizeof(method.name));
}

static void test_methods_that_are_none(void **state)
{
	expect_method(0, 0, NULL, 0);
	expect_method(0xdead000, 0, NULL, 0);
	put(OUTER + CONST + vm.const_name, SLOTS, 2); /* no slot of its pool */
	expect_method(OUTER, 0, NULL, 0);
	put(OUTER + CONST + vm.const_name, AT_METHOD, 2);
	expect_method(OUTER, 0, "a.b.Outer.outer", 0);
	put(OUTER + KLASS + vm.klass_name, UINT64_MAX, 8);
	expect_method(OUTER, 0, NULL, 0);
}

static void test_length_in_the_upper_half(void **state)
{
	vm.symbol_length = VM_ABSENT; /* 11 to 16; here the same two bytes */
	vm.symbol_length_high = 2;
	expect_method(OUTER, 0, "a.b.Outer.outer", 0);
}

static void test_identity(void **state)
{
	uint32_t outer = method_identity(memory, &vm, OUTER);

	assert_int_not_equal(outer, 0);
	assert_int_equal(outer, method_identity(memory, &vm, OUTER));
	assert_int_not_equal(outer, method_identity(memory, &vm, INNER));
	put_symbol(OUTER + SYMBOLS + 0x100 * AT_CLASS, "a/b/Other"); /* is seen at once */
	assert_int_not_equal(outer, method_identity(memory, &vm, OUTER));
	put_symbol(OUTER + SYMBOLS + 0x100 * AT_CLASS, "a/b/Outer");
	assert_int_equal(outer, method_identity(memory, &vm, OUTER));
	put(OUTER + KLASS + vm.klass_name, UINT64_MAX, 8);
	assert_int_equal(method_identity(memory, &vm, OUTER), 0);
}

/* -- scopes -------------------------------------------------------------------------------------
 */

static size_t read_scopes(struct scope scopes[METHOD_INLINED_MAX], uint64_t address)
{
	struct blob blob;

	memory_refresh(memory);
	assert_true(codecache_find(&layout, memory, &vm, address - 1, &blob));
	return scopes_read(scopes, memory, &vm, &blob, address);
}

static void expect_inlined(void)
{
	struct scope scopes[METHOD_INLINED_MAX];

	assert_int_equal(read_scopes(scopes, CODE + 0x20), 2);
	assert_int_equal(scopes[0].method, INNER);
	assert_int_equal(scopes[0].bci, 5);
	assert_int_equal(scopes[1].method, OUTER);
	assert_int_equal(scopes[1].bci, 9);
	assert_int_equal(read_scopes(scopes, CODE + 0x10), 1);
	assert_int_equal(scopes[0].method, OUTER);
	assert_int_equal(read_scopes(scopes, CODE + 0x21), 0); /* no call returns here */
}

static void test_scopes(void **state)
{
	expect_inlined();
}

static void test_scopes_of_8(void **state)
{
	vm.nmethod_scopes_data = VM_ABSENT;
	vm.nmethod_scopes_data_offset = 296;
	put(BLOB + 296, SCOPES - BLOB, 4);
	expect_inlined();
}

static void test_scopes_of_25(void **state)
{
	vm.version = 25;
	vm.nmethod_scopes_data = vm.nmethod_metadata = vm.nmethod_dependencies = VM_ABSENT;
	vm.nmethod_immutable_data = 128;
	vm.nmethod_scopes_data_offset = 200;
	vm.nmethod_scopes_pcs = 196;
	vm.blob_mutable_data = 16;
	vm.blob_relocation_bytes = 40;
	put(BLOB + 128, 0x28000, 8);
	put(BLOB + 196, 0x100, 4);
	put(BLOB + 200, 0x120, 4);
	put(BLOB + 16, METADATA - 8, 8);
	put(BLOB + 40, 8, 4);
	put(0x28100 + vm.pc_offset, 0x10, 4);
	put(0x28100 + vm.pc_scope, 4, 4);
	put(0x28110 + vm.pc_offset, 0x20, 4);
	put(0x28110 + vm.pc_scope, 8, 4);
	PUT(0x28124, 1, 2, 11, 0, 5, 3, 7); /* the byte 0 is excluded: all are 1 more */
	expect_inlined();
}

static void test_hostile_scopes(void **state)
{
	struct scope scopes[METHOD_INLINED_MAX];

	PUT(SCOPES + 8, 8, 2, 6); /* its own sender */
	assert_int_equal(read_scopes(scopes, CODE + 0x20), 0);
	PUT(SCOPES + 8, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 6); /* a sender far away */
	assert_int_equal(read_scopes(scopes, CODE + 0x20), 0);
	PUT(SCOPES + 8, 4, 0xff, 0xff, 0xff, 0xff, 0xff, 6); /* a method far away */
	assert_int_equal(read_scopes(scopes, CODE + 0x20), 0);
	put(BLOB + vm.nmethod_dependencies, 0, 4); /* the table ends before it begins */
	assert_int_equal(read_scopes(scopes, CODE + 0x20), 0);
	put(BLOB + vm.nmethod_dependencies, UINT32_MAX, 4);
	assert_int_equal(read_scopes(scopes, CODE + 0x20), 0);
}

/* Any byte may be anything: nothing crashes, nothing runs on for ever. */
static void test_random_bytes(void **state)
{
	static const uint64_t pages[] = { BLOB,	 PCS,	METADATA, SCOPES,   HEAP_OBJECT,  HEAPS,
					  OUTER, INNER, NAMES,	  SEGMENTS, OUTER + CONST };
	struct scope scopes[METHOD_INLINED_MAX];
	struct method method;
	struct blob blob;

	srandom(1);
	for (int round = 0; round < 20000; round++) {
		uint64_t page = pages[(size_t)random() % (sizeof(pages) / sizeof(pages[0]))];

		put(page + (uint64_t)random() % 512, (uint64_t)random(), random() % 8 + 1);
		memory_refresh(memory);
		if (!codecache_layout(&layout, memory, &vm) &&
		    codecache_find(&layout, memory, &vm, CODE + 0x1f, &blob) &&
		    scopes_read(scopes, memory, &vm, &blob, CODE + 0x20))
			method_read(&method, memory, &vm, scopes[0].method, scopes[0].bci);
		method_read(&method, memory, &vm, OUTER, 3);
		if (round % 50 == 49) {
			tear_down(state);
			set_up(state);
		}
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_memory),
		TEST(test_layout),
		TEST(test_layout_of_a_jvm_that_starts),
		TEST(test_hostile_layouts),
		TEST(test_find_blob),
		TEST(test_continuation_stubs),
		TEST(test_code_state),
		TEST(test_blob_that_is_replaced),
		TEST(test_code_in_malloc),
		TEST(test_method),
		TEST(test_lines),
		TEST(test_lines_since_20),
		TEST(test_lines_without_end),
		TEST(test_bytecode_index),
		TEST(test_long_names_are_cut),
		TEST(test_methods_that_are_none),
		TEST(test_length_in_the_upper_half),
		TEST(test_identity),
		TEST(test_scopes),
		TEST(test_scopes_of_8),
		TEST(test_scopes_of_25),
		TEST(test_hostile_scopes),
		TEST(test_random_bytes),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
