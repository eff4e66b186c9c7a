/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a control group says of its memory. */
#ifndef UNFREED_SURVEY_GROUP_H
#define UNFREED_SURVEY_GROUP_H

#include "model/footprint.h"

/*
 * Reads the group at folder, of version 1 (memory hierarchy) or 2; its limit is the lowest of its
 * own and those above it. Returns 0, or -ENOENT where the memory controller is not at work there.
 * group->path and group->others are the caller's business.
 */
int group_read(struct footprint_group *group, const char *folder);

/* The folder of the smallest memory group that holds all of pids; the caller's, NULL: none, or it
 * is the whole machine. */
char *group_of(const pid_t *pids, size_t count);

#endif
