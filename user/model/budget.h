/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How much of a target's time probes may take, and what they took. All amounts are nanoseconds that
 * one thread loses: a window costs a thread at most its length, and hits that are spread over
 * several CPUs cost each thread its part.
 *
 * What may be spent accrues with time. No more is kept than one window takes, so that no idle hour
 * pays for a burst, and it may be overdrawn, which the time that follows pays back. A part of the
 * share does not accrue: what is spent is known only afterwards, and each slice is to hold.
 */
#ifndef UNFREED_MODEL_BUDGET_H
#define UNFREED_MODEL_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

enum { BUDGET_SLICE_SECONDS = 5 }; /* in each of which the budget is to hold */

struct budget {
	double share; /* of the time: 0.05; 0: no limit */
	double most_ns; /* that is kept: what the next window will take */
	double left_ns; /* below zero: overdrawn */
	double surprise_ns; /* by which the next window may take longer than it is to */
	uint64_t filled_ns; /* until when it has accrued */
	uint64_t begun_ns, slice_begun_ns;
	double spent_ns, slice_spent_ns;
	double worst_share; /* of any whole slice */
};

/* Begins at now_ns (CLOCK_MONOTONIC) with nothing. most_ns: what is kept at most. */
void budget_begin(struct budget *budget, double share, double most_ns, uint64_t now_ns);

/* Lets it accrue until now_ns, and takes spent_ns. */
void budget_spend(struct budget *budget, uint64_t now_ns, double spent_ns);

/*
 * What was spent last took more_ns longer than it was to (less than nothing: shorter). As much may
 * happen again, and least_ns at any time: a slice keeps room for it.
 */
void budget_surprise(struct budget *budget, double more_ns, double least_ns);

/* Whether spent_ns more would be within it, in the slice under way, too. True without a limit. */
bool budget_allows(const struct budget *budget, double spent_ns);

/* How long until it is, from now on, in nanoseconds. */
uint64_t budget_wait_ns(const struct budget *budget, double spent_ns);

/* The share that was spent since it began. */
double budget_used(const struct budget *budget, uint64_t now_ns);

/* The most of any slice, the one under way included when it is all there is. */
double budget_worst(const struct budget *budget, uint64_t now_ns);

#endif
