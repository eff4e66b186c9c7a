/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is kept of each thread of a target: its open allocator calls and its pending system call. A
 * thread cannot run two of our programs at once on this state, so that it needs no lock.
 */
#ifndef UNFREED_THREAD_BPF_H
#define UNFREED_THREAD_BPF_H

#include "abi.h"

/* An allocator's function between its entry and its return. */
struct open_call {
	struct abi_probe probe;
	__u64 function; /* its first byte */
	__u64 slot; /* where its return address lies: the stack pointer at its entry */
	__u64 return_address; /* which our return probe has taken over there; for walks */
	__u64 bytes;
	__u64 pointer; /* the old block, or the place for the new one */
	__u32 drawn; /* its block is to be counted */
	__u32 has_old; /* the old block was in the live set, and is this: */
	struct abi_block old;
};

/* A call of a function that may throw. It counts only what no probed function inside it counts. */
struct throwing_call {
	__u64 function, slot, bytes; /* as above */
	__u64 inside; /* the last block that was allocated inside it, by a probed function */
	__u64 drawn;
};

struct pending_call {
	__u64 enter_ns;
	__u64 args[5];
	__u32 call; /* enum abi_mapping_call, 0: none */
	__u32 is_code; /* it maps something executable */
	__u32 enters,
		exits; /* a bit for each copy of our programs that saw it, see mapping.bpf.c */
};

struct thread {
	__u64 mm; /* its address space */
	__u32 space; /* abi_target.space */
	__u32 epoch; /* in which its calls were entered */
	__u64 depth; /* of calls */
	struct open_call calls[ABI_MAX_OPEN_CALLS];
	__u64 throwing_depth;
	struct throwing_call throwing[ABI_MAX_OPEN_CALLS];
	__u64 passed_on; /* the block whose free is about to be seen once more */
	struct pending_call pending;
};

#endif
