/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The memory of a walk: where it starts, how far it is, its window on the stack, and the stack that
 * it has found, ready to be sent.
 */
#ifndef UNFREED_WALK_BPF_H
#define UNFREED_WALK_BPF_H

#include "abi.h"

enum {
	WALK_SLOTS = 4, /* walks that may have preempted one another on a CPU */
	SPAN_WORDS = 512,
	CLASS_NAME_WORDS = 16,
};

struct walk_registers {
	__u64 pc; /* looked up at pc - 1: a return address, or the address behind a system call */
	__u64 sp;
	__u64 bp;
};

/* What is known of an address: see unwind_rules.bpf.h. */
struct cached_rule {
	__u64 check;
	__u64 rule; /* generation << 32 | union rule */
	__u64 code; /* where the number lies; LOOK_AGAIN; 0: the generation tells all */
	__u64 stamp; /* walk.tick << 32 | walk.identity */
};

struct walk {
	__u64 slot; /* its own number */
	__u64 claims; /* 1: in use */
	struct walk_registers start;
	__u64 first; /* an address that is exact, before those of the walk; 0: none */
	__u64 seed; /* what the stack's hash begins with */
	__u64 mm;
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
	__u32 mappings_first;
	__u32 mappings_count;
	__u32 generation;
	__u8 has_tables;
	__u8 follows_bp; /* the frame was reached by a frame pointer */
	__u8 found_jvm; /* a rule was searched for in a JVM's code */
	__u8 has_taken; /* there is something in: */
	struct {
		__u64 slot;
		__u64 return_address;
	} taken[ABI_MAX_OPEN_CALLS]; /* return addresses that our probes have replaced */
	struct cached_rule found; /* last, by unwind_find */
	__u64 cached; /* the generation of cached rules that are taken, or CACHED_NONE */
	__u64 class_name[CLASS_NAME_WORDS]; /* its end, where it is longer */
	__u64 hash; /* of the stack: */
	struct abi_stack stack;
	__u64 span_start;
	__u64 span_bytes;
	__u64 span[SPAN_WORDS];
};

#endif
