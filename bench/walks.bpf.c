/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Walks and nothing else, for bench/walks.c: at each hit of a probe on a function's first byte, by
 * the tables of a running trace. Linked with the tool's own walk.
 */
#include "kernel.bpf.h"
#include "maps.bpf.h"
#include "unwind.bpf.h"

extern struct threads_map threads SEC(".maps");
extern const struct thread thread_zero;

/* What has been seen; read by user space. */
struct {
	__u64 walks, counted, frames, different, incomplete;
} seen SEC(".bss.walks");

/* All programs look this up, so that the empty one bears its cost, too. */
static __always_inline struct thread *scratch(struct pt_regs *ctx,
					      struct unwind_registers *registers)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	struct thread *thread = bpf_map_lookup_elem(&threads, &tid);

	if (!thread) {
		bpf_map_update_elem(&threads, &tid, &thread_zero, BPF_ANY);
		thread = bpf_map_lookup_elem(&threads, &tid);
	}
	registers->sp = PT_REGS_SP(ctx) + RETURN_POPS;
	registers->bp = USER_BP(ctx);
	registers->fresh = 0;
	if (bpf_probe_read_user(&registers->pc, sizeof(registers->pc), (void *)PT_REGS_SP(ctx)))
		return NULL;
	return thread;
}

static __always_inline void walk(struct thread *thread, struct unwind_registers *registers)
{
	thread->stack.count = 0;
	thread->stack_hash = 0;
	unwind_walk(thread, registers, current_mm());
}

enum { COUNT_EACH = 1024 }; /* frames are counted of so few that it costs nothing */

/* Some are two words. */
static __always_inline void count_frames(const struct thread *thread)
{
	__u32 count = thread->stack.count, frames = 0;
	bool is_second = false;

	for (__u32 i = 0; i < ABI_MAX_WORDS; i++) {
		if (i >= count)
			break;
		frames += !is_second;
		is_second = !is_second && thread->stack.frames[i] & ABI_FRAME_KINDS;
	}
	__sync_fetch_and_add(&seen.counted, 1);
	__sync_fetch_and_add(&seen.frames, frames);
}

static __always_inline void count(const struct thread *thread)
{
	if (!(__sync_fetch_and_add(&seen.walks, 1) % COUNT_EACH))
		count_frames(thread);
	if (thread->stack.end != END_ROOT)
		__sync_fetch_and_add(&seen.incomplete, 1);
}

SEC("uprobe")
int walk_none(struct pt_regs *ctx)
{
	struct unwind_registers registers;
	struct thread *thread = scratch(ctx, &registers);

	if (thread)
		count(thread);
	return 0;
}

SEC("uprobe")
int walk_tables(struct pt_regs *ctx)
{
	struct unwind_registers registers;
	struct thread *thread = scratch(ctx, &registers);

	if (!thread)
		return 0;
	walk(thread, &registers);
	count(thread);
	return 0;
}

/* The kernel's own, by frame pointers. */
SEC("uprobe")
int walk_pointers(struct pt_regs *ctx)
{
	struct unwind_registers registers;
	struct thread *thread = scratch(ctx, &registers);
	long bytes;

	if (!thread)
		return 0;
	bytes = bpf_get_stack(ctx, thread->stack.frames, sizeof(thread->stack.frames),
			      BPF_F_USER_STACK);
	thread->stack.count = bytes > 0 ? (__u64)bytes / 8 : 0;
	count(thread);
	return 0;
}

/* With cached rules, and without: do they differ? */
SEC("uprobe")
int walk_twice(struct pt_regs *ctx)
{
	struct unwind_registers registers;
	struct thread *thread = scratch(ctx, &registers);
	__u64 hash, frames, end;

	if (!thread)
		return 0;
	walk(thread, &registers);
	hash = thread->stack_hash;
	frames = thread->stack.count;
	end = thread->stack.end;
	registers.fresh = 1;
	walk(thread, &registers);
	count(thread);
	if (hash != thread->stack_hash || frames != thread->stack.count || end != thread->stack.end)
		__sync_fetch_and_add(&seen.different, 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
