/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sites that belong together as one, and stacks the other way round. */
#ifndef UNFREED_REPORT_REGROUP_H
#define UNFREED_REPORT_REGROUP_H

#include "report/view.h"

struct regroup;

/* Remembers groups, so that they are the same ones in all snapshots. */
struct regroup *regroup_new(void);
void regroup_free(struct regroup *regroup); /* NULL is legal */

/* What comes next is of other snapshots: frames at an address may not be those that were there. */
void regroup_forget(struct regroup *regroup);

/* Merges the sites of snapshot (a copy) of one kind and process that are in one group. */
void regroup_by(struct regroup *regroup, struct snapshot *snapshot, enum view_by by);

/* Turns every stack. */
void regroup_invert(struct regroup *regroup, struct snapshot *snapshot);

#endif
