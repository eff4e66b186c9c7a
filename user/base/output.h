/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Output files that are whole or not there. A regular or missing file is written aside, in the same
 * directory, and renamed when committed; devices, FIFOs and pipes are written to directly.
 */
#ifndef UNFREED_BASE_OUTPUT_H
#define UNFREED_BASE_OUTPUT_H

#include <stdio.h>

struct output;

/*
 * Opens path for writing; NULL or "-" is standard output. New files get mode 0600 masked by umask.
 * *output is the caller's and ends with output_commit or output_discard. Returns 0 or a negative
 * errno with a sentence.
 */
int output_open(struct output **output, const char *path);

/*
 * Opens a new file of mode 0600 in folder, whose name is decided later, by output_name: while there
 * are file descriptors and rights for it. Else as output_open.
 */
int output_open_in(struct output **output, const char *folder);

/* What it is called from its commit on: a path in the same folder. What is there is replaced. */
void output_name(struct output *output, const char *path);

/* Where to write. Never NULL. */
FILE *output_stream(struct output *output);

/*
 * Flushes, checks for write errors, renames, and frees output. On failure nothing stays behind.
 * Returns 0 or a negative errno with a sentence (-EPIPE when the reader has gone).
 */
int output_commit(struct output *output);

/*
 * From now on what was written aside stays there, whatever happens: it is of use without its end.
 * Returns its path, the output's; NULL where it is written to directly.
 */
const char *output_keep(struct output *output);

/* Removes what was written aside, unless it is kept, and frees output. NULL is legal. */
void output_discard(struct output *output);

/*
 * Removes what is being written aside, for a signal handler that ends the program at once: it is
 * async-signal-safe. Of several outputs that are open, the last few opened.
 */
void output_abandon(void);

#endif
