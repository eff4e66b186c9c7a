/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * jemalloc_api: leaks and frees by jemalloc's own functions, under the prefix that it is built
 * with: -DPREFIX=je_, say. Its libc's malloc is a malloc beside it then.
 */
#include <stddef.h>

#include "protocol.h"

#ifndef PREFIX
#define PREFIX
#endif
#define PASTE(a, b) a##b
#define JOIN(a, b) PASTE(a, b)
#define JE(name) JOIN(PREFIX, name)

void *JE(malloc)(size_t size);
void *JE(calloc)(size_t count, size_t size);
void *JE(realloc)(void *pointer, size_t size);
void JE(free)(void *pointer);
int JE(posix_memalign)(void **pointer, size_t alignment, size_t size);
void *JE(mallocx)(size_t size, int flags);
void *JE(rallocx)(void *pointer, size_t size, int flags);
size_t JE(xallocx)(void *pointer, size_t size, size_t extra, int flags);
void JE(dallocx)(void *pointer, int flags);
void JE(sdallocx)(void *pointer, size_t size, int flags);
int JE(mallctl)(const char *name, void *old, size_t *old_size, void *new, size_t new_size);

enum { ROUNDS = 400, ALIGN_64 = 6, ZERO = 0x40 };

SITE static long long leak_mallocx(size_t size)
{
	void *pointer = JE(mallocx)(size, size % 2 ? ALIGN_64 : ZERO);

	KEEP(pointer);
	return (long long)size;
}

SITE static long long leak_rallocx(size_t size)
{
	void *pointer = JE(mallocx)(size, 0);

	pointer = JE(rallocx)(pointer, 3 * size, 0);
	KEEP(pointer);
	return (long long)(3 * size);
}

/* Some can grow in place, others keep their size. */
SITE static long long leak_xallocx(size_t size)
{
	size_t wanted = size + 1 + size % 9;
	void *pointer = JE(mallocx)(size, 0);

	KEEP(pointer);
	return (long long)(JE(xallocx)(pointer, wanted, 0, 0) >= wanted ? wanted : size);
}

SITE static long long leak_plain(size_t size)
{
	void *pointers[4] = { JE(malloc)(size), JE(calloc)(2, size),
			      JE(realloc)(JE(malloc)(8), size) };

	if (JE(posix_memalign)(&pointers[3], 128, size))
		_exit(9);
	KEEP(pointers);
	return (long long)(5 * size);
}

/* By the libc, where jemalloc's names have a prefix. */
SITE static long long leak_beside(size_t size)
{
	void *pointer = malloc(size);

	KEEP(pointer);
	return (long long)size;
}

SITE static long long churn_all(size_t size)
{
	void *first = JE(mallocx)(size, 0), *second = JE(mallocx)(size, 0), *third = malloc(size);
	void *fourth = JE(realloc)(JE(malloc)(size), 0);

	KEEP(first);
	KEEP(second);
	KEEP(third);
	KEEP(fourth);
	JE(dallocx)(first, 0);
	JE(sdallocx)(second, size, 0);
	free(third);
	JE(free)(fourth);
	return 0;
}

static const struct {
	const char *name;
	long long (*call)(size_t size);
	int blocks;
} sites[] = {
	{ "leak_mallocx", leak_mallocx, 1 }, { "leak_rallocx", leak_rallocx, 1 },
	{ "leak_xallocx", leak_xallocx, 1 }, { "leak_plain", leak_plain, 4 },
	{ "leak_beside", leak_beside, 1 },   { "churn_all", churn_all, 0 },
};

int main(void)
{
	enum { SITES = sizeof(sites) / sizeof(*sites) };
	long long bytes[SITES] = {};

	/* It keeps the symbol by which jemalloc is known. */
	if (JE(mallctl)("thread.tcache.flush", NULL, NULL, NULL, 0))
		die("jemalloc_api: no mallctl\n");
	wait_for_go();
	for (size_t round = 1; round <= ROUNDS; round++) {
		for (int i = 0; i < SITES; i++)
			bytes[i] += sites[i].call(round * 7 % 5000 + 1);
	}
	say("{\"sites\":[");
	for (int i = 0; i < SITES; i++)
		say_site(sites[i].name, bytes[i], (long long)sites[i].blocks * ROUNDS);
	say("]}\n");
	wait_for_quit();
	_exit(0);
}
