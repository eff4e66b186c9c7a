/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The threads of a process: their names, and where their stacks are. */
#ifndef UNFREED_PROCESS_THREADS_H
#define UNFREED_PROCESS_THREADS_H

#include <stdint.h>
#include <sys/types.h>

#include "base/vec.h"

struct thread {
	pid_t id; /* in our pid namespace */
	pid_t own_id; /* in its own, as its memory has it */
	char name[32];
	uint64_t stack_pointer; /* 0: it was running, or it may not be known */
};

struct threads {
	VEC(struct thread) rows;
};

/* Adds the threads that run now; those that cannot be read are left out. 0, or -errno. */
int threads_read(struct threads *threads, pid_t pid);
void threads_free(struct threads *threads);

/* The stack pointer in a text of /proc/PID/syscall; 0: none. */
uint64_t threads_parse_syscall(const char *text);
/* The last number of "NSpid:" in a text of /proc/PID/status; 0: none. */
pid_t threads_parse_own_id(const char *text);

#endif
