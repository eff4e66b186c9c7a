/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Several sites as one. */
#ifndef UNFREED_MODEL_MERGE_H
#define UNFREED_MODEL_MERGE_H

#include "model/snapshot.h"

/* Adds a site's sums to another's. What the two do not have in common, owner or verdict, is NULL
 * then; the standard error is the sum of both, which it is at most. */
void site_merge(struct site *into, const struct site *site);

/*
 * Of the sites from the number first on, merges those that are the same but for their sums: equal
 * frames of one process, which end alike. They are samples of one thing: the errors of estimates
 * add up as independent ones do, and the verdict is that of the part with most bytes.
 */
void snapshot_merge(struct snapshot *snapshot, size_t first);

#endif
