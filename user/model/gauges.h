/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The readings of the last minutes: one a second of the last minute, one in ten seconds before. */
#ifndef UNFREED_MODEL_GAUGES_H
#define UNFREED_MODEL_GAUGES_H

#include "model/snapshot.h"

enum { GAUGES_MAX = 128 };

struct gauges {
	size_t count;
	struct reading readings[GAUGES_MAX]; /* by time; the last is the latest */
};

/* Takes a reading, later than all others, and forgets what is too old. */
void gauges_add(struct gauges *gauges, const struct reading *reading);

/* The latest one; NULL: none was taken. */
const struct reading *gauges_latest(const struct gauges *gauges);

/* How fast the RSS has grown over the last minute, in bytes a second. False: not watched long
 * enough to tell. */
bool gauges_growth(const struct gauges *gauges, double *bytes_per_second);

#endif
