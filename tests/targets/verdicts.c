/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * verdicts --case N: a heap of one kind, for unfreed heap to judge.
 *
 *   1 arenas     threads one after the other fill an arena, and free all but the last block
 *   2 trim       the main thread does so
 *   3 late trim  a large block freed has moved the thresholds up; then much is freed, and kept
 *   4 leak       blocks of one size, more and more of them until the next word
 *   5 cache      blocks of one size, replaced until the next word
 *   6 fragments  of each pair of blocks, one small and one larger, the larger one is freed
 *   7 stacks     threads that were deep in their stacks once, until the next word
 *
 * go: stops what is under way, applies the remedy that the program itself can (frees, then trims).
 */
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>

#include "protocol.h"

enum {
	THREADS = 16,
	ARENA_BYTES = 8 << 20,
	MAIN_BYTES = 64 << 20,
	LARGE_BYTES = 30 << 20,
	TOP_BYTES = 40 << 20,
	LEAKED_BYTES = 7000,
	LEAKED_BEFORE = 3000,
	LEAKED_MAX = 20000,
	CACHED_BYTES = 1000,
	CACHED = 40000,
	PAIRS = 60000,
	SMALL_BYTES = 40,
	LARGER_BYTES = 1000,
	DEEP_THREADS = 60,
	DEEP_BYTES = 1 << 20,
	MAX_BLOCKS = 1 << 20,
};

static void *blocks[MAX_BLOCKS];
static long count;
static atomic_int stopped, stands;

static void *filled(size_t bytes)
{
	void *block = malloc(bytes);

	if (!block)
		die("verdicts: no memory\n");
	memset(block, 'v', bytes);
	return block;
}

static void add(size_t bytes)
{
	if (count == MAX_BLOCKS)
		die("verdicts: too many blocks\n");
	blocks[count++] = filled(bytes);
}

static void fill(size_t bytes, size_t keep)
{
	size_t held = 0;

	count = 0;
	for (size_t i = 0; held < bytes; i++) {
		size_t size = 100 + i % 7 * 400;

		add(size);
		held += size;
	}
	while (count > (long)keep)
		free(blocks[--count - (long)keep]);
}

static void *fill_arena(void *argument)
{
	(void)argument;
	fill(ARENA_BYTES, 1);
	atomic_fetch_add(&stands, 1);
	for (;;)
		pause();
	return NULL;
}

static void fill_arenas(void)
{
	pthread_t thread;

	for (int i = 0; i < THREADS; i++) {
		if (pthread_create(&thread, NULL, fill_arena, NULL))
			die("verdicts: no thread\n");
		while (atomic_load(&stands) <= i)
			usleep(1000);
	}
}

static void *leak(void *argument)
{
	(void)argument;
	while (!atomic_load(&stopped) && count < LEAKED_MAX) {
		add(LEAKED_BYTES);
		usleep(500);
	}
	atomic_store(&stands, 1);
	return NULL;
}

static void *replace(void *argument)
{
	(void)argument;
	for (long i = 0; !atomic_load(&stopped); i = (i + 7) % CACHED) {
		free(blocks[i]);
		blocks[i] = filled(CACHED_BYTES);
		usleep(100);
	}
	atomic_store(&stands, 1);
	return NULL;
}

static void begin(void *(*work)(void *))
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, work, NULL))
		die("verdicts: no thread\n");
}

static void end(void)
{
	atomic_store(&stopped, 1);
	while (!atomic_load(&stands))
		usleep(1000);
	while (count)
		free(blocks[--count]);
}

static void fragment(void)
{
	for (int i = 0; i < PAIRS; i++) {
		KEEP(filled(SMALL_BYTES));
		add(LARGER_BYTES);
	}
	while (count)
		free(blocks[--count]);
}

static void *go_deep(void *argument)
{
	volatile char deep[DEEP_BYTES];

	(void)argument;
	for (size_t i = 0; i < sizeof(deep); i += 512)
		deep[i] = 's';
	atomic_fetch_add(&stands, 1);
	while (!atomic_load(&stopped))
		usleep(10000);
	return NULL;
}

static void with_stacks(void)
{
	pthread_t threads[DEEP_THREADS];

	for (int i = 0; i < DEEP_THREADS; i++) {
		if (pthread_create(&threads[i], NULL, go_deep, NULL))
			die("verdicts: no thread\n");
	}
	while (atomic_load(&stands) < DEEP_THREADS)
		usleep(1000);
	wait_for_go();
	atomic_store(&stopped, 1);
	for (int i = 0; i < DEEP_THREADS; i++)
		pthread_join(threads[i], NULL);
	say("{}\n");
	wait_for_quit();
	_exit(0);
}

int main(int argc, char **argv)
{
	long which = option(argc, argv, "--case", 0);
	size_t size = which == 4 ? LEAKED_BYTES : CACHED_BYTES;

	if (which == 7)
		with_stacks();
	if (which == 1)
		fill_arenas();
	else if (which == 2)
		fill(MAIN_BYTES, 1);
	else if (which == 6)
		fragment();
	if (which == 3) {
		free(filled(LARGE_BYTES));
		fill(TOP_BYTES, 0);
	}
	for (long i = 0; i < (which == 4 ? LEAKED_BEFORE : which == 5 ? CACHED : 0); i++)
		add(size);
	if (which == 4 || which == 5)
		begin(which == 4 ? leak : replace);
	wait_for_go();
	if (which == 4 || which == 5)
		end();
	malloc_trim(0);
	say("{}\n");
	wait_for_quit();
	_exit(0);
}
