/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The system calls that give and take address space. Each successful one of a target becomes a
 * record in the ring, its stack sent before it; user space keeps the intervals.
 *
 * From 7.2 on (trace_call_bpf_faultable) a program here can be preempted, and until its thread runs
 * again the kernel passes over it for all other threads of that CPU, as if it were recursion. So
 * there are copies, attached one behind the other: the first one that runs does the work. What a
 * copy finds of itself or of one behind it is of an earlier call, the other side of which was lost.
 * The work is a program of its own, loaded once: nobody is passed over where it is called.
 */
#include "state.bpf.h"

enum { PROT_EXEC_BIT = 4 };

extern struct tails_map tails SEC(".maps");

/* The number is 32 bits wide, with rubbish above it (struct syscall_tp_t, trace_syscalls.c). */
static __always_inline enum abi_mapping_call mapping_call(int number)
{
	switch (number) {
	case NR_MMAP:
		return CALL_MMAP;
	case NR_MUNMAP:
		return CALL_MUNMAP;
	case NR_MREMAP:
		return CALL_MREMAP;
	case NR_BRK:
		return CALL_BRK;
	case NR_MPROTECT:
		return CALL_MPROTECT;
	case NR_MADVISE:
		return CALL_MADVISE;
	}
	return 0;
}

static __always_inline void enter(const struct trace_event_raw_sys_enter *ctx, __u32 copy)
{
	__u64 mm = current_mm();
	struct thread *thread;

	if (frozen || !bpf_map_lookup_elem(&targets, &mm))
		return;
	thread = thread_get(mm);
	if (!thread)
		return;
	if (thread->pending.enters >= copy) {
		lose(LOSS_MAPPING_CALLS, 1);
		thread->pending.enters = 0;
	}
	thread->pending.enters |= copy;
	thread->pending.exits = 0;
	thread->pending.call = mapping_call(ctx->id);
	thread->pending.enter_ns = bpf_ktime_get_ns();
	bpf_probe_read_kernel(thread->pending.args, sizeof(thread->pending.args), ctx->args);
	thread->pending.is_code =
		(thread->pending.call == CALL_MMAP || thread->pending.call == CALL_MPROTECT) &&
		thread->pending.args[2] & PROT_EXEC_BIT;
}

SEC("tracepoint")
int mapping_book(struct trace_event_raw_sys_exit *ctx)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid(), stack_id = 0;
	__u32 tid = (__u32)pid_tgid, call = mapping_call(ctx->id);
	struct abi_mapping *record;
	struct thread *thread;

	stay_on_stack(ctx, &tails);
	thread = bpf_map_lookup_elem(&threads, &tid);
	if (!thread)
		return 0;
	/* Who gives back is not asked: only what is held has a stack. */
	if (run_config.mapping && call != CALL_MUNMAP && call != CALL_MADVISE)
		stack_id = user_stack(thread, KIND_MAPPING, 0);
	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		lose(LOSS_MAPPING_RECORDS, 1);
		return 0;
	}
	record->header.type = RECORD_MAPPING;
	record->header.tgid = pid_tgid >> 32;
	record->header.mm = thread->mm;
	record->header.time_ns = bpf_ktime_get_ns();
	record->enter_ns = thread->pending.enter_ns;
	record->stack_id = stack_id;
	record->result = ctx->ret;
	for (int i = 0; i < 5; i++)
		record->args[i] = thread->pending.args[i];
	record->call = call;
	record->allocator = thread->depth ? 1 + thread->calls[0].probe.row : 0;
	/* Stacks through new code are cut until user space has its rows. */
	bpf_ringbuf_submit(record, thread->pending.is_code ? BPF_RB_FORCE_WAKEUP : ring_flags());
	return 0;
}

static __always_inline void leave(struct trace_event_raw_sys_exit *ctx, __u32 copy)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid(), call;
	struct thread *thread;

	thread = bpf_map_lookup_elem(&threads, &tid);
	if (frozen || !thread)
		return;
	call = thread->pending.call;
	thread->pending.call = 0;
	thread->pending.enters = 0;
	if (thread->pending.exits >= copy) {
		lose(LOSS_MAPPING_CALLS, 1);
		thread->pending.exits = 0;
	}
	thread->pending.exits |= copy;
	if (!call || call != mapping_call(ctx->id))
		return;
	count(COUNTER_SYSCALLS);
	if ((unsigned long)ctx->ret >= -4095UL)
		return;
	bpf_tail_call(ctx, &tails, 0);
	lose(LOSS_MAPPING_CALLS, 1);
}

/* One pair for all of sys_{enter,exit}_{mmap,munmap,mremap,brk,mprotect,madvise}. */
#define MAPPING_PAIR(number, suffix)                                     \
	SEC("tracepoint")                                                \
	int mapping_enter##suffix(struct trace_event_raw_sys_enter *ctx) \
	{                                                                \
		enter(ctx, 1 << number);                                 \
		return 0;                                                \
	}                                                                \
	SEC("tracepoint")                                                \
	int mapping_exit##suffix(struct trace_event_raw_sys_exit *ctx)   \
	{                                                                \
		leave(ctx, 1 << number);                                 \
		return 0;                                                \
	}

MAPPING_PAIR(0, )
MAPPING_PAIR(1, _2)
MAPPING_PAIR(2, _3)
MAPPING_PAIR(3, _4)
MAPPING_PAIR(4, _5)
MAPPING_PAIR(5, _6)

char LICENSE[] SEC("license") = "Dual BSD/GPL";
