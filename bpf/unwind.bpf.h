/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Walks a user stack: by unwind rows where the code has some, by frame pointers where it has none.
 * Reads the maps targets, code_table and rows, which user/collect fills.
 */
#ifndef UNFREED_UNWIND_BPF_H
#define UNFREED_UNWIND_BPF_H

#include "thread.bpf.h"
#include <bpf/bpf_helpers.h>

/* The registers that a walk starts with. */
struct unwind_registers {
	__u64 pc; /* looked up at pc - 1: a return address, or the address behind a system call */
	__u64 sp;
	__u64 bp;
	__u64 fresh; /* take no rule from the cache: its code may have been replaced */
};

/*
 * Appends to thread->stack.frames (count says how many stand there already) registers->pc and the
 * return addresses above it, mixes each into thread->stack_hash, and sets count and end. A return
 * address that lies in the slot of one of thread->calls is that call's: the word in memory is the
 * return probe's trampoline. mm names the address space. Returns 1 where a
 * fresh walk has passed code of a JVM's making, which may go at any time; else 0.
 */
__hidden int unwind_walk(struct thread *thread, const struct unwind_registers *registers, __u64 mm);

#endif
