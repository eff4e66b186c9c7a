/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What watching costs: this tool's CPU and memory, and the tax on the machine's system calls. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "collect/internal.h"
#include "collect/skeleton.h"
#include "process/smaps.h"

enum { TAX_RUNS = 20, TAX_CALLS = 500 };

/* The cheapest system call's time: the least of several runs, so that other load does not count. */
double collect_syscall_ns(void)
{
	double best = 1e9;

	for (int run = 0; run < TAX_RUNS; run++) {
		uint64_t start_ns = collect_now_ns();
		double ns;

		for (int i = 0; i < TAX_CALLS; i++)
			syscall(SYS_getppid);
		ns = (double)(collect_now_ns() - start_ns) / TAX_CALLS;
		if (ns < best)
			best = ns;
	}
	return best;
}

/* What the kernel says that a map takes (memlock of its fdinfo; exact since 6.4, 90a5527d7686). */
static uint64_t map_bytes(int fd)
{
	cleanup_fclose FILE *stream = NULL;
	unsigned long long bytes;
	char path[64], line[128];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	stream = fopen(path, "re");
	while (stream && fgets(line, sizeof(line), stream)) {
		if (sscanf(line, "memlock: %llu", &bytes) == 1)
			return bytes;
	}
	return 0;
}

/* What of our memory is theirs: the kernel counts pages of maps that are mapped as those of files,
 * a ring's twice, as it is mapped twice in a row. */
static uint64_t mapped_bytes(void)
{
	struct smaps smaps;
	uint64_t bytes = 0;

	if (smaps_read(&smaps, getpid()))
		return 0;
	vec_for_each (row, &smaps.rows) {
		if (row->map.path && !strcmp(row->map.path, "anon_inode:bpf-map"))
			bytes += row->rss_bytes;
	}
	smaps_free(&smaps);
	return bytes;
}

/* Runs of one program until now, and their time (kernel.bpf_stats_enabled). */
static void add_program(const struct bpf_program *program, uint64_t *runs, uint64_t *ns)
{
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info);

	if (bpf_program__fd(program) < 0 ||
	    bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
		return;
	*runs += info.run_cnt;
	*ns += info.run_time_ns;
}

double collect_program_ns(struct collect *collect)
{
	enum { ENOUGH = 500 };
	const struct unfreed *skeleton = collect->skeleton;
	uint64_t runs = 0, ns = 0, since;
	double mean;

	add_program(skeleton->progs.heap_enter, &runs, &ns);
	add_program(skeleton->progs.heap_return, &runs, &ns);
	add_program(skeleton->progs.heap_session, &runs, &ns);
	since = runs - collect->program_runs;
	if (since < ENOUGH)
		return 0;
	mean = (double)(ns - collect->program_ns) / (double)since;
	collect->program_runs = runs;
	collect->program_ns = ns;
	return mean;
}

void collect_cost(struct collect *collect, struct cost *cost)
{
	uint64_t child_cpu_ns, child_bytes, own_bytes, file_bytes, maps_bytes = mapped_bytes();
	struct rusage usage;
	struct bpf_map *map;

	bpf_object__for_each_map(map, collect->skeleton->obj) cost->kernel_map_bytes +=
		map_bytes(bpf_map__fd(map));
	cost->syscall_tax_ns = collect->syscall_tax_ns;
	cost->attach_ns = collect->opened_ns - collect->start_ns;
	if (getrusage(RUSAGE_SELF, &usage))
		return;
	sandbox_cost(collect->sandbox, &child_cpu_ns, &child_bytes);
	proc_peak(getpid(), &own_bytes, &file_bytes);
	cost->tool_cpu_ns = child_cpu_ns +
			    (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000 +
			    (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
	cost->tool_rss_bytes = child_bytes + own_bytes - (own_bytes > maps_bytes ? maps_bytes : 0);
}
