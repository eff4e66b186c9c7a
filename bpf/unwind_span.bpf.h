/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The scratch of a walk, and its window on the stack. A read of user memory costs the same for 8
 * bytes as for 4 KiB, so the stack is read a page at a time and walked in the copy.
 */
#ifndef UNFREED_UNWIND_SPAN_BPF_H
#define UNFREED_UNWIND_SPAN_BPF_H

#include "maps.bpf.h"

enum {
	WALK_SLOTS = 4, /* walks that may have preempted one another on a CPU */
	SPAN_WORDS = 512,
	SPAN_PAGE = 4096, /* what is readable is so up to a multiple of it */
	SPAN_MIN = 512, /* bytes wanted of a page, or else some of the next one too */
	SPAN_NEXT = 1024,
	CLASS_NAME_WORDS = 16,
};

struct walk {
	__u64 slot; /* its own number */
	__u64 claims; /* 1: in use */
	__u64 pc; /* behind the instruction that the frame is at */
	__u64 sp;
	__u64 bp;
	__u64 method; /* of the frame just left, where that was interpreted; else 0 */
	__u64 bytecode; /* where it stood */
	/* Of the rule found last: where the number of its compilation lies, or 0; that number, or
	 * what else tells its code from what was in its place before. */
	__u64 code;
	__u32 identity;
	__u32 tick; /* when the walk was asked for it first; 0: not yet */
	__u64 mm;
	__u32 mappings_first;
	__u32 mappings_count;
	__u32 generation;
	__u8 has_tables;
	__u8 follows_bp; /* the frame was reached by a frame pointer */
	__u8 fresh; /* take no cached rules */
	__u8 found_jvm; /* a rule was searched for in a JVM's code */
	__u8 has_taken; /* there is something in: */
	struct {
		__u64 slot;
		__u64 return_address;
	} taken[ABI_MAX_OPEN_CALLS]; /* return addresses that our probes have replaced */
	__u64 class_name[CLASS_NAME_WORDS]; /* its end, where it is longer */
	__u64 span_start;
	__u64 span_bytes;
	__u64 span[SPAN_WORDS];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WALK_SLOTS);
	__type(key, __u32);
	__type(value, struct walk);
} walks SEC(".maps");

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

/* Moves the window so that it starts at an address that is a multiple of 8. 0: it is readable. */
__noinline int unwind_fill(__u32 slot, __u64 address)
{
	__u64 in_page = SPAN_PAGE - (address & (SPAN_PAGE - 8));
	__u64 bytes = in_page < SPAN_MIN ? SPAN_NEXT : in_page;
	struct walk *walk = walk_at(slot);

	if (!walk)
		return -1;
	walk->span_start = address;
	walk->span_bytes = 0;
	if (bpf_probe_read_user(walk->span, bytes, (void *)address)) {
		/* a stack's last page */
		bytes = in_page;
		if (bpf_probe_read_user(walk->span, bytes, (void *)address))
			return -1;
	}
	walk->span_bytes = bytes;
	return 0;
}

/* The word at an address of the stack. 0, or -1: not readable. */
static __always_inline int walk_read(struct walk *walk, __u32 slot, __u64 address, __u64 *word)
{
	__u64 offset = address - walk->span_start;

	if (address & 7)
		return -1;
	if (offset >= walk->span_bytes) {
		if (unwind_fill(slot, address))
			return -1;
		offset = 0;
	}
	*word = walk->span[offset / 8 % SPAN_WORDS];
	return 0;
}

#endif
