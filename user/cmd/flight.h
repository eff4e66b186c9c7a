/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The flight recorder: a trace that waits for something to happen, and writes a report then. */
#ifndef UNFREED_CMD_FLIGHT_H
#define UNFREED_CMD_FLIGHT_H

#include "base/vec.h"
#include "model/trigger.h"

struct trace;

struct flight_options {
	bool on_oom, on_exit; /* the kernel kills a process of the target; one ends */
	bool follow_restarts;
	VEC(struct trigger) triggers;
	uint64_t max_reports;
	const char *exec; /* a command to be run after each report, or NULL */
};

/* Whether trace is to be one. */
bool flight_wanted(const struct flight_options *options);

/* Runs it to its end: interrupted, the target's end, or the last report. The exit status. */
int flight_run(struct trace *trace);

#endif
