/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The table of features. */
#include "collect/feature.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "collect/debuginfod.h"
#include "collect/link.h"
#include "process/proc.h"

static int try_btf(void)
{
	if (!access("/sys/kernel/btf/vmlinux", R_OK))
		return 0;
	return error_set(-errno, "cannot read /sys/kernel/btf/vmlinux: %s", strerror(errno));
}

/* return 0 */
static int load_nothing(enum bpf_prog_type type)
{
	struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd = bpf_prog_load(type, "unfreed_check", "Dual BSD/GPL", program,
			       sizeof(program) / sizeof(program[0]), NULL);

	return fd < 0 ? error_set(-errno, "cannot load a BPF program: %s", strerror(errno)) : fd;
}

static int try_load(void)
{
	cleanup_close int fd = load_nothing(BPF_PROG_TYPE_KPROBE);

	return fd < 0 ? fd : 0;
}

static int try_ring(void)
{
	cleanup_close int fd =
		bpf_map_create(BPF_MAP_TYPE_RINGBUF, "unfreed_check", 0, 0, 64 * 1024, NULL);

	return fd < 0 ? error_set(-errno, "no BPF ring buffer: %s", strerror(errno)) : 0;
}

static int try_method(enum link_method method)
{
	cleanup_close int fd = link_try(method);

	return fd < 0 ? fd : 0;
}

static int try_perf(void)
{
	return try_method(LINK_PERF);
}

static int try_multi(void)
{
	return try_method(LINK_MULTI);
}

static int try_session(void)
{
	return try_method(LINK_SESSION);
}

static int try_tracepoint(void)
{
	cleanup_close int program_fd = load_nothing(BPF_PROG_TYPE_TRACEPOINT);
	cleanup_close int fd = -1;

	if (program_fd < 0)
		return program_fd;
	fd = link_tracepoint(program_fd, "syscalls", "sys_exit_brk");
	return fd < 0 ? fd : 0;
}

static int try_process_events(void)
{
	cleanup_close int program_fd = load_nothing(BPF_PROG_TYPE_RAW_TRACEPOINT);
	cleanup_close int fd = -1;

	if (program_fd < 0)
		return program_fd;
	fd = link_raw_tracepoint(program_fd, "sched_process_exit");
	return fd < 0 ? fd : 0;
}

/* Our own first mapping, by the way that a target's are opened. */
static int try_map_files(void)
{
	struct maps maps;
	char path[96];
	int error;

	error = maps_read(&maps, getpid());
	if (error)
		return error;
	error = -ENOENT;
	vec_for_each (map, &maps.rows) {
		cleanup_close int fd = -1;

		if (!map->inode)
			continue;
		snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx",
			 (unsigned long)map->start, (unsigned long)map->end);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		error = fd < 0 ? -errno : 0;
		break;
	}
	maps_free(&maps);
	return error ? error_set(error, "cannot open /proc/self/map_files: %s", strerror(-error))
		     : 0;
}

/* CAP_SYS_PTRACE (19): what /proc asks of who reads another's maps and memory. */
static int try_other_process(void)
{
	cleanup_fclose FILE *stream = fopen("/proc/self/status", "re");
	unsigned long long capabilities = 0;
	char line[256];

	while (stream && fgets(line, sizeof(line), stream)) {
		if (sscanf(line, "CapEff: %llx", &capabilities) == 1)
			break;
	}
	return capabilities >> 19 & 1
		       ? 0
		       : error_set(-EPERM, "no CAP_SYS_PTRACE: other users' processes are closed");
}

/* "none [integrity] confidentiality": the last forbids BPF to read memory. */
static int try_lockdown(void)
{
	cleanup_close int fd = open("/sys/kernel/security/lockdown", O_RDONLY | O_CLOEXEC);
	char text[128] = "";

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return 0;
	return strstr(text, "[confidentiality]")
		       ? error_set(-EPERM, "the kernel is locked down (confidentiality)")
		       : 0;
}

const char feature_rights[] = "run as root, or with CAP_BPF and CAP_PERFMON";

const struct feature features[] = {
	{ "lockdown", "reading memory from BPF", true, try_lockdown,
	  "boot without lockdown=confidentiality", false },
	{ "btf", "programs that fit this kernel (CO-RE)", true, try_btf,
	  "use a kernel built with CONFIG_DEBUG_INFO_BTF", false },
	{ "bpf", "loading BPF programs", true, try_load, feature_rights, true },
	{ "ring_buffer", "records from the kernel (5.8)", true, try_ring, "use a newer kernel",
	  true },
	{ "processes", "reading other processes", true, try_other_process,
	  "run as root, or with CAP_SYS_PTRACE", false },
	{ "map_files", "opening what a process has mapped, also when deleted", false, try_map_files,
	  "add CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN", false },
	{ "process_events", "seeing targets exec and exit", true, try_process_events,
	  "use a kernel with CONFIG_TRACEPOINTS", true },
	{ "syscall_tracepoints", "mapping events: mmap, brk, mprotect", false, try_tracepoint,
	  "use a kernel with CONFIG_FTRACE_SYSCALLS, or --events heap", true },
	{ "uprobe_perf", "heap events: probes by perf events", true, try_perf,
	  "use a kernel with CONFIG_UPROBE_EVENTS, or --events mapping", true },
	{ "uprobe_multi", "heap events: many probes by one link (6.6)", false, try_multi,
	  "nothing: perf events are used, attaching takes longer", true },
	{ "uprobe_session", "heap events: entry and return in one probe (6.13)", false, try_session,
	  "nothing: entries and returns are probed one by one, each call costs a little more",
	  true },
	{ "debuginfod", "names from debug files that are not installed", false, debuginfod_check,
	  "set DEBUGINFOD_URLS, and install libdebuginfod1; a static unfreed does without", false },
};

const size_t feature_count = sizeof(features) / sizeof(features[0]);
