/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The system calls that give and take address space. Each successful one of a target becomes a
 * record in the ring, its stack sent before it; user space keeps the intervals.
 */
#include "state.bpf.h"

enum { PROT_EXEC_BIT = 4 };

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

/* One program for all of sys_enter_{mmap,munmap,mremap,brk,mprotect,madvise}. */
SEC("tracepoint")
int mapping_enter(struct trace_event_raw_sys_enter *ctx)
{
	__u64 mm = current_mm();
	struct thread *thread;

	if (frozen || !bpf_map_lookup_elem(&targets, &mm))
		return 0;
	count(COUNTER_SYSCALLS);
	thread = thread_get(mm);
	if (!thread)
		return 0;
	thread->pending.call = mapping_call(ctx->id);
	thread->pending.enter_ns = bpf_ktime_get_ns();
	bpf_probe_read_kernel(thread->pending.args, sizeof(thread->pending.args), ctx->args);
	thread->pending.is_code =
		(thread->pending.call == CALL_MMAP || thread->pending.call == CALL_MPROTECT) &&
		thread->pending.args[2] & PROT_EXEC_BIT;
	return 0;
}

/* Books the caller's stack; 0: it could not be kept. */
static __always_inline __u64 mapping_stack(struct thread *thread)
{
	struct unwind_registers registers;
	struct abi_site *site;

	stack_start(thread, KIND_MAPPING);
	if (current_user_registers(&registers.pc, &registers.sp, &registers.bp))
		return 0;
	for (__u32 i = 0; i < ABI_MAX_OPEN_CALLS; i++) {
		if (i < thread->depth)
			thread->calls[i].return_address =
				pending_return_address(thread->calls[i].slot);
	}
	site = site_walk(thread, &registers);
	if (!site) {
		lose(LOSS_SITES_FULL, 1);
		return 0;
	}
	__sync_fetch_and_add(&site->allocated_blocks, 1);
	return thread->stack_hash;
}

SEC("tracepoint")
int mapping_exit(struct trace_event_raw_sys_exit *ctx)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid(), stack_id = 0;
	__u32 tid = (__u32)pid_tgid, call;
	struct abi_mapping *record;
	struct thread *thread;

	thread = bpf_map_lookup_elem(&threads, &tid);
	if (frozen || !thread)
		return 0;
	call = thread->pending.call;
	thread->pending.call = 0;
	if (!call || call != mapping_call(ctx->id) || (unsigned long)ctx->ret >= -4095UL)
		return 0;
	/* Who gives back is not asked: only what is held has a stack. */
	if (call != CALL_MUNMAP && call != CALL_MADVISE)
		stack_id = mapping_stack(thread);
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
	record->tid = tid;
	record->call = call;
	record->allocator = thread->depth ? 1 + thread->calls[0].probe.row : 0;
	/* Stacks through new code are cut until user space has its rows. */
	bpf_ringbuf_submit(record, thread->pending.is_code ? BPF_RB_FORCE_WAKEUP : ring_flags());
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
