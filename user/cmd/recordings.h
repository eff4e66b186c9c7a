/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Opening a recording for a command. */
#ifndef UNFREED_CMD_RECORDINGS_H
#define UNFREED_CMD_RECORDINGS_H

#include "record/recording.h"

/*
 * recording_open, and a line on stderr where a part is missing. The sentence for one that is not
 * complete names the file that has what there is of it.
 */
int recordings_open(struct series **series, const char *path);

#endif
