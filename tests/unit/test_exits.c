/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where functions leave: followed through this program's own code, written in assembler. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "elf/exits.h"

#ifdef __x86_64__

/*
 * branches: two rets, and one behind a tail jump. ends_in_call: runs on into bytes that are no
 * code, if nothing stops it. through_slot: jumps through the offset table. by_pointer: nobody knows
 * where. loops: never leaves.
 */
__asm__(".pushsection .text\n"
	".globl branches, branches_end, branches_ret1, branches_ret2\n"
	"branches: test %rdi, %rdi\n"
	"	je 1f\n"
	"	call opaque_call\n"
	"branches_ret1: ret\n"
	"1:	cmp $1, %rsi\n"
	"	jne elsewhere\n"
	"branches_ret2: repz ret\n"
	"branches_end: .byte 0, 0, 0\n"
	".globl elsewhere, elsewhere_end, elsewhere_ret\n"
	"elsewhere: nop\n"
	"elsewhere_ret: ret\n"
	"elsewhere_end: nop\n"
	".globl ends_in_call, ends_in_call_end, ends_in_call_ret\n"
	"ends_in_call: test %rdi, %rdi\n"
	"	je 2f\n"
	"ends_in_call_ret: ret\n"
	"2:	call opaque_call\n"
	"ends_in_call_end: .byte 6, 6, 6, 0xc3\n"
	".globl by_pointer, by_pointer_end, by_pointer_jump, by_pointer_ret\n"
	"by_pointer: test %rdi, %rdi\n"
	"	je 3f\n"
	"by_pointer_jump: jmp *%rdi\n"
	"3:\n"
	"by_pointer_ret: ret\n"
	"by_pointer_end: nop\n"
	".globl loops, loops_end\n"
	"loops: jmp loops\n"
	"loops_end: nop\n"
	".globl broken, broken_end\n"
	"broken: nop\n"
	"	.byte 6\n"
	"broken_end: nop\n"
	"opaque_call: ret\n"
	".popsection\n");

#define CODE(name) extern const char name[], name##_end[]
CODE(branches);
CODE(elsewhere);
CODE(ends_in_call);
CODE(by_pointer);
CODE(loops);
CODE(broken);
extern const char branches_ret1[], branches_ret2[], elsewhere_ret[], ends_in_call_ret[];
extern const char by_pointer_jump[], by_pointer_ret[];

static struct extent extents[6];
static struct image *image;
static uint64_t bias;

static uint64_t at(const char *label)
{
	return (uint64_t)label - bias;
}

static int find_bias(struct dl_phdr_info *info, size_t size, void *context)
{
	bias = info->dlpi_addr;
	return 1;
}

static int open_self(void **state)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int error = image_open(&image, fd);

	close(fd);
	dl_iterate_phdr(find_bias, NULL);
	extents[0] = (struct extent){ at(branches), at(branches_end) };
	extents[1] = (struct extent){ at(elsewhere), at(elsewhere_end) };
	extents[2] = (struct extent){ at(ends_in_call), at(ends_in_call_end) };
	extents[3] = (struct extent){ at(by_pointer), at(by_pointer_end) };
	extents[4] = (struct extent){ at(loops), at(loops_end) };
	extents[5] = (struct extent){ at(broken), at(broken_end) };
	return error;
}

static int close_self(void **state)
{
	image_free(image);
	return 0;
}

static int find(struct exits *exits, const char *function)
{
	return exits_find(exits, image, at(function), extents, 6);
}

static void expect_place(const struct exits *exits, size_t i, const char *label, bool unseen)
{
	assert_true(i < exits->places.count);
	assert_int_equal(exits->places.items[i].address, at(label));
	assert_int_equal(exits->places.items[i].unseen, unseen);
}

static void test_branches_and_tail_jumps(void **state)
{
	struct exits exits = { 0 };

	assert_int_equal(find(&exits, branches), 0);
	assert_int_equal(exits.places.count, 3);
	expect_place(&exits, 0, branches_ret1, false);
	expect_place(&exits, 1, branches_ret2, false);
	expect_place(&exits, 2, elsewhere_ret, false);
	exits_clear(&exits);
}

static void test_code_does_not_run_on_behind_its_end(void **state)
{
	struct exits exits = { 0 };

	assert_int_equal(find(&exits, ends_in_call), 0);
	assert_int_equal(exits.places.count, 1);
	expect_place(&exits, 0, ends_in_call_ret, false);
	exits_clear(&exits);
}

static void test_jump_through_a_pointer_is_unseen(void **state)
{
	struct exits exits = { 0 };

	assert_int_equal(find(&exits, by_pointer), 0);
	assert_int_equal(exits.places.count, 2);
	expect_place(&exits, 0, by_pointer_jump, true);
	expect_place(&exits, 1, by_pointer_ret, false);
	exits_clear(&exits);
}

static void test_several_functions_share_exits(void **state)
{
	struct exits exits = { 0 };

	assert_int_equal(find(&exits, elsewhere), 0);
	assert_int_equal(find(&exits, branches), 0);
	assert_int_equal(exits.places.count, 3);
	exits_clear(&exits);
}

static void test_what_cannot_be_followed_adds_nothing(void **state)
{
	struct exits exits = { 0 };

	assert_int_equal(find(&exits, loops), -EINVAL);
	assert_non_null(strstr(error_message(), "never leaves"));
	assert_int_equal(find(&exits, broken), -EINVAL);
	assert_non_null(strstr(error_message(), "decoded"));
	assert_int_equal(exits_find(&exits, image, at(branches), NULL, 0), -EINVAL);
	assert_non_null(strstr(error_message(), "where its code ends"));
	assert_int_equal(exits.places.count, 0);
	exits_clear(&exits);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_branches_and_tail_jumps),
		cmocka_unit_test(test_code_does_not_run_on_behind_its_end),
		cmocka_unit_test(test_jump_through_a_pointer_is_unseen),
		cmocka_unit_test(test_several_functions_share_exits),
		cmocka_unit_test(test_what_cannot_be_followed_adds_nothing),
	};

	return cmocka_run_group_tests(tests, open_self, close_self);
}

#else

int main(void)
{
	return 77; /* followed on x86-64 only */
}

#endif
