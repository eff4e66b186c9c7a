/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * heap_truth [--threads 1…4] [--operations 50000] [--pvalloc 1]: leaks by every way into malloc,
 * and counts what it leaks. C_ONLY: without the sites in C++. Each operation is a random site with
 * a random size (the same ones in every run); some blocks are freed later, some by another thread,
 * and some failing calls must change nothing. Bytes are what the program asked for.
 *
 * Truth: sites; unmatched_frees: blocks from before "go" that were freed or reallocated after it.
 */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "heap_truth.h"
#include "protocol.h"

enum { MAX_THREADS = 4, KEPT = 512, PASSED = 256, FREED_BEFORE = 120, REALLOCATED_BEFORE = 40 };

#if !defined(__GLIBC__) || defined(NO_PVALLOC)
#define pvalloc valloc
#endif

/* jemalloc has none: the libc's would hand out a block that jemalloc's free does not know. */
static bool with_pvalloc;

#define HUGE_SIZE ((size_t)PTRDIFF_MAX - 64) /* no allocator grants it */

/* Hides a size from the compiler, which would warn about it or know the result. */
static size_t opaque(size_t size)
{
	__asm__ volatile("" : "+r"(size));
	return size;
}

/* Whether an allocation failed; one that nobody uses would be taken for granted. */
static bool failed(void *pointer)
{
	return !alias(pointer);
}

static void check(bool right, const char *what)
{
	if (!right)
		die("heap_truth: %s: not as expected\n", what);
}

/* -- sites --------------------------------------------------------------------------------------
 */

SITE static struct left leak_malloc(size_t size)
{
	void *pointer = malloc(size);

	KEEP(pointer);
	return (struct left){ pointer, size, 1 };
}

SITE static struct left leak_malloc_zero(size_t size)
{
	void *pointer = malloc(opaque(0));

	KEEP(pointer);
	return (struct left){ NULL, 0, 1 };
}

SITE static struct left leak_calloc(size_t size)
{
	size_t count = 1 + size % 7;
	void *pointer = calloc(count, size);

	check(failed(calloc(opaque(SIZE_MAX / 2), opaque(4))), "calloc that overflows");
	KEEP(pointer);
	return (struct left){ pointer, count * size, 1 };
}

SITE static struct left leak_realloc(size_t size)
{
	void *pointer = malloc(size / 2 + 1);

	pointer = realloc(pointer, size);
	KEEP(pointer);
	return (struct left){ pointer, size, 1 };
}

SITE static struct left leak_realloc_null(size_t size)
{
	void *pointer = realloc(alias(NULL), size);

	KEEP(pointer);
	return (struct left){ pointer, size, 1 };
}

/* The block lives on, with its old size. */
SITE static struct left leak_realloc_failing(size_t size)
{
	void *pointer = malloc(size);

	check(failed(realloc(alias(pointer), opaque(HUGE_SIZE))), "realloc of too much");
	KEEP(pointer);
	return (struct left){ pointer, size, 1 };
}

SITE static struct left leak_reallocarray(size_t size)
{
	void *pointer = reallocarray(NULL, 2, size);

	pointer = reallocarray(pointer, 3, size);
	check(failed(reallocarray(alias(pointer), opaque(SIZE_MAX / 2), 3)),
	      "reallocarray that overflows");
	KEEP(pointer);
	return (struct left){ pointer, 3 * size, 1 };
}

SITE static struct left leak_posix_memalign(size_t size)
{
	void *pointer = NULL, *untouched = NULL;

	check(posix_memalign(&untouched, 3, size) == EINVAL, "posix_memalign of a bad alignment");
	check(!posix_memalign(&pointer, 256, size), "posix_memalign");
	KEEP(pointer);
	return (struct left){ pointer, size, 1 };
}

SITE static struct left leak_aligned_alloc(size_t size)
{
	void *pointer = aligned_alloc(64, size);

	KEEP(pointer);
	return (struct left){ pointer, size, 1 };
}

SITE static struct left leak_memalign(size_t size)
{
	void *pointer = memalign(128, size);

	KEEP(pointer);
	return (struct left){ pointer, size, 1 };
}

SITE static struct left leak_valloc(size_t size)
{
	void *pointer = valloc(size);

	KEEP(pointer);
	return (struct left){ pointer, size, 1 };
}

SITE static struct left leak_pvalloc(size_t size)
{
	void *pointer = with_pvalloc ? pvalloc(size) : valloc(size);

	KEEP(pointer);
	return (struct left){ pointer, size, 1 };
}

static char text[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz0123456789";

SITE static struct left leak_strdup(size_t size)
{
	const char *source = &text[size % sizeof(text)];
	char *copy = strdup(source);

	KEEP(copy);
	return (struct left){ copy, strlen(source) + 1, 1 };
}

SITE static struct left leak_strndup(size_t size)
{
	size_t length = size % (sizeof(text) - 1);
	char *copy = strndup(text, length);

	KEEP(copy);
	return (struct left){ copy, length + 1, 1 };
}

SITE static struct left churn_malloc(size_t size)
{
	void *first = malloc(size), *second = calloc(1, size);

	KEEP(first);
	KEEP(second);
	free(first);
	free(alias(NULL));
	free(second);
	return (struct left){};
}

/* Frees and returns NULL, or returns a block without bytes: glibc and musl, say. */
SITE static struct left churn_realloc_zero(size_t size)
{
	void *pointer = malloc(size);

	KEEP(pointer);
	pointer = realloc(pointer, opaque(0));
	free(alias(pointer));
	return (struct left){};
}

SITE static struct left churn_aligned(size_t size)
{
	void *pointer = NULL;

	check(!posix_memalign(&pointer, 4096, size), "posix_memalign");
	free(pointer);
	pointer = valloc(size);
	KEEP(pointer);
	free(pointer);
	return (struct left){};
}

/* Blocks on their way to another thread. */
static struct {
	pthread_mutex_t lock;
	void *pointers[PASSED];
	unsigned int count;
} passed = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Allocates one, and frees one that most often another thread has allocated. */
SITE static struct left churn_passed(size_t size)
{
	void *pointer = malloc(size), *other = NULL;
	unsigned int slot;

	KEEP(pointer);
	pthread_mutex_lock(&passed.lock);
	if (passed.count < PASSED) {
		passed.pointers[passed.count++] = pointer;
	} else {
		slot = size % PASSED;
		other = passed.pointers[slot];
		passed.pointers[slot] = pointer;
	}
	pthread_mutex_unlock(&passed.lock);
	free(other);
	return (struct left){};
}

static const struct site {
	const char *function;
	site_fn *call;
} sites[] = {
#define SITE_ROW(name)      \
	{                   \
#name, name \
	}
	SITE_ROW(leak_malloc),	      SITE_ROW(leak_malloc_zero),    SITE_ROW(leak_calloc),
	SITE_ROW(leak_realloc),	      SITE_ROW(leak_realloc_null),   SITE_ROW(leak_realloc_failing),
	SITE_ROW(leak_reallocarray),  SITE_ROW(leak_posix_memalign), SITE_ROW(leak_aligned_alloc),
	SITE_ROW(leak_memalign),      SITE_ROW(leak_valloc),	     SITE_ROW(leak_pvalloc),
	SITE_ROW(leak_strdup),	      SITE_ROW(leak_strndup),	     SITE_ROW(churn_malloc),
	SITE_ROW(churn_realloc_zero), SITE_ROW(churn_aligned),	     SITE_ROW(churn_passed),
#ifndef C_ONLY
	SITE_ROW(leak_new),	      SITE_ROW(leak_new_array),	     SITE_ROW(leak_new_nothrow),
	SITE_ROW(leak_new_aligned),   SITE_ROW(leak_string),	     SITE_ROW(leak_vector),
	SITE_ROW(churn_cxx),
#endif
#undef SITE_ROW
};
enum { SITES = sizeof(sites) / sizeof(*sites) };

/* -- threads ------------------------------------------------------------------------------------
 */

struct worker {
	pthread_t thread;
	uint64_t random;
	long operations;
	long long bytes[SITES], blocks[SITES];
	struct {
		struct left left;
		unsigned int site;
	} kept[KEPT];
};

static struct worker workers[MAX_THREADS];
static pthread_barrier_t begin, end;

static uint64_t draw(struct worker *worker, uint64_t below)
{
	worker->random ^= worker->random << 13;
	worker->random ^= worker->random >> 7;
	worker->random ^= worker->random << 17;
	return worker->random % below;
}

/* Callers between main and the site, so that stacks differ in depth. */
SITE static struct left through_one(site_fn *call, size_t size)
{
	struct left left = call(size);

	NO_TAIL_CALL();
	return left;
}

SITE static struct left through_two(site_fn *call, size_t size)
{
	struct left left = through_one(call, size);

	NO_TAIL_CALL();
	return left;
}

static size_t draw_size(struct worker *worker)
{
	if (draw(worker, 400) == 0)
		return 150000 + draw(worker, 150000); /* above the mmap threshold */
	return 1 + draw(worker, draw(worker, 8) ? 200 : 3000);
}

static void count(struct worker *worker, unsigned int site, const struct left *left, int sign)
{
	worker->bytes[site] += sign * (long long)left->bytes;
	worker->blocks[site] += sign * (long long)left->blocks;
}

static void operate(struct worker *worker)
{
	static struct left (*const callers[])(site_fn *, size_t) = { through_one, through_two };
	unsigned int site = draw(worker, SITES), slot = draw(worker, KEPT);
	struct left left = callers[draw(worker, 2)](sites[site].call, draw_size(worker));

	count(worker, site, &left, 1);
	if (!left.pointer || draw(worker, 3))
		return;
	if (worker->kept[slot].left.pointer) {
		free(worker->kept[slot].left.pointer);
		count(worker, worker->kept[slot].site, &worker->kept[slot].left, -1);
	}
	worker->kept[slot].left = left;
	worker->kept[slot].site = site;
}

static void *work(void *argument)
{
	struct worker *worker = argument;

	pthread_barrier_wait(&begin);
	for (long i = 0; i < worker->operations; i++)
		operate(worker);
	pthread_barrier_wait(&end);
	pause(); /* a thread that ends would give back its caches */
	return NULL;
}

static void start_workers(long threads, long operations)
{
	pthread_barrier_init(&begin, NULL, threads + 1);
	pthread_barrier_init(&end, NULL, threads + 1);
	for (long i = 0; i < threads; i++) {
		workers[i].random = 88172645463325252 + 7919 * i;
		workers[i].operations = operations / threads;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			die("heap_truth: no thread\n");
	}
}

/* -- from before the attach ---------------------------------------------------------------------
 */

static void *before[FREED_BEFORE + REALLOCATED_BEFORE];

SITE static void preexisting_malloc(void)
{
	for (size_t i = 0; i < FREED_BEFORE + REALLOCATED_BEFORE; i++)
		before[i] = malloc(100 + i);
}

SITE static struct left leak_realloc_preexisting(void)
{
	struct left left = {};

	for (size_t i = 0; i < REALLOCATED_BEFORE; i++) {
		void *pointer = realloc(before[FREED_BEFORE + i], 5000 + i);

		KEEP(pointer);
		left.bytes += 5000 + i;
		left.blocks++;
	}
	return left;
}

static void say_truth(long threads, const struct left *reallocated)
{
	say("{\"sites\":[");
	for (unsigned int site = 0; site < SITES; site++) {
		long long bytes = 0, blocks = 0;

		for (long i = 0; i < threads; i++) {
			bytes += workers[i].bytes[site];
			blocks += workers[i].blocks[site];
		}
		say_site(sites[site].function, bytes, blocks);
	}
	say_site("leak_realloc_preexisting", reallocated->bytes, reallocated->blocks);
	say("],\"unmatched_frees\":%d}\n", FREED_BEFORE + REALLOCATED_BEFORE);
}

int main(int argc, char **argv)
{
	long threads = option(argc, argv, "--threads", 1);
	long operations = option(argc, argv, "--operations", 50000);
	struct left reallocated;

	if (threads < 1 || threads > MAX_THREADS)
		die("heap_truth: --threads 1…%d\n", MAX_THREADS);
	with_pvalloc = option(argc, argv, "--pvalloc", 1);
	preexisting_malloc();
	start_workers(threads, operations);
	wait_for_go();
	for (unsigned int i = 0; i < FREED_BEFORE; i++)
		free(before[i]);
	reallocated = leak_realloc_preexisting();
	pthread_barrier_wait(&begin);
	pthread_barrier_wait(&end);
	for (unsigned int i = 0; i < passed.count; i++)
		free(passed.pointers[i]);
	say_truth(threads, &reallocated);
	wait_for_quit();
	_exit(0);
}
