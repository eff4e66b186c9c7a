/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * arena [--threads 6]: threads whose first malloc creates a glibc arena (it nests mmap, two munmaps
 * and mprotect), and leaks there; then enough to make the arena grow by mprotect.
 *
 * Truth: sites; arenas: how many the blocks lie in, the main one left out.
 */
#include <pthread.h>
#include <stdint.h>

#include "protocol.h"

enum { MAX_THREADS = 64, FIRST_BYTES = 1000, GROWTH = 100, GROWTH_BYTES = 20000 };

static pthread_barrier_t begin, end;
static uintptr_t heaps[MAX_THREADS];

SITE static void *leak_first(void)
{
	void *pointer = malloc(FIRST_BYTES);

	KEEP(pointer);
	return pointer;
}

SITE static void leak_growth(void)
{
	for (int i = 0; i < GROWTH; i++) {
		void *pointer = malloc(GROWTH_BYTES);

		KEEP(pointer);
	}
}

/* The heap's address, as glibc's heap_for_ptr has it; 0: main arena (a bit in the chunk's size). */
static uintptr_t heap_of(void *pointer)
{
	const size_t *size = (size_t *)pointer - 1;

	return *size & 4 ? (uintptr_t)pointer & -(uintptr_t)(64 << 20) : 0;
}

static void *work(void *argument)
{
	uintptr_t *heap = argument;

	pthread_barrier_wait(&begin);
	*heap = heap_of(leak_first());
	leak_growth();
	pthread_barrier_wait(&end);
	pause();
	return NULL;
}

static long count_arenas(long threads)
{
	long arenas = 0;

	for (long i = 0; i < threads; i++) {
		long j = 0;

		while (j < i && heaps[j] != heaps[i])
			j++;
		arenas += heaps[i] && j == i;
	}
	return arenas;
}

int main(int argc, char **argv)
{
	long threads = option(argc, argv, "--threads", 6);
	pthread_t thread;

	if (threads < 1 || threads > MAX_THREADS)
		die("arena: --threads 1…%d\n", MAX_THREADS);
	pthread_barrier_init(&begin, NULL, threads + 1);
	pthread_barrier_init(&end, NULL, threads + 1);
	for (long i = 0; i < threads; i++) {
		if (pthread_create(&thread, NULL, work, &heaps[i]))
			die("arena: no thread\n");
	}
	wait_for_go();
	pthread_barrier_wait(&begin);
	pthread_barrier_wait(&end);
	say("{\"sites\":[");
	say_site("leak_first", threads * FIRST_BYTES, threads);
	say_site("leak_growth", threads * GROWTH * GROWTH_BYTES, threads * GROWTH);
	say("],\"arenas\":%ld}\n", count_arenas(threads));
	wait_for_quit();
	_exit(0);
}
