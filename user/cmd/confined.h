/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Drawing what comes from outside. A recording may be of another machine, and made to harm: the
 * child that reads it has its files open and no way to open others, no privileges, and but a few
 * system calls.
 */
#ifndef UNFREED_CMD_CONFINED_H
#define UNFREED_CMD_CONFINED_H

#include <stdio.h>

/*
 * Has draw(argument, stream) write the output at path (see output_open) in such a child. It opens
 * nothing; what it allocates goes with the child. Returns 0, or a negative errno with the sentence
 * of what failed, be it the child's.
 */
int confined_draw(const char *path, int (*draw)(void *argument, FILE *stream), void *argument);

#endif
