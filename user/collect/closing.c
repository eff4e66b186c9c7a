/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Processes that hold links, and exit. */
#include "collect/closing.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "collect/apart.h"

enum { HOLDERS_MAX = 64 }; /* of a container with many processes: each holds several then */

struct holder {
	struct apart apart;
	int pipe[2];
	size_t count;
	int fds[]; /* what it keeps of our files, ascending: links, and the pipe */
};

/*
 * Lets the others' links go while they are still held by their holders and by us, says so by
 * closing the pipe, and waits until everybody has: its links are its own then. None of the calls
 * fails. Returns, and so ends: a sanitizer is told then that the stack is used no more.
 */
static int hold(void *argument)
{
	const struct holder *holder = argument;
	int next = 0;
	char byte;

	for (size_t i = 0; i < holder->count; i++) {
		if (next < holder->fds[i])
			syscall(SYS_close_range, next, holder->fds[i] - 1, 0);
		next = holder->fds[i] + 1;
	}
	syscall(SYS_close_range, next, ~0U, 0);
	syscall(SYS_close, holder->pipe[1]);
	while (syscall(SYS_read, holder->pipe[0], &byte, 1) > 0)
		;
	return 0;
}

static int compare_fds(const void *first, const void *second)
{
	return *(const int *)first - *(const int *)second;
}

/* The share of one of several holders. */
static struct holder *holder_new(const struct closing *closing, size_t which, size_t holders,
				 const int pipe[2])
{
	struct holder *holder =
		mem_alloc(sizeof(*holder) + (closing->fds.count / holders + 3) * sizeof(int));

	for (int i = 0; i < 2; i++)
		holder->fds[holder->count++] = holder->pipe[i] = pipe[i];
	for (size_t i = which; i < closing->fds.count; i += holders)
		holder->fds[holder->count++] = closing->fds.items[i];
	qsort(holder->fds, holder->count, sizeof(int), compare_fds);
	return holder;
}

void closing_add(struct closing *closing, int fd)
{
	*vec_add(&closing->fds) = fd;
}

void closing_start(struct closing *closing)
{
	size_t holders = closing->fds.count < HOLDERS_MAX ? closing->fds.count : HOLDERS_MAX;
	int ends[2];
	bool are = holders && !pipe2(ends, O_CLOEXEC);

	for (size_t i = 0; are && i < holders; i++) {
		struct holder *holder = holder_new(closing, i, holders, ends);

		if (apart_start(&holder->apart, hold, holder, 0))
			mem_free(holder);
		else
			*vec_add(&closing->holders) = holder;
	}
	/* What nobody else holds, for want of processes or files, is closed here. */
	vec_for_each (fd, &closing->fds)
		close(*fd);
	vec_free(&closing->fds);
	if (are) {
		close(ends[1]);
		close(ends[0]);
	}
}

void closing_wait(struct closing *closing)
{
	closing_start(closing);
	vec_for_each (holder, &closing->holders) {
		apart_wait(&(*holder)->apart);
		mem_free(*holder);
	}
	vec_free(&closing->holders);
}
