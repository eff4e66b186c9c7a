/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One process as /proc shows it. All paths are opened relative to the process, never on the host.
 */
#ifndef UNFREED_PROCESS_PROC_H
#define UNFREED_PROCESS_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/vec.h"

/* One line of /proc/PID/maps. */
struct map {
	uint64_t start, end;
	uint64_t offset;
	uint64_t inode; /* 0: anonymous */
	uint32_t major, minor;
	bool readable, writable, executable, shared;
	char *path; /* as the kernel prints it, "[heap]" and " (deleted)" included; NULL: none */
};

struct maps {
	VEC(struct map) rows; /* sorted by start */
};

/* Reads /proc/PID/maps. maps is the caller's, freed with maps_free. Returns 0 or -errno (-ESRCH
 * where the process is gone, or has no address space) with a sentence. */
int maps_read(struct maps *maps, pid_t pid);
/* The same from text that was read elsewhere (tests, hostile input). */
int maps_parse(struct maps *maps, const char *text);
void maps_free(struct maps *maps);
/* The row that holds address, or NULL. */
const struct map *maps_find(const struct maps *maps, uint64_t address);

/* What /proc/PID/{stat,status,…} say. */
struct proc {
	pid_t pid; /* thread group id, as this tool's pid namespace sees it */
	pid_t inner_pid; /* what it calls itself: its pid in its own pid namespace */
	pid_t parent; /* 0: none, or outside of this pid namespace */
	uint32_t threads; /* of its group */
	char comm[64];
	char state; /* as in stat: R S D Z T … */
	uint64_t start_ticks; /* tells a reused pid */
	uint64_t start_brk; /* where the main heap starts; 0: not to be known */
	uint64_t rss_bytes; /* VmRSS */
	bool kernel_thread; /* has no address space and never had one */
	bool zombie; /* Z or X */
	bool dumping; /* the kernel writes a core of it (since 4.15) */
	bool bits32; /* runs a 32-bit image */
	uint32_t uid;
	uint32_t seccomp; /* Seccomp: of status: 0 none, 1 strict, 2 filter */
	uint32_t tracer; /* TracerPid */
};

/* Reads them. Returns 0 or -errno (-ESRCH: no such process) with a sentence. */
int proc_read(struct proc *proc, pid_t pid);

/*
 * Fails with a sentence unless pid can be traced: it exists, is the leader of its thread group
 * (else the sentence names the leader), no kernel thread, no zombie, no 32-bit image,
 * none that is about to end with a core dump.
 */
int proc_check(struct proc *proc, pid_t pid);

/*
 * Opens the file behind a mapping, read only: through /proc/PID/map_files (the very inode, also
 * when deleted or shadowed), else openat2 with RESOLVE_IN_ROOT below /proc/PID/root, checked to be
 * the same inode and a regular file. Returns an open file (O_CLOEXEC) or -errno with a sentence.
 */
int proc_open_map(pid_t pid, const struct map *map);

/*
 * The path of a mapping, which maps shows as we see it, as the process sees it: without the root of
 * a chroot. Points into path.
 */
const char *proc_path(pid_t pid, const char *path);

/*
 * Opens path as the process sees it (RESOLVE_IN_ROOT below /proc/PID/root, no magic links, regular
 * files only, O_NONBLOCK so that a FIFO cannot hang us). Returns an open file or -errno, without a
 * sentence: callers probe with it.
 */
int proc_open_file(pid_t pid, const char *path);

/*
 * Opens the map of names that it writes for code made at run time: /tmp/perf-PID.map, with its
 * own pid, in its own /tmp, owned by its user or root (what perf asks for, too). Returns an open
 * regular file or -errno, without a sentence.
 */
int proc_open_perf_map(pid_t pid);

/* CPU time that it has used, of all its threads; 0 where it is gone. */
uint64_t proc_cpu_ns(pid_t pid);

/* How long its threads have waited for a CPU; 0 where the kernel does not say. */
uint64_t proc_delay_ns(pid_t pid);

/*
 * The most memory that it held until now, and what it holds of files; 0 where it is gone. Not what
 * getrusage(2) says: that is also of the program that was there before an exec.
 */
void proc_peak(pid_t pid, uint64_t *peak_bytes, uint64_t *file_bytes);

/* Reads bytes of its memory (/proc/PID/mem); 0, or -errno where any of it is unreadable. */
int proc_read_memory(pid_t pid, uint64_t address, void *buffer, size_t bytes);

#endif
