/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The walk of bpf/unwind.bpf.c, built natively: over stacks made here, word by word, and over our
 * own stack, with the rows of our own code, against what the compiler's unwinder says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <fcntl.h>
#include <gelf.h>
#include <link.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <unwind.h>

#include "target.h"
#include "unwind/rows.h"

/* -- rules --------------------------------------------------------------------------------------
 */

static void test_to_the_root(void **state)
{
	stack[1] = in(F_SP16_BP);
	stack[2] = at(10); /* bp of the one above */
	stack[3] = in(F_BP);
	stack[10] = 0x1234;
	stack[11] = in(F_ROOT);
	walk_from(in(F_SP16), at(0), 0x99);
	EXPECT(END_ROOT, in(F_SP16), in(F_SP16_BP), in(F_BP), in(F_ROOT));
	assert_int_equal(fake.reads, 1);
}

static void test_return_address_zero_is_the_root(void **state)
{
	walk_from(in(F_SP16), at(0), 0);
	EXPECT(END_ROOT, in(F_SP16));
}

static void test_realigned_stack(void **state)
{
	stack[4] = at(20); /* what bp - 8 points to: the CFA */
	stack[5] = at(30); /* at bp: the caller's bp */
	stack[19] = in(F_BP);
	stack[31] = in(F_ROOT);
	walk_from(in(F_DRAP), at(0), at(5));
	EXPECT(END_ROOT, in(F_DRAP), in(F_BP), in(F_ROOT));
}

static void test_plt_slot(void **state)
{
	stack[0] = in(F_SP16);
	stack[1] = in(F_ROOT);
	walk_from(CODE + 0x100 * F_PLT + 11, at(0), 0); /* at byte 10: nothing pushed yet */
	EXPECT(END_ROOT, CODE + 0x100 * F_PLT + 11, in(F_SP16));
	walk_from(CODE + 0x100 * F_PLT + 12, at(0), 0);
	EXPECT(END_ROOT, CODE + 0x100 * F_PLT + 12, in(F_ROOT));
}

static void test_signal_frame_on_another_stack(void **state)
{
	uint64_t interrupted = CODE + 0x100 * F_BP; /* first byte: pc - 1 is another function */

	stack[3001] = in(F_SIGNAL);
	stack[3002 + 120 / 8] = at(8);
	stack[3002 + 160 / 8] = at(2);
	stack[3002 + 168 / 8] = interrupted;
	stack[9] = in(F_ROOT);
	walk_from(in(F_SP16), at(3000), 0);
	EXPECT(END_ROOT, in(F_SP16), in(F_SIGNAL), interrupted + 1, in(F_ROOT));
}

static void test_frames_over_pages(void **state)
{
	stack[1] = in(F_BIG);
	walk_from(in(F_SP16), at(0), 0);
	EXPECT(END_READ_FAULT, in(F_SP16), in(F_BIG)); /* its caller lies behind the stack */

	/* 1,024 bytes at least are wanted, but a page's last words may be all there is */
	stack[STACK_WORDS - 3] = in(F_SP16);
	stack[STACK_WORDS - 1] = in(F_ROOT);
	walk_from(in(F_SP16), at(STACK_WORDS - 4), 0);
	EXPECT(END_ROOT, in(F_SP16), in(F_SP16), in(F_ROOT));
}

static void test_large_frame_between(void **state)
{
	static uint64_t large[16384];

	fake.stack = large;
	fake.stack_bytes = sizeof(large);
	large[1] = in(F_BIG);
	large[2 + 9999] = in(F_SP16);
	large[2 + 10001] = in(F_ROOT);
	walk_from(in(F_SP16), at(0), 0);
	EXPECT(END_ROOT, in(F_SP16), in(F_BIG), in(F_SP16), in(F_ROOT));
	assert_int_equal(fake.reads, 2);
}

static void test_every_depth_and_place_in_a_page(void **state)
{
	for (unsigned int first = 0; first < 520; first++) {
		unsigned int frames = first % 100;

		memset(stack, 0, sizeof(stack));
		for (unsigned int i = 0; i < frames; i++)
			stack[first + 1 + 2 * i] = in(F_SP16);
		stack[first + 1 + 2 * frames] = in(F_ROOT);
		walk_from(in(F_SP16), at(first), 0);
		assert_int_equal(walked->stack.count, frames + 2);
		assert_int_equal(walked->stack.end, END_ROOT);
	}
}

static void test_replaced_return_address(void **state)
{
	thread.depth = 2;
	thread.calls[0].slot = at(3);
	thread.calls[0].return_address = in(F_SP16);
	thread.calls[1].slot = at(1);
	thread.calls[1].return_address = in(F_SP16);
	thread.calls[2].slot = at(5); /* closed long ago */
	thread.calls[2].return_address = 0xbad;
	stack[1] = stack[3] = 0x7fffffffe000; /* [uprobes] */
	stack[5] = in(F_ROOT);
	walk_from(in(F_SP16), at(0), 0);
	EXPECT(END_ROOT, in(F_SP16), in(F_SP16), in(F_SP16), in(F_ROOT));
}

/* -- ends ----------------------------------------------------------------------------------------
 */

static void test_unknown_code(void **state)
{
	stack[1] = 0x900001;
	walk_from(in(F_SP16), at(0), at(4));
	EXPECT(END_NO_MAPPING, in(F_SP16), 0x900001);
	walk_from(CODE, at(0), at(4)); /* pc - 1 lies before the first mapping */
	EXPECT(END_NO_MAPPING, CODE);
}

/* A word with the bits of another question to the cache is no address. */
static void test_words_that_look_like_questions_are_no_code(void **state)
{
	stack[4] = at(8);
	stack[5] = PLAIN + 0x20;
	stack[9] = in(F_ROOT);
	walk_from(PLAIN + 0x10, at(2),
		  at(4)); /* that PLAIN + 0x20 lies behind a call is cached now */
	EXPECT(END_ROOT, PLAIN + 0x10, PLAIN + 0x20, in(F_ROOT));
	stack[1] = RULE_OF_CALL | (PLAIN + 0x20);
	walk_from(in(F_SP16), at(0), at(8));
	EXPECT(END_NO_MAPPING, in(F_SP16), PLAIN + 0x20);
	stack[1] = RULE_OF_METHOD | (PLAIN + 0x20);
	walk_from(in(F_SP16), at(0), at(8));
	EXPECT(END_NO_MAPPING, in(F_SP16), RULE_OF_METHOD | (PLAIN + 0x20));
}

static void test_frame_below(void **state)
{
	walk_from(in(F_SINK), at(5), 0);
	EXPECT(END_BAD_FRAME, in(F_SINK));
	walk_from(in(F_BP), at(5), at(5) + 4); /* not aligned */
	EXPECT(END_BAD_FRAME, in(F_BP));
	walk_from(in(F_BP), at(5), at(2));
	EXPECT(END_BAD_FRAME, in(F_BP));
}

static void test_unreadable_stack(void **state)
{
	walk_from(in(F_SP16), 0x1000, 0);
	EXPECT(END_READ_FAULT, in(F_SP16));
	walk_from(in(F_SIGNAL), at(STACK_WORDS - 2), 0);
	EXPECT(END_READ_FAULT, in(F_SIGNAL));
}

static void test_too_deep(void **state)
{
	for (size_t i = 1; i < STACK_WORDS; i += 2)
		stack[i] = in(F_SP16);
	walk_from(in(F_SP16), at(0), 0);
	assert_int_equal(walked->stack.count, ABI_MAX_FRAMES);
	assert_int_equal(walked->stack.end, END_DEPTH);
}

static void test_an_exact_address_goes_before(void **state)
{
	struct walk_registers registers = { .pc = in(F_SP16), .sp = at(0) };

	stack[1] = in(F_ROOT);
	walk_with(0x42, &registers, false);
	EXPECT(END_ROOT, 0x42, in(F_SP16), in(F_ROOT));
}

static void test_no_scratch(void **state)
{
	struct walk_registers registers = { .pc = in(F_SP16), .sp = at(0) };

	for (int i = 0; i < WALK_SLOTS; i++)
		fake.walks[i].claims = 1;
	walk_with(0, &registers, false);
	assert_null(walked);
	for (int i = 0; i < WALK_SLOTS; i++)
		assert_int_equal(fake.walks[i].claims, 1);
	fake.walks[2].claims = 0;
	stack[1] = in(F_ROOT);
	walk_with(0, &registers, false);
	assert_ptr_equal(walked, &fake.walks[2]);
	EXPECT(END_ROOT, in(F_SP16), in(F_ROOT));
}

/* -- frame pointers ------------------------------------------------------------------------------
 */

static void test_frame_pointers_through_code_without_rows(void **state)
{
	stack[4] = at(8);
	stack[5] = PLAIN + 0x20;
	stack[8] = at(12);
	stack[9] = in(F_BP);
	stack[13] = in(F_ROOT);
	walk_from(in(F_NONE), at(0), at(4));
	EXPECT(END_ROOT, in(F_NONE), PLAIN + 0x20, in(F_BP), in(F_ROOT));
}

static void test_frame_pointers_that_are_none(void **state)
{
	stack[5] = 0x900001; /* no code */
	walk_from(PLAIN + 1, at(2), at(4));
	EXPECT(END_NO_TABLE, PLAIN + 1);
	stack[5] = PLAIN + 2;
	walk_from(PLAIN + 1, at(8), at(4)); /* below the stack pointer */
	EXPECT(END_NO_TABLE, PLAIN + 1);
	walk_from(PLAIN + 1, at(2), at(4) + 1);
	EXPECT(END_NO_TABLE, PLAIN + 1);
	walk_from(PLAIN + 1, at(2), at(0) + (2 << 20));
	EXPECT(END_NO_TABLE, PLAIN + 1);
	walk_from(PLAIN + 1, at(2), 0); /* code that keeps something else in bp */
	EXPECT(END_NO_TABLE, PLAIN + 1);
	fake.no_calls = true;
	walk_from(PLAIN + 1, at(2), at(4)); /* an address in code that nobody returns to */
	EXPECT(END_NO_TABLE, PLAIN + 1);
}

/* Each with its last byte at the end: call forms of the SDM's volume 2, and what only looks alike.
 */
static void test_calls_are_known(void **state)
{
	static const struct {
		uint8_t code[7];
		bool is_call;
	} cases[] = {
		{ { 0, 0, 0xe8, 1, 2, 3, 4 }, true }, /* call rel32 */
		{ { 0, 0, 0, 0, 0, 0xff, 0xd0 }, true }, /* call *%rax */
		{ { 0, 0, 0, 0, 0x41, 0xff, 0xd2 }, true }, /* call *%r10 */
		{ { 0, 0, 0, 0, 0, 0xff, 0x10 }, true }, /* call *(%rax) */
		{ { 0, 0, 0, 0, 0xff, 0x50, 0x18 }, true }, /* call *0x18(%rax) */
		{ { 0, 0, 0, 0, 0xff, 0x14, 0xc7 }, true }, /* call *(%rdi,%rax,8) */
		{ { 0, 0, 0, 0xff, 0x54, 0x24, 8 }, true }, /* call *8(%rsp) */
		{ { 0, 0xff, 0x15, 1, 2, 3, 4 }, true }, /* call *rel32(%rip) */
		{ { 0, 0xff, 0x90, 1, 2, 3, 4 }, true }, /* call *disp32(%rax) */
		{ { 0xff, 0x94, 0x24, 1, 2, 3, 4 }, true }, /* call *disp32(%rsp) */
		{ { 0xff, 0x14, 0xc5, 1, 2, 3, 4 }, true }, /* call *disp32(,%rax,8) */
		{ { 0, 0, 0xe9, 1, 2, 3, 4 }, false }, /* jmp rel32 */
		{ { 0, 0, 0, 0, 0, 0xff, 0xe0 }, false }, /* jmp *%rax */
		{ { 0, 0, 0, 0, 0, 0xff, 0x50 }, false }, /* cut off */
		{ { 0, 0, 0, 0, 0xff, 0xd0, 0x90 }, false }, /* one further */
		{ { 0, 0, 0, 0, 0, 0xff, 0x30 }, false }, /* push (%rax) */
	};

#ifndef __TARGET_ARCH_x86
	skip();
#endif
	fake.memory_start = 0x700000;
	fake.memory_bytes = sizeof(cases[0].code);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fake.memory = cases[i].code;
		assert_int_equal(is_call(0x700007), cases[i].is_call);
	}
	assert_false(is_call(0x600000));
}

static void test_frame_pointers_only(void **state)
{
	settings.frame_pointers_only = 1;
	stack[4] = at(8);
	stack[5] = in(F_SP16);
	stack[9] = in(F_BIG); /* bp 0: the outermost */
	walk_from(in(F_SP16), at(0), at(4));
	EXPECT(END_ROOT, in(F_SP16), in(F_SP16), in(F_BIG));
	fake.targets[0].tgid = 0; /* mappings unknown: believed as it is */
	stack[5] = 0x900001;
	walk_from(in(F_SP16), at(0), at(4));
	EXPECT(END_ROOT, in(F_SP16), 0x900001, in(F_BIG));
}

/* -- cached rules --------------------------------------------------------------------------------
 */

static void test_cached_rules_die_with_their_generation(void **state)
{
	stack[1] = in(F_SP16);
	stack[2] = in(F_ROOT);
	stack[3] = in(F_BIG);
	walk_from(in(F_SP16), at(0), 0);
	assert_int_equal(walked->stack.frames[2], in(F_BIG));
	fake.rows[F_SP16].cfa_offset = 1;
	stack[0] = in(F_SP16);
	stack[1] = in(F_ROOT);
	walk_from(in(F_SP16), at(0), 0); /* still as cached */
	EXPECT(END_ROOT, in(F_SP16), in(F_ROOT));
	fake.targets[0].generation = 2;
	walk_from(in(F_SP16), at(0), 0);
	EXPECT(END_ROOT, in(F_SP16), in(F_SP16), in(F_ROOT));
	fake.targets[0].generation = 0; /* never cached */
	fake.rows[F_SP16].cfa_offset = 2;
	walk_from(in(F_SP16), at(0), 0);
	EXPECT(END_ROOT, in(F_SP16), in(F_ROOT));
}

static void test_torn_cache_entry_is_not_believed(void **state)
{
	struct cached_rule *entry = NULL;

	stack[1] = in(F_ROOT);
	walk_from(in(F_SP16), at(0), 0);
	for (size_t i = 0; i < 1 << RULE_CACHE_LOG2; i++) {
		if ((rule_cache[i].check ^ rule_cache[i].rule) == in(F_SP16)-1)
			entry = &rule_cache[i];
	}
	assert_non_null(entry);
	entry->rule ^= 1 << 16; /* half of another */
	walk_from(in(F_SP16), at(0), 0);
	EXPECT(END_ROOT, in(F_SP16), in(F_ROOT));
}

/* -- many mappings and rows ----------------------------------------------------------------------
 */

static void test_searches(void **state)
{
	for (uint32_t count = 1; count < CODES; count++) {
		fake.targets[0] = (struct abi_target){ .tgid = 1, .mappings_count = count };
		for (uint32_t i = 0; i < count; i++)
			fake.codes[i] = (struct abi_code){ 0x1000 * (i + 1),
							   0x1000 * i + 0x1800,
							   0x1000 * (i + 1),
							   0,
							   count,
							   1,
							   0 };
		for (uint32_t i = 0; i < count; i++)
			fake.rows[i] = (struct abi_row){ 4 * i, (__s16)i, 0, CFA_SP };
		for (uint32_t i = 0; i < count; i++) {
			union rule rule;

			fake.walks[0].mappings_count = count;
			fake.walks[0].mappings_first = 0;
			rule.word = unwind_search(0, 0x1000 * (count - i) + 4 * i + 3);
			assert_int_equal(rule.cfa, CFA_SP);
			assert_int_equal(rule.cfa_offset, i);
			rule.word = unwind_search(0, 0x1000 * (i + 1) + 0x800); /* behind its end */
			assert_int_equal(rule.cfa, RULE_NO_MAPPING);
		}
	}
}

/* -- our own stack -------------------------------------------------------------------------------
 */

static void add_rows(const char *path, struct abi_code *mapping, uint64_t bias)
{
	struct unwind_sections sections = { .machine = EM_X86_64 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct unwind_table table;
	Elf_Scn *scn = NULL;
	size_t names;
	Elf *elf;

	elf_version(EV_CURRENT);
	elf = fd < 0 ? NULL : elf_begin(fd, ELF_C_READ, NULL);
	while (elf && (scn = elf_nextscn(elf, scn))) {
		Elf_Data *data = elf_rawdata(scn, NULL);
		GElf_Shdr header;

		elf_getshdrstrndx(elf, &names);
		if (!gelf_getshdr(scn, &header) ||
		    strcmp(elf_strptr(elf, names, header.sh_name), ".eh_frame"))
			continue;
		sections.eh_frame =
			(struct unwind_section){ data->d_buf, data->d_size, header.sh_addr };
	}
	if (sections.eh_frame.data && !unwind_rows(&sections, &table)) {
		assert_true(fake.row_count + table.count <= ROWS);
		memcpy(&fake.rows[fake.row_count], table.rows, table.count * sizeof(*table.rows));
		mapping->bias = bias + table.base;
		mapping->rows_first = fake.row_count;
		mapping->rows_count = (uint32_t)table.count;
		fake.row_count += (uint32_t)table.count;
		free(table.rows);
	}
	elf_end(elf);
	close(fd);
}

static int add_image(struct dl_phdr_info *image, size_t size, void *context)
{
	for (int i = 0; i < image->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &image->dlpi_phdr[i];
		struct abi_code mapping = {};

		if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X))
			continue;
		assert_true(fake.code_count < CODES);
		mapping.start = image->dlpi_addr + segment->p_vaddr;
		mapping.end = mapping.start + segment->p_memsz;
		add_rows(*image->dlpi_name ? image->dlpi_name : "/proc/self/exe", &mapping,
			 image->dlpi_addr);
		fake.codes[fake.code_count++] = mapping;
	}
	return 0;
}

static int compare_codes(const void *left, const void *right)
{
	const struct abi_code *a = left, *b = right;

	return a->start < b->start ? -1 : a->start > b->start;
}

static uint64_t expected[ABI_MAX_FRAMES];
static int expected_count;

/* An address as the walk gives it: that of interrupted code, too, lies behind the instruction. */
static _Unwind_Reason_Code add_expected(struct _Unwind_Context *context, void *unused)
{
	int is_interrupted;
	uint64_t pc = _Unwind_GetIPInfo(context, &is_interrupted);

	if (pc && expected_count < ABI_MAX_FRAMES)
		expected[expected_count++] = pc + !!is_interrupted;
	return _URC_NO_REASON;
}

/* Walks from here, by the walk and by libgcc. Leaf of all stacks below. */
static __attribute__((noinline)) void take_both(void)
{
	uint64_t pc = 0, sp = 0, bp = 0;

#ifdef __x86_64__
	asm volatile("lea 0(%%rip), %0\n\tmov %%rsp, %1\n\tmov %%rbp, %2"
		     : "=&r"(pc), "=&r"(sp), "=&r"(bp));
#endif
	walk_from(pc, sp, bp);
	expected_count = 0;
	_Unwind_Backtrace(add_expected, NULL);
	__asm__ volatile("" ::: "memory"); /* no tail call: this frame is the first of both */
}

static void expect_same_stack(int frames_at_least)
{
	/* frame 0 is take_both, at another instruction */
	assert_true(expected_count > frames_at_least);
	assert_int_equal(walked->stack.end, END_ROOT);
	for (int i = 1; i < expected_count; i++)
		assert_int_equal(walked->stack.frames[i], expected[i]);
	assert_int_equal(walked->stack.count, expected_count);
}

static void load_own_code(void)
{
	fake.code_count = 0;
	dl_iterate_phdr(add_image, NULL);
	qsort(fake.codes, fake.code_count, sizeof(fake.codes[0]), compare_codes);
	fake.targets[0].mappings_count = fake.code_count;
	fake.stack = NULL;
}

static int compare_once(const void *left, const void *right)
{
	if (!expected_count)
		take_both();
	return *(const int *)left - *(const int *)right;
}

static __attribute__((noinline)) int descend(int depth)
{
	char space[depth * 16 + 8]; /* a frame pointer is needed for it */
	int numbers[] = { 3, 1, 2 };

	memset(space, depth, sizeof(space));
	if (!depth)
		qsort(numbers, 3, sizeof(numbers[0]), compare_once);
	return (depth ? descend(depth - 1) : numbers[0]) + space[depth];
}

static __attribute__((noinline)) void in_aligned_frame(void)
{
	_Alignas(128) volatile char space[256];

	space[7] = (char)descend(3);
	assert_int_equal(space[7], 1 + 0 + 1 + 2 + 3);
}

static void on_signal(int number)
{
	take_both();
}

static void test_own_stack(void **state)
{
#ifndef __x86_64__
	skip();
#endif
	load_own_code();
	expected_count = 0;
	in_aligned_frame();
	expect_same_stack(8);
}

static void test_own_stack_below_a_signal(void **state)
{
#ifndef __x86_64__
	skip();
#endif
	load_own_code();
	signal(SIGUSR1, on_signal);
	raise(SIGUSR1);
	signal(SIGUSR1, SIG_DFL);
	expect_same_stack(6);
}

/* Another library came to the place of the one that was there: its stacks are others. */
static void test_images_are_told_apart(void **state)
{
	uint64_t hash;

	stack[0] = 0;
	stack[1] = in(F_ROOT);
	fake.codes[0].image = 7;
	walk_from(in(F_SP16), at(0), 0);
	assert_int_equal(walked->stack.end, END_ROOT);
	hash = walked->hash;
	walk_from(in(F_SP16), at(0), 0);
	assert_int_equal(walked->hash, hash);
	fake.codes[0].image = 8;
	fake.targets[0].generation++;
	walk_from(in(F_SP16), at(0), 0);
	assert_int_equal(walked->stack.count, 2);
	assert_int_not_equal(walked->hash, hash);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_to_the_root, set_up),
		cmocka_unit_test_setup(test_return_address_zero_is_the_root, set_up),
		cmocka_unit_test_setup(test_realigned_stack, set_up),
		cmocka_unit_test_setup(test_plt_slot, set_up),
		cmocka_unit_test_setup(test_signal_frame_on_another_stack, set_up),
		cmocka_unit_test_setup(test_frames_over_pages, set_up),
		cmocka_unit_test_setup(test_large_frame_between, set_up),
		cmocka_unit_test_setup(test_every_depth_and_place_in_a_page, set_up),
		cmocka_unit_test_setup(test_replaced_return_address, set_up),
		cmocka_unit_test_setup(test_unknown_code, set_up),
		cmocka_unit_test_setup(test_words_that_look_like_questions_are_no_code, set_up),
		cmocka_unit_test_setup(test_frame_below, set_up),
		cmocka_unit_test_setup(test_unreadable_stack, set_up),
		cmocka_unit_test_setup(test_too_deep, set_up),
		cmocka_unit_test_setup(test_an_exact_address_goes_before, set_up),
		cmocka_unit_test_setup(test_no_scratch, set_up),
		cmocka_unit_test_setup(test_frame_pointers_through_code_without_rows, set_up),
		cmocka_unit_test_setup(test_frame_pointers_that_are_none, set_up),
		cmocka_unit_test_setup(test_calls_are_known, set_up),
		cmocka_unit_test_setup(test_frame_pointers_only, set_up),
		cmocka_unit_test_setup(test_cached_rules_die_with_their_generation, set_up),
		cmocka_unit_test_setup(test_torn_cache_entry_is_not_believed, set_up),
		cmocka_unit_test_setup(test_searches, set_up),
		cmocka_unit_test_setup(test_images_are_told_apart, set_up),
		cmocka_unit_test_setup(test_own_stack, set_up),
		cmocka_unit_test_setup(test_own_stack_below_a_signal, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
