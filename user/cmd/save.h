/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The recording that a trace writes. */
#ifndef UNFREED_CMD_SAVE_H
#define UNFREED_CMD_SAVE_H

#include "model/footprint.h"
#include "model/snapshot.h"

struct save;

/*
 * Opens the recording at path; words: the command line, which it names. *save is the caller's and
 * ends with save_end. 0, or a negative errno with a sentence, here and below.
 */
int save_begin(struct save **save, const char *path, char *const *words);

/* The same in folder, to be named by save_name before its end. */
int save_begin_in(struct save **save, const char *folder, char *const *words);
void save_name(struct save *save, const char *path);

/* footprint: the classes of the same moment, or NULL. */
int save_add(struct save *save, const struct snapshot *snapshot, const struct footprint *footprint);

/*
 * Completes the recording, says on stderr what it is, and frees save, which may be NULL. With an
 * error what was recorded until then stays aside: that is said, too.
 */
int save_end(struct save *save, int error);

#endif
