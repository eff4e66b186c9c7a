/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Takes several links off at once. The kernel removes the probes of a link at the start of close(2)
 * and then waits some 30 ms for who is inside of them; one behind the other, the probes of the
 * later ones would be hit all that time.
 */
#ifndef UNFREED_COLLECT_CLOSING_H
#define UNFREED_COLLECT_CLOSING_H

#include <pthread.h>

#include "base/vec.h"

struct closing {
	VEC(pthread_t) threads;
};

/* Begins to close fd. */
void closing_add(struct closing *closing, int fd);

/* Until all are closed. */
void closing_wait(struct closing *closing);

#endif
