/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* clone(2) without a copy of the memory: as quick as a thread. */
#include "collect/apart.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { STACK_BYTES = 128 << 10 }; /* touched as far as it is used */

int apart_start(struct apart *apart, int (*function)(void *), void *argument, int flags)
{
	sigset_t all, before;
	char *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

	if (stack == MAP_FAILED)
		return -errno;
	/* Ours are not for it: a handler would change our memory a second time. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	/* Without a signal at its end: it is no child that anybody else waits for. */
	apart->pid = clone(function, stack + STACK_BYTES, CLONE_VM | flags, argument);
	if (apart->pid < 0)
		apart->pid = -errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	apart->stack = stack;
	if (apart->pid > 0)
		return 0;
	munmap(stack, STACK_BYTES);
	return apart->pid;
}

void apart_wait(struct apart *apart)
{
	while (waitpid(apart->pid, NULL, __WALL) < 0 && errno == EINTR)
		;
	munmap(apart->stack, STACK_BYTES);
}
