/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * heap_walk [--threads 3] [--blocks 4000] [--busy 1] [--bytes N] [--untouched N] [--brk 0]: a heap
 * of blocks of many sizes, some of them given back, in the main arena and in those of its threads,
 * which stay. With --bytes, the main thread holds at least that much more; with --untouched, a
 * block that it never writes to; with --brk 1, brk(2) cannot grow any more, and with --brk 2,
 * others call it, too.
 *
 * run: with --busy, threads begin to replace their blocks as fast as they can, until the next word.
 * go: truth, what malloc_info(3) says, its quotes turned to apostrophes: {"xml":"…"}.
 *
 * Runs with any glibc from 2.2.5 on: it asks for no newer symbol, and has its own _start, for
 * crt1's is bound to the newest. (Before 2.34, libpthread has to be preloaded.)
 */
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>

#include "protocol.h"

#ifdef __x86_64__
__asm__(".symver pthread_create,pthread_create@GLIBC_2.2.5\n"
	".symver __libc_start_main,__libc_start_main@GLIBC_2.2.5\n"
	".globl _start\n"
	"_start:\n"
	"	xorl %ebp, %ebp\n"
	"	movq %rdx, %r9\n"
	"	popq %rsi\n"
	"	movq %rsp, %rdx\n"
	"	andq $-16, %rsp\n"
	"	pushq %rax\n"
	"	pushq %rsp\n"
	"	xorl %r8d, %r8d\n"
	"	xorl %ecx, %ecx\n"
	"	movq main@GOTPCREL(%rip), %rdi\n"
	"	call *__libc_start_main@GOTPCREL(%rip)\n"
	"	hlt\n");
#endif

enum { MAX_THREADS = 64, MAX_BLOCKS = 1 << 20, XML_BYTES = 1 << 20, BATCH = 32 };

struct worker {
	void **blocks;
	long count;
	uint64_t random, seed;
};

static struct worker workers[MAX_THREADS + 1];
static atomic_int ready, running, stopped;
static char xml[XML_BYTES];
static long busy;

/* xorshift64: the same blocks on every machine */
static uint64_t next_random(struct worker *worker)
{
	worker->random ^= worker->random << 13;
	worker->random ^= worker->random >> 7;
	worker->random ^= worker->random << 17;
	return worker->random;
}

/* Of the block in place i, whenever it is made anew: the sum of all stays what it is. */
static size_t size_of(const struct worker *worker, long i)
{
	struct worker place = { .random = worker->seed + (uint64_t)i * 0x9e3779b97f4a7c15ULL };
	uint64_t random;

	next_random(&place);
	random = next_random(&place);
	switch (random % 16) {
	case 0:
		return 1 + random / 16 % 60000;
	case 1:
	case 2:
		return 1 + random / 16 % 4000;
	default:
		return 1 + random / 16 % 300;
	}
}

static void set(struct worker *worker, long i)
{
	size_t bytes = size_of(worker, i);

	worker->blocks[i] = malloc(bytes);
	if (!worker->blocks[i])
		die("heap_walk: no memory\n");
	memset(worker->blocks[i], 'x', bytes);
}

/* Blocks of many sizes, a third of them free again: in caches, fastbins and bins. */
static void fill(struct worker *worker)
{
	for (long i = 0; i < worker->count; i++)
		set(worker, i);
	for (long i = 0; i < worker->count && !busy; i += 3) {
		free(worker->blocks[i]);
		worker->blocks[i] = NULL;
	}
}

/* Frees some blocks here and there, and makes them anew in another order: chunks merge and split.
 */
static void churn(struct worker *worker)
{
	long places[BATCH];

	while (!atomic_load_explicit(&stopped, memory_order_relaxed)) {
		for (int i = 0; i < BATCH; i++) {
			places[i] = (long)(next_random(worker) % (uint64_t)worker->count);
			free(worker->blocks[places[i]]);
			worker->blocks[places[i]] = NULL;
		}
		for (int i = BATCH; i--;) {
			free(worker->blocks[places[i]]); /* chosen twice */
			set(worker, places[i]);
		}
	}
	atomic_fetch_sub(&running, 1);
}

static void *work(void *argument)
{
	struct worker *worker = argument;

	fill(worker);
	atomic_fetch_add(&ready, 1);
	while (!atomic_load(&running))
		usleep(1000);
	if (busy)
		churn(worker);
	for (;;)
		pause();
	return NULL;
}

static void say_truth(FILE *stream)
{
	rewind(stream);
	malloc_info(0, stream);
	fflush(stream);
	for (char *c = xml; *c; c++) {
		if (*c == '"')
			*c = '\'';
		else if (*c == '\n')
			*c = ' ';
	}
	say("{\"xml\":\"");
	for (size_t done = 0, all = strlen(xml); done < all;) {
		ssize_t wrote = write(1, xml + done, all - done);

		if (wrote < 0)
			_exit(9);
		done += (size_t)wrote;
	}
	say("\"}\n");
}

static void hold(long bytes)
{
	struct worker worker = { .random = 99 };

	for (long held = 0; held < bytes;) {
		size_t size = 20 + next_random(&worker) % 2000;
		char *block = malloc(size);

		if (!block)
			die("heap_walk: no memory\n");
		memset(block, 1, size);
		KEEP(block);
		held += (long)size;
	}
}

/* malloc then takes mappings for its main arena, or walks around what others got. */
static void disturb_brk(long how)
{
	uintptr_t end = ((uintptr_t)sbrk(how == 2 ? 20000 : 0) + 4095) & ~(uintptr_t)4095;

	if (how == 1 && mmap((void *)end, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
			     -1, 0) == MAP_FAILED)
		die("heap_walk: no mapping behind the heap\n");
}

int main(int argc, char **argv)
{
	long threads = option(argc, argv, "--threads", 3);
	long blocks = option(argc, argv, "--blocks", 4000);
	static char buffer[4096];
	FILE *stream = fmemopen(xml, sizeof(xml), "w");
	pthread_t thread;

	busy = option(argc, argv, "--busy", 0);
	if (threads < 0 || threads > MAX_THREADS || blocks < 1 || blocks > MAX_BLOCKS || !stream)
		die("heap_walk: --threads 0…%d --blocks 1…%d\n", MAX_THREADS, MAX_BLOCKS);
	setvbuf(stream, buffer, _IOFBF, sizeof(buffer));
	for (long i = 0; i <= threads; i++) {
		workers[i].blocks = calloc((size_t)blocks, sizeof(void *));
		workers[i].count = blocks;
		workers[i].random = workers[i].seed = 88172645463325252ULL + (uint64_t)i;
	}
	hold(option(argc, argv, "--bytes", 0));
	for (long i = 1; i <= threads; i++) {
		if (pthread_create(&thread, NULL, work, &workers[i]))
			die("heap_walk: no thread\n");
	}
	disturb_brk(option(argc, argv, "--brk", 0));
	fill(&workers[0]);
	for (int i = 0; i < 3; i++) {
		char *own = malloc((200 << 10) << i);

		memset(own, 2, 10000);
		KEEP(own);
	}
	if (option(argc, argv, "--untouched", 0))
		KEEP(malloc((size_t)option(argc, argv, "--untouched", 0)));
	while (atomic_load(&ready) < threads)
		sched_yield();
	say("ready %d\n", (int)getpid());
	if (busy) {
		if (!hear("run"))
			_exit(9);
		atomic_store(&running, (int)threads);
		say("{}\n");
	}
	while (hear("go")) {
		atomic_store(&stopped, 1);
		while (busy && atomic_load(&running))
			sched_yield();
		say_truth(stream);
	}
	_exit(0);
}
