/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A snapshot as bytes: sections with a tag and a length, so that a reader steps over those that it
 * does not know.
 */
#ifndef UNFREED_RECORD_SECTIONS_H
#define UNFREED_RECORD_SECTIONS_H

#include "record/pool.h"

/* What a section is about. */
enum section_part {
	SECTION_POOL = 1, /* texts, frames and stacks that this snapshot has added to the pool */
	SECTION_HEAD = 2, /* times, totals, processes …: all but sites */
	SECTION_KNOWN = 4, /* sites that it has added, or all of them, where it is whole */
	SECTION_VALUES = 8, /* the sites' values, beside those of the snapshot before */
	SECTION_SITES = SECTION_KNOWN | SECTION_VALUES,
};

/*
 * Appends snapshot to code, a writer. whole: its values stand for themselves, and not beside those
 * of the one before.
 */
void sections_write(struct code *code, struct pool *pool, const struct snapshot *snapshot,
		    bool whole);

/*
 * Reads these parts (bits) of a snapshot of so many bytes. Sites need the pool of all snapshots up
 * to this one and, where it is not whole, the values of the one before. snapshot may be NULL: only
 * the pool changes then. *whole (may be NULL) says whether it is. Returns 0, or -EINVAL: broken.
 */
int sections_read(const void *bytes, size_t count, unsigned int parts, struct pool *pool,
		  struct snapshot *snapshot, bool *whole);

#endif
