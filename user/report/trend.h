/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What each site held at the latest moments, from snapshot to snapshot of one watch: sites are
 * known again by what they are.
 */
#ifndef UNFREED_REPORT_TREND_H
#define UNFREED_REPORT_TREND_H

#include "model/snapshot.h"

enum { TREND_MOMENTS = 32 };

struct trend;

/* At the window's beginning nothing is outstanding: that is its first moment. */
struct trend *trend_new(void);
void trend_free(struct trend *trend); /* NULL is legal */

/* From now on sites are other ones, say groups: what was known is forgotten. */
void trend_forget(struct trend *trend);

/* The next moment. old: blocks younger than the snapshot's min_age_ns do not count. */
void trend_add(struct trend *trend, const struct snapshot *snapshot, bool old);

/* The numbers by which the sites of snapshot are known, in their order. */
void trend_numbers(struct trend *trend, const struct snapshot *snapshot, uint64_t *numbers);

/* How many moments are known: TREND_MOMENTS at most. */
size_t trend_count(const struct trend *trend);
/* What a site held so many moments before the latest; 0 of what is not known. */
uint64_t trend_bytes(const struct trend *trend, uint64_t number, size_t ago);
/* The time from then to the latest moment. */
uint64_t trend_span_ns(const struct trend *trend, size_t ago);

#endif
