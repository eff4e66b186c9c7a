/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Words and counts out of whatever pages a reader is given. */
#include "glibc/reader.h"

#include <string.h>

#include "base/vec.h"

enum { COUNTED_AT_ONCE = 16384 }; /* pages: 64 MiB */

struct reader *reader_new(reader_fetch_fn fetch, void *context)
{
	struct reader *reader = mem_alloc(sizeof(*reader));

	reader->fetch = fetch;
	reader->context = context;
	return reader;
}

void reader_refresh(struct reader *reader)
{
	memset(reader->numbers, 0, sizeof(reader->numbers));
}

static const uint8_t *page_of(struct reader *reader, uint64_t number)
{
	size_t slot = number % READER_CACHED;
	uint8_t *page = reader->pages[slot], state = PAGE_ABSENT;

	if (reader->numbers[slot] == number)
		return page;
	reader->numbers[slot] = 0;
	reader->fetch(reader->context, number * READER_PAGE, 1, page, &state);
	if (state == PAGE_SWAPPED)
		reader->met_swapped = true;
	if (state != PAGE_PRESENT)
		return NULL;
	reader->numbers[slot] = number;
	return page;
}

bool reader_read(struct reader *reader, uint64_t address, void *buffer, size_t bytes)
{
	size_t done = 0;

	/* The first page is nobody's: a null pointer with an offset points there. */
	if (address < READER_PAGE || address > INT64_MAX || bytes > INT64_MAX - address)
		goto failed;
	while (done < bytes) {
		uint64_t at = address + done, offset = at % READER_PAGE;
		const uint8_t *page = page_of(reader, at / READER_PAGE);
		size_t part = READER_PAGE - offset;

		if (!page)
			goto failed;
		if (part > bytes - done)
			part = bytes - done;
		memcpy((uint8_t *)buffer + done, page + offset, part);
		done += part;
	}
	return true;
failed:
	memset(buffer, 0, bytes);
	return false;
}

bool reader_u64(struct reader *reader, uint64_t address, uint64_t *value)
{
	return reader_read(reader, address, value, sizeof(*value));
}

void reader_count(struct reader *reader, uint64_t start, uint64_t end, uint64_t *present_bytes,
		  uint64_t *swapped_bytes)
{
	uint8_t *states = mem_alloc(COUNTED_AT_ONCE);

	start = page_up(start);
	end = page_down(end);
	while (start < end && !reader_is_over(reader)) {
		uint64_t pages = (end - start) / READER_PAGE;
		size_t count = pages < COUNTED_AT_ONCE ? pages : COUNTED_AT_ONCE;

		reader->fetch(reader->context, start, count, NULL, states);
		for (size_t i = 0; i < count; i++) {
			if (states[i] == PAGE_PRESENT)
				*present_bytes += READER_PAGE;
			else if (states[i] == PAGE_SWAPPED)
				*swapped_bytes += READER_PAGE;
		}
		start += count * READER_PAGE;
	}
	mem_free(states);
}

bool reader_is_over(const struct reader *reader)
{
	return reader->is_over && reader->is_over(reader->context);
}
