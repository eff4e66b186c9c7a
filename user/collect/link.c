/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Attaching BPF programs by the system calls themselves. */
#include "collect/link.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "collect/apart.h"

static const char *const method_names[LINK_METHODS] = { "perf", "multi", "session" };

const char *link_method_name(enum link_method method)
{
	return method_names[method];
}

int link_method_find(const char *name, enum link_method *method)
{
	for (unsigned int i = 0; i < LINK_METHODS; i++) {
		if (!strcmp(name, method_names[i])) {
			*method = i;
			return 0;
		}
	}
	return error_set(-EINVAL, "no probe method '%s': perf, multi or session", name);
}

/* -- uprobe_multi and session links ------------------------------------------------------------ */

/* union bpf_attr's link_create.uprobe_multi; newer than the headers of Debian 12. */
struct multi_attr {
	uint32_t program_fd, target_fd, attach_type, flags;
	uint64_t path, offsets, ref_ctr_offsets, cookies;
	uint32_t count, multi_flags, pid, reserved;
};

enum { MULTI_RETURN = 1 << 0 /* BPF_F_UPROBE_MULTI_RETURN */ };

static int link_multi(const struct link_request *request)
{
	struct multi_attr attr = {
		.program_fd = (uint32_t)request->program_fd,
		.attach_type = request->method == LINK_SESSION ? ATTACH_UPROBE_SESSION
							       : ATTACH_UPROBE_MULTI,
		.offsets = (uintptr_t)request->offsets,
		.cookies = (uintptr_t)request->cookies,
		.count = (uint32_t)request->count,
		.multi_flags = request->returns ? MULTI_RETURN : 0,
		.pid = (uint32_t)request->pid,
	};
	char path[64];
	long fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", request->file_fd);
	attr.path = (uintptr_t)path;
	fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	return fd < 0 ? -errno : (int)fd;
}

/* -- perf events ------------------------------------------------------------------------------- */

static long read_number(int directory, const char *path, const char *format)
{
	cleanup_close int fd = openat(directory, path, O_RDONLY | O_CLOEXEC);
	char text[64] = "";
	long number;

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0 || sscanf(text, format, &number) != 1)
		return -1;
	return number;
}

/* Attaches the program to an open perf event and starts it. Takes the fd. */
static int perf_attach(int event_fd, int program_fd, uint64_t cookie)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .perf_event.bpf_cookie = cookie);
	int link_fd, error;

	/* 5.15 (b89fbfbb854c): links on perf events, which can carry a cookie */
	link_fd = bpf_link_create(program_fd, event_fd, BPF_PERF_EVENT, &opts);
	if (link_fd < 0 && (errno == EINVAL || errno == E2BIG) &&
	    ioctl(event_fd, PERF_EVENT_IOC_SET_BPF, program_fd) == 0)
		link_fd = fcntl(event_fd, F_DUPFD_CLOEXEC, 0);
	error = link_fd < 0 ? -errno : 0;
	if (!error && ioctl(event_fd, PERF_EVENT_IOC_ENABLE, 0)) {
		error = -errno;
		close(link_fd);
	}
	close(event_fd);
	return error ? error : link_fd;
}

static int perf_open(struct perf_event_attr *attr, pid_t pid, int cpu)
{
	long fd;

	attr->size = sizeof(*attr);
	fd = syscall(SYS_perf_event_open, attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : (int)fd;
}

static int link_perf_uprobe(const struct link_request *request)
{
	struct perf_event_attr attr = { .config2 = request->offsets[0] };
	char path[64];
	long type, bit;
	int fd;

	type = read_number(AT_FDCWD, "/sys/bus/event_source/devices/uprobe/type", "%ld");
	bit = read_number(AT_FDCWD, "/sys/bus/event_source/devices/uprobe/format/retprobe",
			  "config:%ld");
	if (type < 0 || bit < 0)
		return -EOPNOTSUPP;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", request->file_fd);
	attr.type = (uint32_t)type;
	attr.config1 = (uintptr_t)path;
	attr.config = request->returns ? 1ULL << bit : 0;
	fd = perf_open(&attr, request->pid, -1);
	return fd < 0 ? fd : perf_attach(fd, request->program_fd, request->cookies[0]);
}

struct making {
	const struct link_request *request;
	int fd;
};

static int make(void *argument)
{
	struct making *making = argument;

	making->fd = making->request->method == LINK_PERF ? link_perf_uprobe(making->request)
							  : link_multi(making->request);
	return 0;
}

/* What fails half-way takes off again what it has put on: that is not to be interrupted either. */
int link_uprobes(const struct link_request *request)
{
	struct making making = { .request = request, .fd = -EINTR };
	struct apart apart;

	if (apart_start(&apart, make, &making, CLONE_FILES | CLONE_VFORK))
		make(&making);
	else
		apart_wait(&apart);
	return making.fd;
}

int link_page_faults(int program_fd, pid_t thread)
{
	/* Counted once the page is there (mm_account_fault, 5.9). */
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_PAGE_FAULTS_MIN,
		.sample_period = 1,
		.inherit = 1,
	};
	int fd = perf_open(&attr, thread, -1), error;

	if (fd < 0)
		return fd;
	if (!ioctl(fd, PERF_EVENT_IOC_SET_BPF, program_fd) && !ioctl(fd, PERF_EVENT_IOC_ENABLE, 0))
		return fd;
	error = -errno;
	close(fd);
	return error;
}

uint64_t link_event_count(int event_fd, bool stop)
{
	uint64_t count;

	if (stop)
		ioctl(event_fd, PERF_EVENT_IOC_DISABLE, 0);
	return read(event_fd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

/* -- tracepoints ------------------------------------------------------------------------------- */

/* The root of tracefs: as mounted, or an instance that is mounted nowhere (fsmount, 5.2). */
static int tracefs_open(void)
{
	static const char *const places[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };
	int fd, context;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		fd = open(places[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0 && faccessat(fd, "events", F_OK, 0) == 0)
			return fd;
		if (fd >= 0)
			close(fd);
	}
	context = fsopen("tracefs", FSOPEN_CLOEXEC);
	if (context < 0)
		return -errno;
	fd = fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0)
		     ? -1
		     : fsmount(context, FSMOUNT_CLOEXEC, 0);
	if (fd < 0)
		fd = -errno;
	close(context);
	return fd;
}

int link_tracepoint(int program_fd, const char *category, const char *name)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT };
	char path[128];
	int tracefs = tracefs_open(), fd;
	long id;

	if (tracefs < 0)
		return error_set(tracefs,
				 "cannot open tracefs: %s; mount it at /sys/kernel/tracing",
				 strerror(-tracefs));
	snprintf(path, sizeof(path), "events/%s/%s/id", category, name);
	id = read_number(tracefs, path, "%ld");
	close(tracefs);
	if (id < 0)
		return error_set(-ENOENT,
				 "this kernel has no tracepoint %s:%s (CONFIG_FTRACE_SYSCALLS)",
				 category, name);
	attr.config = (uint64_t)id;
	fd = perf_open(&attr, -1, 0);
	if (fd >= 0)
		fd = perf_attach(fd, program_fd, 0);
	return fd < 0 ? error_set(fd, "cannot attach to tracepoint %s:%s: %s", category, name,
				  strerror(-fd))
		      : fd;
}

int link_raw_tracepoint(int program_fd, const char *name)
{
	int fd = bpf_raw_tracepoint_open(name, program_fd);

	return fd < 0 ? error_set(-errno, "cannot attach to raw tracepoint %s: %s", name,
				  strerror(errno))
		      : fd;
}

int link_iterate(int program_fd)
{
	cleanup_close int link_fd = bpf_link_create(program_fd, 0, BPF_TRACE_ITER, NULL);
	cleanup_close int fd = link_fd < 0 ? -1 : bpf_iter_create(link_fd);
	char buffer[64];
	ssize_t got;

	if (fd < 0)
		return -errno;
	do {
		got = read(fd, buffer, sizeof(buffer));
	} while (got > 0 || (got < 0 && errno == EAGAIN));
	return got < 0 ? -errno : 0;
}
