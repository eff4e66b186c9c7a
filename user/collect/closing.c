/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "collect/closing.h"

#include <stdint.h>
#include <unistd.h>

enum { THREADS_MAX = 64 }; /* of a container with many processes, the others wait */

static void *close_link(void *fd)
{
	close((int)(intptr_t)fd);
	return NULL;
}

void closing_add(struct closing *closing, int fd)
{
	void *argument = (void *)(intptr_t)fd;
	pthread_t thread;

	if (closing->threads.count < THREADS_MAX &&
	    !pthread_create(&thread, NULL, close_link, argument))
		*vec_add(&closing->threads) = thread;
	else
		close_link(argument);
}

void closing_wait(struct closing *closing)
{
	vec_for_each (thread, &closing->threads)
		pthread_join(*thread, NULL);
	vec_free(&closing->threads);
}
