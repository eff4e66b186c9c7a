/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* /proc/PID/stat, status and mem. */
#include "process/proc.h"

#include <elf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "process/file.h"
#include "process/read.h"

/* include/linux/sched.h: the task is a kernel thread. At this value since Linux 2.6.17. */
enum { PF_KTHREAD = 0x00200000 };

/* What of stat is wanted, by the numbers of proc(5), counted from the state (field 3). */
enum { STAT_PARENT = 4, STAT_FLAGS = 9, STAT_THREADS = 20, STAT_START = 22, STAT_BRK = 47 };

int proc_file(pid_t pid, const char *name, size_t max_bytes, char **text)
{
	char path[64];
	int err;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	err = file_read(path, max_bytes, text, NULL);
	if (err == -ENOENT || err == -ESRCH)
		return error_set(-ESRCH, "no process with pid %d", pid);
	if (err == -EACCES || err == -EPERM)
		return error_set(err, "cannot read %s: permission denied; run as root", path);
	if (err)
		return error_set(err, "cannot read %s: %s", path, strerror(-err));
	return 0;
}

int stat_parse(struct proc *proc, char *text)
{
	/* The name may hold anything, parentheses and spaces included; the last ')' ends it. */
	char *open = strchr(text, '('), *close = strrchr(text, ')');
	char *rest, *field;

	if (!open || !close || close < open || close[1] != ' ')
		return -EINVAL;
	*close = '\0';
	snprintf(proc->comm, sizeof(proc->comm), "%s", open + 1);
	rest = close + 2;
	for (int number = 3; number <= STAT_BRK; number++) {
		uint64_t value;

		field = strsep(&rest, " ");
		if (!field || !*field)
			return -EINVAL;
		value = strtoull(field, NULL, 10);
		if (number == 3)
			proc->state = *field;
		else if (number == STAT_PARENT)
			proc->parent = value;
		else if (number == STAT_FLAGS)
			proc->kernel_thread = value & PF_KTHREAD;
		else if (number == STAT_THREADS)
			proc->threads = value;
		else if (number == STAT_START)
			proc->start_ticks = value;
		else if (number == STAT_BRK)
			proc->start_brk = value;
	}
	proc->zombie = proc->state == 'Z' || proc->state == 'X';
	return 0;
}

int status_parse(struct proc *proc, char *text)
{
	uint64_t rss_kib = 0;
	uint32_t dumping = 0;
	bool seen = false;
	char *line, *last;

	while ((line = strsep(&text, "\n"))) {
		seen |= sscanf(line, "Tgid: %d", &proc->pid) == 1;
		if (!strncmp(line, "NSpid:", 6) &&
		    (last = strrchr(line, '\t'))) /* outermost first */
			sscanf(last, "%d", &proc->inner_pid);
		sscanf(line, "TracerPid: %" SCNu32, &proc->tracer);
		sscanf(line, "Uid: %" SCNu32, &proc->uid);
		sscanf(line, "VmRSS: %" SCNu64, &rss_kib);
		sscanf(line, "Seccomp: %" SCNu32, &proc->seccomp);
		sscanf(line, "CoreDumping: %" SCNu32, &dumping);
	}
	proc->dumping = dumping;
	proc->rss_bytes = rss_kib * 1024;
	return seen ? 0 : -EINVAL;
}

/* By the class in the header of its executable, which is in memory as long as it runs. */
static bool runs_32_bit(pid_t pid)
{
	unsigned char ident[EI_NIDENT];
	char path[32];
	cleanup_close int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return fd >= 0 && pread(fd, ident, sizeof(ident), 0) == sizeof(ident) &&
	       memcmp(ident, ELFMAG, SELFMAG) == 0 && ident[EI_CLASS] == ELFCLASS32;
}

int proc_read(struct proc *proc, pid_t pid)
{
	cleanup_free char *stat = NULL, *status = NULL;
	int err;

	memset(proc, 0, sizeof(*proc));
	if (pid <= 0)
		return error_set(-ESRCH, "no process with pid %d", pid);
	err = proc_file(pid, "stat", FILE_MAX_PROC, &stat);
	if (!err)
		err = proc_file(pid, "status", FILE_MAX_PROC, &status);
	if (err)
		return err;
	if (stat_parse(proc, stat) || status_parse(proc, status))
		return error_set(-EINVAL, "cannot understand /proc/%d/stat and status", pid);
	if (!proc->kernel_thread && !proc->zombie)
		proc->bits32 = runs_32_bit(pid);
	return 0;
}

int proc_check(struct proc *proc, pid_t pid)
{
	int err = proc_read(proc, pid);

	if (err)
		return err;
	if (proc->kernel_thread)
		return error_set(-EINVAL,
				 "pid %d (%s) is a kernel thread: it has no memory of its own "
				 "to trace",
				 pid, proc->comm);
	if (proc->pid != pid)
		return error_set(-EINVAL, "pid %d is a thread of pid %d: use -p %d", pid, proc->pid,
				 proc->pid);
	if (proc->zombie && proc->threads > 1)
		return error_set(-ENOTSUP,
				 "pid %d (%s): its main thread has ended while others run on: "
				 "not supported",
				 pid, proc->comm);
	if (proc->zombie)
		return error_set(-ESRCH, "pid %d (%s) has exited: its parent has yet to reap it",
				 pid, proc->comm);
	if (proc->dumping)
		return error_set(-ENOTSUP,
				 "pid %d (%s) has crashed, and its core is being written: there is "
				 "nothing left to trace",
				 pid, proc->comm);
	if (proc->bits32)
		return error_set(-ENOTSUP, "pid %d (%s) runs a 32-bit program: not supported", pid,
				 proc->comm);
	return 0;
}

void proc_peak(pid_t pid, uint64_t *peak_bytes, uint64_t *file_bytes)
{
	cleanup_free char *text = NULL;
	const char *line;

	*peak_bytes = *file_bytes = 0;
	if (proc_file(pid, "status", FILE_MAX_PROC, &text))
		return;
	line = strstr(text, "\nVmHWM:");
	*peak_bytes = line ? strtoull(line + 7, NULL, 10) * 1024 : 0;
	line = strstr(text, "\nRssFile:");
	*file_bytes = line ? strtoull(line + 9, NULL, 10) * 1024 : 0;
}

int proc_read_memory(pid_t pid, uint64_t address, void *buffer, size_t bytes)
{
	cleanup_close int fd = -1;
	char path[32];

	if (address > INT64_MAX || bytes > INT64_MAX - address)
		return -EFAULT;
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (size_t done = 0; done < bytes;) {
		ssize_t got =
			pread(fd, (char *)buffer + done, bytes - done, (off_t)(address + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0) /* the address space is gone */
			return -ESRCH;
		done += got;
	}
	return 0;
}

uint64_t proc_cpu_ns(pid_t pid)
{
	struct timespec time;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &time))
		return 0;
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* schedstat: time on a CPU, time runnable and waiting for one, how often it ran
 * (Documentation/scheduler/sched-stats.rst). */
static bool thread_delay_ns(const char *folder, const char *thread, unsigned long long *ns)
{
	cleanup_fclose FILE *stream = NULL;
	char path[96];

	snprintf(path, sizeof(path), "%s/%.16s/schedstat", folder, thread);
	stream = fopen(path, "re");
	return stream && fscanf(stream, "%*u %llu", ns) == 1;
}

uint64_t proc_delay_ns(pid_t pid)
{
	enum { ENOUGH = 200 }; /* threads; the others are taken to wait as long */
	unsigned long long sum_ns = 0, ns;
	uint64_t read = 0, all = 0;
	struct dirent *entry;
	char path[48];
	DIR *stream;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	stream = opendir(path);
	while (stream && (entry = readdir(stream))) {
		if (entry->d_name[0] == '.' || all++ >= ENOUGH ||
		    !thread_delay_ns(path, entry->d_name, &ns))
			continue;
		sum_ns += ns;
		read++;
	}
	if (stream)
		closedir(stream);
	return read ? sum_ns / read * all : 0;
}
