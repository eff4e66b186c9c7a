/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Walks user stacks. Nothing on a stack is taken on trust: each frame's rule comes from the code
 * that the frame is in, each frame must lie above the one before, and a walk that cannot go on says
 * why.
 *
 * The steps are global functions of numbers alone, which the verifier takes one by one (also before
 * 5.12, where pointers into such functions came, commit e5069b9c23b3).
 */
#include "unwind.bpf.h"
#include "unwind_rules.bpf.h"
#include "unwind_span.bpf.h"

extern struct targets_map targets SEC(".maps");
extern struct losses_map losses SEC(".maps");
extern const volatile struct abi_config run_config;

enum {
	STEP_ON = -1, /* a step's result that is no enum abi_end */
	FRAME_MAX = 1 << 20, /* bytes: a frame pointer further up points elsewhere */
};

/* Goes to the caller's frame. Its pc was read from below its sp. */
static __always_inline int arrive(struct walk *walk, __u64 sp, __u64 bp, __u64 pc)
{
	for (int i = 0; i < ABI_MAX_OPEN_CALLS && walk->has_taken; i++) {
		if (walk->taken[i].slot == sp - 8)
			pc = walk->taken[i].return_address;
	}
	walk->sp = sp;
	walk->bp = bp;
	walk->pc = pc;
	return pc ? STEP_ON : END_ROOT;
}

#if defined(__TARGET_ARCH_arm64)
/* The return address without its signature: user addresses have at most 48 bits. */
#define CODE_ADDRESS(word) ((word) & ((1ULL << 48) - 1))
#else
#define CODE_ADDRESS(word) (word)
#endif

/*
 * For code without rows, as JIT compilers make it: the caller's bp and return address lie at bp, as
 * a convention only. What it leads to is believed where it lies behind a call.
 */
__noinline int unwind_step_pointer(__u32 slot)
{
	struct walk *walk = walk_at(slot);
	__u32 identity;
	__u64 bp, pc;
	int step;

	if (!walk)
		return END_READ_FAULT;
	if (!walk->bp) /* the ABI's mark of the outermost frame, where bp is a pointer at all */
		return walk->follows_bp ? END_ROOT : END_NO_TABLE;
	if (walk->bp < walk->sp || walk->bp - walk->sp > FRAME_MAX)
		return END_NO_TABLE;
	if (walk_read(walk, slot, walk->bp, &bp) || walk_read(walk, slot, walk->bp + 8, &pc))
		return END_NO_TABLE;
	step = arrive(walk, walk->bp + 16, bp, CODE_ADDRESS(pc));
	walk->follows_bp = 1;
	identity = walk->identity;
	if (step == STEP_ON && walk->mappings_count &&
	    find_rule(walk, slot, (walk->pc - 1) | RULE_OF_CALL).cfa == RULE_NO_MAPPING)
		step = END_NO_TABLE;
	walk->identity = identity; /* of the frame that is left */
	return step;
}

#if defined(__TARGET_ARCH_x86)
/* Offsets from sp in the trampoline to which a signal handler returns: ucontext_t's gregs. */
enum { SIGFRAME_BP = 120, SIGFRAME_SP = 160, SIGFRAME_PC = 168 };

/* To the code that a signal has interrupted, perhaps on another stack. */
__noinline int unwind_step_signal(__u32 slot)
{
	struct walk *walk = walk_at(slot);
	__u64 bp, sp, pc;

	if (!walk || walk_read(walk, slot, walk->sp + SIGFRAME_BP, &bp) ||
	    walk_read(walk, slot, walk->sp + SIGFRAME_SP, &sp) ||
	    walk_read(walk, slot, walk->sp + SIGFRAME_PC, &pc))
		return END_READ_FAULT;
	walk->sp = sp;
	walk->bp = bp;
	walk->follows_bp = 0;
	walk->pc = pc + 1; /* the instruction at pc has not run: as if behind it */
	return pc ? STEP_ON : END_ROOT;
}

/* Where the caller's frame begins, into *cfa. False: not readable. */
static __always_inline bool find_cfa(struct walk *walk, __u32 slot, union rule rule, __u64 *cfa)
{
	bool from_bp = rule.cfa == CFA_BP || rule.cfa == CFA_BP_DEREF;

	*cfa = (from_bp ? walk->bp : walk->sp) + 8 * (__s64)rule.cfa_offset;
	if (rule.cfa == CFA_PLT)
		*cfa = walk->sp + (((walk->pc - 1) & 15) >= (__u64)rule.cfa_offset ? 16 : 8);
	if (rule.cfa == CFA_SP_DEREF || rule.cfa == CFA_BP_DEREF)
		return !walk_read(walk, slot, *cfa, cfa);
	return true;
}

static __always_inline int step_by_rule(struct walk *walk, __u32 slot, union rule rule)
{
	__u64 cfa, bp, pc, bp_at;

	if (!find_cfa(walk, slot, rule, &cfa))
		return END_READ_FAULT;
	if (cfa <= walk->sp || cfa & 7)
		return END_BAD_FRAME;
	bp = walk->bp;
	bp_at = (rule.cfa == CFA_BP_DEREF ? bp : cfa) + 8 * (__s64)rule.bp_offset;
	if (rule.bp_offset != ROW_BP_SAME && walk_read(walk, slot, bp_at, &bp))
		return END_READ_FAULT;
	if (walk_read(walk, slot, cfa - 8, &pc))
		return END_READ_FAULT;
	walk->follows_bp = 0;
	return arrive(walk, cfa, bp, pc);
}

/* Offsets from bp in an interpreted frame of HotSpot; the same since JDK 8. */
enum { INTERPRETED_METHOD = -24, INTERPRETED_SENDER_SP = -8 };

/* Of a method's identity, too, the answer is cached. */
__noinline int unwind_identify(__u32 slot, __u64 method)
{
	struct walk *walk = walk_at(slot);

	return walk ? find_rule(walk, slot, RULE_OF_METHOD | method).cfa : 0;
}

/* From an interpreted Java frame, whose rule says where its bytecode pointer lies. */
static __always_inline int step_interpreted(struct walk *walk, __u32 slot, union rule rule)
{
	__u64 sp, bp, pc, method;

	if (walk_read(walk, slot, walk->bp + 8 * (__s64)rule.bp_offset, &walk->bytecode) ||
	    walk_read(walk, slot, walk->bp + INTERPRETED_METHOD, &method) ||
	    walk_read(walk, slot, walk->bp + INTERPRETED_SENDER_SP, &sp) ||
	    walk_read(walk, slot, walk->bp, &bp) || walk_read(walk, slot, walk->bp + 8, &pc))
		return END_READ_FAULT;
	if (walk->bp < walk->sp || sp < walk->bp + 16 || sp & 7)
		return END_BAD_FRAME;
	walk->method = method & ABI_FRAME_ADDRESS;
	walk->bytecode &= ABI_FRAME_ADDRESS;
	walk->follows_bp = 0;
	unwind_identify(slot, walk->method);
	return arrive(walk, sp, bp, pc);
}

/* To the caller's frame: STEP_ON, or an enum abi_end. The steps of most frames are its own code. */
__noinline int unwind_step(__u32 slot)
{
	struct walk *walk = walk_at(slot);
	union rule rule;

	if (!walk)
		return END_READ_FAULT;
	if (!walk->has_tables)
		return unwind_step_pointer(slot);
	rule = find_rule(walk, slot, walk->pc - 1);
	switch (rule.cfa) {
	case RULE_NO_MAPPING:
		return END_NO_MAPPING;
	case CFA_NONE:
		return unwind_step_pointer(slot);
	case CFA_ROOT:
		return END_ROOT;
	case CFA_SIGNAL:
		return unwind_step_signal(slot);
	case CFA_INTERPRETED:
		return step_interpreted(walk, slot, rule);
	case CFA_BARRIER:
		return END_BARRIER;
	default:
		return step_by_rule(walk, slot, rule);
	}
}
#else
#define unwind_step unwind_step_pointer
#endif

static __always_inline void begin(struct walk *walk, const struct thread *thread,
				  const struct unwind_registers *registers, __u64 mm)
{
	const struct abi_target *target = bpf_map_lookup_elem(&targets, &mm);

	walk->pc = registers->pc;
	walk->sp = registers->sp;
	walk->bp = registers->bp;
	walk->mm = mm;
	walk->tick = 0;
	walk->mappings_first = target ? target->mappings_first : 0;
	walk->mappings_count = target ? target->mappings_count : 0;
	walk->generation = target ? target->generation : 0;
	walk->has_tables = walk->mappings_count && !run_config.frame_pointers_only;
	walk->follows_bp = 0;
	walk->code = 0;
	walk->identity = 0;
	walk->fresh = registers->fresh;
	walk->found_jvm = 0;
	walk->span_bytes = 0;
	walk->has_taken = thread->depth > 0;
	for (__u32 i = 0; i < ABI_MAX_OPEN_CALLS && walk->has_taken; i++) {
		bool is_open = i < thread->depth;

		walk->taken[i].slot = is_open ? thread->calls[i].slot : 0;
		walk->taken[i].return_address = thread->calls[i].return_address;
	}
}

/* Two stacks are the same where their words are, and what stood behind them. False: no room. */
static __always_inline bool append(struct thread *thread, __u64 word, __u64 identity)
{
	__u32 count = thread->stack.count;

	if (count >= ABI_MAX_WORDS)
		return false;
	thread->stack.frames[count] = word;
	thread->stack.count = count + 1;
	thread->stack_hash = abi_hash(thread->stack_hash, word ^ identity << 32);
	return true;
}

/* The frame that the walk has just left, whose pc was this. */
static __always_inline bool append_frame(struct thread *thread, const struct walk *walk, __u64 pc)
{
	__u64 identity = walk->identity;

	if (walk->method)
		return append(thread, ABI_FRAME_METHOD | identity >> 16 << 48 | walk->method, 0) &&
		       append(thread, identity << 48 | walk->bytecode, 0);
	pc &= ~ABI_FRAME_KINDS;
	if (walk->code)
		return append(thread, ABI_FRAME_COMPILED | pc, 0) && append(thread, identity, 0);
	return append(thread, pc, identity);
}

/*
 * Before 6.7 (10e14e9652bf) the verifier takes no loop that is closed by falling through to
 * its head, as the compiler lays it out where it can skip a part of the first round.
 */
static __always_inline int walk_frames(struct thread *thread, struct walk *walk, __u32 slot)
{
	int left = ABI_MAX_FRAMES, step;

	do {
		__u64 pc;

		barrier();
		pc = walk->pc;
		walk->method = 0;
		step = unwind_step(slot);
		if (!append_frame(thread, walk, pc))
			return END_DEPTH;
		if (step != STEP_ON)
			return step;
	} while (--left);
	return END_DEPTH;
}

int unwind_walk(struct thread *thread, const struct unwind_registers *registers, __u64 mm)
{
	__u32 slot = 0, key = LOSS_SCRATCH_BUSY;
	struct walk *walk = walk_claim(&slot);
	int found_jvm;
	__u64 *loss;

	if (!walk) {
		loss = bpf_map_lookup_elem(&losses, &key);
		if (loss)
			(*loss)++;
		append(thread, registers->pc, 0);
		thread->stack.end = END_READ_FAULT;
		return 0;
	}
	begin(walk, thread, registers, mm);
	thread->stack.end = walk_frames(thread, walk, slot);
	found_jvm = walk->fresh && walk->found_jvm;
	walk_release(walk);
	return found_jvm;
}
