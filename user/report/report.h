/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Draws a snapshot. One file and one row of the table in report.c for each format. */
#ifndef UNFREED_REPORT_REPORT_H
#define UNFREED_REPORT_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "model/series.h"
#include "model/snapshot.h"

struct report_options {
	uint64_t top; /* sites in the table */
	uint64_t min_age_ns; /* table: younger blocks are left out */
	bool shape_all; /* --min-age or -t were given: they shape every format */
	unsigned int kinds; /* table: bits 1 << SITE_… of the ledgers shown; 0: all */
	int columns; /* width of the table, 0: 80 */
	bool diff; /* folded, svg: beside what sites held before; html: of two moments */
	bool color; /* table: a terminal that wants it */
};

struct report_ops {
	const char *name;
	const char *help; /* one line */
	bool many; /* one report may follow the other in a file */
	/* Writes the whole report. Write errors are found by the caller through ferror. */
	void (*write)(const struct snapshot *snapshot, const struct report_options *options,
		      FILE *stream);
	/* The whole of a series; NULL: the format shows one snapshot. */
	void (*write_series)(struct series *series, const struct report_options *options,
			     FILE *stream);
};

/* By name, or NULL. */
const struct report_ops *report_find(const char *name);

/* All formats in the order of the help, for i = 0, 1, …; NULL behind the last. */
const struct report_ops *report_at(unsigned int i);

#endif
