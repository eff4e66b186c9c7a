/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Follows the samples of windows: which of the blocks that a window saw allocated still live? A
 * free that a later window sees ends one, so does the same address being handed out again (both the
 * kernel side's work), and so do the allocator's own marks, read from outside (marks.h). While no
 * window is open no probe runs: the live set is ours to change.
 */
#ifndef UNFREED_COLLECT_SURVIVORS_H
#define UNFREED_COLLECT_SURVIVORS_H

#include <stdint.h>

#include "abi.h"
#include "model/estimate.h"

struct collect;
struct survivors;

/* Samples that are younger tell nothing. */
#define SURVIVORS_AGE_NS 3000000000ULL

/* Sampling begins, or goes on: what is in the live set already is not of it. */
void survivors_begin(struct collect *collect);

/* A window was closed: takes its samples in, and now and then looks who lives. */
void survivors_window(struct collect *collect);

/* Sampling ends: what was found stays, and what a next time finds is added to it. */
void survivors_end(struct collect *collect);

void survivors_free(struct survivors *survivors); /* NULL is legal */

/* What follows from the samples until now: calls take for each site that has any. */
void survivors_estimate(struct collect *collect,
			void (*take)(void *context, const struct abi_site_key *key,
				     const struct estimate_sum *estimate),
			void *context);

#endif
