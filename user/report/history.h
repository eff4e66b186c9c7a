/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The sites of a series over its moments: what each held when. */
#ifndef UNFREED_REPORT_HISTORY_H
#define UNFREED_REPORT_HISTORY_H

#include "model/series.h"
#include "report/report.h"

enum history_metric {
	HISTORY_BYTES,
	HISTORY_BLOCKS,
	HISTORY_ALLOCATED_BYTES,
	HISTORY_ALLOCATED_BLOCKS,
	HISTORY_COMMITTED_BYTES,
	HISTORY_METRICS,
};

struct history_change {
	uint32_t moment; /* of history.moments; the values hold until the next change */
	uint64_t values[HISTORY_METRICS];
};

struct history_site {
	struct site site; /* as it was seen last */
	VEC(struct history_change) changes;
	uint32_t seen; /* 1 + the last moment that had it */
};

struct history {
	VEC(size_t) moments; /* of the series: all, or as many of them as there is room for */
	size_t left_out; /* moments between them */
	VEC(struct history_site) sites; /* in the order in which they were met */
	struct snapshot *last; /* of the last moment */
};

struct history *history_new(struct series *series, const struct report_options *options);
void history_free(struct history *history); /* NULL is legal */

#endif
