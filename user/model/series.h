/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A series: snapshots of one watch, by time. A day of them does not fit into memory at once, so
 * that they are loaded one by one; what is said of all moments stands beside.
 */
#ifndef UNFREED_MODEL_SERIES_H
#define UNFREED_MODEL_SERIES_H

#include "model/snapshot.h"

struct footprint;

/* One snapshot in short, unfiltered. */
struct moment {
	uint64_t unix_ns; /* when it was taken */
	uint64_t window_ns; /* how long the window had been open */
	struct heap_totals heap;
	struct mapping_totals mapping;
	bool has_footprint; /* the classes of map were taken, too */
};

/* What is common to all: "kernel", "container", "options" … */
struct fact {
	const char *name, *text;
};

struct series_ops {
	/* Never fails: what is in a series was checked when it was made. */
	struct snapshot *(*load)(void *source, size_t i);
	struct footprint *(*footprint)(void *source, size_t i); /* may be NULL */
	void (*free)(void *source); /* may be NULL */
};

struct series {
	VEC(struct moment) moments; /* one for each snapshot, by time; at least one */
	VEC(struct fact) facts;
	const char
		*warning; /* what is missing of it, for people: "cut off after …"; NULL: nothing */
	const struct series_ops *ops; /* private, as is source */
	void *source;
};

/*
 * The snapshot of moments[i]: the caller's, ends with snapshot_free. Its texts and frames live as
 * long as the series. In snapshots of one recording equal texts have equal addresses, and so have
 * equal stacks (site.frames): kind, pid and frames tell which site it is. In order is fastest.
 */
struct snapshot *series_load(struct series *series, size_t i);

/* The classes of map at moments[i]: the caller's, ends with footprint_free. NULL: not taken. */
struct footprint *series_footprint(struct series *series, size_t i);

/*
 * Which moment text names: a number from 1, or from the end (-1 is the last one); a time since the
 * watch began (90s, 2h), or of the clock in UTC (14:05, 2026-11-21T14:05:30), which names the
 * nearest one. 0, or -EINVAL with a sentence.
 */
int series_find(const struct series *series, const char *text, size_t *i);

/* A series of one snapshot, which must outlive it. */
struct series *series_of(const struct snapshot *snapshot);

/* For those who make a series: empty, of this source, which it frees. */
struct series *series_new(const struct series_ops *ops, void *source);
void series_add(struct series *series, const struct snapshot *snapshot, bool has_footprint);

void series_free(struct series *series); /* NULL is legal */

#endif
