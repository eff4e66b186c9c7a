/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The allocator calls that a thread has open: those whose return is probed, and those that may
 * throw. */
#ifndef UNFREED_CALLS_BPF_H
#define UNFREED_CALLS_BPF_H

#include "live.bpf.h"

static __always_inline struct open_call *call_top(struct thread *thread)
{
	__u64 depth = thread->depth;

	if (!depth)
		return NULL;
	depth--;
	barrier_var(depth); /* the mask is what the verifier sees */
	return &thread->calls[depth & (ABI_MAX_OPEN_CALLS - 1)];
}

/* Forgets a call that can never return. What became of a realloc's old block is not known: it is
 * taken to live. */
static __always_inline void call_abandon(struct thread *thread, const struct open_call *top)
{
	struct abi_block_key key = block_key(thread->mm, thread->space, top->pointer);

	thread->depth--;
	lose(LOSS_MISSED_RETURNS, 1);
	if (top->has_old && !live_put(&key, &top->old))
		lose(LOSS_BLOCKS_FULL, 1);
}

/*
 * Drops calls that were left without a return (longjmp). A call of the same slot is live only where
 * another allocator function has jumped to this one (reallocarray to realloc): then the word in the
 * slot is the return probe's.
 */
static __always_inline void calls_drop_stale(struct thread *thread, __u64 slot)
{
	for (int i = 0; i < ABI_MAX_OPEN_CALLS; i++) {
		struct open_call *top = call_top(thread);

		if (!top || top->slot > slot || (top->slot == slot && return_is_probed(slot)))
			return;
		call_abandon(thread, top);
	}
}

static __always_inline struct throwing_call *throwing_top(struct thread *thread)
{
	__u64 depth = thread->throwing_depth;

	if (!depth)
		return NULL;
	depth--;
	barrier_var(depth);
	return &thread->throwing[depth & (ABI_MAX_OPEN_CALLS - 1)];
}

/* Drops calls that have been left by an exception: nothing lives below the stack pointer. */
static __always_inline void throwing_drop(struct thread *thread, __u64 below)
{
	for (int i = 0; i < ABI_MAX_OPEN_CALLS; i++) {
		struct throwing_call *top = throwing_top(thread);

		if (!top || top->slot >= below)
			return;
		thread->throwing_depth--;
	}
}

#endif
