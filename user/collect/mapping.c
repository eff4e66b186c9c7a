/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The probes at the system calls that give and take address space, and what passed them by. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/vec.h"
#include "collect/internal.h"
#include "collect/skeleton.h"

static const char *const calls[] = { "mmap", "munmap", "mremap", "brk", "mprotect", "madvise" };

/* See mapping.bpf.c: copies, in the order in which they see a call. */
static const struct {
	const char *enter, *exit;
} pairs[] = {
	{ "mapping_enter", "mapping_exit" },	 { "mapping_enter_2", "mapping_exit_2" },
	{ "mapping_enter_3", "mapping_exit_3" }, { "mapping_enter_4", "mapping_exit_4" },
	{ "mapping_enter_5", "mapping_exit_5" }, { "mapping_enter_6", "mapping_exit_6" },
};

enum { PAIRS = sizeof(pairs) / sizeof(pairs[0]) };

/* Kernels that let such a program be preempted (7.2) have also learnt to let it sleep. */
static bool programs_are_preempted(void)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = BPF_F_SLEEPABLE);
	const struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	cleanup_close int fd =
		bpf_prog_load(BPF_PROG_TYPE_TRACEPOINT, "unfreed_try", "Dual BSD/GPL", program,
			      sizeof(program) / sizeof(program[0]), &opts);

	return fd >= 0;
}

static struct bpf_program *find(const struct collect *collect, const char *name)
{
	return bpf_object__find_program_by_name(collect->skeleton->obj, name);
}

/* Page faults do not tell what is given back. */
bool collect_traces_mapping(const struct collect *collect)
{
	return collect->options.mapping || collect->options.fault;
}

void collect_configure_mapping(struct collect *collect)
{
	bool traced = collect_traces_mapping(collect);

	collect->pairs = !traced ? 0 : programs_are_preempted() ? PAIRS : 1;
	bpf_program__set_autoload(collect->skeleton->progs.mapping_book, traced);
	for (unsigned int i = 0; i < PAIRS; i++) {
		bpf_program__set_autoload(find(collect, pairs[i].enter), i < collect->pairs);
		bpf_program__set_autoload(find(collect, pairs[i].exit), i < collect->pairs);
	}
}

/* One program, on its side of all calls. */
static int attach(struct collect *collect, const char *program, const char *side)
{
	int error = 0;

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]) && !error; i++) {
		char name[32];

		snprintf(name, sizeof(name), "sys_%s_%s", side, calls[i]);
		error = collect_keep_link(collect,
					  link_tracepoint(bpf_program__fd(find(collect, program)),
							  "syscalls", name));
	}
	return error;
}

int collect_attach_mapping(struct collect *collect)
{
	double before_ns = collect_syscall_ns(), tax_ns;
	uint32_t key = 0, book = (uint32_t)bpf_program__fd(collect->skeleton->progs.mapping_book);
	int error = bpf_map_update_elem(bpf_map__fd(collect->skeleton->maps.tails), &key, &book, 0);

	if (error)
		return error_set(error, "cannot call BPF programs: %s", strerror(-error));

	/* Exits first: an exit without its entry is ignored, an entry without its exit would stay.
	 */
	for (unsigned int i = 0; i < collect->pairs && !error; i++)
		error = attach(collect, pairs[i].exit, "exit");
	for (unsigned int i = 0; i < collect->pairs && !error; i++)
		error = attach(collect, pairs[i].enter, "enter");
	/* Below zero by noise, or because another tracer has left: too little to be seen. */
	tax_ns = collect_syscall_ns() - before_ns;
	collect->syscall_tax_ns = tax_ns > 0 ? tax_ns : 0;
	return error;
}

/* How often the kernel has passed over a program (tracepoints: since 6.7, dd8657894c11). */
static uint64_t passed_over(const struct collect *collect, const char *program)
{
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info);

	return bpf_obj_get_info_by_fd(bpf_program__fd(find(collect, program)), &info, &size)
		       ? 0
		       : info.recursion_misses;
}

/*
 * With copies, a call of which nobody saw a side shows by its other side. Without, the program is
 * passed over while somebody on that CPU is preempted within a bpf(2) of any kind, so that both
 * sides may be missed: not more of them than the kernel counts of either, of any process.
 */
uint64_t collect_missed_mapping_calls(struct collect *collect)
{
	uint64_t half_seen = collect_loss(collect, LOSS_MAPPING_CALLS), enters, exits, unseen;

	if (collect->pairs != 1)
		return half_seen;
	enters = passed_over(collect, pairs[0].enter);
	exits = passed_over(collect, pairs[0].exit);
	unseen = enters < exits ? enters : exits;
	return half_seen > unseen ? half_seen : unseen;
}
