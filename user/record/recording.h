/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Recordings: snapshots in a file, both ways. The format: unfreed-recording(5). */
#ifndef UNFREED_RECORD_RECORDING_H
#define UNFREED_RECORD_RECORDING_H

#include <stdio.h>

#include "model/series.h"

/* -- writing ------------------------------------------------------------------------------------
 */

struct recorder;

/*
 * Begins a recording on stream, with what is common to its snapshots. *recorder is the caller's;
 * stream stays the caller's, too. 0, or a negative errno with a sentence, here and below.
 */
int recorder_new(struct recorder **recorder, FILE *stream, const struct fact *facts, size_t count);

/*
 * Adds a snapshot, and flushes: from now on it can be read. footprint: the document of map of the
 * same moment, or NULL.
 */
int recorder_add(struct recorder *recorder, const struct snapshot *snapshot, const char *footprint);

/* All is there. */
int recorder_end(struct recorder *recorder);

void recorder_free(struct recorder *recorder); /* NULL is legal */

/* -- reading ------------------------------------------------------------------------------------
 */

/*
 * The recording in stream, which was opened at path. Where it is cut off or damaged, the whole
 * snapshots before that, and series->warning. *series is the caller's. 0, or a negative errno with
 * a sentence: it cannot be read, or has no whole snapshot.
 */
int recording_read(struct series **series, FILE *stream, const char *path);

/* The same of bytes, of a malloc that become the series' or are freed. */
int recording_parse(struct series **series, uint8_t *bytes, size_t count);

#endif
