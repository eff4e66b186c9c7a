/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The table of features. */
#include "collect/feature.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "collect/debuginfod.h"
#include "collect/link.h"
#include "process/proc.h"
#include "process/lockdown.h"
#include "process/rights.h"
#include "sandbox/sandbox.h"

enum { SYSLOG_ACTION_READ_ALL = 3, KERNEL_LOG_BYTES = 64 << 10 };

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

static int try_page_faults(void)
{
	cleanup_close int program_fd = load_nothing(BPF_PROG_TYPE_PERF_EVENT);
	cleanup_close int fd = -1;

	if (program_fd < 0)
		return program_fd;
	fd = link_page_faults(program_fd, getpid());
	return fd < 0 ? error_set(fd, "cannot count page faults: %s", strerror(-fd)) : 0;
}

static int try_raw_tracepoint(const char *name)
{
	cleanup_close int program_fd = load_nothing(BPF_PROG_TYPE_RAW_TRACEPOINT);
	cleanup_close int fd = -1;

	if (program_fd < 0)
		return program_fd;
	fd = link_raw_tracepoint(program_fd, name);
	return fd < 0 ? fd : 0;
}

static int try_process_events(void)
{
	return try_raw_tracepoint("sched_process_exit");
}

static int try_deaths(void)
{
	int error = try_raw_tracepoint("mark_victim");

	return error ? error : try_raw_tracepoint("signal_generate");
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

/* What /proc asks of who reads another's maps and memory. */
static int try_other_process(void)
{
	struct rights rights;

	rights_read(&rights);
	return rights_missing(&rights, RIGHT(SYS_PTRACE), 0)
		       ? error_set(-EPERM, "the memory and files of other processes are closed")
		       : 0;
}

/* Files of other users: what runtimes keep of their containers, libraries within them. */
static int try_other_files(void)
{
	struct rights rights;

	rights_read(&rights);
	return rights_missing(&rights, RIGHT(DAC_READ_SEARCH), 0) && geteuid()
		       ? error_set(-EPERM, "files that others have closed stay closed")
		       : 0;
}

/*
 * A kernel that is none: gVisor says so in its log, and in a fixed version (its
 * pkg/sentry/kernel/syslog.go); the first WSL by its maker's name in a 4.4.
 */
static int try_kernel(void)
{
	cleanup_free char *log = mem_array(KERNEL_LOG_BYTES, 1);
	struct utsname name;
	int bytes = klogctl(SYSLOG_ACTION_READ_ALL, log, KERNEL_LOG_BYTES - 1);

	uname(&name);
	if ((bytes > 0 && memmem(log, (size_t)bytes, "Starting gVisor", 15)) ||
	    !strcmp(name.version, "#1 SMP Sun Jan 10 15:06:54 PST 2016"))
		return error_set(-ENOTSUP, "this is gVisor's kernel in user space: it has no BPF");
	if (!strncmp(name.release, "4.4.", 4) && strstr(name.release, "Microsoft"))
		return error_set(-ENOTSUP, "this is WSL 1, no Linux kernel: it has no BPF");
	return 0;
}

/* With rights, an unknown command is invalid; a filter says EPERM or ENOSYS. */
static int try_seccomp(void)
{
	struct rights rights;

	rights_read(&rights);
	if (syscall(SYS_bpf, ~0U, NULL, 0) < 0 && errno == ENOSYS)
		return error_set(-ENOSYS, "there is no bpf(2)%s",
				 rights.seccomp ? ": a seccomp filter hides it" : "");
	if (rights.seccomp && errno == EPERM && !rights_missing(&rights, RIGHT(BPF), 0))
		return error_set(-EPERM, "a seccomp filter forbids bpf(2)");
	if (syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0) < 0 && errno != EFAULT &&
	    rights.seccomp && !rights_missing(&rights, RIGHT(PERFMON), RIGHT(SYS_ADMIN)))
		return error_set(-errno, "a seccomp filter forbids perf_event_open(2)");
	return 0;
}

static int try_user_namespace(void)
{
	struct rights rights;

	rights_read(&rights);
	return rights.user_namespace
		       ? error_set(-ENOTSUP,
				   "we run in a user namespace: its rights do not reach "
				   "the kernel's probes")
		       : 0;
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

static int try_sandbox(void)
{
	struct sandbox *sandbox = sandbox_new();
	char missing[LOCKDOWN_TEXT_MAX];
	unsigned int walls;
	int error = sandbox_walls(sandbox, &walls);

	sandbox_free(sandbox);
	lockdown_missing(walls, missing);
	if (error || walls == LOCKDOWN_ALL)
		return error;
	return error_set(walls == (LOCKDOWN_ALL & ~LOCKDOWN_USER) ? -EPERM : -ENOTSUP,
			 "what reads them goes without: %s", missing);
}

#define BPF_RIGHTS (RIGHT(BPF) | RIGHT(PERFMON))

const struct feature features[] = {
	{ "kernel", "a Linux kernel", NEED_IT, try_kernel,
	  "run on the host, or in a container of runc or crun", 0, 0 },
	{ "lockdown", "reading memory from BPF", NEED_IT, try_lockdown,
	  "boot without lockdown=confidentiality", 0, 0 },
	{ "user_namespace", "rights that the kernel's probes count", NEED_IT, try_user_namespace,
	  "run in the initial one: not in a rootless container", 0, 0 },
	{ "seccomp", "bpf(2) and perf_event_open(2)", NEED_IT, try_seccomp,
	  "run without the filter: privileged, or --security-opt seccomp=unconfined", 0, 0 },
	{ "btf", "programs that fit this kernel (CO-RE)", NEED_IT, try_btf,
	  "use a kernel built with CONFIG_DEBUG_INFO_BTF", 0, 0 },
	{ "bpf", "loading BPF programs", NEED_IT, try_load, "use a kernel with CONFIG_BPF_SYSCALL",
	  BPF_RIGHTS, RIGHT(SYS_ADMIN) },
	{ "ring_buffer", "records from the kernel (5.8)", NEED_IT, try_ring, "use a newer kernel",
	  RIGHT(BPF), RIGHT(SYS_ADMIN) },
	{ "processes", "reading other processes", NEED_IT, try_other_process, "", RIGHT(SYS_PTRACE),
	  0 },
	{ "files", "what runtimes keep of their containers", NEED_NOT, try_other_files, "",
	  RIGHT(DAC_READ_SEARCH), 0 },
	{ "map_files", "opening what a process has mapped, also when deleted", NEED_NOT,
	  try_map_files, "", RIGHT(CHECKPOINT_RESTORE), RIGHT(SYS_ADMIN) },
	{ "process_events", "seeing targets exec and exit", NEED_IT, try_process_events,
	  "use a kernel with CONFIG_TRACEPOINTS", BPF_RIGHTS, RIGHT(SYS_ADMIN) },
	{ "deaths", "--on-oom, --on-exit, --when: why a process ends", NEED_NOT, try_deaths,
	  "use a kernel with CONFIG_TRACEPOINTS", BPF_RIGHTS, RIGHT(SYS_ADMIN) },
	{ "syscall_tracepoints", "mapping events: mmap, brk, mprotect", NEED_NOT, try_tracepoint,
	  "use a kernel with CONFIG_FTRACE_SYSCALLS, or --events heap", BPF_RIGHTS,
	  RIGHT(SYS_ADMIN) },
	{ "page_faults", "fault events: pages by who touched them", NEED_NOT, try_page_faults,
	  "nothing: --events heap,mapping say who holds it", BPF_RIGHTS, RIGHT(SYS_ADMIN) },
	{ "uprobe_perf", "heap events: probes by perf events", NEED_ONE, try_perf,
	  "use a kernel with CONFIG_UPROBE_EVENTS, or --events mapping", RIGHT(SYS_ADMIN), 0 },
	{ "uprobe_multi", "heap events: many probes by one link (6.6)", NEED_ONE, try_multi,
	  "nothing: perf events are used, attaching takes longer", BPF_RIGHTS, RIGHT(SYS_ADMIN) },
	{ "uprobe_session", "heap events: entry and return in one probe (6.13)", NEED_ONE,
	  try_session,
	  "nothing: entries and returns are probed one by one, each call costs a little more",
	  BPF_RIGHTS, RIGHT(SYS_ADMIN) },
	{ "sandbox", "reading the target's files in a child without privileges", NEED_NOT,
	  try_sandbox,
	  "use a kernel with CONFIG_SECCOMP_FILTER and CONFIG_SECURITY_LANDLOCK (5.13)",
	  RIGHT(SETUID) | RIGHT(SETGID), 0 },
	{ "debuginfod", "names from debug files that are not installed", NEED_NOT, debuginfod_check,
	  "set DEBUGINFOD_URLS, and install libdebuginfod1; a static unfreed does without", 0, 0 },
};

const size_t feature_count = sizeof(features) / sizeof(features[0]);

static void refused(struct finding *finding, const struct rights *rights, int error)
{
	const struct feature *feature = finding->feature;
	cleanup_free char *names = NULL;

	finding->why = mem_string(error_message());
	if (error == -EPERM || error == -EACCES)
		finding->missing = rights_missing(rights, feature->rights, feature->instead);
	if (!finding->missing) {
		finding->remedy = mem_string(feature->remedy);
		return;
	}
	names = rights_names(finding->missing);
	finding->remedy = mem_printf("run as root, or with %s%s", names,
				     feature->instead ? " (CAP_SYS_ADMIN does as well)" : "");
}

bool features_try(struct finding *findings)
{
	bool possible = true, one = false;
	struct rights rights;

	rights_read(&rights);
	for (size_t i = 0; i < feature_count; i++) {
		int error = features[i].try();

		findings[i] = (struct finding){ .feature = &features[i], .works = !error };
		if (error)
			refused(&findings[i], &rights, error);
		one |= features[i].need == NEED_ONE && !error;
	}
	for (size_t i = 0; i < feature_count; i++) {
		findings[i].required =
			features[i].need == NEED_IT || (features[i].need == NEED_ONE && !one);
		possible &= findings[i].works || !findings[i].required;
	}
	return possible;
}

void findings_free(struct finding *findings)
{
	for (size_t i = 0; i < feature_count; i++) {
		mem_free(findings[i].why);
		mem_free(findings[i].remedy);
	}
}
