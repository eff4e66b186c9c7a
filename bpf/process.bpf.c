/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which address spaces are watched, and what becomes of them: found at start, exec, exit. */
#include "process.bpf.h"

extern struct jvms_map jvms SEC(".maps");

extern struct wanted_map wanted SEC(".maps");

static __always_inline __u16 new_space(__u32 tgid)
{
	return abi_hash(tgid, bpf_ktime_get_ns()) >> 48;
}

/*
 * Finds the address space of each process that user space wants. It is user space that runs this:
 * the iteration goes over its pid namespace alone.
 */
SEC("iter/task")
int process_find(struct bpf_iter__task *ctx)
{
	struct task_struct *current = (struct task_struct *)bpf_get_current_task();
	struct task_struct *task = ctx->task;
	struct abi_target target = {};
	struct abi_wanted *found;
	struct abi_target *known;
	__u32 pid, tgid;
	__u64 mm;

	if (!task)
		return 0;
	pid_level = BPF_CORE_READ(current, thread_pid, level);
	pid = pid_of(task);
	found = bpf_map_lookup_elem(&wanted, &pid);
	mm = (__u64)task->mm;
	if (!found || found->mm || !mm)
		return 0;
	tgid = task->tgid;
	target.tgid = tgid;
	target.space = new_space(tgid);
	bpf_map_update_elem(&targets, &mm, &target, BPF_NOEXIST);
	/* A target has forked it, perhaps, and that is still to be told. */
	known = bpf_map_lookup_elem(&targets, &mm);
	if (known)
		target.space = known->space;
	bpf_map_update_elem(&tgids, &tgid, &mm, BPF_ANY);
	found->tgid = tgid;
	found->space = target.space;
	found->mm = mm;
	return 0;
}

/* -- what becomes of them ---------------------------------------------------------------------- */

static __always_inline void send(const struct abi_process *event)
{
	struct abi_process *record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);

	if (!record) {
		lose(LOSS_PROCESS_RECORDS, 1);
		return;
	}
	*record = *event;
	record->header.type = RECORD_PROCESS;
	record->header.time_ns = bpf_ktime_get_ns();
	bpf_ringbuf_submit(record, BPF_RB_FORCE_WAKEUP);
}

/* Makes an address space a target and tells event of it. */
static __always_inline void target_begin(struct abi_process *event, struct abi_target *target)
{
	struct abi_target *known = bpf_map_lookup_elem(&targets, &event->mm);

	/* User space may have found it in its container by itself, a moment ago. */
	target->tgid = event->tgid;
	target->space = known && known->tgid == event->tgid ? known->space : new_space(event->tgid);
	event->space = target->space;
	if (bpf_map_update_elem(&targets, &event->mm, target, BPF_ANY) ||
	    bpf_map_update_elem(&tgids, &event->tgid, &event->mm, BPF_ANY))
		lose(LOSS_TARGETS_FULL, 1);
}

/* False: tgid only shares the address space of another (vfork), which goes on. */
static __always_inline bool target_end(__u32 tgid, __u64 mm)
{
	struct abi_target *target = bpf_map_lookup_elem(&targets, &mm);

	bpf_map_delete_elem(&tgids, &tgid);
	if (!target || target->tgid != tgid)
		return false;
	bpf_map_delete_elem(&targets, &mm);
	bpf_map_delete_elem(&jvms, &mm);
	return true;
}

static __always_inline void thread_end(__u32 tid)
{
	struct thread *thread = bpf_map_lookup_elem(&threads, &tid);

	if (!thread)
		return;
	lose(LOSS_MISSED_RETURNS, thread->depth);
	bpf_map_delete_elem(&threads, &tid);
}

/* A fork child has its parent's code at the same addresses: its stacks can be walked at once. */
SEC("raw_tp/sched_process_fork")
int process_fork(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *child = (struct task_struct *)ctx->args[1];
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	__u64 *mm = bpf_map_lookup_elem(&tgids, &tgid);
	struct abi_process event = { .event = PROCESS_FORK };
	struct abi_target *parent, target;

	if (frozen == FROZEN_CLOSED || !mm)
		return 0;
	event.header.tgid = tgid;
	event.header.mm = *mm;
	event.tgid = BPF_CORE_READ(child, tgid);
	event.pid = pid_of(child);
	event.mm = (__u64)BPF_CORE_READ(child, mm);
	if (event.tgid == tgid)
		return 0; /* a thread */
	parent = bpf_map_lookup_elem(&targets, mm);
	if (!parent || event.mm == *mm) {
		bpf_map_update_elem(&tgids, &event.tgid, mm, BPF_ANY); /* vfork: until it execs */
		return 0;
	}
	target = *parent;
	target.flags = TARGET_FORKED;
	target_begin(&event, &target);
	send(&event);
	return 0;
}

SEC("raw_tp/sched_process_exec")
int process_exec(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	__u32 old_tid = ctx->args[1]; /* the leader's now: it has taken over */
	__u64 *mm = bpf_map_lookup_elem(&tgids, &tgid);
	struct abi_process event = { .event = PROCESS_EXEC };
	struct abi_target target = {};
	__u64 old;

	if (frozen == FROZEN_CLOSED || !mm)
		return 0;
	old = *mm;
	thread_end(old_tid);
	if (target_end(tgid, old))
		event.header.mm = old;
	event.header.tgid = tgid;
	event.tgid = tgid;
	event.pid = pid_of(task);
	event.mm = (__u64)BPF_CORE_READ(task, mm);
	target_begin(&event, &target);
	send(&event);
	return 0;
}

SEC("raw_tp/sched_process_exit")
int process_exit(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx->args[0];
	__u64 pid_tgid = bpf_get_current_pid_tgid();
	__u32 tgid = pid_tgid >> 32;
	__u64 *mm = bpf_map_lookup_elem(&tgids, &tgid);
	struct abi_process event = { .event = PROCESS_EXIT };

	if (frozen == FROZEN_CLOSED)
		return 0;
	/* Of several that exit at once, each may find that it is the last: the first one tells. */
	thread_end((__u32)pid_tgid);
	if (!mm)
		return 0;
	if (BPF_CORE_READ(task, signal, live.counter) > 0)
		return 0;
	event.header.tgid = tgid;
	event.header.mm = *mm;
	event.exit_code = BPF_CORE_READ(task, signal, group_exit_code);
	if (!event.exit_code)
		event.exit_code = BPF_CORE_READ(task, exit_code);
	if (target_end(tgid, event.header.mm))
		send(&event);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
