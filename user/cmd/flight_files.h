/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The files of a flight recorder: for each incident a report and a recording. Both are open before
 * anything happens, written aside, and have their names, of target, time and reason, when they are
 * whole.
 */
#ifndef UNFREED_CMD_FLIGHT_FILES_H
#define UNFREED_CMD_FLIGHT_FILES_H

#include "cmd/trace.h"
#include "model/footprint.h"
#include "model/past.h"

struct flight_files;

/* Opens the first two in the folder that trace names. *files is the caller's. 0, or -errno with a
 * sentence, here and below. */
int flight_files_new(struct flight_files **files, const struct trace *trace);

/* What there is to be written. */
struct flight_evidence {
	const struct snapshot *snapshot, *shown; /* the whole, and what the report shows of it */
	const struct footprint *footprint; /* classes of memory, or NULL */
	struct past *pasts; /* of the minutes before, by time */
	size_t past_count;
};

/*
 * Writes a report for the snapshot's first incident, and a recording of it and of the minutes
 * before, says so on stderr, starts the command that is wanted then, and opens the next two.
 */
int flight_files_write(struct flight_files *files, const struct flight_evidence *evidence);

/* How many there are. */
uint64_t flight_files_count(const struct flight_files *files);

/* Reaps the commands that have ended, and says which have failed. */
void flight_files_reap(struct flight_files *files);

void flight_files_free(struct flight_files *files); /* NULL is legal */

#endif
