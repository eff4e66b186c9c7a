/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reads a target's memory by pages, each once until memory_refresh. */
#include "hotspot/memory.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "elf/image.h"

void memory_forget(struct memory *memory)
{
	memset(memory->numbers, 0, sizeof(memory->numbers));
}

void memory_refresh(struct memory *memory)
{
	memory->failed = false;
	memory->reads_left = MEMORY_READS_MAX;
	memory_forget(memory);
}

/* pagemap's 64 bits for each page: Documentation/admin-guide/mm/pagemap.rst */
#define PAGE_PRESENT (1ULL << 63)
#define PAGE_SWAPPED (1ULL << 62)

static bool read_page(const struct memory *memory, uint64_t number, uint8_t *bytes)
{
	ssize_t got;

	do {
		got = pread(memory->fd, bytes, MEMORY_PAGE, (off_t)(number * MEMORY_PAGE));
	} while (got < 0 && errno == EINTR);
	return got == MEMORY_PAGE;
}

/* The same without making the target grow: a page of a file that is neither there nor swapped out
 * is as the file has it. */
static bool read_resident(const struct memory *memory, uint64_t number, uint8_t *bytes)
{
	uint64_t entry;

	if (pread(memory->pagemap_fd, &entry, sizeof(entry), (off_t)(number * sizeof(entry))) !=
	    sizeof(entry))
		return false;
	if (entry & PAGE_PRESENT)
		return read_page(memory, number, bytes);
	return !(entry & PAGE_SWAPPED) && memory->image &&
	       image_read(memory->image, number * MEMORY_PAGE - memory->bias, bytes, MEMORY_PAGE) ==
		       MEMORY_PAGE;
}

static const uint8_t *page_of(struct memory *memory, uint64_t number)
{
	size_t slot = number % MEMORY_PAGES;
	uint8_t *page = memory->pages[slot];

	if (memory->numbers[slot] == number)
		return page;
	memory->numbers[slot] = 0;
	if (!(memory->resident_only ? read_resident : read_page)(memory, number, page))
		return NULL;
	memory->numbers[slot] = number;
	return page;
}

bool memory_read(struct memory *memory, uint64_t address, void *buffer, size_t bytes)
{
	size_t done = 0;

	/* The first page is nobody's: a null pointer with an offset points there. */
	if (!memory->reads_left || address < MEMORY_PAGE || address > INT64_MAX ||
	    bytes > INT64_MAX - address)
		goto failed;
	memory->reads_left--;
	while (done < bytes) {
		uint64_t at = address + done, offset = at % MEMORY_PAGE;
		size_t part = MEMORY_PAGE - offset;
		const uint8_t *page = page_of(memory, at / MEMORY_PAGE);

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
	memory->failed = true;
	return false;
}

uint8_t memory_u8(struct memory *memory, uint64_t address)
{
	uint8_t value;

	memory_read(memory, address, &value, sizeof(value));
	return value;
}

uint16_t memory_u16(struct memory *memory, uint64_t address)
{
	uint16_t value;

	memory_read(memory, address, &value, sizeof(value));
	return value;
}

uint32_t memory_u32(struct memory *memory, uint64_t address)
{
	uint32_t value;

	memory_read(memory, address, &value, sizeof(value));
	return value;
}

uint64_t memory_u64(struct memory *memory, uint64_t address)
{
	uint64_t value;

	memory_read(memory, address, &value, sizeof(value));
	return value;
}

void memory_text(struct memory *memory, uint64_t address, char *text, size_t size)
{
	size_t i = 0;

	for (; i + 1 < size; i++) {
		text[i] = (char)memory_u8(memory, address + i);
		if (!text[i])
			return;
	}
	text[i] = '\0';
}
