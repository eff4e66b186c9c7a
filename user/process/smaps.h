/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* /proc/PID/smaps: what the kernel says of each mapping's pages. */
#ifndef UNFREED_PROCESS_SMAPS_H
#define UNFREED_PROCESS_SMAPS_H

#include "process/proc.h"

struct smap {
	struct map map; /* its path belongs to struct smaps */
	uint64_t rss_bytes, pss_bytes;
	uint64_t private_clean_bytes, private_dirty_bytes, shared_dirty_bytes;
	uint64_t anonymous_bytes; /* of a private mapping of a file: what was written to */
	uint64_t swap_bytes;
	uint64_t huge_bytes; /* of the RSS: mapped by huge pages, whether anonymous or of files */
	uint64_t hugetlb_bytes; /* reserved huge pages: not part of the RSS */
	bool grows_down; /* the main thread's stack */
};

struct smaps {
	VEC(struct smap) rows; /* sorted by start */
	char *text;
	uint64_t longest_read_ns; /* of one read(2): that long the kernel may have held the lock of
				   * the process's mappings */
};

/*
 * Reads it, in as few and as large pieces as the kernel gives. smaps is the caller's, freed with
 * smaps_free. Returns 0, -ESRCH where the process is gone or has no address space, or another
 * negative errno, with a sentence.
 */
int smaps_read(struct smaps *smaps, pid_t pid);

/* The same from text that was read elsewhere; text is smaps' from then on, also on failure. */
int smaps_parse(struct smaps *smaps, char *text);

void smaps_free(struct smaps *smaps);

#endif
