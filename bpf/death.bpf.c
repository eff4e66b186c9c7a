/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Why a target dies: the kernel has chosen it as the victim of a lack of memory, or a signal was
 * sent to it. The sums need no stop here: the victim's SIGKILL is sent before it is marked
 * (__oom_kill_process, mm/oom_kill.c), and no thread of it returns to its code any more.
 */
#include "process.bpf.h"

enum {
	GROUPS_MAX = 16, /* nested control groups that are looked through */
	PAGE_SHIFT = 12,
	/* What was reclaimed in vain, and what CPUs had charged ahead (MEMCG_CHARGE_BATCH), leaves
	 * a group a little below its limit. */
	NEAR_SHARE = 16,
	NEAR_PAGES = 2048,
};

/* Since 6.10 (72ba14deb40a, also in stable kernels) the tracepoint is given the task, and not its
 * number; its record tells which it is. */
struct trace_event_raw_mark_victim___task {
	unsigned int uid;
} __attribute__((preserve_access_index));

static __always_inline __u64 victim_mm(__u64 argument)
{
	struct task_struct *task = (struct task_struct *)argument;
	__u32 id = (__u32)argument;
	struct thread *thread;
	__u64 *mm;

	if (bpf_core_field_exists(struct trace_event_raw_mark_victim___task, uid))
		id = BPF_CORE_READ(task, tgid);
	mm = bpf_map_lookup_elem(&tgids, &id);
	if (mm)
		return *mm;
	/* A thread of it, where its first one has ended. */
	thread = bpf_map_lookup_elem(&threads, &id);
	return thread ? thread->mm : 0;
}

/*
 * The lowest group around the victim that can give no more. Who asked may be in another one:
 * whoever reads or probes the victim's memory has that group charged.
 */
static __always_inline void find_limit(struct abi_victim *victim)
{
	struct mm_struct *mm = (struct mm_struct *)victim->header.mm;
	struct task_struct *task = BPF_CORE_READ(mm, owner);
	int controller = bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id);
	struct mem_cgroup *group =
		(struct mem_cgroup *)BPF_CORE_READ(task, cgroups, subsys[controller]);
	struct page_counter *counter;

	if (!group)
		return;
	counter = (struct page_counter *)((__u64)group + bpf_core_field_offset(group->memory));
	for (__u32 up = 0; up < GROUPS_MAX && counter; up++) {
		__u64 used = BPF_CORE_READ(counter, usage.counter);
		__u64 most = BPF_CORE_READ(counter, max), near = most / NEAR_SHARE;

		if (used + (near < NEAR_PAGES ? near : NEAR_PAGES) >= most) {
			victim->usage_bytes = used << PAGE_SHIFT;
			victim->limit_bytes = most << PAGE_SHIFT;
			victim->groups_up = up;
			return;
		}
		counter = BPF_CORE_READ(counter, parent);
	}
}

static __always_inline bool header_fill(struct abi_header *header, __u32 type, __u64 mm)
{
	const struct abi_target *target = bpf_map_lookup_elem(&targets, &mm);

	if (!target)
		return false;
	header->type = type;
	header->tgid = target->tgid;
	header->mm = mm;
	header->time_ns = bpf_ktime_get_ns();
	return true;
}

/* It runs in the thread that found no memory. */
SEC("raw_tp/mark_victim")
int death_victim(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *current = (struct task_struct *)bpf_get_current_task();
	struct abi_victim victim = {};

	if (frozen || !header_fill(&victim.header, RECORD_VICTIM, victim_mm(ctx->args[0])))
		return 0;
	find_limit(&victim);
	victim.pid = number_if_known(BPF_CORE_READ(current, group_leader));
	victim.tid = number_if_known(current);
	bpf_get_current_comm(victim.comm, sizeof(victim.comm));
	if (bpf_ringbuf_output(&ring, &victim, sizeof(victim), BPF_RB_FORCE_WAKEUP))
		lose(LOSS_PROCESS_RECORDS, 1);
	return 0;
}

enum { SIG_HUP = 1, SIG_INT = 2, SIG_QUIT = 3, SIG_ABRT = 6, SIG_KILL = 9, SIG_TERM = 15 };

/* It runs in whoever sends the signal. */
SEC("raw_tp/signal_generate")
int death_signal(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *current = (struct task_struct *)bpf_get_current_task();
	struct task_struct *task = (struct task_struct *)ctx->args[2];
	struct abi_signal record = { .number = (__u32)ctx->args[0] };
	const __u32 ends = 1 << SIG_HUP | 1 << SIG_INT | 1 << SIG_QUIT | 1 << SIG_ABRT |
			   1 << SIG_KILL | 1 << SIG_TERM;
	__u32 tgid;
	__u64 *mm;

	if (frozen || record.number > SIG_TERM || !(ends >> record.number & 1))
		return 0;
	tgid = BPF_CORE_READ(task, tgid);
	mm = bpf_map_lookup_elem(&tgids, &tgid);
	if (!mm || !header_fill(&record.header, RECORD_SIGNAL, *mm))
		return 0;
	record.pid = number_if_known(BPF_CORE_READ(current, group_leader));
	bpf_get_current_comm(record.comm, sizeof(record.comm));
	if (bpf_ringbuf_output(&ring, &record, sizeof(record), ring_flags()))
		lose(LOSS_PROCESS_RECORDS, 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
