/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How wide and colourful a report may be. */
#ifndef UNFREED_CMD_TERMINAL_H
#define UNFREED_CMD_TERMINAL_H

#include <stdbool.h>

/* For a report that goes to the file output, or NULL: standard output. What is no terminal, or
 * wants no colours, leaves *columns and *color as they are. */
void terminal_look(const char *output, int *columns, bool *color);

#endif
