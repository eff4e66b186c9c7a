/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The formats' entries, for the table in report.c. */
#ifndef UNFREED_REPORT_FORMATS_H
#define UNFREED_REPORT_FORMATS_H

#include <stdio.h>

#include "report/report.h"

void table_write(const struct snapshot *snapshot, const struct report_options *options,
		 FILE *stream);
void json_write(const struct snapshot *snapshot, const struct report_options *options,
		FILE *stream);
void folded_write(const struct snapshot *snapshot, const struct report_options *options,
		  FILE *stream);
void svg_write(const struct snapshot *snapshot, const struct report_options *options, FILE *stream);
void pprof_write(const struct snapshot *snapshot, const struct report_options *options,
		 FILE *stream);
void jeprof_write(const struct snapshot *snapshot, const struct report_options *options,
		  FILE *stream);
void html_write(const struct snapshot *snapshot, const struct report_options *options,
		FILE *stream);
void html_write_series(struct series *series, const struct report_options *options, FILE *stream);
void callgrind_write(const struct snapshot *snapshot, const struct report_options *options,
		     FILE *stream);
void dot_write(const struct snapshot *snapshot, const struct report_options *options, FILE *stream);
void speedscope_write(const struct snapshot *snapshot, const struct report_options *options,
		      FILE *stream);
void csv_write(const struct snapshot *snapshot, const struct report_options *options, FILE *stream);
void csv_write_series(struct series *series, const struct report_options *options, FILE *stream);

struct json;

/* A site's "frames", as every document has them. */
void json_frames(struct json *json, const struct site *site);

#endif
