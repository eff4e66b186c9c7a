/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What every probe does first and last: is it a target, find its thread, count, send a stack. */
#ifndef UNFREED_STATE_BPF_H
#define UNFREED_STATE_BPF_H

#include "kernel.bpf.h"
#include "maps.bpf.h"
#include "unwind.bpf.h"

/* state.bpf.c */
extern struct targets_map targets SEC(".maps");
extern struct threads_map threads SEC(".maps");
extern struct sites_map sites SEC(".maps");
extern struct counters_map counters SEC(".maps");
extern struct losses_map losses SEC(".maps");
extern struct ring_map ring SEC(".maps");
extern const volatile struct abi_config run_config;
extern __u32 frozen; /* enum abi_frozen */
extern __u32 epoch;
extern const struct thread thread_zero;

static __always_inline void count(enum abi_counter counter)
{
	__u32 key = counter;
	__u64 *sum = bpf_map_lookup_elem(&counters, &key);

	if (sum)
		(*sum)++;
}

static __always_inline void lose(enum abi_loss loss, __u64 n)
{
	__u32 key = loss;
	__u64 *sum = bpf_map_lookup_elem(&losses, &key);

	/* Two threads of one CPU may be at it: programs are preempted. */
	if (sum)
		__sync_fetch_and_add(sum, n);
}

/*
 * Keeps the program's variables on the stack of its thread. Since 6.13 (e00931c02568) those of a
 * program with much of them lie in memory of the CPU, which the next thread overwrites that gets
 * there while this one is preempted: in a uprobe, or behind a tail call. That kernel oopses (seen
 * on 7.3.4). A program with a tail call is left alone, also when it is never run.
 */
static __always_inline void stay_on_stack(void *ctx, void *empty)
{
	if (run_config.never)
		bpf_tail_call(ctx, empty, 0);
}

/* The state of the current thread, if its calls are of this epoch. */
static __always_inline struct thread *thread_find(void)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	struct thread *thread = bpf_map_lookup_elem(&threads, &tid);

	return thread && thread->epoch == epoch ? thread : NULL;
}

/* While the probes were off, its calls have returned unseen. */
static __always_inline void thread_renew(struct thread *thread)
{
	thread->epoch = epoch;
	thread->depth = 0;
	thread->throwing_depth = 0;
	thread->passed_on = 0;
}

/* The state of the current thread; a new one only in a target. NULL: none, or no room. */
static __always_inline struct thread *thread_get(__u64 mm)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	struct thread *thread = bpf_map_lookup_elem(&threads, &tid);
	struct abi_target *target;

	if (thread && thread->mm == mm) {
		if (thread->epoch != epoch)
			thread_renew(thread);
		return thread;
	}
	target = bpf_map_lookup_elem(&targets, &mm);
	if (!target)
		return NULL;
	/* In place of one whose end was not seen, perhaps. */
	bpf_map_update_elem(&threads, &tid, &thread_zero, BPF_ANY);
	thread = bpf_map_lookup_elem(&threads, &tid);
	if (!thread) {
		lose(LOSS_THREADS_FULL, 1);
		return NULL;
	}
	thread->mm = mm;
	thread->space = target->space;
	thread->epoch = epoch;
	return thread;
}

/* Wake user space when a quarter of the ring is full; it looks by itself ten times a second. */
static __always_inline __u64 ring_flags(void)
{
	__u64 filled = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA);
	__u64 size = bpf_ringbuf_query(&ring, BPF_RB_RING_SIZE);

	return filled > size / 4 ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

/* Sends the stack that was walked, urgently perhaps. False: the ring is full. */
static __always_inline bool stack_send(struct walk *walk, bool urgent)
{
	struct abi_stack *stack = &walk->stack;
	__u64 flags = urgent ? BPF_RB_FORCE_WAKEUP : ring_flags(), frames;

	stack->header.type = RECORD_STACK;
	stack->header.tgid = bpf_get_current_pid_tgid() >> 32;
	stack->header.mm = walk->mm;
	stack->header.time_ns = bpf_ktime_get_ns();
	stack->stack_id = walk->hash;
	/*
	 * The verifier is to see the bound in the register that is passed. Without the barriers,
	 * clang 19 computes the size from a copy that it did not compare. Nothing is called in
	 * between: not every kernel remembers the bounds of what is spilled.
	 */
	frames = stack->count;
	barrier_var(frames);
	if (frames > ABI_MAX_WORDS)
		frames = ABI_MAX_WORDS;
	barrier_var(frames);
	return bpf_ringbuf_output(&ring, stack, offsetof(struct abi_stack, frames) + frames * 8,
				  flags) == 0;
}

/* A site for a stack that is yet to be sent. NULL: no room. */
static __always_inline struct abi_site *site_new(const struct abi_site_key *key)
{
	struct abi_site zero = {};

	bpf_map_update_elem(&sites, key, &zero, BPF_NOEXIST);
	return bpf_map_lookup_elem(&sites, key);
}

/*
 * Walks to the stack's site, made if it is new. A new stack is walked again without cached rules:
 * what a rule of code that is gone leads to is a stack that nobody has seen. It is sent once, at
 * once where its names may go or code is new; where the ring was full, the next hit tries again.
 * NULL: no room.
 */
static __always_inline struct abi_site *site_of_walk(struct walk *walk, __u32 slot, __u64 *stack_id)
{
	struct abi_site_key key = { .mm = walk->mm };
	struct abi_site *site;
	bool urgent = false;

	unwind_walk(slot, false);
	key.stack_id = walk->hash;
	site = bpf_map_lookup_elem(&sites, &key);
	if (!site) {
		urgent = unwind_walk(slot, true);
		urgent |= walk->stack.end == END_NO_MAPPING;
		key.stack_id = walk->hash;
		site = site_new(&key);
		if (!site)
			lose(LOSS_SITES_FULL, 1);
	}
	if (site && !site->sent && stack_send(walk, urgent))
		site->sent = 1;
	*stack_id = key.stack_id;
	return site;
}

/*
 * The site of the current thread's stack: first, if it is not 0, is an address that is exact; the
 * rest is walked from these registers. NULL: a loss, and counted.
 */
static __always_inline struct abi_site *site_walk(struct thread *thread, enum abi_kind kind,
						  __u64 first,
						  const struct walk_registers *registers,
						  __u64 *stack_id)
{
	__u32 slot = 0;
	struct walk *walk = walk_claim(&slot);
	struct abi_site *site;

	if (!walk) {
		lose(LOSS_SCRATCH_BUSY, 1);
		return NULL;
	}
	walk_start(walk, thread, registers);
	walk->first = first;
	walk->seed = abi_hash(0x9e3779b97f4a7c15ULL, thread->space << 8 | kind);
	walk->stack.kind = kind;
	site = site_of_walk(walk, slot, stack_id);
	walk_release(walk);
	return site;
}

/*
 * The stack of the current thread in user space, as the kernel has interrupted it. behind: how far
 * its pc is to be moved, to be behind an instruction. Returns its id, or 0: it could not be kept.
 */
static __always_inline __u64 user_stack(struct thread *thread, enum abi_kind kind, __u64 behind)
{
	struct walk_registers registers;
	struct abi_site *site;
	__u64 stack_id = 0;

	if (current_user_registers(&registers.pc, &registers.sp, &registers.bp)) {
		lose(LOSS_READ_FAULTS, 1);
		return 0;
	}
	registers.pc += behind;
	for (__u32 i = 0; i < ABI_MAX_OPEN_CALLS; i++) {
		if (i < thread->depth)
			thread->calls[i].return_address =
				pending_return_address(thread->calls[i].slot);
	}
	site = site_walk(thread, kind, 0, &registers, &stack_id);
	if (!site)
		return 0;
	__sync_fetch_and_add(&site->allocated_units, ABI_BLOCK_UNITS);
	return stack_id;
}

#endif
