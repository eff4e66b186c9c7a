/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Takes footprints: reads the mappings of processes, and finds out whose they are. */
#ifndef UNFREED_SURVEY_SURVEY_H
#define UNFREED_SURVEY_SURVEY_H

#include <stdbool.h>

#include "model/footprint.h"
#include "process/target.h"

struct survey;

/* target is kept, and must outlive the survey. Without files, no program is looked into: an
 * allocator that was linked into one is not recognised. */
struct survey *survey_new(const struct target *target, bool files);
void survey_free(struct survey *survey); /* NULL is legal */

/*
 * A footprint of the target's processes as they are now, those that have come since included; one
 * without processes where all have ended. Nothing is stopped, signalled, or made to grow.
 * *footprint is the caller's. Returns 0, or -errno with a sentence.
 */
int survey_take(struct survey *survey, struct footprint **footprint);

#endif
