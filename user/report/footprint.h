/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Footprints for people, and for programs. */
#ifndef UNFREED_REPORT_FOOTPRINT_H
#define UNFREED_REPORT_FOOTPRINT_H

#include <stdbool.h>
#include <stdio.h>

#include "model/footprint.h"
#include "model/growth.h"

enum footprint_by { FOOTPRINT_BY_CLASS, FOOTPRINT_BY_PROCESS, FOOTPRINT_BY_MAPPING };

struct footprint_options {
	enum footprint_by by;
	uint64_t top; /* rows of mappings in the table */
	int columns; /* 0: as for a file */
	bool color;
};

/* growth may be NULL; else its rates stand beside, or, from the second sample on, instead. */
void footprint_table(const struct footprint *footprint, const struct growth *growth,
		     const struct footprint_options *options, FILE *stream);

/* One document on one line: classes of all and of each process, and by mapping each of these. */
void footprint_json(const struct footprint *footprint, const struct growth *growth,
		    const struct footprint_options *options, FILE *stream);

/* What changed between two. */
void footprint_diff_table(const struct footprint *before, const struct footprint *after,
			  const struct footprint_options *options, FILE *stream);
void footprint_diff_json(const struct footprint *before, const struct footprint *after,
			 FILE *stream);

#endif
