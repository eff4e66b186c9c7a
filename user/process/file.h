/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Files of /proc, of runtimes and of targets: small ones read whole, and paths opened below a root
 * that symbolic links cannot leave. Nothing here blocks on a FIFO or wakes a device. No sentences.
 */
#ifndef UNFREED_PROCESS_FILE_H
#define UNFREED_PROCESS_FILE_H

#include <stddef.h>

#include "base/vec.h"

enum {
	FILE_MAX_STATE = 4 << 20, /* bytes of a runtime's state file that are believed */
	FILE_MAX_PROC = 1 << 20, /* bytes of a file of /proc other than maps */
};

/*
 * Reads a whole file of at most max_bytes. *text is the caller's, ends in a NUL behind *bytes
 * (which may be NULL). Returns 0 or -errno (-EFBIG: longer).
 */
int file_read(const char *path, size_t max_bytes, char **text, size_t *bytes);
/* The same from an open file, which stays open. */
int file_read_fd(int fd, size_t max_bytes, char **text, size_t *bytes);

/* Opens path below root_fd (RESOLVE_IN_ROOT, no magic links), with O_PATH, O_CLOEXEC and flags. */
int file_find(int root_fd, const char *path, int flags);
/* The same, opened for reading when it is a regular file, else -EINVAL. */
int file_open(int root_fd, const char *path);
/* Opens what path_fd (O_PATH) names for reading when it is a regular file, else -EINVAL. */
int file_reopen(int path_fd);

struct file_list {
	VEC(char *) paths;
};

/*
 * Adds the paths below root_fd that match pattern, an absolute path whose components may hold '*',
 * in alphabetical order. Returns 0, or -EACCES where a folder on the way could not be read.
 */
int file_glob(struct file_list *list, int root_fd, const char *pattern);
void file_list_free(struct file_list *list);

#endif
