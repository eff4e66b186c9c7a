/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Watching processes: open, start, poll, take snapshots, close. The only place that knows the BPF
 * programs and their maps.
 */
#ifndef UNFREED_COLLECT_COLLECT_H
#define UNFREED_COLLECT_COLLECT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "collect/link.h"
#include "model/snapshot.h"

struct collect;
struct past;
struct target;

struct collect_options {
	const char *target; /* as the user named it */
	const pid_t *pids;
	size_t pid_count;
	const struct target *members; /* processes that come into it are watched, too; or NULL */
	bool heap, mapping, fault; /* events */
	bool deaths; /* tell how processes end: collect_death */
	uint64_t max_blocks; /* live blocks kept */
	uint64_t max_stacks; /* distinct stacks kept, of all processes */
	double budget_share; /* of the target's time that probes may take; 0: no limit */
	uint64_t sample_bytes; /* one block in so many bytes is traced; 0: each */
	uint64_t min_age_ns; /* what counts as young in snapshots */
	bool frame_pointers_only; /* no unwind tables */
	int also_fd; /* collect_poll returns when it can be read, too; -1: there is none */
	void (*fetching)(
		const char *name); /* a debug file is waited for; NULL: no more. May be NULL */
	bool method_given; /* else the best that works */
	enum link_method method;
};

/* Sensible defaults: all but target and pids. */
void collect_defaults(struct collect_options *options);

/*
 * Finds the code of the targets, loads the programs, puts all probes on and opens the window.
 * *collect is the caller's. Returns 0, or a negative errno with a sentence.
 */
int collect_start(struct collect **collect, const struct collect_options *options);

/*
 * Takes in what has happened, waiting at most timeout_ms. Returns the number of targets still
 * running, or -errno with a sentence (-EINTR: a signal came, nothing is wrong).
 */
int collect_poll(struct collect *collect, int timeout_ms);

/*
 * What has befallen the target, in the order of its events: a process of it is to be killed for
 * want of memory, or has ended (then incident->ended is set; those that began a moment before are
 * left out unless a signal ended them). Texts live until the next call of this or collect_poll.
 * False: nothing more.
 */
bool collect_death(struct collect *collect, struct incident *incident);

/* The target in short, now: what of it runs. The control group's are left to others. */
void collect_reading(struct collect *collect, struct reading *reading);

/* The same stack by stack, into an empty past. 0 or -errno; -EAGAIN: windows do not show it. */
int collect_past(struct collect *collect, struct past *past);

/* Looks up the names of what has come since the last call: at the end there may be no time. */
void collect_prepare(struct collect *collect);

/*
 * As collect_snapshot, of what ran at a time of the window: what has ended since is in it as it
 * was at its end, beside what still runs.
 */
int collect_snapshot_since(struct collect *collect, uint64_t time_ns, const char *ended_by,
			   struct snapshot **snapshot);

/*
 * The sums and stacks of this moment. last: the window ends here, nothing is counted any more, and
 * all figures are of one moment. ended_by says what ended it. *snapshot is the caller's.
 */
int collect_snapshot(struct collect *collect, bool last, const char *ended_by,
		     struct snapshot **snapshot);

/* How long the window has been open. */
uint64_t collect_window_ns(const struct collect *collect);

/* How many functions are probed, and by which method: for the line that says so. */
void collect_describe(const struct collect *collect, char *text, size_t size);

/* Detaches everything. NULL is legal. */
void collect_free(struct collect *collect);

#endif
