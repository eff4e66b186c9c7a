/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The memory that a heap is read from: a process's, or an image that a test has made. Pages that
 * are not there are never asked for: to read them would bring them in, at the process's cost. What
 * stands in memory is hostile, and changes while it is read.
 */
#ifndef UNFREED_GLIBC_READER_H
#define UNFREED_GLIBC_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { READER_PAGE = 4096, READER_CACHED = 256 };

enum page_state { PAGE_ABSENT, PAGE_PRESENT, PAGE_SWAPPED };

/*
 * Says the state of pages pages from address (a page's) on, and copies those that are present to
 * buffer, where that is not NULL; the others are zeroed. One whose copying fails is absent.
 */
typedef void (*reader_fetch_fn)(void *context, uint64_t address, size_t pages, uint8_t *buffer,
				uint8_t *states);

struct reader {
	reader_fetch_fn fetch;
	void *context;
	bool (*is_over)(void *context); /* NULL: there is time without end */
	bool met_swapped; /* something could not be read because it is swapped out */
	/* For reads of single words. numbers: address / READER_PAGE, 0: none; apart, so that to
	 * forget them touches no page. */
	uint64_t numbers[READER_CACHED];
	uint8_t pages[READER_CACHED][READER_PAGE];
};

/* The caller's, to be freed with mem_free. */
struct reader *reader_new(reader_fetch_fn fetch, void *context);

/* From now on, what is read is what stands there now. */
void reader_refresh(struct reader *reader);

/* False, and buffer is zeroed: not all of it is there. */
bool reader_read(struct reader *reader, uint64_t address, void *buffer, size_t bytes);
bool reader_u64(struct reader *reader, uint64_t address, uint64_t *value);

/* Adds up the bytes of whole pages in [start, end) that are present, and that are swapped out. */
void reader_count(struct reader *reader, uint64_t start, uint64_t end, uint64_t *present_bytes,
		  uint64_t *swapped_bytes);

/* Whether its time is up, or the user wants no more. */
bool reader_is_over(const struct reader *reader);

static inline uint64_t page_down(uint64_t address)
{
	return address & ~(uint64_t)(READER_PAGE - 1);
}

static inline uint64_t page_up(uint64_t address)
{
	return page_down(address + READER_PAGE - 1);
}

#endif
