/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Processes by the numbers that user space knows them by. */
#ifndef UNFREED_PROCESS_BPF_H
#define UNFREED_PROCESS_BPF_H

#include "state.bpf.h"

extern struct tgids_map tgids SEC(".maps");
extern __u32 pid_level; /* state.bpf.c */

/* Of a process or thread that lives in user space's pid namespace or one below it. */
static __always_inline __u32 number_of(struct task_struct *task)
{
	return BPF_CORE_READ(task, thread_pid, numbers[pid_level].nr);
}

static __always_inline __u32 pid_of(struct task_struct *task)
{
	return number_of(BPF_CORE_READ(task, group_leader));
}

/* The same of any other: 0 where user space cannot know it. */
static __always_inline __u32 number_if_known(struct task_struct *task)
{
	return BPF_CORE_READ(task, thread_pid, level) < pid_level ? 0 : number_of(task);
}

#endif
