/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which sites a report shows, and what it leaves out. */
#ifndef UNFREED_REPORT_SELECTION_H
#define UNFREED_REPORT_SELECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "report/report.h"

struct selection_row {
	const struct site *site;
	uint64_t bytes, blocks; /* outstanding and old enough */
};

struct selection {
	VEC(struct selection_row) rows; /* most bytes first */
	uint64_t bytes, blocks; /* of all that is old enough, shown or not */
	uint64_t young_bytes, young_blocks; /* left out: too young */
	uint64_t rest_sites, rest_bytes, rest_blocks; /* left out: beyond top */
};

/*
 * The sites of the kinds (bits 1 << SITE_…) that hold anything. With shape young blocks are left
 * out (when options ask for a min_age), and of each kind all but the top. Ends with selection_free.
 */
void selection_make(struct selection *selection, const struct snapshot *snapshot,
		    unsigned int kinds, const struct report_options *options, bool shape);

/* For formats that hold everything: with filters the rows that pass, else every site of the kinds,
 * in the snapshot's order, also those that hold nothing any more. */
void selection_all(struct selection *selection, const struct snapshot *snapshot, unsigned int kinds,
		   const struct report_options *options);

/* Whether a kind is shown: it was asked for, or nothing was, and traced, or there are sites of it
 * all the same. */
bool selection_shows(const struct snapshot *snapshot, enum site_kind kind,
		     const struct report_options *options);

/* The module that is a process's program, by its name, most likely; NULL: none is. */
const char *selection_program(const struct selection *selection, const struct snapshot *snapshot);

void selection_free(struct selection *selection);

#endif
