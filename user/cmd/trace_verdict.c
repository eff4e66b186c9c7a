/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cmd/trace_verdict.h"

#include "cmd/heap_sample.h"

enum {
	PROCESSES_MAX = 16, /* of a target: a look takes some 50 ms for each */
	WALK_MAX_NS = 2000000000, /* at 2 GB/s, a heap of 4 GB */
};

void trace_verdict_begin(struct trace_verdict *verdict, const struct target *target)
{
	*verdict = (struct trace_verdict){ 0 };
	verdict->options.walk_max_ns = WALK_MAX_NS;
	verdict->options.heaps_only = true;
	if (target->pids.count <= PROCESSES_MAX)
		heap_look(&verdict->first, &verdict->options, target, NULL);
	verdict->options.heaps_only = false;
}

static bool is_whole(const struct heap_process *process)
{
	return process->walk.arenas.count && !process->walk.cut;
}

static bool was_whole(const struct trace_verdict *verdict, const struct heap_process *process)
{
	vec_for_each (first, &verdict->first.processes) {
		if (first->proc.pid == process->proc.pid &&
		    first->proc.start_ticks == process->proc.start_ticks)
			return is_whole(first);
	}
	return false;
}

void trace_verdict_end(struct trace_verdict *verdict, const struct target *target,
		       struct snapshot *snapshot)
{
	struct heap_report last;

	if (!verdict->first.processes.count)
		return;
	heap_look(&last, &verdict->options, target, &verdict->first);
	vec_for_each (process, &last.processes) {
		if (!is_whole(process) || !was_whole(verdict, process))
			continue;
		*vec_add(&snapshot->verdicts) = (struct process_verdict){
			.pid = process->proc.pid,
			.kind = verdict_name(process->verdict.kind),
			.rule = process->verdict.rule,
			.evidence = snapshot_string(snapshot, process->verdict.evidence),
			.remedy = snapshot_string(snapshot, process->verdict.remedy),
			.gain_bytes = process->verdict.gain_bytes,
			.in_use_bytes = process->sums.in_use_bytes + process->walk.mmapped.bytes,
			.retained_bytes = process->sums.free_resident_bytes,
		};
	}
	heap_report_free(&last);
}

void trace_verdict_free(struct trace_verdict *verdict)
{
	heap_report_free(&verdict->first);
}
