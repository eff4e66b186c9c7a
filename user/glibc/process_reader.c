/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pagemap says which pages are there (Documentation/admin-guide/mm/pagemap.rst), and only those are
 * read, in runs as long as they come. Between the two a page may go: it is then brought in again,
 * which cannot be helped without stopping the process.
 */
#include "glibc/process_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/vec.h"

enum { ENTRIES = 4096 };

#define ENTRY_PRESENT (1ULL << 63)
#define ENTRY_SWAPPED (1ULL << 62)

struct process_reader {
	struct reader *reader;
	pid_t pid;
	int pagemap;
	uint64_t until_ns;
	bool (*stop)(void);
	uint64_t entries[ENTRIES];
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static bool is_over(void *context)
{
	struct process_reader *reader = context;

	return (reader->stop && reader->stop()) || now_ns() > reader->until_ns;
}

/* How many pages from address on have their states now; at most ENTRIES. */
static size_t read_states(struct process_reader *reader, uint64_t address, size_t pages,
			  uint8_t *states)
{
	size_t count = pages < ENTRIES ? pages : ENTRIES;
	ssize_t got = pread(reader->pagemap, reader->entries, count * sizeof(uint64_t),
			    (off_t)(address / READER_PAGE * sizeof(uint64_t)));

	count = got < 0 ? 0 : (size_t)got / sizeof(uint64_t);
	for (size_t i = 0; i < count; i++) {
		states[i] = reader->entries[i] & ENTRY_PRESENT	 ? PAGE_PRESENT
			    : reader->entries[i] & ENTRY_SWAPPED ? PAGE_SWAPPED
								 : PAGE_ABSENT;
	}
	return count;
}

/* A run of present pages; those that have gone since are absent. */
static void read_run(struct process_reader *reader, uint64_t address, size_t pages, uint8_t *buffer,
		     uint8_t *states)
{
	size_t done = 0;

	while (done < pages) {
		size_t bytes = (pages - done) * READER_PAGE;
		struct iovec to = { buffer + done * READER_PAGE, bytes };
		struct iovec from = { (void *)(uintptr_t)(address + done * READER_PAGE), bytes };
		ssize_t got = process_vm_readv(reader->pid, &to, 1, &from, 1, 0);

		if (got > 0)
			done += got / READER_PAGE;
		if (got < READER_PAGE) {
			if (got < 0 && errno == EINTR)
				continue;
			memset(buffer + done * READER_PAGE, 0, READER_PAGE);
			states[done++] = PAGE_ABSENT;
		}
	}
}

static void read_present(struct process_reader *reader, uint64_t address, size_t pages,
			 uint8_t *buffer, uint8_t *states)
{
	for (size_t i = 0; i < pages;) {
		size_t end = i;

		while (end < pages && states[end] == PAGE_PRESENT)
			end++;
		if (end > i)
			read_run(reader, address + i * READER_PAGE, end - i,
				 buffer + i * READER_PAGE, states + i);
		for (i = end; i < pages && states[i] != PAGE_PRESENT; i++)
			memset(buffer + i * READER_PAGE, 0, READER_PAGE);
	}
}

static void fetch(void *context, uint64_t address, size_t pages, uint8_t *buffer, uint8_t *states)
{
	size_t done = 0;

	memset(states, PAGE_ABSENT, pages);
	while (done < pages && address <= INT64_MAX) {
		size_t got = read_states(context, address + done * READER_PAGE, pages - done,
					 states + done);

		if (!got)
			break;
		done += got;
	}
	if (buffer)
		read_present(context, address, pages, buffer, states);
}

int process_reader_open(struct process_reader **out, pid_t pid, uint64_t max_ns)
{
	struct process_reader *reader = mem_alloc(sizeof(*reader));
	char path[48];
	int error;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)pid);
	reader->pid = pid;
	reader->until_ns = now_ns() + max_ns;
	reader->pagemap = open(path, O_RDONLY | O_CLOEXEC);
	if (reader->pagemap < 0) {
		error = -errno;
		mem_free(reader);
		return error_set(error, "cannot read the memory of pid %d: %s: %s", (int)pid, path,
				 strerror(-error));
	}
	reader->reader = reader_new(fetch, reader);
	reader->reader->is_over = is_over;
	*out = reader;
	return 0;
}

void process_reader_free(struct process_reader *reader)
{
	if (!reader)
		return;
	close(reader->pagemap);
	mem_free(reader->reader);
	mem_free(reader);
}

struct reader *process_reader_of(struct process_reader *reader)
{
	return reader->reader;
}

void process_reader_stop(struct process_reader *reader, bool (*stop)(void))
{
	reader->stop = stop;
}
