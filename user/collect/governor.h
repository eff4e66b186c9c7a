/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Keeps the heap probes within the budget. While tracing every call fits, they stay on. When it
 * does not, they come off, and go on again for short windows: in each a thread loses the window at
 * most, however often it allocates. What a window has seen allocated is a sample; survivors.h
 * follows it.
 */
#ifndef UNFREED_COLLECT_GOVERNOR_H
#define UNFREED_COLLECT_GOVERNOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"
#include "model/budget.h"
#include "model/snapshot.h"

struct collect;
struct watched;

/* Of all targets, at one moment. */
struct governor_times {
	uint64_t cpu_ns, delay_ns; /* on a CPU; waiting for one, where that is known */
	bool delay_known;
};

struct governor {
	struct budget budget; /* without a limit, nothing here happens */
	bool windowed, stopped; /* stopped: this kernel has no way to open windows */
	double hit_ns; /* what a probe hit costs, its program included */
	uint64_t hits; /* when last looked */
	uint64_t looked_ns;
	struct governor_times times;
	double planned_ns; /* what a window has cost of late */
	size_t turn; /* whose window is next */
	uint64_t calm_windows; /* in a row, in which tracing every call would have fitted */
	VEC(struct epoch) epochs;
};

/* Probes are about to be put on: what they take is spent from now on. share: of the budget; 0: no
 * limit. */
void governor_prepare(struct collect *collect, double share);

/* They are on, the window opens. */
void governor_begin(struct collect *collect);

/* Looks at what was spent, changes the mode, opens a window perhaps: that takes some 100 ms. */
void governor_step(struct collect *collect);

/* How long to wait at most until the next step. */
int governor_wait_ms(const struct collect *collect);

/* Are probes to be off, but for windows? */
bool governor_holds(const struct collect *collect);

/*
 * Since when every call was traced at time_ns, or until a moment before, in which windows cannot
 * tell anything yet: blocks of that time on count as live then. 0: from the start; UINT64_MAX: not
 * every call was traced. *gap_ns is how long not every call was traced before time_ns.
 */
uint64_t governor_exact_since(const struct collect *collect, uint64_t time_ns, uint64_t *gap_ns);

/* Nothing is traced any more. */
void governor_end(struct collect *collect);

/* The epochs and the cost of the budget, into a snapshot. */
void governor_report(struct collect *collect, struct snapshot *snapshot);

/* window.c: puts the probes of one process on for length_ns, in whose last part only those of frees
 * are on. Returns how long any of them was on, in ns. */
uint64_t window_run(struct collect *collect, struct watched *watched, uint64_t length_ns);

/* Takes all heap probes off. */
void window_close_all(struct collect *collect);

/* What the next probe hits count for: a new epoch in the kernel side. */
void window_epoch(struct collect *collect, bool windowed);

void window_sleep_until(uint64_t until_ns);

/* So that a window ends in time on a machine that is busy: on (true) and off. */
void window_hurry(bool hurry);

#endif
