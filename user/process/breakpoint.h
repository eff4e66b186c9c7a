/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Hardware breakpoints in a stopped tracee: its code stays as it is. */
#ifndef UNFREED_PROCESS_BREAKPOINT_H
#define UNFREED_PROCESS_BREAKPOINT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { BREAKPOINTS_MAX = 2 };

/* Makes these addresses (0: none) the breakpoints of pid, and no others. Returns 0 or -errno. */
int breakpoints_set(pid_t pid, const uint64_t addresses[BREAKPOINTS_MAX]);

/* Where a stopped tracee is; 0: not to be known. */
uint64_t breakpoint_pc(pid_t pid);

#endif
