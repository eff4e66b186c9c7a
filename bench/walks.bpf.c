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

/* All programs do this, so that the empty one bears its cost, too. */
static __always_inline struct thread *start(struct pt_regs *ctx, struct walk_registers *registers)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	struct thread *thread = bpf_map_lookup_elem(&threads, &tid);

	if (!thread) {
		bpf_map_update_elem(&threads, &tid, &thread_zero, BPF_ANY);
		thread = bpf_map_lookup_elem(&threads, &tid);
	}
	registers->sp = PT_REGS_SP(ctx) + RETURN_POPS;
	registers->bp = USER_BP(ctx);
	if (bpf_probe_read_user(&registers->pc, sizeof(registers->pc), (void *)PT_REGS_SP(ctx)))
		return NULL;
	return thread;
}

static __always_inline struct walk *claim(struct thread *thread,
					  const struct walk_registers *registers, __u32 *slot)
{
	struct walk *walk = walk_claim(slot);

	if (!walk)
		return NULL;
	thread->mm = current_mm();
	walk_start(walk, thread, registers);
	walk->first = 0;
	walk->seed = 0;
	return walk;
}

enum { COUNT_EACH = 1024 }; /* frames are counted of so few that it costs nothing */

/* Some are two words. */
static __always_inline void count_frames(const struct walk *walk)
{
	__u32 count = walk->stack.count, frames = 0;
	bool is_second = false;

	for (__u32 i = 0; i < ABI_MAX_WORDS; i++) {
		if (i >= count)
			break;
		frames += !is_second;
		is_second = !is_second && walk->stack.frames[i] & ABI_FRAME_KINDS;
	}
	__sync_fetch_and_add(&seen.counted, 1);
	__sync_fetch_and_add(&seen.frames, frames);
}

static __always_inline bool is_counted(void)
{
	return !(__sync_fetch_and_add(&seen.walks, 1) % COUNT_EACH);
}

static __always_inline int done(struct walk *walk)
{
	if (is_counted())
		count_frames(walk);
	if (walk->stack.end != END_ROOT)
		__sync_fetch_and_add(&seen.incomplete, 1);
	walk_release(walk);
	return 0;
}

SEC("uprobe")
int walk_none(struct pt_regs *ctx)
{
	struct walk_registers registers;
	struct thread *thread = start(ctx, &registers);

	if (thread && is_counted())
		__sync_fetch_and_add(&seen.counted, 1);
	return 0;
}

SEC("uprobe")
int walk_tables(struct pt_regs *ctx)
{
	struct walk_registers registers;
	struct thread *thread = start(ctx, &registers);
	__u32 slot = 0;
	struct walk *walk = thread ? claim(thread, &registers, &slot) : NULL;

	if (!walk)
		return 0;
	unwind_walk(slot, false);
	return done(walk);
}

/* The kernel's own, by frame pointers. */
SEC("uprobe")
int walk_pointers(struct pt_regs *ctx)
{
	struct walk_registers registers;
	struct thread *thread = start(ctx, &registers);
	__u32 slot = 0;
	struct walk *walk = thread ? claim(thread, &registers, &slot) : NULL;
	long bytes;

	if (!walk)
		return 0;
	bytes = bpf_get_stack(ctx, walk->stack.frames, sizeof(walk->stack.frames),
			      BPF_F_USER_STACK);
	walk->stack.count = bytes > 0 ? (__u64)bytes / 8 : 0;
	walk->stack.end = END_ROOT;
	return done(walk);
}

/* With cached rules, and without: do they differ? */
SEC("uprobe")
int walk_twice(struct pt_regs *ctx)
{
	struct walk_registers registers;
	struct thread *thread = start(ctx, &registers);
	__u32 slot = 0;
	struct walk *walk = thread ? claim(thread, &registers, &slot) : NULL;
	__u64 hash, frames, end;

	if (!walk)
		return 0;
	unwind_walk(slot, false);
	hash = walk->hash;
	frames = walk->stack.count;
	end = walk->stack.end;
	unwind_walk(slot, true);
	if (hash != walk->hash || frames != walk->stack.count || end != walk->stack.end)
		__sync_fetch_and_add(&seen.different, 1);
	return done(walk);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
