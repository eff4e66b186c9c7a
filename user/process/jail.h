/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A child that does work on hostile bytes for us, without privileges (process/lockdown.h): requests
 * with open file descriptors go in, replies come out. It may die of what it reads, or never come to
 * an end: it is killed then, and the next request starts another one. What it answers is not
 * trusted either.
 */
#ifndef UNFREED_PROCESS_JAIL_H
#define UNFREED_PROCESS_JAIL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/parcel.h"

enum { JAIL_FDS_MAX = 3 };

/*
 * What the child does, and never returns from but by exit: begin makes its context; serve answers a
 * request with 0 or a negative errno and its sentence, and what it packs into reply. The
 * descriptors are the jail's, which closes them; -1: none.
 */
struct jail_work {
	const char *name; /* of the process: at most 15 characters */
	/* A request's patience: CPU time, and time in which it does nothing at all. */
	uint32_t work_seconds_max, idle_seconds_max;
	void *(*begin)(void);
	int (*serve)(void *context, uint32_t kind, struct parcel *request,
		     const int fds[JAIL_FDS_MAX], struct parcel *reply);
};

struct jail;

/* The child starts with the first request. */
struct jail *jail_new(const struct jail_work *work);
void jail_free(struct jail *jail); /* NULL is legal */

/*
 * Sends a request with what request holds, and waits for its reply. Returns what serve returned,
 * with its sentence, and reply, to be unpacked; or -EOWNERDEAD, with a sentence: the child died
 * of it, all that it knew is gone.
 */
int jail_ask(struct jail *jail, uint32_t kind, const struct parcel *request,
	     const int fds[JAIL_FDS_MAX], struct parcel *reply);

/* A reply that makes no sense is no better than none. Returns -EOWNERDEAD, as jail_ask. */
int jail_garbled(struct jail *jail);

/* Which child it is that answers the next request: another number, another child. */
uint32_t jail_generation(struct jail *jail);

/* Which walls stand around it (LOCKDOWN_…); starts it. Returns 0, or a negative errno. */
int jail_walls(struct jail *jail, unsigned int *walls);

/* What it has cost until now: CPU time, and the most memory of its own that it held. */
void jail_cost(const struct jail *jail, uint64_t *cpu_ns, uint64_t *memory_bytes);

/* How many have died in this program, and a word on the last: "libx.so: signal 11"; or NULL. */
uint32_t jail_deaths(const char **last);

#endif
