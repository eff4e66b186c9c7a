/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* pagemap: 64 bits for each page, see Documentation/admin-guide/mm/pagemap.rst. */
#include "process/resident.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/vec.h"

enum {
	PAGE_BYTES = RESIDENT_PAGE_BYTES,
	ENTRIES = 8192, /* read at once: 32 MiB of address space */
	WINDOW = 512, /* the pages of one page table */
	BATCH = 512, /* pieces read by one system call: IOV_MAX is 1024 */
};

#define PAGE_PRESENT (1ULL << 63)
#define PAGE_SWAPPED (1ULL << 62)

struct resident {
	pid_t pid;
	int memory, pagemap;
	uint64_t entries[ENTRIES];
	/* Entries of a stretch that was asked for last: what is read lies close together. */
	uint64_t window_page;
	size_t window_count;
	uint64_t window[WINDOW];
};

static int open_file(pid_t pid, const char *name)
{
	char path[48];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? error_set(-errno, "cannot read %s: %s", path, strerror(errno)) : fd;
}

int resident_open(struct resident **out, pid_t pid)
{
	struct resident *resident = mem_alloc(sizeof(*resident));
	int error;

	resident->pid = pid;
	resident->pagemap = -1;
	resident->memory = open_file(pid, "mem");
	if (resident->memory >= 0)
		resident->pagemap = open_file(pid, "pagemap");
	error = resident->memory < 0 ? resident->memory : resident->pagemap;
	if (error < 0) {
		resident_free(resident);
		return error;
	}
	*out = resident;
	return 0;
}

void resident_free(struct resident *resident)
{
	if (!resident)
		return;
	if (resident->memory >= 0)
		close(resident->memory);
	if (resident->pagemap >= 0)
		close(resident->pagemap);
	mem_free(resident);
}

int resident_memory_fd(const struct resident *resident)
{
	return resident->memory;
}

int resident_pagemap_fd(const struct resident *resident)
{
	return resident->pagemap;
}

/* The entries of count pages from page on; how many could be read. */
static size_t read_entries(const struct resident *resident, uint64_t page, uint64_t *entries,
			   size_t count)
{
	ssize_t got = -1;

	if (page <= INT64_MAX / PAGE_BYTES)
		got = pread(resident->pagemap, entries, count * sizeof(*entries),
			    (off_t)(page * sizeof(*entries)));
	return got < 0 ? 0 : got / sizeof(*entries);
}

static bool is_present(struct resident *resident, uint64_t page)
{
	if (page - page % WINDOW != resident->window_page || !resident->window_count) {
		resident->window_page = page - page % WINDOW;
		resident->window_count =
			read_entries(resident, resident->window_page, resident->window, WINDOW);
	}
	return page % WINDOW < resident->window_count &&
	       resident->window[page % WINDOW] & PAGE_PRESENT;
}

static bool are_present(struct resident *resident, uint64_t address, size_t bytes)
{
	if (!bytes || address > INT64_MAX || bytes > INT64_MAX - address)
		return false;
	for (uint64_t page = address / PAGE_BYTES; page <= (address + bytes - 1) / PAGE_BYTES;
	     page++) {
		if (!is_present(resident, page))
			return false;
	}
	return true;
}

bool resident_read(struct resident *resident, uint64_t address, void *buffer, size_t bytes)
{
	return are_present(resident, address, bytes) &&
	       pread(resident->memory, buffer, bytes, (off_t)address) == (ssize_t)bytes;
}

/* Reads pieces that are there; one that cannot be read is passed over. */
static void read_pieces(struct resident *resident, struct resident_piece **pieces, size_t count)
{
	struct iovec local[BATCH], remote[BATCH];

	for (size_t i = 0; i < count; i++) {
		local[i] = (struct iovec){ pieces[i]->buffer, pieces[i]->bytes };
		remote[i] =
			(struct iovec){ (void *)(uintptr_t)pieces[i]->address, pieces[i]->bytes };
	}
	for (size_t done = 0; done < count; done++) {
		ssize_t got = process_vm_readv(resident->pid, local + done, count - done,
					       remote + done, count - done, 0);

		for (; done < count && got >= (ssize_t)pieces[done]->bytes; done++) {
			got -= (ssize_t)pieces[done]->bytes;
			pieces[done]->is_read = true;
		}
	}
}

void resident_read_all(struct resident *resident, struct resident_piece *pieces, size_t count)
{
	struct resident_piece *wanted[BATCH];
	size_t waiting = 0;

	for (size_t i = 0; i < count; i++) {
		pieces[i].is_read = false;
		if (are_present(resident, pieces[i].address, pieces[i].bytes))
			wanted[waiting++] = &pieces[i];
		if (waiting == BATCH || (waiting && i + 1 == count)) {
			read_pieces(resident, wanted, waiting);
			waiting = 0;
		}
	}
}

struct resident_pages resident_count(struct resident *resident, uint64_t start, uint64_t end)
{
	struct resident_pages sum = { 0 };

	while (start < end) {
		uint64_t pages = (end - start) / PAGE_BYTES;
		size_t count = read_entries(resident, start / PAGE_BYTES, resident->entries,
					    pages < ENTRIES ? pages : ENTRIES);

		if (!count)
			break;
		for (size_t i = 0; i < count; i++) {
			sum.present += !!(resident->entries[i] & PAGE_PRESENT);
			sum.swapped += !!(resident->entries[i] & PAGE_SWAPPED);
		}
		start += count * PAGE_BYTES;
	}
	return sum;
}

/* -- one page ---------------------------------------------------------------------------------- */

/* As <linux/fs.h> has them since 6.7. */
struct page_scan {
	uint64_t bytes, flags, start, end, walk_end, regions, region_count, max_pages;
	uint64_t inverted, all_of, any_of, wanted;
};

struct page_region {
	uint64_t start, end, categories;
};

enum { PAGE_IS_PRESENT = 1 << 3, PAGE_IS_HUGE = 1 << 6 };

#define PAGEMAP_SCAN_CALL _IOWR('f', 16, struct page_scan)

/* The categories of the page there, into *categories: 0 where it is not. Returns 0 or -errno. */
static int scan_page(const struct resident *resident, uint64_t address, uint64_t *categories)
{
	struct page_region region = { 0 };
	struct page_scan scan = {
		.bytes = sizeof(scan),
		.start = address & ~(uint64_t)(PAGE_BYTES - 1),
		.end = (address & ~(uint64_t)(PAGE_BYTES - 1)) + PAGE_BYTES,
		.regions = (uintptr_t)&region,
		.region_count = 1,
		.all_of = PAGE_IS_PRESENT,
		.wanted = PAGE_IS_PRESENT | PAGE_IS_HUGE,
	};
	int found = ioctl(resident->pagemap, PAGEMAP_SCAN_CALL, &scan);

	*categories = found > 0 ? region.categories : 0;
	return found < 0 ? -errno : 0;
}

bool resident_tells_huge(struct resident *resident)
{
	uint64_t categories;
	int error = scan_page(resident, 0, &categories);

	return error != -ENOTTY && error != -EINVAL;
}

uint64_t resident_page_bytes(struct resident *resident, uint64_t address)
{
	uint64_t categories;

	if (scan_page(resident, address, &categories))
		return resident_is_held(resident, address) ? PAGE_BYTES : 0;
	if (!categories)
		return 0;
	return categories & PAGE_IS_HUGE ? RESIDENT_HUGE_BYTES : PAGE_BYTES;
}

bool resident_is_held(struct resident *resident, uint64_t address)
{
	uint64_t entry;

	return read_entries(resident, address / PAGE_BYTES, &entry, 1) &&
	       entry & (PAGE_PRESENT | PAGE_SWAPPED);
}
