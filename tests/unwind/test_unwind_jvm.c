/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The walk through HotSpot's frames: blobs by the segment map, the interpreter, hostile memory. */
#include "target.h"

enum {
	HEAP = 0x600000, /* the code heap, and its memory */
	HEAP_BYTES = 0x10000,
	MAP = HEAP + HEAP_BYTES, /* the segment map, behind it */
	SEGMENT_LOG2 = 7,
	SEGMENTS = HEAP_BYTES >> SEGMENT_LOG2,
	FRAME_SIZE = 16 + 28, /* offset in a block */
	INTERPRETER = HEAP + 0x8000,
	BARRIER = HEAP + 0xc000,
	BLOB = HEAP + 0x1000, /* blocks: of 8 words a frame, */
	NO_FRAME = HEAP + 0x2000, /* without a frame, */
	LARGE = HEAP + 0x4000, /* and many segments long */
	FREE = LARGE + 0xff * 0x80, /* what marks it would lead to LARGE */
	NAME = 96, /* offsets in a block */
	COMPILATION = 0x58,
	NMETHOD = HEAP + 0x3000, /* that name */
	CONST = 0x10, /* offsets from a Method: its ConstMethod, */
	POOL = 0x20, /* its constants, */
	KLASS = 0x30, /* its class, */
	SYMBOL = 0x40, /* whose name begins behind the length */
	LOADED = HEAP + 0x3100, /* such a Method */
	METHOD = 0x7f1234567890,
	BYTECODE = 0x7f1234560042,
};

static uint8_t memory[HEAP_BYTES + SEGMENTS];
static struct abi_jvm jvm;

static uint8_t *segment_map(uint64_t address)
{
	return &memory[HEAP_BYTES + ((address - HEAP) >> SEGMENT_LOG2)];
}

/* As HotSpot marks it: each segment says how far the one before it can lead back. */
static void put_block(uint64_t address, uint64_t bytes, int32_t frame_words)
{
	uint8_t back = 0;

	for (uint64_t at = address; at < address + bytes; at += 1 << SEGMENT_LOG2) {
		*segment_map(at) = back++;
		if (back == SEGMENT_FREE)
			back = 1;
	}
	memcpy(&memory[address - HEAP + FRAME_SIZE], &frame_words, sizeof(frame_words));
}

static int set_up_jvm(void **state)
{
	set_up(state);
	memset(memory, 0, sizeof(memory));
	memset(segment_map(HEAP), SEGMENT_FREE, SEGMENTS);
	put_block(BLOB, 0x400, 8);
	put_block(NO_FRAME, 0x400, 0);
	put_block(LARGE, 0x2000, 4);
	jvm = (struct abi_jvm){
		.heaps[1] = { HEAP, HEAP + HEAP_BYTES, MAP },
		.interpreter_start = INTERPRETER,
		.interpreter_end = INTERPRETER + 0x1000,
		.barrier_start = BARRIER,
		.barrier_end = BARRIER + 0x100,
		.segment_log2 = SEGMENT_LOG2,
		.frame_size_offset = FRAME_SIZE,
		.name_offset = NAME,
		.compilation_offset = COMPILATION,
		.symbol_text_offset = 2,
		.bytecode_slot = -8,
	};
	fake.jvm = &jvm;
	fake.memory = memory;
	fake.memory_start = HEAP;
	fake.memory_bytes = sizeof(memory);
	return 0;
}

/* -- compiled code ------------------------------------------------------------------------------
 */

static void test_blob_pops_its_frame(void **state)
{
	stack[6] = at(20); /* bp, which the next frame needs */
	stack[7] = in(F_BP);
	stack[20] = 0;
	stack[21] = in(F_ROOT);
	walk_from(BLOB + 0x333, at(0), 0x99);
	EXPECT(END_ROOT, BLOB + 0x333, in(F_BP), in(F_ROOT));
}

static void test_first_and_last_byte_of_a_blob(void **state)
{
	stack[7] = in(F_ROOT);
	walk_from(BLOB + 1, at(0), 0);
	EXPECT(END_ROOT, BLOB + 1, in(F_ROOT));
	walk_from(BLOB + 0x400, at(0), 0); /* behind the last call */
	EXPECT(END_ROOT, BLOB + 0x400, in(F_ROOT));
	walk_from(BLOB + 0x401, at(0), 0);
	EXPECT(END_NO_TABLE, BLOB + 0x401);
	walk_from(BLOB, at(0), 0);
	EXPECT(END_NO_TABLE, BLOB);
}

static void test_long_way_back_in_the_segment_map(void **state)
{
	put_block(HEAP, HEAP_BYTES, 4);
	jvm.interpreter_end = jvm.interpreter_start;
	jvm.barrier_end = jvm.barrier_start;
	stack[3] = in(F_ROOT);
	walk_from(HEAP + HEAP_BYTES, at(0), 0);
	EXPECT(END_ROOT, HEAP + HEAP_BYTES, in(F_ROOT));
}

static void test_blob_without_frame_keeps_the_frame_pointer(void **state)
{
	stack[10] = 0x77;
	stack[11] = in(F_ROOT);
	walk_from(NO_FRAME + 0x20, at(0), at(10));
	EXPECT(END_ROOT, NO_FRAME + 0x20, in(F_ROOT));
	put_block(NO_FRAME, 0x400, -1);
	fake.targets[0].generation++;
	walk_from(NO_FRAME + 0x20, at(0), at(10));
	EXPECT(END_ROOT, NO_FRAME + 0x20, in(F_ROOT));
}

/* -- the interpreter -----------------------------------------------------------------------------
 */

/* An interpreted frame whose bp is a word of the stack. */
static void put_interpreted(unsigned int bp, unsigned int sender_sp, uint64_t return_address)
{
	stack[bp - 8] = BYTECODE;
	stack[bp - 3] = METHOD;
	stack[bp - 1] = at(sender_sp);
	stack[bp] = at(40);
	stack[bp + 1] = return_address;
}

static void test_interpreted_frame(void **state)
{
	put_interpreted(20, 24, BLOB + 0x100); /* its sender's sp is its own business */
	stack[24 + 7] = in(F_ROOT);
	walk_from(INTERPRETER + 0x55, at(0), at(20));
	EXPECT(END_ROOT, ABI_FRAME_METHOD | METHOD, BYTECODE, BLOB + 0x100, in(F_ROOT));
	/* The stack; the method's class; two of the map, the frame size, what the blob is called.
	 */
	assert_int_equal(fake.reads, 1 + 1 + 2 + 1 + 2);
}

static void test_bytecode_pointer_of_jdk_8(void **state)
{
	jvm.bytecode_slot = -7;
	put_interpreted(20, 22, in(F_ROOT));
	stack[20 - 7] = 0x1234;
	walk_from(INTERPRETER + 0x55, at(0), at(20));
	EXPECT(END_ROOT, ABI_FRAME_METHOD | METHOD, 0x1234, in(F_ROOT));
}

static void test_interpreted_frames_that_are_none(void **state)
{
	put_interpreted(20, 21, in(F_ROOT)); /* the sender within the frame */
	walk_from(INTERPRETER + 0x55, at(0), at(20));
	EXPECT(END_BAD_FRAME, INTERPRETER + 0x55);
	put_interpreted(20, 24, in(F_ROOT));
	walk_from(INTERPRETER + 0x55, at(21), at(20)); /* bp below sp */
	EXPECT(END_BAD_FRAME, INTERPRETER + 0x55);
	walk_from(INTERPRETER + 0x55, at(0), 0x1000);
	EXPECT(END_READ_FAULT, INTERPRETER + 0x55);
	stack[20 - 1] = at(24) + 4;
	walk_from(INTERPRETER + 0x55, at(0), at(20));
	EXPECT(END_BAD_FRAME, INTERPRETER + 0x55);
}

/* Two words a frame. */
static void test_too_deep_in_the_interpreter(void **state)
{
	for (unsigned int i = 0; i <= ABI_MAX_FRAMES; i++) {
		put_interpreted(20 + 20 * i, 22 + 20 * i, INTERPRETER + 0x55);
		stack[20 + 20 * i] = at(40 + 20 * i);
	}
	walk_from(INTERPRETER + 0x55, at(0), at(20));
	assert_int_equal(walked->stack.count, 2 * ABI_MAX_FRAMES);
	assert_int_equal(walked->stack.end, END_DEPTH);
	stack[1] = INTERPRETER + 0x55;
	walk_from(in(F_SP16), at(0), at(20));
	assert_int_equal(walked->stack.count, 2 * ABI_MAX_FRAMES - 1);
	assert_int_equal(walked->stack.frames[2 * ABI_MAX_FRAMES - 2], BYTECODE);
}

static void test_words_that_look_like_methods_are_none(void **state)
{
	stack[1] = ABI_FRAME_METHOD | 0x1234;
	walk_from(in(F_SP16), at(0), 0);
	EXPECT(END_NO_MAPPING, in(F_SP16), 0x1234);
}

/* -- ends ----------------------------------------------------------------------------------------
 */

static void test_continuation(void **state)
{
	stack[7] = BARRIER + 0x10;
	walk_from(BLOB + 0x333, at(0), 0);
	EXPECT(END_BARRIER, BLOB + 0x333, BARRIER + 0x10);
}

static void test_free_segment(void **state)
{
	walk_from(FREE + 0x10, at(0), 0);
	EXPECT(END_NO_TABLE, FREE + 0x10);
}

static void test_hostile_segment_maps(void **state)
{
	for (uint64_t address = HEAP; address < HEAP + HEAP_BYTES; address += 1 << SEGMENT_LOG2)
		*segment_map(address) = 1; /* never a block's start but at -1 */
	walk_from(BLOB + 0x333, at(0), 0);
	EXPECT(END_NO_TABLE, BLOB + 0x333);
	*segment_map(HEAP) = 2; /* back beyond the map */
	walk_from(HEAP + 0x10, at(0), 0);
	EXPECT(END_NO_TABLE, HEAP + 0x10);
	fake.memory_bytes = HEAP_BYTES; /* not readable */
	walk_from(BLOB + 0x333, at(0), 0);
	EXPECT(END_NO_TABLE, BLOB + 0x333);
}

static void test_hostile_frame_size(void **state)
{
	put_block(BLOB, 0x400, 0x8000); /* more than a rule can say */
	walk_from(BLOB + 0x333, at(0), 0);
	EXPECT(END_NO_TABLE, BLOB + 0x333);
	put_block(BLOB, 0x400, 0x7fff);
	walk_from(BLOB + 0x334, at(0), 0);
	EXPECT(END_READ_FAULT, BLOB + 0x334);
}

/* -- the cache ----------------------------------------------------------------------------------
 */

static void test_fresh_walks_see_replaced_code(void **state)
{
	struct walk_registers registers = { .pc = BLOB + 0x333, .sp = at(0) };

	stack[7] = in(F_ROOT);
	stack[9] = in(F_SP16);
	stack[11] = in(F_ROOT);
	walk_from(registers.pc, at(0), 0);
	put_block(BLOB, 0x400, 10);
	walk_from(registers.pc, at(0), 0);
	EXPECT(END_ROOT, BLOB + 0x333, in(F_ROOT)); /* the generation is still the same */
	assert_int_equal(walk_with(0, &registers, true), 1);
	EXPECT(END_ROOT, BLOB + 0x333, in(F_SP16), in(F_ROOT));
	walk_from(registers.pc, at(0), 0);
	EXPECT(END_ROOT, BLOB + 0x333, in(F_SP16), in(F_ROOT));
	registers.pc = in(F_ROOT);
	assert_int_equal(walk_with(0, &registers, true), 0);
}

/* -- code that replaces other code ---------------------------------------------------------------
 */

static void put_word(uint64_t address, uint64_t word)
{
	memcpy(&memory[address - HEAP], &word, sizeof(word));
}

/* What JIT compilers of HotSpot have made. */
static void put_nmethod(uint32_t compilation)
{
	put_word(BLOB + NAME, NMETHOD);
	memcpy(&memory[NMETHOD - HEAP], "nmethod", sizeof("nmethod"));
	memcpy(&memory[BLOB + COMPILATION - HEAP], &compilation, sizeof(compilation));
}

static void later(void)
{
	fake.time_ns += 1 << TICK_LOG2;
}

static void test_compilations_are_told_apart(void **state)
{
	stack[7] = in(F_ROOT);
	later();
	put_nmethod(41);
	walk_from(BLOB + 0x333, at(0), 0);
	EXPECT(END_ROOT, ABI_FRAME_COMPILED | (BLOB + 0x333), 41, in(F_ROOT));
	put_nmethod(42);
	later();
	walk_from(BLOB + 0x333, at(0), 0);
	EXPECT(END_ROOT, ABI_FRAME_COMPILED | (BLOB + 0x333), 42, in(F_ROOT));
	memcpy(&memory[NMETHOD - HEAP], "native nmethod", sizeof("native nmethod"));
	put_word(BLOB + COMPILATION, 43);
	later();
	walk_from(BLOB + 0x333, at(0), 0);
	EXPECT(END_ROOT, ABI_FRAME_COMPILED | (BLOB + 0x333), 43, in(F_ROOT));
}

static void test_a_compilation_is_looked_at_once_a_tick(void **state)
{
	stack[7] = in(F_ROOT);
	put_nmethod(41);
	later();
	walk_from(BLOB + 0x333, at(0), 0);
	fake.reads = 0;
	walk_from(BLOB + 0x333, at(0), 0);
	assert_int_equal(fake.reads, 1); /* the stack */
	later();
	walk_from(BLOB + 0x333, at(0), 0);
	assert_int_equal(fake.reads, 1 + 2); /* the number */
	walk_from(BLOB + 0x333, at(0), 0);
	assert_int_equal(fake.reads, 1 + 2 + 1);
	EXPECT(END_ROOT, ABI_FRAME_COMPILED | (BLOB + 0x333), 41, in(F_ROOT));
}

/* The new code has another frame: its size goes with its number. */
static void test_replaced_code_brings_its_frame_size(void **state)
{
	stack[7] = in(F_ROOT);
	stack[9] = in(F_BP);
	put_nmethod(41);
	later();
	walk_from(BLOB + 0x333, at(0), 0);
	put_block(BLOB, 0x400, 10);
	put_nmethod(42);
	later();
	stack[8] = at(20);
	stack[21] = in(F_ROOT);
	walk_from(BLOB + 0x333, at(0), 0);
	EXPECT(END_ROOT, ABI_FRAME_COMPILED | (BLOB + 0x333), 42, in(F_BP), in(F_ROOT));
}

static void put_class(const char *name)
{
	uint16_t length = (uint16_t)strlen(name);

	for (int i = 0; i < ABI_CLASS_NAME_STEPS; i++) {
		jvm.class_name_offsets[i] = 8;
		put_word(LOADED + 0x10 * i + 8, LOADED + 0x10 * (i + 1));
	}
	memcpy(&memory[LOADED + SYMBOL - HEAP], &length, sizeof(length));
	memcpy(&memory[LOADED + SYMBOL + 2 - HEAP], name, length);
}

static void walk_loaded(uint64_t words[2])
{
	later();
	put_interpreted(20, 24, in(F_ROOT));
	stack[20 - 3] = LOADED;
	walk_from(INTERPRETER + 0x55, at(0), at(20));
	assert_int_equal(walked->stack.end, END_ROOT);
	assert_int_equal(walked->stack.count, 3);
	memcpy(words, walked->stack.frames, 2 * sizeof(*words));
	assert_int_equal(words[0] & ABI_FRAME_ADDRESS, LOADED);
	assert_int_equal(words[1] & ABI_FRAME_ADDRESS, BYTECODE);
	assert_int_equal(words[0] & ABI_FRAME_KINDS, ABI_FRAME_METHOD);
}

static void test_methods_of_other_classes_are_told_apart(void **state)
{
	char name[300];
	uint64_t first[2], again[2], other[2];

	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	put_class(name);
	walk_loaded(first);
	walk_loaded(again);
	assert_memory_equal(first, again, sizeof(first));
	name[sizeof(name) - 100] = 'y';
	put_class(name);
	walk_loaded(other);
	assert_memory_not_equal(first, other, sizeof(first));
	put_class("x");
	walk_loaded(first);
	assert_memory_not_equal(first, other, sizeof(first));
	put_word(LOADED + 8, 0); /* nothing is known */
	walk_loaded(first);
	assert_int_equal(first[0], ABI_FRAME_METHOD | LOADED);
	assert_int_equal(first[1], BYTECODE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_blob_pops_its_frame, set_up_jvm),
		cmocka_unit_test_setup(test_first_and_last_byte_of_a_blob, set_up_jvm),
		cmocka_unit_test_setup(test_long_way_back_in_the_segment_map, set_up_jvm),
		cmocka_unit_test_setup(test_blob_without_frame_keeps_the_frame_pointer, set_up_jvm),
		cmocka_unit_test_setup(test_interpreted_frame, set_up_jvm),
		cmocka_unit_test_setup(test_bytecode_pointer_of_jdk_8, set_up_jvm),
		cmocka_unit_test_setup(test_interpreted_frames_that_are_none, set_up_jvm),
		cmocka_unit_test_setup(test_too_deep_in_the_interpreter, set_up_jvm),
		cmocka_unit_test_setup(test_words_that_look_like_methods_are_none, set_up_jvm),
		cmocka_unit_test_setup(test_continuation, set_up_jvm),
		cmocka_unit_test_setup(test_free_segment, set_up_jvm),
		cmocka_unit_test_setup(test_hostile_segment_maps, set_up_jvm),
		cmocka_unit_test_setup(test_hostile_frame_size, set_up_jvm),
		cmocka_unit_test_setup(test_fresh_walks_see_replaced_code, set_up_jvm),
		cmocka_unit_test_setup(test_compilations_are_told_apart, set_up_jvm),
		cmocka_unit_test_setup(test_a_compilation_is_looked_at_once_a_tick, set_up_jvm),
		cmocka_unit_test_setup(test_replaced_code_brings_its_frame_size, set_up_jvm),
		cmocka_unit_test_setup(test_methods_of_other_classes_are_told_apart, set_up_jvm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
