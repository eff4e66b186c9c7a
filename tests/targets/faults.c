/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * faults [--pages 8192] [--huge 0]: touches pages: to keep them, and to give them back; in a
 * thread, in a child, and huge ones, where the kernel has some.
 *
 * Truth: sites: bytes and blocks (pages) that are resident; child: its pid; huge: their bytes that
 * are there; faults: at least so many.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#include "protocol.h"

enum { PAGE_BYTES = 4096, HUGE_BYTES = 2 << 20 };

static long pages, huge_pages;

static char *map(size_t bytes, int advice)
{
	char *start = mmap(NULL, bytes + HUGE_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (start == MAP_FAILED)
		die("faults: no memory\n");
	start = (char *)(((uintptr_t)start + HUGE_BYTES - 1) & ~(uintptr_t)(HUGE_BYTES - 1));
	madvise(start, bytes, advice);
	return start;
}

static void touch(volatile char *start, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += PAGE_BYTES)
		start[i] = 1;
}

SITE static void leak_touched(void)
{
	touch(map(pages * PAGE_BYTES, MADV_NOHUGEPAGE), pages * PAGE_BYTES);
	NO_TAIL_CALL();
}

SITE static void churn_advised(void)
{
	char *start = map(pages * PAGE_BYTES, MADV_NOHUGEPAGE);

	touch(start, pages * PAGE_BYTES);
	madvise(start, pages * PAGE_BYTES, MADV_DONTNEED);
}

SITE static void churn_unmapped(void)
{
	char *start = map(pages * PAGE_BYTES, MADV_NOHUGEPAGE);

	touch(start, pages * PAGE_BYTES);
	munmap(start, pages * PAGE_BYTES);
}

/* One fault for two megabytes, where the kernel has such pages. */
SITE static void leak_seldom(volatile char *start, long bytes)
{
	for (long i = 0; i < bytes; i += HUGE_BYTES)
		start[i] = 1;
}

/* Most pages in its place are there again without a fault. */
SITE static void churn_replaced(void)
{
	long bytes = pages * PAGE_BYTES;
	char *start = map(bytes, MADV_NOHUGEPAGE);

	touch(start, bytes);
	if (mmap(start, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		 0) != start)
		die("faults: not in its place\n");
	madvise(start, bytes, MADV_HUGEPAGE);
	leak_seldom(start, bytes);
	NO_TAIL_CALL();
}

SITE static void leak_moved(void)
{
	long bytes = pages * PAGE_BYTES;
	char *start = map(bytes, MADV_NOHUGEPAGE), *to = map(bytes, MADV_NOHUGEPAGE);

	touch(start, bytes);
	if (mremap(start, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
		die("faults: not moved\n");
}

SITE static void *leak_in_thread(void *unused)
{
	touch(map(pages * PAGE_BYTES, MADV_NOHUGEPAGE), pages * PAGE_BYTES);
	return unused;
}

SITE static void leak_in_child(void)
{
	touch(map(pages * PAGE_BYTES, MADV_NOHUGEPAGE), pages * PAGE_BYTES);
	NO_TAIL_CALL();
}

SITE static void leak_huge(char *start)
{
	touch(start, huge_pages * HUGE_BYTES);
	NO_TAIL_CALL();
}

/* A child that stays until its parent ends. */
static pid_t begin_child(void)
{
	int ready[2], stay[2];
	char byte = 0;
	pid_t child;

	if (pipe(ready) || pipe(stay))
		die("faults: no pipes\n");
	child = fork();
	if (!child) {
		close(stay[1]);
		leak_in_child();
		if (write(ready[1], &byte, 1) == 1 && read(stay[0], &byte, 1))
			_exit(9);
		_exit(0);
	}
	if (read(ready[0], &byte, 1) != 1)
		die("faults: no child\n");
	return child;
}

/* How much of what was touched lies in huge pages. */
static long huge_bytes(const char *start)
{
	unsigned long long from, to, kib;
	bool found = false;
	FILE *stream = fopen("/proc/self/smaps", "re");
	char line[256];
	long bytes = 0;

	while (stream && fgets(line, sizeof(line), stream)) {
		if (sscanf(line, "%llx-%llx ", &from, &to) == 2)
			found = from <= (uintptr_t)start && (uintptr_t)start < to;
		if (found && sscanf(line, "AnonHugePages: %llu", &kib) == 1)
			bytes = (long)kib << 10;
	}
	if (stream)
		fclose(stream);
	return bytes;
}

int main(int argc, char **argv)
{
	char *huge;
	pthread_t thread;
	long bytes, in_huge;
	pid_t child;

	pages = option(argc, argv, "--pages", 8192);
	huge_pages = option(argc, argv, "--huge", 0);
	huge = map(huge_pages * HUGE_BYTES, MADV_HUGEPAGE);
	bytes = pages * PAGE_BYTES;
	wait_for_go();
	leak_touched();
	churn_advised();
	churn_unmapped();
	churn_replaced();
	leak_moved();
	pthread_create(&thread, NULL, leak_in_thread, NULL);
	pthread_join(thread, NULL);
	child = begin_child();
	leak_huge(huge);
	in_huge = huge_bytes(huge);
	say("{\"sites\":[");
	say_site("leak_touched", bytes, pages);
	say_site("churn_advised", 0, 0);
	say_site("churn_unmapped", 0, 0);
	say_site("churn_replaced", 0, 0);
	say_site("leak_moved", bytes, pages);
	say_site("leak_in_thread", bytes, pages);
	say_site("leak_in_child", bytes, pages);
	say("],\"child\":%d,\"huge\":%ld,\"faults\":%ld}\n", (int)child, in_huge, 7 * pages);
	wait_for_quit();
	_exit(0);
}
