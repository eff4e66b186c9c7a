/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which address spaces are watched, and what becomes of them: found at start, exec, exit. */
#include "state.bpf.h"

extern struct tgids_map tgids SEC(".maps");
extern struct jvms_map jvms SEC(".maps");

/*
 * The id of a thread group in the pid namespace of the current process, which iterates over that
 * namespace alone. User space names processes by it; everything else here goes by global ids.
 */
static __always_inline __u32 id_in_our_namespace(struct task_struct *task)
{
	struct task_struct *current = (struct task_struct *)bpf_get_current_task();
	__u32 level = BPF_CORE_READ(current, thread_pid, level);

	return BPF_CORE_READ(task, group_leader, thread_pid, numbers[level].nr);
}

/*
 * Read once at start: fills in the address space of each thread group that user space asked for,
 * and its global id.
 */
SEC("iter/task")
int process_find(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct abi_target target = {};
	__u64 mm, *wanted;
	__u32 tgid;

	if (!task)
		return 0;
	tgid = id_in_our_namespace(task);
	wanted = bpf_map_lookup_elem(&tgids, &tgid);
	mm = (__u64)task->mm;
	if (!wanted || *wanted || !mm)
		return 0;
	target.tgid = task->tgid;
	bpf_map_update_elem(&targets, &mm, &target, BPF_NOEXIST);
	*wanted = mm;
	return 0;
}

/* The address space of tgid is gone. */
static __always_inline void process_end(__u32 tgid, __u64 mm, enum abi_process_event event,
					__s32 exit_code)
{
	struct abi_process *record;

	bpf_map_delete_elem(&targets, &mm);
	bpf_map_delete_elem(&tgids, &tgid);
	bpf_map_delete_elem(&jvms, &mm);
	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		lose(LOSS_PROCESS_RECORDS, 1);
		return;
	}
	record->header.type = RECORD_PROCESS;
	record->header.tgid = tgid;
	record->header.mm = mm;
	record->header.time_ns = bpf_ktime_get_ns();
	record->event = event;
	record->exit_code = exit_code;
	bpf_ringbuf_submit(record, BPF_RB_FORCE_WAKEUP);
}

static __always_inline void thread_end(__u32 tid)
{
	struct thread *thread = bpf_map_lookup_elem(&threads, &tid);

	if (!thread)
		return;
	lose(LOSS_MISSED_RETURNS, thread->depth);
	bpf_map_delete_elem(&threads, &tid);
}

SEC("raw_tp/sched_process_exec")
int process_exec(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();
	__u32 tgid = pid_tgid >> 32;
	__u64 *mm = bpf_map_lookup_elem(&tgids, &tgid);

	if (frozen)
		return 0;
	/* Also a vfork child's, which ran in a target's address space under its own id. */
	thread_end((__u32)pid_tgid);
	if (mm)
		process_end(tgid, *mm, PROCESS_EXEC, 0);
	return 0;
}

SEC("raw_tp/sched_process_exit")
int process_exit(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx->args[0];
	__u64 pid_tgid = bpf_get_current_pid_tgid();
	__u32 tgid = pid_tgid >> 32;
	__u64 *mm = bpf_map_lookup_elem(&tgids, &tgid);
	__s32 exit_code;

	if (frozen)
		return 0;
	thread_end((__u32)pid_tgid);
	if (!mm || BPF_CORE_READ(task, signal, live.counter) > 0)
		return 0;
	exit_code = BPF_CORE_READ(task, signal, group_exit_code);
	if (!exit_code)
		exit_code = BPF_CORE_READ(task, exit_code);
	process_end(tgid, *mm, PROCESS_EXIT, exit_code);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
