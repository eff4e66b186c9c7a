/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The sites of a snapshot: which they are, then one value of all of them after another, each as the
 * difference to the site's latest: most have not changed, and columns of zeroes take no room.
 */
#ifndef UNFREED_RECORD_VALUES_H
#define UNFREED_RECORD_VALUES_H

#include "record/pool.h"

void values_write(struct code *code, struct pool *pool, const struct snapshot *snapshot);

/*
 * snapshot, if there is one, gets the sites; its window must be known. Ages are whole milliseconds
 * from the window's opening on.
 */
void values_read(struct code *code, struct pool *pool, struct snapshot *snapshot);

#endif
