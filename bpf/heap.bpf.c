/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Allocator probes. Pairs each call's entry with its return, keeps the live blocks and the sums for
 * each stack. What a function does comes with its probe's cookie (struct abi_probe).
 *
 * A block is removed when its free is entered and inserted when its allocation returns: in the
 * other order another thread that is given the same address would be taken for it.
 */
#include "calls.bpf.h"

extern struct probes_map probes SEC(".maps");
extern __u64 first_hit_ns, last_hit_ns;
extern __u32 held;

/*
 * The compiler must not merge the loads into one with a variable offset: the verifier refuses a
 * context pointer that was added to.
 */
#define ARGUMENT(n)                           \
	case n:                               \
		value = PT_REGS_PARM##n(ctx); \
		barrier_var(value);           \
		break

static __always_inline __u64 argument(struct pt_regs *ctx, __u8 position)
{
	__u64 value = 0;

	switch (position) {
		ARGUMENT(1);
		ARGUMENT(2);
		ARGUMENT(3);
		ARGUMENT(4);
	}
	return value;
}

static __always_inline __u64 bytes_asked(struct pt_regs *ctx, struct abi_probe probe)
{
	__u64 bytes = argument(ctx, probe.size_arg);

	return probe.count_arg ? bytes * argument(ctx, probe.count_arg) : bytes;
}

/* -- open calls -------------------------------------------------------------------------------- */

/* Returns 1 where no return probe is needed: session links skip it then. */
static __always_inline int call_enter(struct pt_regs *ctx, __u64 mm, struct abi_probe probe)
{
	__u64 slot = PT_REGS_SP(ctx), bytes = bytes_asked(ctx, probe);
	struct thread *thread = thread_get(mm);
	struct throwing_call *around;
	struct open_call *call;
	bool drawn;

	/* Probes of the program that was here before exec may still be on. */
	if (!thread || thread->space != probe.space)
		return 1;
	calls_drop_stale(thread, slot);
	if (thread->depth && run_config.session)
		return 1; /* the outer call counts */
	around = throwing_top(thread);
	drawn = around ? around->drawn : draw(bytes);
	if (!drawn && !around && !run_config.mapping && (probe.flags & PROBE_INNERMOST))
		return 1;
	if (thread->depth >= ABI_MAX_OPEN_CALLS) {
		lose(LOSS_NESTED_CALLS, 1);
		return 1;
	}
	thread->depth++;
	call = call_top(thread);
	if (!call)
		return 1;
	call->probe = probe;
	call->function = PT_REGS_IP(ctx) - probe.skip_bytes;
	call->slot = slot;
	call->pointer = argument(ctx, probe.pointer_arg);
	call->bytes = bytes;
	call->drawn = drawn;
	call->has_old = 0;
	if (probe.role == ROLE_REALLOCATE && thread->depth == 1) {
		struct abi_block_key key = block_key(mm, thread->space, call->pointer);

		call->has_old = live_take(&key, &call->old);
	}
	return 0;
}

enum { STRING_PIECE_BYTES = 4096, STRING_PIECES = 64 };
char string_piece[STRING_PIECE_BYTES]; /* shared by all: nobody looks at what is in it */

/* The bytes of a string, with its end. A function of its own: the verifier sees its loop once. */
__noinline __u64 string_bytes(__u64 address)
{
	__u64 bytes = 0;

	for (int i = 0; i < STRING_PIECES; i++) {
		long count = bpf_probe_read_user_str(string_piece, sizeof(string_piece),
						     (void *)(address + bytes));

		if (count <= 0)
			break;
		if (count < STRING_PIECE_BYTES)
			return bytes + count;
		bytes += STRING_PIECE_BYTES - 1;
	}
	lose(LOSS_READ_FAULTS, 1);
	return bytes;
}

/* The block that a call has returned, or 0. */
static __always_inline __u64 call_result(struct pt_regs *ctx, const struct open_call *call)
{
	__u64 address = 0, result = PT_REGS_RC(ctx);

	barrier_var(result);
	if (call->probe.flags & PROBE_RESIZES)
		return result >= call->bytes ? call->pointer : 0;
	if (call->probe.role == ROLE_ALLOCATE_STRING)
		return call->pointer ? 0 : result;
	if (call->probe.role != ROLE_ALLOCATE_OUT)
		return result;
	if ((__u32)result)
		return 0;
	if (bpf_probe_read_user(&address, sizeof(address), (void *)call->pointer))
		lose(LOSS_READ_FAULTS, 1);
	return address;
}

/* Settles the old block of a realloc. Returns the flags of the new one. */
static __always_inline __u32 realloc_settle(const struct thread *thread, struct open_call *call,
					    __u64 result)
{
	struct abi_block_key key = block_key(thread->mm, thread->space, call->pointer);
	bool frees = result || (!call->bytes && (call->probe.flags & PROBE_REALLOC_ZERO_FREES));

	if (!call->pointer)
		return 0;
	if (call->has_old && frees) {
		block_book_free(thread->mm, &call->old);
		return call->old.flags;
	}
	if (call->has_old) {
		if (!live_put(&key, &call->old))
			lose(LOSS_BLOCKS_FULL, 1);
		return 0;
	}
	if (!frees || is_partial())
		return 0;
	count(COUNTER_UNMATCHED_FREES);
	if (!result)
		return 0;
	count(COUNTER_PREEXISTING_BLOCKS);
	return BLOCK_PREEXISTING;
}

/* Books a new block to its stack: function, and what called it. */
static __always_inline void book(struct thread *thread, __u64 function,
				 const struct walk_registers *caller, __u64 address, __u64 bytes,
				 __u32 flags)
{
	struct abi_block block = {};
	struct abi_site *site;
	__u64 stack_id = 0;

	site = site_walk(thread, KIND_HEAP, function, caller, &stack_id);
	if (!site)
		return;
	block.stack_id = stack_id;
	block.bytes = bytes;
	block.flags = flags | (is_sampling() ? BLOCK_SAMPLED : 0);
	block.time_ns = bpf_ktime_get_ns();
	block_insert(thread, address, &block, site);
}

static __always_inline void call_book(struct pt_regs *ctx, struct thread *thread,
				      struct open_call *call)
{
	__u64 result = call_result(ctx, call);
	struct throwing_call *around = throwing_top(thread);
	struct walk_registers registers;
	__u32 flags = 0;

	if (call->probe.role == ROLE_REALLOCATE)
		flags = realloc_settle(thread, call, result);
	if (!result)
		return;
	if (call->probe.role == ROLE_ALLOCATE_STRING) {
		call->bytes = string_bytes(result);
		call->drawn = around ? around->drawn : draw(call->bytes);
	}
	if (around)
		around->inside = result;
	if (!call->drawn)
		return;
	registers.pc = PT_REGS_IP(ctx);
	registers.sp = PT_REGS_SP(ctx);
	registers.bp = USER_BP(ctx);
	book(thread, call->function, &registers, result, call->bytes, flags);
}

static __always_inline int call_return(struct pt_regs *ctx, struct thread *thread)
{
	__u64 slot = PT_REGS_SP(ctx) - RETURN_POPS;
	struct open_call *top;

	for (int i = 0; i < ABI_MAX_OPEN_CALLS; i++) {
		top = call_top(thread);
		if (!top || top->slot >= slot)
			break;
		call_abandon(thread, top);
	}
	top = call_top(thread);
	if (!top || top->slot != slot)
		return 0; /* entered before the attach, or on another stack */
	thread->depth--;
	if (!thread->depth)
		call_book(ctx, thread, top);
	return 0;
}

/* -- calls that may throw ---------------------------------------------------------------------- */

static __always_inline void throwing_enter(struct pt_regs *ctx, __u64 mm, struct abi_probe probe)
{
	__u64 slot = PT_REGS_SP(ctx);
	struct thread *thread = thread_get(mm);
	struct throwing_call *call;

	if (!thread)
		return;
	calls_drop_stale(thread, slot);
	throwing_drop(thread, slot + 1); /* operator new[] has jumped to operator new */
	if (thread->depth)
		return; /* the outer call counts */
	if (thread->throwing_depth >= ABI_MAX_OPEN_CALLS) {
		lose(LOSS_NESTED_CALLS, 1);
		return;
	}
	thread->throwing_depth++;
	call = throwing_top(thread);
	if (!call)
		return;
	call->function = PT_REGS_IP(ctx) - probe.skip_bytes;
	call->slot = slot;
	call->bytes = bytes_asked(ctx, probe);
	call->inside = 0;
	call->drawn = draw(call->bytes);
}

/*
 * At the ret of a function that may throw, or of one that others call, too: only where the stack
 * pointer is that of an open call is it the end of this.
 */
static __always_inline void throwing_leave(struct pt_regs *ctx, struct abi_probe probe)
{
	__u64 slot = PT_REGS_SP(ctx), result = PT_REGS_RC(ctx);
	struct thread *thread = thread_find();
	struct walk_registers registers;
	struct throwing_call *call;
	struct open_call *open;

	if (!thread)
		return;
	throwing_drop(thread, slot);
	call = throwing_top(thread);
	if (!call || call->slot != slot)
		return;
	thread->throwing_depth--;
	barrier_var(result);
	open = call_top(thread);
	if (open && open->slot == slot && return_is_probed(slot))
		return; /* it has jumped to a function whose return is yet to be seen */
	if (probe.flags & PROBE_UNSEEN)
		lose(LOSS_MISSED_RETURNS, 1);
	else if (call->drawn && result && result != call->inside &&
		 !bpf_probe_read_user(&registers.pc, sizeof(registers.pc), (void *)slot)) {
		registers.sp = slot + sizeof(registers.pc);
		registers.bp = USER_BP(ctx);
		book(thread, call->function, &registers, result, call->bytes, 0);
	}
}

/* -- frees ------------------------------------------------------------------------------------- */

/* glibc's realloc(p, 0) calls free(p): the open realloc has taken the block already. */
static __always_inline bool is_taken(__u64 address)
{
	struct thread *thread = thread_find();
	struct open_call *top = thread ? call_top(thread) : NULL;
	bool passed_on = thread && thread->passed_on == address;

	if (passed_on)
		thread->passed_on = 0;
	return passed_on || (top && top->probe.role == ROLE_REALLOCATE && top->pointer == address);
}

/* Probes of the program that was here before exec may still be on: theirs is no free of this one.
 */
static __always_inline void count_unmatched(__u64 mm, struct abi_probe probe)
{
	const struct abi_target *target = bpf_map_lookup_elem(&targets, &mm);

	if (target && target->space == probe.space)
		count(target->flags & TARGET_FORKED ? COUNTER_INHERITED_FREES
						    : COUNTER_UNMATCHED_FREES);
}

/*
 * glibc's code behind free, still its malloc.o. What a thread has freed and still caches is freed
 * once more when it ends, by tcache_thread_shutdown() with __libc_free(): that function is compiled
 * into a caller of it, which follows it (2.26 to 2.41).
 */
enum { OWN_CODE_BYTES = 4 << 10 };

static __always_inline bool is_own_call(struct pt_regs *ctx, struct abi_probe probe)
{
	__u64 function = PT_REGS_IP(ctx) - probe.skip_bytes, caller = 0;

	if (!(probe.flags & PROBE_EMPTIES_CACHES) || probe.pushed_words == PUSHED_UNKNOWN ||
	    user_return_address(ctx, probe.pushed_words, &caller))
		return false;
	return caller - function < OWN_CODE_BYTES;
}

static __always_inline void free_enter(struct pt_regs *ctx, __u64 mm, struct abi_probe probe)
{
	__u64 address = argument(ctx, probe.pointer_arg);
	struct abi_block_key key = block_key(mm, probe.space, address);
	struct abi_block block;
	struct thread *thread;

	if (!address)
		return;
	if (live_take(&key, &block))
		block_book_free(mm, &block);
	else if (!is_taken(address) && !is_partial() && !is_own_call(ctx, probe))
		count_unmatched(mm, probe);
	if (probe.flags & PROBE_PASSES_ON) {
		thread = thread_get(mm);
		if (thread)
			thread->passed_on = address;
	}
}

/* -- programs ---------------------------------------------------------------------------------- */

struct no_programs_map {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
};
/* The programs that name one must be of one kind. */
struct no_programs_map no_programs SEC(".maps");
struct no_programs_map no_session_programs SEC(".maps");

/* bpf_get_attach_cookie: since 5.15, 7adfc6c9b315. */
static __always_inline struct abi_probe probe_of(struct pt_regs *ctx, __u64 mm)
{
	struct abi_probe_key key = { .mm = mm, .address = PT_REGS_IP(ctx) };
	struct abi_probe *known;
	union {
		__u64 cookie;
		struct abi_probe probe;
	} u = {};

	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_attach_cookie)) {
		u.cookie = bpf_get_attach_cookie(ctx);
	} else {
		known = bpf_map_lookup_elem(&probes, &key);
		if (known)
			u.probe = *known;
	}
	return u.probe;
}

/*
 * What is hit costs, also where it counts for nothing: while probes are put on or taken off. For a
 * window, what it has cost a thread at most is the time between its first and last hit.
 */
static __always_inline void hit(void)
{
	count(COUNTER_HITS);
	if (!windowed)
		return;
	last_hit_ns = bpf_ktime_get_ns();
	if (!first_hit_ns)
		first_hit_ns = last_hit_ns;
}

SEC("uprobe")
int heap_enter(struct pt_regs *ctx)
{
	__u64 mm = current_mm();
	struct abi_probe probe;

	stay_on_stack(ctx, &no_programs);
	probe = probe_of(ctx, mm);
	if (probe.role == ROLE_NONE)
		return 0;
	hit();
	if (frozen || held)
		return 0;
	switch (probe.role) {
	case ROLE_FREE:
		free_enter(ctx, mm, probe);
		break;
	case ROLE_ALLOCATE_THROWING:
		throwing_enter(ctx, mm, probe);
		break;
	case ROLE_LEAVE:
		throwing_leave(ctx, probe);
		break;
	default:
		call_enter(ctx, mm, probe);
	}
	return 0;
}

SEC("uprobe")
int heap_return(struct pt_regs *ctx)
{
	struct thread *thread;

	stay_on_stack(ctx, &no_programs);
	hit();
	if (frozen || held)
		return 0;
	thread = thread_find();
	return thread ? call_return(ctx, thread) : 0;
}

/*
 * One program for both ends of a session link (6.13+, d920179b3d48). bpf_get_func_ip gives the
 * probed address at both.
 */
SEC("uprobe")
int heap_session(struct pt_regs *ctx)
{
	struct thread *thread;
	__u64 mm;

	stay_on_stack(ctx, &no_session_programs);
	hit();
	if (frozen || held)
		return 1;
	if (bpf_get_func_ip(ctx) == PT_REGS_IP(ctx)) {
		mm = current_mm();
		return call_enter(ctx, mm, probe_of(ctx, mm));
	}
	thread = thread_find();
	return thread ? call_return(ctx, thread) : 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
