/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Walks a user stack: by unwind rows where the code has some, by frame pointers where it has none.
 * Reads the maps targets, code_table and rows, which user/collect fills.
 */
#ifndef UNFREED_UNWIND_BPF_H
#define UNFREED_UNWIND_BPF_H

#include "maps.bpf.h"

extern struct walks_map walks SEC(".maps");

static __always_inline struct walk *walk_at(__u32 slot)
{
	return bpf_map_lookup_elem(&walks, &slot);
}

/*
 * A slot of this CPU, which no program leaves before its end, but on which one may preempt another.
 * Whoever reads 1 behind its own addition is alone, as all who come later add to it. (An atomic
 * exchange would need 5.12, commit 5ffa25502b5a.)
 *
 * Its number is read back, so that the verifier takes it for any: before 6.2 (be2ef8161572) it
 * would follow what comes behind once for each slot.
 */
static __always_inline struct walk *walk_claim(__u32 *slot)
{
	for (__u32 i = 0; i < WALK_SLOTS; i++) {
		struct walk *walk = walk_at(i);

		if (!walk)
			break;
		__sync_fetch_and_add(&walk->claims, 1);
		if (*(volatile __u64 *)&walk->claims == 1) {
			walk->slot = i;
			*slot = *(volatile __u64 *)&walk->slot;
			return walk;
		}
		__sync_fetch_and_add(&walk->claims, -1);
	}
	return 0;
}

static __always_inline void walk_release(struct walk *walk)
{
	__sync_fetch_and_add(&walk->claims, -1);
}

/* Sets where a walk starts, and the return addresses that our probes have replaced. */
static __always_inline void walk_start(struct walk *walk, const struct thread *thread,
				       const struct walk_registers *registers)
{
	walk->start = *registers;
	walk->mm = thread->mm;
	walk->has_taken = thread->depth > 0;
	for (__u32 i = 0; i < ABI_MAX_OPEN_CALLS && walk->has_taken; i++) {
		bool is_open = i < thread->depth;

		walk->taken[i].slot = is_open ? thread->calls[i].slot : 0;
		walk->taken[i].return_address = thread->calls[i].return_address;
	}
}

/*
 * Walks from walk->start. Leaves in walk->stack.frames walk->first, if there is one, start.pc and
 * the return addresses above it; in walk->hash the hash of walk->seed and all of these; and sets
 * stack.count and end. A return address that lies in a slot of walk->taken is that call's: the word
 * in memory is the return probe's trampoline. fresh: takes no rule from the cache, as its code may
 * have been replaced. Returns 1 where it has searched for the rule of code of a JVM's making, which
 * may go at any time; else 0.
 *
 * A global function of numbers alone, which the verifier takes by itself (also before 5.12, where
 * pointers into such functions came, commit e5069b9c23b3).
 */
int unwind_walk(__u32 slot, __u32 fresh);

#endif
