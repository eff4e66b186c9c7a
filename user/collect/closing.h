/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Takes several links off at once. The kernel removes the probes of a link at the start of its
 * close and then waits some 30 ms for who is inside of them; one behind the other, the probes of
 * the later ones would be hit all that time. Each is closed by the exit of a process that holds it
 * alone: whoever is killed meanwhile, this is not interrupted (see apart.h; what has begun to exit
 * has no signals any more).
 */
#ifndef UNFREED_COLLECT_CLOSING_H
#define UNFREED_COLLECT_CLOSING_H

#include "base/vec.h"

struct holder;

struct closing {
	VEC(int) fds;
	VEC(struct holder *) holders;
};

/* Is to be closed. */
void closing_add(struct closing *closing, int fd);

/* Begins to close those that were added. */
void closing_start(struct closing *closing);

/* Until all are closed. */
void closing_wait(struct closing *closing);

#endif
