/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The walk of bpf/unwind.bpf.c, its maps as arrays here, and a small target made word by word. */
#ifndef UNFREED_TESTS_UNWIND_TARGET_H
#define UNFREED_TESTS_UNWIND_TARGET_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "unwind.bpf.c"

/* -- the maps -----------------------------------------------------------------------------------
 */

struct targets_map targets;
struct jvms_map jvms;
struct code_map code_table;
struct rows_map rows;
struct walks_map walks;
/* run_config by its symbol: it is constant to the walk alone. */
volatile struct abi_config settings __asm__("run_config");

enum { MM = 1, CODES = 256, ROWS = 1 << 20, TARGETS = 2 };

static struct {
	struct abi_code codes[CODES];
	uint32_t code_count;
	struct abi_row rows[ROWS];
	uint32_t row_count;
	struct abi_target targets[TARGETS]; /* their mm is 1, 2 */
	struct walk walks[WALK_SLOTS];
	const uint64_t *stack; /* NULL: read our own memory */
	uint64_t stack_start, stack_bytes;
	struct abi_jvm *jvm; /* of MM */
	const uint8_t *memory; /* beside the stack */
	uint64_t memory_start, memory_bytes;
	bool no_calls; /* there is none in the small target's code; else all of it is calls */
	uint64_t reads;
	uint64_t time_ns;
} fake;

__u64 bpf_ktime_get_ns(void)
{
	return fake.time_ns;
}

#define ELEMENT(array, index) \
	((index) < sizeof(array) / sizeof((array)[0]) ? &(array)[index] : NULL)

void *bpf_map_lookup_elem(void *map, const void *key)
{
	uint64_t mm;
	uint32_t index;

	memcpy(&index, key, sizeof(index));
	if (map == &targets) {
		memcpy(&mm, key, sizeof(mm));
		return mm && mm <= TARGETS && fake.targets[mm - 1].tgid ? &fake.targets[mm - 1]
									: NULL;
	}
	if (map == &jvms) {
		memcpy(&mm, key, sizeof(mm));
		return mm == MM ? fake.jvm : NULL;
	}
	if (map == &code_table)
		return ELEMENT(fake.codes, index);
	if (map == &rows)
		return ELEMENT(fake.rows, index);
	if (map == &walks)
		return ELEMENT(fake.walks, index);
	fail_msg("unknown map");
	return NULL;
}

enum { CODE = 0x400000, PLAIN = 0x500000, PLAIN_END = 0x501000, NOP = 0x90 };

long bpf_probe_read_user(void *to, __u32 bytes, const void *from)
{
	struct iovec here = { to, bytes }, there = { (void *)from, bytes };
	uint64_t offset = (uint64_t)from - fake.stack_start;

	fake.reads++;
	assert_true(bytes <= sizeof(fake.walks[0].span));
	if (!fake.stack)
		return process_vm_readv(getpid(), &here, 1, &there, 1, 0) == bytes ? 0 : -1;
	if ((uint64_t)from - fake.memory_start < fake.memory_bytes &&
	    bytes <= fake.memory_start + fake.memory_bytes - (uint64_t)from) {
		memcpy(to, fake.memory + ((uint64_t)from - fake.memory_start), bytes);
		return 0;
	}
	if ((uint64_t)from >= CODE && (uint64_t)from < PLAIN_END) {
		memset(to, fake.no_calls ? NOP : CALL_NEAR, bytes);
		return 0;
	}
	if (offset >= fake.stack_bytes || bytes > fake.stack_bytes - offset)
		return -1;
	memcpy(to, (const uint8_t *)fake.stack + offset, bytes);
	return 0;
}

/* -- a small target ------------------------------------------------------------------------------
 */

/* Rows at CODE + 0x100 * enum function; none at PLAIN. */
enum {
	STACK = 0x7f0000001000,
	STACK_WORDS = 4096,
};

/* Functions of the target: how their frames are unwound. */
enum function {
	F_ROOT,
	F_SP16, /* CFA = sp + 16 */
	F_BP, /* CFA = bp + 16, bp at CFA - 16 */
	F_SP16_BP, /* CFA = sp + 16, bp at CFA - 16 */
	F_NONE,
	F_SIGNAL,
	F_DRAP, /* CFA = *(bp - 8), bp at bp */
	F_BIG, /* CFA = sp + 80,000 */
	F_PLT,
	F_SINK, /* CFA = sp - 8 */
	FUNCTIONS,
};

static const struct abi_row function_rows[FUNCTIONS] = {
	[F_ROOT] = { .cfa = CFA_ROOT },
	[F_SP16] = { .cfa = CFA_SP, .cfa_offset = 2, .bp_offset = ROW_BP_SAME },
	[F_BP] = { .cfa = CFA_BP, .cfa_offset = 2, .bp_offset = -2 },
	[F_SP16_BP] = { .cfa = CFA_SP, .cfa_offset = 2, .bp_offset = -2 },
	[F_NONE] = { .cfa = CFA_NONE },
	[F_SIGNAL] = { .cfa = CFA_SIGNAL },
	[F_DRAP] = { .cfa = CFA_BP_DEREF, .cfa_offset = -1, .bp_offset = 0 },
	[F_BIG] = { .cfa = CFA_SP, .cfa_offset = 10000, .bp_offset = ROW_BP_SAME },
	[F_PLT] = { .cfa = CFA_PLT, .cfa_offset = 11, .bp_offset = ROW_BP_SAME },
	[F_SINK] = { .cfa = CFA_SP, .cfa_offset = -1, .bp_offset = ROW_BP_SAME },
};

static uint64_t stack[STACK_WORDS];
static struct thread thread = { .mm = MM };
static struct walk *walked; /* the last one; NULL: there was no room */

/* A return address in a function: its last byte's successor is the next function's first byte. */
static inline uint64_t in(enum function function)
{
	return CODE + 0x100 * (function + 1);
}

static inline uint64_t at(unsigned int word)
{
	return STACK + 8 * word;
}

static inline int set_up(void **state)
{
	memset(&fake, 0, sizeof(fake));
	memset(rule_cache, 0, sizeof(rule_cache));
	memset(&thread, 0, sizeof(thread));
	thread.mm = MM;
	memset(stack, 0, sizeof(stack));
	settings.frame_pointers_only = 0;
	fake.codes[0] = (struct abi_code){ .start = CODE, .end = CODE + 0x1000, .bias = CODE };
	fake.codes[0].rows_count = FUNCTIONS;
	fake.codes[1] = (struct abi_code){ .start = PLAIN, .end = PLAIN_END };
	for (int i = 0; i < FUNCTIONS; i++) {
		fake.rows[i] = function_rows[i];
		fake.rows[i].pc = 0x100 * i;
	}
	fake.targets[0] = (struct abi_target){ .tgid = 1, .mappings_count = 2, .generation = 1 };
	fake.stack = stack;
	fake.stack_start = STACK;
	fake.stack_bytes = sizeof(stack);
	return 0;
}

/* first: an exact address that goes before; or 0. */
static inline int walk_with(uint64_t first, const struct walk_registers *registers, bool fresh)
{
	uint32_t slot = 0;
	int found_jvm;

	walked = walk_claim(&slot);
	if (!walked)
		return -1;
	walk_start(walked, &thread, registers);
	walked->first = first;
	walked->seed = 0;
	walked->stack.end = END_MAX;
	found_jvm = unwind_walk(slot, fresh);
	walk_release(walked);
	return found_jvm;
}

static inline void walk_from(uint64_t pc, uint64_t sp, uint64_t bp)
{
	struct walk_registers registers = { .pc = pc, .sp = sp, .bp = bp };

	walk_with(0, &registers, false);
	for (int i = 0; i < WALK_SLOTS; i++)
		assert_int_equal(fake.walks[i].claims, 0);
}

static inline void expect_frames(enum abi_end end, const uint64_t *frames, size_t count)
{
	uint64_t hash = 0;

	assert_int_equal(walked->stack.count, count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(walked->stack.frames[i], frames[i]);
		if (frames[i] & ABI_FRAME_KINDS && i + 1 < count) {
			hash = abi_hash(hash, frames[i] ^ frames[i + 1] * 0x9e3779b97f4a7c15ULL);
			assert_int_equal(walked->stack.frames[i + 1], frames[i + 1]);
			i++;
		} else {
			hash = abi_hash(hash, frames[i]);
		}
	}
	assert_int_equal(walked->stack.end, end);
	assert_int_equal(walked->hash, hash);
}

#define EXPECT(end, ...)                                      \
	expect_frames(end, (const uint64_t[]){ __VA_ARGS__ }, \
		      sizeof((const uint64_t[]){ __VA_ARGS__ }) / 8)

#endif
