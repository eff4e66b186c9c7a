/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Page faults by stack: who touched the memory that has become resident. A software event that each
 * thread of a target has counts them, once the page is there; those of some pages are recorded.
 */
#include "state.bpf.h"

struct no_fault_programs_map {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
};
struct no_fault_programs_map no_fault_programs SEC(".maps");

SEC("perf_event")
int fault_book(struct bpf_perf_event_data *ctx)
{
	__u64 mm = current_mm();
	struct abi_fault fault = {};
	struct thread *thread;

	stay_on_stack(ctx, &no_fault_programs);
	count(COUNTER_FAULT_RUNS);
	if (frozen || !bpf_map_lookup_elem(&targets, &mm))
		return 0;
	count(COUNTER_FAULTS);
	if (!abi_fault_is_recorded(run_config.fault_seed, ctx->addr))
		return 0;
	thread = thread_get(mm);
	if (!thread)
		return 0;
	/* The instruction that touches it has not run: as if behind it. */
	fault.stack_id = user_stack(thread, KIND_FAULT, 1);
	if (!fault.stack_id)
		return 0;
	fault.header.type = RECORD_FAULT;
	fault.header.tgid = bpf_get_current_pid_tgid() >> 32;
	fault.header.mm = mm;
	fault.header.time_ns = bpf_ktime_get_ns();
	fault.address = ctx->addr;
	if (bpf_ringbuf_output(&ring, &fault, sizeof(fault), ring_flags()))
		lose(LOSS_FAULT_RECORDS, 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
