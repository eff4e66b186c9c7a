/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * glibc's own marks of freed chunks, read from outside (malloc/malloc.c, 2.26 to 2.41): a chunk in
 * a thread's cache has the cache's key behind its first word, one in a bin is followed by a chunk
 * whose PREV_INUSE is clear, and one that was merged or split has another size. A block in use has
 * none of these. A freed one has none either once it was handed out again.
 */
#ifndef UNFREED_COLLECT_MARKS_H
#define UNFREED_COLLECT_MARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct mark {
	uint64_t address; /* of a block, */
	uint64_t bytes; /* as long as was asked for */
	bool dead; /* set where it was given back */
};

/* The key of a process' thread caches, from its first thread's; 0: not known (before 2.34 each has
 * its own, and none does before 2.29). */
uint64_t marks_key(pid_t pid, uint64_t start_brk);

/* How much of the heap a block of bytes takes. */
uint64_t marks_chunk_bytes(uint64_t bytes);

/* Looks at count blocks. Those whose memory is gone are dead. */
void marks_look(pid_t pid, uint64_t key, struct mark *marks, size_t count);

#endif
