/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What unfreed trace was asked for. */
#ifndef UNFREED_CMD_TRACE_H
#define UNFREED_CMD_TRACE_H

#include "cmd/flight.h"
#include "collect/collect.h"
#include "process/target.h"
#include "report/report.h"
#include "report/view.h"

struct trace {
	struct target_spec spec;
	char *const *command; /* the words behind "--", or NULL */
	struct collect_options collect;
	struct report_options report;
	struct view view; /* of reports; a recording has all */
	const struct report_ops *format; /* NULL: no report, only the recording */
	const char *output;
	const char *record; /* the recording's path, or NULL */
	char *const *words; /* the command line, for the recording */
	uint64_t duration_ns; /* UINT64_MAX: until the target exits */
	uint64_t interval_ns;
	uint64_t fail_over_bytes;
	struct flight_options flight;
	bool duration_given, fail_over, interval, top_given, min_age_given, classes, help;
};

/*
 * trace ends with trace_free. Defaults, then what argv says. Returns true, or false: the command
 * ends with *status, and all is said.
 */
bool trace_options(struct trace *trace, int argc, char **argv, int *status);
void trace_free(struct trace *trace);

#endif
