/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Opening a recording for a command. */
#ifndef UNFREED_CMD_RECORDINGS_H
#define UNFREED_CMD_RECORDINGS_H

#include "record/recording.h"

/*
 * The file at path ("-": standard input), to be read by the next, and nothing of it read yet. NULL,
 * with a sentence; the one for a recording that is not complete names the file that has what there
 * is of it.
 */
FILE *recordings_open(const char *path);

/* recording_read, and a line on stderr where a part is missing. */
int recordings_read(struct series **series, FILE *stream, const char *path);

#endif
