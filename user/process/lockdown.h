/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Gives up, for good, what a process needs not: files, privileges, system calls. Each wall stands
 * by itself, so that one which this kernel does not have is not missed.
 */
#ifndef UNFREED_PROCESS_LOCKDOWN_H
#define UNFREED_PROCESS_LOCKDOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The walls that stand. */
enum {
	LOCKDOWN_USER = 1 << 0, /* another user than root */
	LOCKDOWN_CAPABILITIES = 1 << 1, /* none left, none to be had */
	LOCKDOWN_FILES = 1 << 2, /* nothing can be opened (Landlock, 5.13) */
	LOCKDOWN_CALLS =
		1 << 3, /* a list of system calls; another one ends the process (seccomp) */
	LOCKDOWN_LIMITS = 1 << 4, /* of memory, of files' sizes, of processes */
	LOCKDOWN_ALL = (1 << 5) - 1,
};

/*
 * For a process that parses what others wrote, and has all that it needs open: of the system calls
 * those that read, allocate and answer are left. memory_max: bytes of address space; 0: as it is.
 * writes: what it answers goes to a file. Ends with its parent, for ever. Returns the walls.
 */
unsigned int lockdown_parser(uint64_t memory_max, bool writes, pid_t parent);

/* "user, seccomp": the walls that do not stand. text holds LOCKDOWN_TEXT_MAX. */
enum { LOCKDOWN_TEXT_MAX = 64 };
void lockdown_missing(unsigned int walls, char text[LOCKDOWN_TEXT_MAX]);

#endif
