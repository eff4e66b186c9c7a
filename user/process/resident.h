/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The memory of a process, read without making it grow: a page that is not there would be brought
 * in by the reading, and be charged to the process with its page table. Only what pagemap shows as
 * present is read.
 */
#ifndef UNFREED_PROCESS_RESIDENT_H
#define UNFREED_PROCESS_RESIDENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct resident;

/* Returns 0 or -errno with a sentence. */
int resident_open(struct resident **resident, pid_t pid);
void resident_free(struct resident *resident); /* NULL is legal */

/* Its /proc/PID/mem and pagemap, for readers behind the sandbox; they stay the resident's. */
int resident_memory_fd(const struct resident *resident);
int resident_pagemap_fd(const struct resident *resident);

/* False, buffer undefined: some of it is not there. */
bool resident_read(struct resident *resident, uint64_t address, void *buffer, size_t bytes);

/* Many small reads at once, in ascending order best. */
struct resident_piece {
	uint64_t address;
	void *buffer;
	size_t bytes;
	bool is_read; /* else its buffer is undefined */
};
void resident_read_all(struct resident *resident, struct resident_piece *pieces, size_t count);

/* Of the page there, now: its bytes, a huge page's where it is one; 0: it is not there. */
enum { RESIDENT_PAGE_BYTES = 4096, RESIDENT_HUGE_BYTES = 2 << 20 };
uint64_t resident_page_bytes(struct resident *resident, uint64_t address);

/* Whether this kernel tells huge pages from others (6.7, 52526ca7fdb9). */
bool resident_tells_huge(struct resident *resident);

/* Is the page there, or swapped out, now? */
bool resident_is_held(struct resident *resident, uint64_t address);

/* Pages of [start, end) that are there, and that are swapped out. */
struct resident_pages {
	uint64_t present, swapped;
};
struct resident_pages resident_count(struct resident *resident, uint64_t start, uint64_t end);

#endif
