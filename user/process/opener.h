/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A child that looks up and opens a target's files. A file system of a container may be one that
 * never answers (FUSE whose daemon stands still, NFS whose server is gone): who asks it waits,
 * maybe beyond a SIGKILL. That is the child then, which holds nothing; another one takes its place.
 */
#ifndef UNFREED_PROCESS_OPENER_H
#define UNFREED_PROCESS_OPENER_H

#include <stdint.h>
#include <sys/types.h>

#include "process/proc.h"

/* What is done there: open a file, or -errno. */
typedef int opener_function(pid_t pid, const struct map *map);

/*
 * function(pid, map) in the child; of map, its addresses, inode and path are handed on. Its file,
 * or -errno: -ETIMEDOUT where it does not come back in seconds. Where there can be no child, it is
 * done here.
 */
int opener_open(opener_function *function, pid_t pid, const struct map *map);

/* The last place that has not answered, "/usr/lib/debug of pid 7"; NULL: all have. */
const char *opener_mute(void);

#endif
