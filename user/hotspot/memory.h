/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The memory of a target, behind the file descriptor of its /proc/PID/mem. What stands in it is
 * hostile and changes while it is read: a read that fails gives 0 and sets failed, so that callers
 * check once, behind a group of reads.
 */
#ifndef UNFREED_HOTSPOT_MEMORY_H
#define UNFREED_HOTSPOT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	MEMORY_PAGE = 4096,
	MEMORY_PAGES = 64,
	MEMORY_READS_MAX = 16 << 20, /* for one request, and for each place that it names */
	MEMORY_READS_EACH = 16 << 10,
};

struct image;

struct memory {
	int fd;
	/* Set: pages that are not there are not brought in. What was never written to is read from
	 * the image instead, mapped bias above its addresses. */
	bool resident_only;
	int pagemap_fd;
	struct image *image; /* NULL: none */
	uint64_t bias;
	bool failed;
	uint64_t reads_left; /* all its loops are bounded, and yet they may multiply to hours */
	/* Structures lie close together, and a read costs the same for 8 bytes as for a page.
	 * numbers: address / MEMORY_PAGE, 0: none; apart, so that to forget them touches no page.
	 */
	uint64_t numbers[MEMORY_PAGES];
	uint8_t pages[MEMORY_PAGES][MEMORY_PAGE];
};

/* From now on, what is read is what stands there now. Clears failed, and counts reads anew. */
void memory_refresh(struct memory *memory);

/* The same, but within a group of reads. */
void memory_forget(struct memory *memory);

/* False, failed is set and buffer zeroed, where any of it is unreadable. */
bool memory_read(struct memory *memory, uint64_t address, void *buffer, size_t bytes);

uint8_t memory_u8(struct memory *memory, uint64_t address);
uint16_t memory_u16(struct memory *memory, uint64_t address);
uint32_t memory_u32(struct memory *memory, uint64_t address);
uint64_t memory_u64(struct memory *memory, uint64_t address);

static inline int32_t memory_s32(struct memory *memory, uint64_t address)
{
	return (int32_t)memory_u32(memory, address);
}

/* A text that ends within size bytes, its NUL included; longer ones are cut. */
void memory_text(struct memory *memory, uint64_t address, char *text, size_t size);

#endif
