/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where probes are put: each rule by the bytes of a function, then this machine's own libc. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <fcntl.h>
#include <gnu/lib-names.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "elf/place.h"
#include "sandbox/sandbox.h"

enum { RETURN = 1, RDI = 1 << 0, RSI = 1 << 1, RDX = 1 << 2, RCX = 1 << 3 };
enum { REFUSED = -1 };

struct rule {
	const char *what;
	const char *code;
	size_t code_bytes;
	bool has_return;
	uint8_t arguments;
	int skip; /* or REFUSED */
	bool emulated;
};

#define CODE(bytes) bytes, sizeof(bytes) - 1

static const struct rule rules[] = {
	{ "malloc: push r12", CODE("\x41\x54\x55\x53"), RETURN, RDI, 0, true },
	{ "free: test rdi, rdi; je", CODE("\x48\x85\xff\x0f\x84\xbf\0\0\0\x55"), 0, RDI, 3, true },
	{ "posix_memalign: cmp byte [rip], 0; push r12",
	  CODE("\x80\x3d\x01\x02\x14\x00\x00\x41\x54\x49\x89\xd4"), RETURN, RDI | RSI | RDX, 7,
	  true },
	{ "memalign: cmp byte [rip], 0; je +7",
	  CODE("\x80\x3d\x71\x0e\x14\x00\x00\x74\x07\xe9\x32\xf6\xff\xff"), RETURN, RDI | RSI, 7,
	  true },
	{ "reallocarray: mul rdx writes the third argument",
	  CODE("\x48\x89\xf0\x48\xf7\xe2\x48\x89\xc6\x70\x05\xe9\0\0\0\0"), RETURN, RDI | RSI | RDX,
	  0, false },
	{ "the same where the third argument is not needed, nor the second",
	  CODE("\x48\x89\xf0\x48\xf7\xe2\x48\x89\xc6\x70\x05\xe9\0\0\0\0"), RETURN, RDI, 9, true },
	{ "mul's hidden rdx alone", CODE("\x48\xf7\xe1\x70\x05"), 0, RDX, 0, false },
	{ "endbr64; push rbp", CODE("\xf3\x0f\x1e\xfa\x55\x48\x89\xe5"), RETURN, RDI, 4, true },
	{ "endbr64; sub rsp: no return probe behind it",
	  CODE("\xf3\x0f\x1e\xfa\x48\x83\xec\x08\xe8\0\0\0\0"), RETURN, RDI, 0, false },
	{ "the same for an entry probe", CODE("\xf3\x0f\x1e\xfa\x48\x83\xec\x08\xe8\0\0\0\0"), 0,
	  RDI, 8, true },
	{ "xor edi, edi: a partial register", CODE("\x31\xff\xe8\0\0\0\0"), 0, RDI, 0, false },
	{ "mov dil, al: a smaller part", CODE("\x40\x88\xc7\xe8\0\0\0\0"), 0, RDI, 0, false },
	{ "cmove rsi, rax: a conditional write", CODE("\x48\x0f\x44\xf0\xe8\0\0\0\0"), 0, RSI, 0,
	  false },
	{ "rep stosb: hidden rdi and rcx", CODE("\xf3\xaa\xe8\0\0\0\0"), 0, RCX, 0, false },
	{ "mov rax, rdi only reads", CODE("\x48\x89\xf8\xe8\0\0\0\0"), RETURN, RDI, 3, true },
	{ "xchg rsp, rax with a return", CODE("\x48\x94\xe8\0\0\0\0"), RETURN, RDI, 0, false },
	{ "ret ends the search", CODE("\x31\xc0\xc3\x90"), RETURN, RDI, 0, false },
	{ "jmp rax ends the search", CODE("\x31\xc0\xff\xe0\x90"), 0, RDI, 0, false },
	{ "loop is a branch that is not emulated", CODE("\x31\xc0\xe2\x02\x90\x90"), 0, RDI, 0,
	  false },
	{ "nop", CODE("\x31\xc0\x90\xc3"), RETURN, RDI, 2, true },
	{ "a long nop is no nop to old kernels", CODE("\x0f\x1f\x44\0\0\xc3"), RETURN, RDI, 0,
	  false },
	{ "pause and xchg ax, ax are stepped over", CODE("\x31\xc0\xf3\x90\x66\x90\x55"), RETURN,
	  RDI, 6, true },
	{ "push rax with REX.W is not emulated", CODE("\x48\x50\xc3"), 0, RDI, 0, false },
	{ "a loop jumps back to the je", CODE("\x48\x85\xff\x74\x05\xff\xc0\xeb\xfa\x90\xc3"), 0,
	  RDI, 0, false },
	{ "a loop jumps back to the nop: the next one", CODE("\x31\xc0\x90\x90\x75\xfc\xc3"), 0,
	  RDI, 3, true },
	{ "a jump to the entry is a call", CODE("\x55\x5d\xeb\xfc"), RETURN, RDI, 0, true },
	{ "hlt", CODE("\xf4"), 0, 0, REFUSED, false },
	{ "int3", CODE("\xcc"), 0, 0, REFUSED, false },
	{ "in al, dx", CODE("\xec"), 0, 0, REFUSED, false },
	{ "syscall", CODE("\x0f\x05"), 0, 0, REFUSED, false },
	{ "lock inc [rdi]", CODE("\xf0\xff\x07"), 0, 0, REFUSED, false },
	{ "notrack jmp rax: a segment prefix", CODE("\x3e\xff\xe0"), 0, 0, REFUSED, false },
	{ "a 16-bit jump", CODE("\x66\xe9\0\0\0\0"), 0, 0, REFUSED, false },
	{ "xchg r8, rax, which the kernel takes for a nop", CODE("\x49\x90"), 0, 0, REFUSED,
	  false },
	{ "mov ss, eax", CODE("\x8e\xd0"), 0, 0, REFUSED, false },
	{ "no instruction", CODE("\x06"), 0, 0, REFUSED, false },
	{ "a cut instruction", CODE("\xe8\0\0"), 0, 0, REFUSED, false },
	{ "no code", CODE(""), 0, 0, REFUSED, false },
};

static struct place place(const struct rule *rule)
{
	return place_probe(&(struct place_request){
		.machine = EM_X86_64,
		.code = (const uint8_t *)rule->code,
		.code_bytes = rule->code_bytes,
		.has_return = rule->has_return,
		.argument_mask = rule->arguments,
	});
}

static void test_rules(void **state)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		const struct rule *rule = &rules[i];
		struct place result = place(rule);
		int skip = result.placed ? result.skip_bytes : REFUSED;

		if (skip != rule->skip || result.emulated != rule->emulated)
			fail_msg("%s: at %d, emulated %d: %s %s", rule->what, skip, result.emulated,
				 result.instruction, result.why);
		assert_int_equal(result.placed, !result.why[0]);
		assert_true(!result.placed || result.instruction[0]);
	}
}

static void test_text_of_the_instruction(void **state)
{
	assert_string_equal(place(&rules[0]).instruction, "push r12");
	assert_string_equal(place(&rules[1]).instruction, "jz 0xc8");
}

static void test_words_pushed(void **state)
{
	static const struct {
		const char *code;
		size_t code_bytes;
		int words;
	} cases[] = {
		{ CODE("\x48\x85\xff\x74\x05\x55"), 0 }, /* test; je */
		{ CODE("\x48\x83\xec\x18\x48\x85\xff\x74\x05"), 3 }, /* sub rsp, 24; test; je */
		{ CODE("\x48\x83\xec\x18\x48\x83\xec\x08\x55"), 4 },
		{ CODE("\x48\x81\xec\x00\x01\0\0\x55"), PLACE_PUSHED_MAX }, /* 256 */
		{ CODE("\x48\x83\xec\x14\x55"), PLACE_PUSHED_MAX }, /* 20 */
		{ CODE("\x48\x83\xe4\xf0\x55"), PLACE_PUSHED_MAX }, /* and rsp, -16 */
		{ CODE("\x48\x83\xec\x70\x48\x83\xec\x70\x55"), PLACE_PUSHED_MAX },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct rule rule = { .code = cases[i].code,
				     .code_bytes = cases[i].code_bytes,
				     .arguments = RDI };

		assert_true(place(&rule).emulated);
		assert_int_equal(place(&rule).pushed_words, cases[i].words);
	}
}

/* A hundred instructions that change nothing, then a push: too far to be a prologue. */
static void test_the_search_is_bounded(void **state)
{
	char code[101];
	struct rule rule = { .code = code, .code_bytes = sizeof(code), .arguments = RDI };

	memset(code, 0xf8, sizeof(code)); /* clc */
	code[100] = 0x55;
	assert_false(place(&rule).emulated);
	code[10] = 0x55;
	assert_int_equal(place(&rule).skip_bytes, 10);
}

static void test_other_machines(void **state)
{
	struct place_request request = { .machine = EM_AARCH64,
					 .code = (const uint8_t *)"\x1f\x20\x03\xd5",
					 .code_bytes = 4 };

	assert_true(place_probe(&request).placed);
	assert_false(place_probe(&request).emulated);
	request.machine = EM_386;
	request.bits32 = true;
	assert_false(place_probe(&request).placed);
}

/* -- this machine's libc ------------------------------------------------------------------------
 */

static int find_libc(struct dl_phdr_info *info, size_t size, void *context)
{
	const char *slash = strrchr(info->dlpi_name, '/');

	if (!slash || strcmp(slash + 1, LIBC_SO))
		return 0;
	*(int *)context = open(info->dlpi_name, O_RDONLY | O_CLOEXEC);
	return 1;
}

static void test_libc_of_this_machine(void **state)
{
	static const struct sandbox_probe_request requests[] = {
		{ "malloc", true, RDI },
		{ "calloc", true, RDI | RSI },
		{ "realloc", true, RDI | RSI },
		{ "memalign", true, RDI | RSI },
		{ "free", false, RDI },
		{ "aligned_alloc", true, RDI | RSI },
		{ "reallocarray", true, RDI | RSI | RDX },
		{ "posix_memalign", true, RDI | RSI | RDX },
		{ "valloc", true, RDI },
		{ "pvalloc", true, RDI },
		{ "no_such_function", true, RDI },
	};
	enum { COUNT = sizeof(requests) / sizeof(*requests), EMULATED = 5 };
	struct sandbox_probe probes[COUNT];
	struct sandbox *sandbox = sandbox_new();
	struct sandbox_image image;
	int fd = -1;

	dl_iterate_phdr(find_libc, &fd);
	if (fd < 0) {
		sandbox_free(sandbox);
		skip();
	}
	assert_int_equal(sandbox_open(sandbox, fd, &image), 0);
	close(fd);
	assert_memory_equal(image.glibc_version, "2.", 2);
	assert_int_equal(sandbox_probes(sandbox, image.id, requests, COUNT, probes), 0);
	for (int i = 0; i < COUNT - 1; i++) {
		const struct sandbox_probe *probe = &probes[i];

		if (!probe->found || !probe->placed)
			fail_msg("%s: found %d, placed %d: %s", requests[i].symbol, probe->found,
				 probe->placed, probe->why);
		/* A build for another processor may begin with endbr64; sub rsp. */
		if (image.machine == EM_X86_64 && i < EMULATED && probe->cost != PLACE_EMULATED)
			fail_msg("%s: single-stepped: %s", requests[i].symbol, probe->instruction);
		assert_true(probe->function_bytes > probe->skip_bytes);
	}
	assert_false(probes[COUNT - 1].found);
	assert_false(probes[COUNT - 1].placed);
	sandbox_free(sandbox);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_text_of_the_instruction),
		cmocka_unit_test(test_words_pushed),
		cmocka_unit_test(test_the_search_is_bounded),
		cmocka_unit_test(test_other_machines),
		cmocka_unit_test(test_libc_of_this_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
