/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Walks user stacks. Nothing on a stack is taken on trust: each frame's rule comes from the code
 * that the frame is in, each frame must lie above the one before, and a walk that cannot go on says
 * why.
 *
 * The loop holds what most frames need: a cached rule, and a frame that it says all of. The rest is
 * in global functions of numbers alone, which the verifier takes one by one, and which cost most
 * frames no return: mitigations make one worth 20 cycles and more.
 */
#include "unwind.bpf.h"
#include "unwind_rules.bpf.h"
#include "unwind_span.bpf.h"

extern struct targets_map targets SEC(".maps");
extern const volatile struct abi_config run_config;

enum {
	STEP_ON = -1, /* a step's result that is no enum abi_end */
	FRAME_MAX = 1 << 20, /* bytes: a frame pointer further up points elsewhere */
};

/* Where a walk is, while it is not in struct walk. */
struct frame {
	__u64 pc, sp, bp;
};

static __always_inline struct frame frame_of(const struct walk *walk)
{
	return (struct frame){ walk->pc, walk->sp, walk->bp };
}

static __always_inline void keep_frame(struct walk *walk, const struct frame *frame)
{
	walk->pc = frame->pc;
	walk->sp = frame->sp;
	walk->bp = frame->bp;
}

/* Where a return address lies that our probe has taken over: puts that in the place of walk->pc. */
__noinline int unwind_restore(__u32 slot, __u64 address)
{
	struct walk *walk = walk_at(slot);

	for (int i = 0; walk && i < ABI_MAX_OPEN_CALLS; i++) {
		if (walk->taken[i].slot == address)
			walk->pc = walk->taken[i].return_address;
	}
	return 0;
}

/* Goes to the caller's frame, which there is if its pc is not 0. That was read from below its sp.
 */
static __always_inline int arrive(struct walk *walk, __u32 slot, struct frame *frame, __u64 sp,
				  __u64 bp, __u64 pc)
{
	if (walk->has_taken) {
		walk->pc = pc;
		unwind_restore(slot, sp - 8);
		pc = walk->pc;
	}
	*frame = (struct frame){ pc, sp, bp };
	return STEP_ON;
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
static __always_inline int step_pointer(struct walk *walk, __u32 slot, struct frame *frame)
{
	__u64 bp, pc;

	if (!frame->bp) /* the ABI's mark of the outermost frame, where bp is a pointer at all */
		return walk->follows_bp ? END_ROOT : END_NO_TABLE;
	if (frame->bp < frame->sp || frame->bp - frame->sp > FRAME_MAX)
		return END_NO_TABLE;
	if (walk_read(walk, slot, frame->bp, &bp) || walk_read(walk, slot, frame->bp + 8, &pc))
		return END_NO_TABLE;
	arrive(walk, slot, frame, frame->bp + 16, bp, CODE_ADDRESS(pc));
	walk->follows_bp = 1;
	if (frame->pc && walk->mappings_count &&
	    unwind_find(slot, (frame->pc - 1) | RULE_OF_CALL) == RULE_NO_MAPPING)
		return END_NO_TABLE;
	return STEP_ON;
}

/* To the caller, whose frame begins at cfa; its bp lies at bp_at, if the rule has it saved. */
static __always_inline int step_by_rule(struct walk *walk, __u32 slot, struct frame *frame,
					union rule rule, __u64 cfa, __u64 bp_at)
{
	__u64 bp = frame->bp, pc;

	/* Of the difference: else the verifier learns something of both, from each frame more. */
	if ((__s64)(cfa - frame->sp) <= 0 || cfa & 7)
		return END_BAD_FRAME;
	if (rule.bp_offset != ROW_BP_SAME &&
	    walk_read(walk, slot, bp_at + 8 * (__s64)rule.bp_offset, &bp))
		return END_READ_FAULT;
	if (walk_read_aligned(walk, slot, cfa - 8, &pc))
		return END_READ_FAULT;
	walk->follows_bp = 0;
	return arrive(walk, slot, frame, cfa, bp, pc);
}

#if defined(__TARGET_ARCH_x86)
/* Offsets from sp in the trampoline to which a signal handler returns: ucontext_t's gregs. */
enum { SIGFRAME_BP = 120, SIGFRAME_SP = 160, SIGFRAME_PC = 168 };

/* To the code that a signal has interrupted, perhaps on another stack. */
static __always_inline int step_signal(struct walk *walk, __u32 slot, struct frame *frame)
{
	__u64 bp, sp, pc;

	if (walk_read(walk, slot, frame->sp + SIGFRAME_BP, &bp) ||
	    walk_read(walk, slot, frame->sp + SIGFRAME_SP, &sp) ||
	    walk_read(walk, slot, frame->sp + SIGFRAME_PC, &pc))
		return END_READ_FAULT;
	walk->follows_bp = 0;
	/* The instruction at pc has not run: as if behind it. */
	*frame = (struct frame){ pc ? pc + 1 : 0, sp, bp };
	return STEP_ON;
}

static __always_inline int step_dereferenced(struct walk *walk, __u32 slot, struct frame *frame,
					     union rule rule)
{
	bool from_bp = rule.cfa == CFA_BP_DEREF;
	__u64 base = from_bp ? frame->bp : frame->sp, cfa;

	if (walk_read(walk, slot, base + 8 * (__s64)rule.cfa_offset, &cfa))
		return END_READ_FAULT;
	return step_by_rule(walk, slot, frame, rule, cfa, from_bp ? base : cfa);
}

/* Offsets from bp in an interpreted frame of HotSpot; the same since JDK 8. */
enum { INTERPRETED_METHOD = -24, INTERPRETED_SENDER_SP = -8 };

/* From an interpreted Java frame, whose rule says where its bytecode pointer lies. */
static __always_inline int step_interpreted(struct walk *walk, __u32 slot, struct frame *frame,
					    union rule rule)
{
	__u64 at = frame->bp, sp, bp, pc, method;

	if (walk_read(walk, slot, at + 8 * (__s64)rule.bp_offset, &walk->bytecode) ||
	    walk_read(walk, slot, at + INTERPRETED_METHOD, &method) ||
	    walk_read(walk, slot, at + INTERPRETED_SENDER_SP, &sp) ||
	    walk_read(walk, slot, at, &bp) || walk_read(walk, slot, at + 8, &pc))
		return END_READ_FAULT;
	if (at < frame->sp || sp < at + 16 || sp & 7)
		return END_BAD_FRAME;
	walk->method = method & ABI_FRAME_ADDRESS;
	walk->bytecode &= ABI_FRAME_ADDRESS;
	walk->follows_bp = 0;
	/* Of a method's identity, too, the answer is cached. */
	unwind_find(slot, RULE_OF_METHOD | walk->method);
	return arrive(walk, slot, frame, sp, bp, pc);
}

static __always_inline int step_rarely(struct walk *walk, __u32 slot, struct frame *frame,
				       union rule rule)
{
	__u64 cfa;

	if (walk->has_tables && frame->pc >> 48) /* such an address is another question's */
		return END_NO_MAPPING;
	switch (rule.cfa) {
	case RULE_NO_MAPPING:
		return END_NO_MAPPING;
	case CFA_ROOT:
		return END_ROOT;
	case CFA_PLT:
		cfa = frame->sp + (((frame->pc - 1) & 15) >= (__u64)rule.cfa_offset ? 16 : 8);
		return step_by_rule(walk, slot, frame, rule, cfa, cfa);
	case CFA_SIGNAL:
		return step_signal(walk, slot, frame);
	case CFA_SP_DEREF:
	case CFA_BP_DEREF:
		return step_dereferenced(walk, slot, frame, rule);
	case CFA_INTERPRETED:
		return step_interpreted(walk, slot, frame, rule);
	case CFA_BARRIER:
		return END_BARRIER;
	default:
		return step_pointer(walk, slot, frame);
	}
}

enum { HAS_ROWS = 1 };
#else
static __always_inline int step_rarely(struct walk *walk, __u32 slot, struct frame *frame,
				       union rule rule)
{
	return step_pointer(walk, slot, frame);
}

enum { HAS_ROWS = 0 }; /* they are made for x86-64 alone */
#endif

/*
 * Appends one word, or two. Two stacks are the same where their words are, and what tells the code
 * of one from other code. False: there is no room.
 */
static __always_inline bool append(struct walk *walk, __u64 word, __u64 second, __u32 has_second)
{
	__u32 count = walk->stack.count;

	if (count > ABI_MAX_WORDS - 2)
		return false;
	walk->stack.frames[count] = word;
	walk->stack.frames[count + 1] = second;
	walk->stack.count = count + 1 + has_second;
	walk->hash = abi_hash(walk->hash, word ^ second * 0x9e3779b97f4a7c15ULL);
	return true;
}

/* Appends the frame in walk, and goes to its caller's: STEP_ON, or an enum abi_end. */
__noinline int unwind_step(__u32 slot, __u32 word)
{
	struct walk *walk = walk_at(slot);
	union rule rule = { .word = word };
	__u64 first, second;
	struct frame frame;
	int step;

	if (!walk)
		return END_READ_FAULT;
	frame = frame_of(walk);
	first = frame.pc & ~ABI_FRAME_KINDS;
	second = walk->identity;
	walk->method = 0;
	step = step_rarely(walk, slot, &frame, rule);
	keep_frame(walk, &frame);
	if (walk->method) {
		second = walk->identity;
		first = ABI_FRAME_METHOD | second >> 16 << 48 | walk->method;
		second = second << 48 | walk->bytecode;
	}
	return append(walk, first, second, walk->method != 0) ? step : END_DEPTH;
}

static __always_inline void begin(struct walk *walk, bool fresh)
{
	__u64 mm = walk->mm;
	const struct abi_target *target = bpf_map_lookup_elem(&targets, &mm);

	walk->tick = 0;
	walk->mappings_first = target ? target->mappings_first : 0;
	walk->mappings_count = target ? target->mappings_count : 0;
	walk->generation = target ? target->generation : 0;
	walk->has_tables = HAS_ROWS && walk->mappings_count && !run_config.frame_pointers_only;
	walk->cached =
		fresh || !walk->generation || !walk->has_tables ? CACHED_NONE : walk->generation;
	walk->follows_bp = 0;
	walk->found_jvm = 0;
	walk->span_bytes = 0;
	walk->stack.frames[0] = walk->first;
	walk->stack.count = walk->first != 0;
	walk->hash = walk->first ? abi_hash(walk->seed, walk->first) : walk->seed;
}

/*
 * Before 6.7 (10e14e9652bf) the verifier takes no loop that is closed by falling through to
 * its head, as the compiler lays it out where it can skip a part of the first round.
 */
static __always_inline int walk_frames(struct walk *walk, __u32 slot)
{
	struct frame frame = { walk->start.pc, walk->start.sp, walk->start.bp };
	int left = ABI_MAX_FRAMES, step;

	do {
		struct cached_rule cached;
		union rule rule;
		bool is_compiled;
		__u64 word, cfa;

		barrier();
		cached = cached_read(cached_at(frame.pc - 1));
		if (!is_cached(walk, &cached, frame.pc - 1) || is_old(walk, &cached)) {
			unwind_find(slot, frame.pc - 1);
			cached = cached_read(&walk->found);
		}
		rule.word = cached.rule;
		if (rule.cfa == CFA_SP || rule.cfa == CFA_BP) {
			is_compiled = cached.stamp >> 32 != 0;
			word = (frame.pc & ~ABI_FRAME_KINDS) | is_compiled * ABI_FRAME_COMPILED;
			if (!append(walk, word, (__u32)cached.stamp, is_compiled))
				return END_DEPTH;
			cfa = (rule.cfa == CFA_BP ? frame.bp : frame.sp) +
			      8 * (__s64)rule.cfa_offset;
			step = step_by_rule(walk, slot, &frame, rule, cfa, cfa);
		} else {
			keep_frame(walk, &frame);
			walk->identity = cached.stamp;
			step = unwind_step(slot, cached.rule);
			frame = frame_of(walk);
		}
		if (step != STEP_ON)
			return step;
	} while (frame.pc && --left);
	return frame.pc ? END_DEPTH : END_ROOT;
}

__noinline int unwind_walk(__u32 slot, __u32 fresh)
{
	struct walk *walk = walk_at(slot);

	if (!walk)
		return 0;
	begin(walk, fresh);
	walk->stack.end = walk_frames(walk, slot);
	return walk->found_jvm;
}
