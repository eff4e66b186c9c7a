/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Differences between kernels and machines, each probed at load, none guessed from a version. */
#ifndef UNFREED_KERNEL_BPF_H
#define UNFREED_KERNEL_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#if defined(__TARGET_ARCH_x86)

enum {
	NR_MMAP = 9,
	NR_MPROTECT = 10,
	NR_MUNMAP = 11,
	NR_BRK = 12,
	NR_MREMAP = 25,
	NR_MADVISE = 28
};

/* call pushes the return address, ret pops it. */
#define RETURN_POPS 8
#define user_return_address(r, pushed_words, address) \
	bpf_probe_read_user((address), sizeof(__u64), (void *)(PT_REGS_SP(r) + 8 * (pushed_words)))
#define USER_PC(r) ((r)->ip)
#define USER_SP(r) ((r)->sp)
#define USER_BP(r) ((r)->bp)
/* THREAD_SIZE and TOP_OF_KERNEL_STACK_PADDING without KASAN (arch/x86/include/asm) */
#define KERNEL_STACK_BYTES (4 * 4096)
#define USER_REGS_BYTES sizeof(struct pt_regs)

#elif defined(__TARGET_ARCH_arm64)

enum {
	NR_BRK = 214,
	NR_MUNMAP = 215,
	NR_MREMAP = 216,
	NR_MMAP = 222,
	NR_MPROTECT = 226,
	NR_MADVISE = 233
};

/* bl leaves the return address in x30. */
#define RETURN_POPS 0
#define user_return_address(r, pushed_words, address) (*(address) = (r)->regs[30], 0)
#define USER_PC(r) ((r)->pc)
#define USER_SP(r) ((r)->sp)
#define USER_BP(r) ((r)->regs[29])
#define KERNEL_STACK_BYTES (4 * 4096)
#define USER_REGS_BYTES sizeof(struct pt_regs)

#endif

/* bpf_get_current_task_btf: since 5.11, 3ca1032ab7ab. */
static __always_inline __u64 current_mm(void)
{
	struct task_struct *task;

	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf)) {
		task = bpf_get_current_task_btf();
		return (__u64)task->mm;
	}
	task = (struct task_struct *)bpf_get_current_task();
	return (__u64)BPF_CORE_READ(task, mm);
}

/* Registers of the current thread in user space. bpf_task_pt_regs: since 5.15, dd6e10fbd9fb. */
static __always_inline int current_user_registers(__u64 *pc, __u64 *sp, __u64 *bp)
{
	struct pt_regs *regs;

	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs)) {
		regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	} else {
		struct task_struct *task = (struct task_struct *)bpf_get_current_task();

		regs = (struct pt_regs *)((__u64)BPF_CORE_READ(task, stack) + KERNEL_STACK_BYTES -
					  USER_REGS_BYTES);
	}
	if (bpf_probe_read_kernel(pc, sizeof(*pc), &USER_PC(regs)) ||
	    bpf_probe_read_kernel(sp, sizeof(*sp), &USER_SP(regs)) ||
	    bpf_probe_read_kernel(bp, sizeof(*bp), &USER_BP(regs)))
		return -1;
	return 0;
}

/* Return probes that are pending in one thread, at most so many deep, are searched. */
enum { PENDING_RETURNS = 16 };

/*
 * The return address that the kernel keeps for the return probe on the function whose stack pointer
 * was slot at its entry; the word in the slot is the probes' trampoline. 0: none.
 */
static __always_inline __u64 pending_return_address(__u64 slot)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct return_instance *instance = BPF_CORE_READ(task, utask, return_instances);

	for (int i = 0; i < PENDING_RETURNS && instance; i++) {
		if (BPF_CORE_READ(instance, stack) == slot)
			return BPF_CORE_READ(instance, orig_ret_vaddr);
		instance = BPF_CORE_READ(instance, next);
	}
	return 0;
}

/* Is the word in the slot the return probes' trampoline? (the first word of the xol area) */
static __always_inline bool return_is_probed(__u64 slot)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__u64 trampoline = BPF_CORE_READ(task, mm, uprobes_state.xol_area, vaddr);
	__u64 word = 0;

	bpf_probe_read_user(&word, sizeof(word), (void *)slot);
	return trampoline && word == trampoline;
}

#endif
