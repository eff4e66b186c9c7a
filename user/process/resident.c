/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* pagemap: 64 bits for each page, see Documentation/admin-guide/mm/pagemap.rst. */
#include "process/resident.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/vec.h"

enum {
	PAGE_BYTES = 4096,
	ENTRIES = 8192, /* read at once: 32 MiB of address space */
};

#define PAGE_PRESENT (1ULL << 63)
#define PAGE_SWAPPED (1ULL << 62)

struct resident {
	int memory, pagemap;
	uint64_t entries[ENTRIES];
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

/* The entries of at most ENTRIES pages from address on; how many could be read. */
static size_t read_entries(struct resident *resident, uint64_t address, uint64_t pages)
{
	size_t wanted = pages < ENTRIES ? pages : ENTRIES;
	ssize_t got;

	if (address > INT64_MAX)
		return 0;
	got = pread(resident->pagemap, resident->entries, wanted * sizeof(uint64_t),
		    (off_t)(address / PAGE_BYTES * sizeof(uint64_t)));
	return got < 0 ? 0 : got / sizeof(uint64_t);
}

bool resident_read(struct resident *resident, uint64_t address, void *buffer, size_t bytes)
{
	uint64_t first = address / PAGE_BYTES, last = (address + bytes - 1) / PAGE_BYTES;
	size_t pages = last - first + 1;

	if (!bytes || address > INT64_MAX || bytes > INT64_MAX - address || pages > ENTRIES ||
	    read_entries(resident, address, pages) != pages)
		return false;
	for (size_t i = 0; i < pages; i++) {
		if (!(resident->entries[i] & PAGE_PRESENT))
			return false;
	}
	return pread(resident->memory, buffer, bytes, (off_t)address) == (ssize_t)bytes;
}

struct resident_pages resident_count(struct resident *resident, uint64_t start, uint64_t end)
{
	struct resident_pages sum = { 0 };

	while (start < end) {
		size_t count = read_entries(resident, start, (end - start) / PAGE_BYTES);

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
