/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Does a way of attaching uprobes work here? Tried on a function of our own. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "collect/link.h"
#include "process/proc.h"

/* The probed function. Its first instruction is one that the kernel emulates. */
__attribute__((noinline, used, section(".text.link_try"))) static void probed(void)
{
	__asm__ volatile("nop" ::: "memory");
}

static void *call_probed(void *argument)
{
	probed();
	return argument;
}

/* lock *(u64 *)map[0] += 1; return 0 */
static int load_counter(int map_fd, enum link_method method)
{
	struct bpf_insn program[] = {
		{ .code = BPF_LD | BPF_DW | BPF_IMM,
		  .dst_reg = BPF_REG_1,
		  .src_reg = BPF_PSEUDO_MAP_VALUE,
		  .imm = map_fd },
		{ .imm = 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = 1 },
		{ .code = BPF_STX | BPF_DW | BPF_ATOMIC,
		  .dst_reg = BPF_REG_1,
		  .src_reg = BPF_REG_2,
		  .imm = BPF_ADD },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts,
		    .expected_attach_type = method == LINK_SESSION ? ATTACH_UPROBE_SESSION
					    : method == LINK_MULTI ? ATTACH_UPROBE_MULTI
								   : 0);

	return bpf_prog_load(BPF_PROG_TYPE_KPROBE, "unfreed_try", "Dual BSD/GPL", program,
			     sizeof(program) / sizeof(program[0]), &opts);
}

/* Our own function as an offset in the file that it was mapped from. */
static int own_offset(int *file_fd, uint64_t *offset)
{
	uint64_t address = (uintptr_t)probed;
	const struct map *map;
	struct maps maps;
	int error;

	error = maps_read(&maps, getpid());
	if (error)
		return error;
	map = maps_find(&maps, address);
	*offset = map ? address - map->start + map->offset : 0;
	*file_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	maps_free(&maps);
	return *file_fd < 0 ? -errno : 0;
}

/* Calls the probed function from another thread. */
static int count_hits(int map_fd, uint64_t *hits)
{
	pthread_t thread;
	uint32_t key = 0;
	int error;

	error = pthread_create(&thread, NULL, call_probed, NULL);
	if (error)
		return -error;
	pthread_join(thread, NULL);
	return bpf_map_lookup_elem(map_fd, &key, hits) ? -errno : 0;
}

int link_try(enum link_method method)
{
	cleanup_close int map_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "unfreed_try", 4, 8, 1, NULL);
	cleanup_close int program_fd = map_fd < 0 ? -1 : load_counter(map_fd, method);
	cleanup_close int file_fd = -1, link_fd = -1;
	uint64_t offset = 0, cookie = 1, hits = 0;
	struct link_request request = {
		.program_fd = program_fd,
		.pid = getpid(),
		.method = method,
		.offsets = &offset,
		.cookies = &cookie,
		.count = 1,
	};
	int error, fd;

	if (program_fd < 0)
		return error_set(-errno, "cannot load a BPF program: %s", strerror(errno));
	error = own_offset(&file_fd, &offset);
	if (error)
		return error;
	request.file_fd = file_fd;
	link_fd = link_uprobes(&request);
	error = link_fd < 0 ? link_fd : count_hits(map_fd, &hits);
	if (error == -EINVAL || error == -EOPNOTSUPP)
		return error_set(-EOPNOTSUPP, "this kernel has no uprobes of kind '%s'",
				 link_method_name(method));
	if (error)
		return error_set(error, "cannot attach a uprobe (%s) to myself: %s",
				 link_method_name(method), strerror(-error));
	if (!hits)
		return error_set(-EREMCHG, "uprobes of kind '%s' filter by thread on this kernel",
				 link_method_name(method));
	fd = link_fd;
	link_fd = -1;
	return fd;
}

double link_try_call_ns(void)
{
	enum { RUNS = 9, CALLS = 200 };
	double runs[RUNS];

	for (int run = 0; run < RUNS; run++) {
		struct timespec begin, end;
		double ns;
		int at;

		clock_gettime(CLOCK_MONOTONIC, &begin);
		for (int i = 0; i < CALLS; i++)
			probed();
		clock_gettime(CLOCK_MONOTONIC, &end);
		ns = ((double)(end.tv_sec - begin.tv_sec) * 1e9 +
		      (double)(end.tv_nsec - begin.tv_nsec)) /
		     CALLS;
		for (at = run; at && runs[at - 1] > ns; at--)
			runs[at] = runs[at - 1];
		runs[at] = ns;
	}
	return runs[RUNS / 2];
}
