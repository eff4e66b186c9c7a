/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is known to have been missed, by name, and the plain counters. */
#include "collect/internal.h"
#include "collect/skeleton.h"
#include "process/jail.h"

static uint64_t per_cpu_sum(int fd, uint32_t key)
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t *values, sum = 0;

	if (cpus <= 0)
		return 0;
	values = mem_array((size_t)cpus, sizeof(*values));
	if (!bpf_map_lookup_elem(fd, &key, values)) {
		for (int i = 0; i < cpus; i++)
			sum += values[i];
	}
	mem_free(values);
	return sum;
}

uint64_t collect_loss(struct collect *collect, enum abi_loss loss)
{
	return per_cpu_sum(bpf_map__fd(collect->skeleton->maps.losses), loss);
}

uint64_t collect_counter(struct collect *collect, enum abi_counter counter)
{
	return per_cpu_sum(bpf_map__fd(collect->skeleton->maps.counters), counter);
}

/* By enum abi_loss: a name for JSON, and words for people. */
static const struct counted loss_rows[LOSS_MAX] = {
	[LOSS_BLOCKS_FULL] = { "live_set_full",
			       "allocations not kept: the live set is full, raise "
			       "--max-blocks",
			       0 },
	[LOSS_SITES_FULL] = { "stacks_full",
			      "allocations not kept: too many distinct stacks, raise "
			      "--max-stacks",
			      0 },
	[LOSS_THREADS_FULL] = { "threads_full", "calls not paired: too many threads", 0 },
	[LOSS_NESTED_CALLS] = { "nested_calls", "calls not paired: nested too deep", 0 },
	[LOSS_MISSED_RETURNS] = { "missed_returns", "calls whose return was not seen", 0 },
	[LOSS_REUSED_ADDRESSES] = { "missed_frees",
				    "blocks whose free was not seen (their address "
				    "was handed out again)",
				    0 },
	[LOSS_FAR_ADDRESSES] = { "far_addresses", "blocks not kept: their address is above 2^48",
				 0 },
	[LOSS_READ_FAULTS] = { "read_faults", "results that could not be read", 0 },
	[LOSS_MAPPING_RECORDS] = { "mapping_records", "mapping calls lost: the ring was full", 0 },
	[LOSS_MAPPING_CALLS] = { "mapping_calls", "mapping calls that the kernel did not show", 0 },
	[LOSS_FAULT_RECORDS] = { "fault_records", "page faults lost: the ring was full", 0 },
	[LOSS_PROCESS_RECORDS] = { "process_records", "process events lost: the ring was full", 0 },
	[LOSS_TARGETS_FULL] = { "targets_full", "processes not followed: too many at once", 0 },
	[LOSS_SCRATCH_BUSY] = { "scratch_busy", "calls not kept: too many walks at once on a CPU",
				0 },
};

void collect_losses(struct collect *collect, struct snapshot *snapshot)
{
	int counters = bpf_map__fd(collect->skeleton->maps.counters);
	uint64_t overlaps = collect->forgotten.overlaps, gone = 0;
	const char *last_death;
	uint64_t fault_runs = per_cpu_sum(counters, COUNTER_FAULT_RUNS);

	for (uint32_t i = 0; i < LOSS_MAX; i++) {
		struct counted *loss = vec_add(&snapshot->losses);

		*loss = loss_rows[i];
		loss->count = i == LOSS_MAPPING_CALLS ? collect_missed_mapping_calls(collect)
						      : collect_loss(collect, i);
	}
	vec_for_each (watched, &collect->watched) {
		overlaps += ledger_sums((*watched)->ledger).overlaps;
		gone += watched_probes_gone(*watched);
	}
	*vec_add(&snapshot->losses) =
		(struct counted){ "mapping_overlaps", "mapping calls whose order could not be told",
				  overlaps };
	*vec_add(&snapshot->losses) = (struct counted){
		"late_attaches",
		"processes whose first allocations were missed: they began while watched",
		collect->late_attaches
	};
	*vec_add(&snapshot->losses) =
		(struct counted){ "short_lived",
				  "processes that came and went too fast to be watched",
				  collect->short_lived };
	*vec_add(&snapshot->losses) = (struct counted){
		"missed_faults", "page faults that the kernel counted, but did not show",
		collect->fault_count > fault_runs ? collect->fault_count - fault_runs : 0
	};
	*vec_add(&snapshot->losses) =
		(struct counted){ "pages_full",
				  "recorded page faults not kept: too many, raise --max-blocks",
				  collect->lost_pages };
	*vec_add(&snapshot->losses) =
		(struct counted){ "stacks_lost", "stacks lost: the ring was full",
				  collect->lost_stacks };
	*vec_add(&snapshot->losses) = (struct counted){
		"java_names", "Java frames without a name: their code was gone before it was read",
		collect->java_gone
	};
	*vec_add(&snapshot->losses) = (struct counted){
		"parser_deaths",
		"files of the target whose names are missing: what read them died of it",
		jail_deaths(&last_death)
	};
	*vec_add(&snapshot->losses) = (struct counted){
		"probes_gone", "probes that a debugger took away: calls are missed since", gone
	};
	*vec_add(&snapshot->losses) = (struct counted){
		"forgotten",
		"ended processes, whose sites were let go to make room: they are in the sums alone",
		collect->watched.count ? 0 : collect->forgotten.processes
	};
	snapshot->heap_totals.unmatched_frees = per_cpu_sum(counters, COUNTER_UNMATCHED_FREES);
	snapshot->heap_totals.inherited_frees = per_cpu_sum(counters, COUNTER_INHERITED_FREES);
	snapshot->heap_totals.preexisting_blocks =
		per_cpu_sum(counters, COUNTER_PREEXISTING_BLOCKS);
	snapshot->cost.hits = per_cpu_sum(counters, COUNTER_HITS);
	snapshot->fault_totals.faults = per_cpu_sum(counters, COUNTER_FAULTS);
	snapshot->cost.syscalls = per_cpu_sum(counters, COUNTER_SYSCALLS);
}
