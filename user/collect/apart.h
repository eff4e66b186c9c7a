/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Work that a SIGKILL must not interrupt. Where a fatal signal is pending, the kernel fails to read
 * the page that a breakpoint is on (faultin of get_user_pages, -EINTR) and leaves it there for
 * ever: "uprobe: failed to unregister, leaking uprobe". So what puts probes on or takes them off is
 * done by a process of its own, which shares our memory and does not die with us.
 */
#ifndef UNFREED_COLLECT_APART_H
#define UNFREED_COLLECT_APART_H

#include <sys/types.h>

struct apart {
	pid_t pid;
	void *stack;
};

/*
 * Begins function(argument) in a process that shares our memory, errno included: it is to do little
 * but system calls. flags: CLONE_FILES shares the open files, which are else copied; CLONE_VFORK
 * waits until it has ended. Returns 0 or -errno.
 */
int apart_start(struct apart *apart, int (*function)(void *), void *argument, int flags);

/* Until it has ended, its files closed. */
void apart_wait(struct apart *apart);

#endif
