/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Code made at run time: perf maps, and trampolines known by their bytes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "abi.h"
#include "base/vec.h"
#include "symbol/perfmap.h"
#include "unwind/stubs.h"

/* -- perf maps --------------------------------------------------------------------------------- */

enum { ANSWERS = 8 };

struct answers {
	char text[ANSWERS][PERFMAP_NAME_MAX + 64];
};

static void answer(size_t i, const struct symbol_frame *frame, void *context)
{
	struct answers *answers = context;

	assert_in_range(i, 0, ANSWERS - 1);
	assert_string_equal(answers->text[i], "");
	if (frame->name)
		snprintf(answers->text[i], sizeof(answers->text[i]), "%s|%s|%u%s", frame->name,
			 frame->file ? frame->file : "-", frame->line,
			 frame->interpreted ? "|interpreted" : "");
	else
		strcpy(answers->text[i], "-");
}

static void expect_names(const struct perfmap *map, const uint64_t *addresses,
			 const char *const *names, size_t count)
{
	struct answers *answers = mem_alloc(sizeof(*answers));

	perfmap_names(map, addresses, count, answer, answers);
	for (size_t i = 0; i < count; i++)
		assert_string_equal(answers->text[i], names[i]);
	mem_free(answers);
}

/* The name of one address in a map of this text, also when it comes byte by byte. */
static void expect_name(const char *text, uint64_t address, const char *name)
{
	struct perfmap *whole = perfmap_new(), *drops = perfmap_new();

	assert_int_equal(perfmap_take(whole, text, strlen(text)), 0);
	for (const char *at = text; *at; at++)
		assert_int_equal(perfmap_take(drops, at, 1), 0);
	expect_names(whole, &address, &name, 1);
	expect_names(drops, &address, &name, 1);
	perfmap_free(whole);
	perfmap_free(drops);
}

static void test_extent_of_a_line(void **state)
{
	static const char text[] = "1000 20 one\n0x2000 0x10 two words \r\n";

	expect_name(text, 0xfff, "-");
	expect_name(text, 0x1000, "one|-|0");
	expect_name(text, 0x101f, "one|-|0");
	expect_name(text, 0x1020, "-");
	expect_name(text, 0x2008, "two words|-|0");
	expect_name("1000 20 no newline yet", 0x1000, "-");
}

static void test_later_lines_hold(void **state)
{
	static const char text[] = "1000 100 old\n1000 10 new\n1040 10 inside\n0ff8 10 before\n";

	expect_name(text, 0x1000, "before|-|0");
	expect_name(text, 0x1008, "new|-|0");
	expect_name(text, 0x1048, "inside|-|0");
	expect_name(text, 0x1050, "old|-|0");
}

static void test_v8_and_python(void **state)
{
	expect_name("10 8 JS:~get size /app/a b.js:3:20\n", 0x10,
		    "get size|/app/a b.js|3|interpreted");
	expect_name("10 8 JS:*run node:internal/buffer:10:5\n", 0x10,
		    "run|node:internal/buffer|10");
	expect_name("10 8 JS:^run file:///a.mjs:7:1\n", 0x10, "run|file:///a.mjs|7");
	expect_name("10 8 JS:~ /app/x.js:1:1\n", 0x10, "(anonymous)|/app/x.js|1|interpreted");
	expect_name("10 8 JS:*run evalmachine:7\n", 0x10, "run|evalmachine:7|0");
	expect_name("10 8 JS:*\n", 0x10, "(anonymous)|-|0");
	expect_name("10 8 JS:\n", 0x10, "JS:|-|0");
	expect_name("10 8 JS:*f :1:1\n", 0x10, "f|-|1");
	expect_name("10 8 py::A.b:/app/c:d.py\n", 0x10, "A.b|/app/c:d.py|0|interpreted");
	expect_name("10 8 py::<module>\n", 0x10, "<module>|-|0|interpreted");
	expect_name("10 8 py:::x\n", 0x10, ":x|-|0|interpreted");
	expect_name("10 8 Builtin:ArgumentsAdaptor\n", 0x10, "Builtin:ArgumentsAdaptor|-|0");
}

static void test_lines_that_are_none(void **state)
{
	static const char *const lines[] = {
		"",
		" ",
		"10",
		"10 8",
		"10 8 ",
		"10 0 empty",
		"g0 8 x",
		"10 -8 x",
		"0x 8 x",
		"10,8,x",
		"10 100000000 4G",
		"11111111111111110 8 x",
		"-10 8 x",
		"ffffffffffffff00 200 kernel",
		"100000000000000 8 far",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char text[256];

		snprintf(text, sizeof(text), "%s\n20 8 next\n", lines[i]);
		expect_name(text, 0x10, "-");
		expect_name(text, 0x20, "next|-|0");
	}
	expect_name("ffffffffffffff 8 last\n", UINT64_MAX, "-");
}

static void test_long_line_is_cut(void **state)
{
	size_t bytes = 3 * PERFMAP_NAME_MAX;
	char *text = mem_alloc(bytes + 64), *name = mem_alloc(bytes);
	uint64_t address = 0x10;

	memset(name, 'x', bytes - 1);
	snprintf(text, bytes + 64, "10 8 %s\n20 8 y\n", name);
	strcpy(name + PERFMAP_NAME_MAX, "|-|0");
	expect_name(text, address, name);
	expect_name(text, 0x20, "y|-|0");
	mem_free(text);
	mem_free(name);
}

static void test_many_addresses_in_any_order(void **state)
{
	static const uint64_t addresses[] = { 0x30, 0x10, 0x10, 0x1f, 0x20, 0 };
	static const char *const names[] = { "c|-|0", "a|-|0", "a|-|0", "a|-|0", "-", "-" };
	static const char text[] = "30 8 c\n10 10 a\n";
	struct perfmap *map = perfmap_new();

	expect_names(map, addresses, (const char *const[]){ "-", "-", "-", "-", "-", "-" }, 6);
	perfmap_take(map, text, strlen(text));
	expect_names(map, addresses, names, 6);
	perfmap_free(map);
}

static void test_full_map_says_so(void **state)
{
	struct perfmap *map = perfmap_new();
	int error = 0, lines = 0;
	char text[64];

	for (; !error && lines <= PERFMAP_ENTRIES_MAX; lines++) {
		snprintf(text, sizeof(text), "%x 1 f\n", lines);
		error = perfmap_take(map, text, strlen(text));
	}
	assert_int_equal(error, -EFBIG);
	assert_int_equal(lines, PERFMAP_ENTRIES_MAX + 1);
	perfmap_free(map);
}

/* -- trampolines ------------------------------------------------------------------------------- */

static const uint8_t plain[] = { 0x48, 0x83, 0xec, 0x08, 0xff, 0xd1, 0x48, 0x83, 0xc4, 0x08, 0xc3 };
static const uint8_t marked[] = { 0xf3, 0x0f, 0x1e, 0xfa, 0x48, 0x83, 0xec, 0x08,
				  0xff, 0xd1, 0x48, 0x83, 0xc4, 0x08, 0xc3 };

static void fill(uint8_t *bytes, const uint8_t *code, size_t code_bytes, size_t stride)
{
	memset(bytes, 0, STUBS_BYTES);
	for (size_t at = 0; at + code_bytes <= STUBS_BYTES; at += stride)
		memcpy(bytes + at, code, code_bytes);
}

static void test_trampolines(void **state)
{
	uint8_t bytes[STUBS_BYTES];
	struct abi_row row;

	fill(bytes, plain, sizeof(plain), 16);
	assert_true(unwind_stubs(bytes, &row));
	assert_int_equal(row.cfa, CFA_PLT);
	assert_int_equal(row.cfa_offset, 4);
	assert_int_equal(row.bp_offset, ROW_BP_SAME);
	assert_int_equal(row.pc, 0);
	fill(bytes, marked, sizeof(marked), 16);
	assert_true(unwind_stubs(bytes, &row));
	assert_int_equal(row.cfa_offset, 8);
	fill(bytes, plain, sizeof(plain), sizeof(plain));
	assert_true(unwind_stubs(bytes, &row));
	assert_int_equal(row.cfa, CFA_SP);
	assert_int_equal(row.cfa_offset, 2);
}

static void test_other_code_is_no_trampoline(void **state)
{
	uint8_t bytes[STUBS_BYTES];
	struct abi_row row;

	memset(bytes, 0, sizeof(bytes));
	assert_false(unwind_stubs(bytes, &row));
	for (size_t at = 0; at < 2 * 16; at++) {
		size_t last = STUBS_BYTES - 16 + at % 16;

		fill(bytes, plain, sizeof(plain), 16);
		if (at % 16 >= sizeof(plain))
			continue;
		bytes[at < 16 ? at : last] ^= 1;
		assert_false(unwind_stubs(bytes, &row));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_extent_of_a_line),
		cmocka_unit_test(test_later_lines_hold),
		cmocka_unit_test(test_v8_and_python),
		cmocka_unit_test(test_lines_that_are_none),
		cmocka_unit_test(test_long_line_is_cut),
		cmocka_unit_test(test_many_addresses_in_any_order),
		cmocka_unit_test(test_full_map_says_so),
		cmocka_unit_test(test_trampolines),
		cmocka_unit_test(test_other_code_is_no_trampoline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
