/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What proc.c shares with its neighbours and with the tests of its parsers. */
#ifndef UNFREED_PROCESS_READ_H
#define UNFREED_PROCESS_READ_H

#include "process/proc.h"

/* Reads the file /proc/PID/name; text is the caller's. Returns 0 or -errno with a sentence. */
int proc_file(pid_t pid, const char *name, size_t max_bytes, char **text);

/* The parsers; text is written to. Return 0 or -EINVAL, without a sentence. */
int stat_parse(struct proc *proc, char *text);
int status_parse(struct proc *proc, char *text);

/* One line of maps, without its newline. map->path points into line, or is NULL. False: it is
 * malformed. */
bool map_parse(struct map *map, char *line);

#endif
