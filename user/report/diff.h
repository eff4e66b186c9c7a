/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Draws what changed between two snapshots: the formats of reports for which that makes sense. */
#ifndef UNFREED_REPORT_DIFF_H
#define UNFREED_REPORT_DIFF_H

#include "model/diff.h"
#include "report/report.h"

struct diff_ops {
	const char *name;
	/* Write errors are found by the caller through ferror. */
	void (*write)(const struct diff *diff, const struct report_options *options, FILE *stream);
};

/* By name, or NULL. */
const struct diff_ops *diff_find(const char *name);

/* All formats for i = 0, 1, …; NULL behind the last. */
const struct diff_ops *diff_at(unsigned int i);

/* What stands in a report of its first moment: the caller's, ends with mem_free. */
char *diff_describe_before(const struct diff *diff);

/* The formats' entries, for the table in diff.c. */
void diff_table_write(const struct diff *diff, const struct report_options *options, FILE *stream);
void diff_json_write(const struct diff *diff, const struct report_options *options, FILE *stream);

#endif
