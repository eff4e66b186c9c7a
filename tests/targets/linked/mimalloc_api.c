/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* mimalloc_api: leaks and frees by mimalloc's own functions. */
#include <mimalloc.h>
#include <string.h>

#include "protocol.h"

enum { ROUNDS = 400 };

static long long keep(void *pointer, size_t size)
{
	KEEP(pointer);
	return (long long)size;
}

SITE static long long leak_allocate(size_t size)
{
	return keep(mi_malloc(size), size) + keep(mi_zalloc(size), size) +
	       keep(mi_calloc(2, size), 2 * size) + keep(mi_mallocn(3, size), 3 * size) +
	       keep(mi_malloc_small(size % 100 + 1), size % 100 + 1);
}

SITE static long long leak_aligned(size_t size)
{
	return keep(mi_malloc_aligned(size, 64), size) + keep(mi_zalloc_aligned(size, 64), size) +
	       keep(mi_calloc_aligned(2, size, 64), 2 * size) + keep(mi_memalign(64, size), size);
}

SITE static long long leak_grown(size_t size)
{
	return keep(mi_realloc(mi_malloc(8), size), size) +
	       keep(mi_reallocn(mi_malloc(8), 2, size), 2 * size) +
	       keep(mi_recalloc(mi_calloc(1, 8), 2, size), 2 * size) +
	       keep(mi_realloc_aligned(mi_malloc_aligned(8, 64), size, 64), size);
}

SITE static long long leak_new(size_t size)
{
	return keep(mi_new(size), size) + keep(mi_new_nothrow(size), size) +
	       keep(mi_new_aligned(size, 64), size) + keep(mi_new_n(2, size), 2 * size);
}

static mi_heap_t *heap;

SITE static long long leak_heap(size_t size)
{
	return keep(mi_heap_malloc(heap, size), size) + keep(mi_heap_zalloc(heap, size), size) +
	       keep(mi_heap_calloc(heap, 2, size), 2 * size);
}

/* Strings of up to 5,000 bytes: more than a piece of what the kernel side reads at once. */
SITE static long long leak_strings(size_t size)
{
	static char text[5002];
	long long bytes;

	memset(text, 'x', sizeof(text) - 1);
	bytes = keep(mi_strndup(text, size), size + 1) +
		keep(mi_heap_strndup(heap, text, size), size + 1);
	text[size] = '\0';
	return bytes + keep(mi_strdup(text), size + 1) +
	       keep(mi_heap_strdup(heap, text), size + 1) +
	       keep(mi_realpath("/", NULL), sizeof("/"));
}

SITE static long long churn_all(size_t size)
{
	void *zero = mi_realloc(mi_malloc(size), 0);
	void *pointers[4] = { mi_malloc(size), mi_malloc(size), mi_malloc_aligned(size, 64),
			      mi_malloc_aligned(size, 64) };

	KEEP(pointers);
	mi_free(zero);
	mi_free(pointers[0]);
	mi_free_size(pointers[1], size);
	mi_free_aligned(pointers[2], 64);
	mi_free_size_aligned(pointers[3], size, 64);
	return 0;
}

static const struct {
	const char *name;
	long long (*call)(size_t size);
	int blocks;
} sites[] = {
	{ "leak_allocate", leak_allocate, 5 }, { "leak_aligned", leak_aligned, 4 },
	{ "leak_grown", leak_grown, 4 },       { "leak_new", leak_new, 4 },
	{ "leak_heap", leak_heap, 3 },	       { "leak_strings", leak_strings, 5 },
	{ "churn_all", churn_all, 0 },
};

int main(void)
{
	enum { SITES = sizeof(sites) / sizeof(*sites) };
	long long bytes[SITES] = {};

	heap = mi_heap_new();
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
