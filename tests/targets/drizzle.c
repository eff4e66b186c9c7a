/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * drizzle [--threads 1] [--seconds 30]: a storm of malloc and free in which three sites leak, one
 * block in 100, in 1,000 and in 5,000 allocations, beside innocent ones: plain churn, a pool whose
 * blocks are replaced at random, and a bounded cache.
 *
 * Truth: sites (what was leaked after go); seconds, and allocations.
 */
#include <pthread.h>
#include <stdint.h>
#include <time.h>

#include "protocol.h"

enum {
	MAX_THREADS = 64,
	BATCH = 5000,
	POOL = 512,
	CACHE = 4096,
	LEAK_BYTES = 100,
};

struct state {
	uint64_t allocations, hundredths, thousandths, rare;
	uint32_t random;
	void *pool[POOL], *cache[CACHE];
	size_t next;
};

static struct state states[MAX_THREADS];
static pthread_barrier_t begin;
static uint64_t until_ns, end_ns;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * UINT64_C(1000000000) + now.tv_nsec;
}

static uint32_t roll(struct state *state)
{
	state->random = state->random * 1664525 + 1013904223;
	return state->random >> 8;
}

SITE static void leak_hundredth(struct state *state)
{
	KEEP(memset(malloc(LEAK_BYTES), 1, LEAK_BYTES));
	state->hundredths++;
}

SITE static void leak_thousandth(struct state *state)
{
	KEEP(memset(malloc(LEAK_BYTES), 1, LEAK_BYTES));
	state->thousandths++;
}

SITE static void leak_rare(struct state *state)
{
	KEEP(memset(malloc(LEAK_BYTES), 1, LEAK_BYTES));
	state->rare++;
}

SITE static void churn_plain(struct state *state)
{
	void *block = malloc(16 + roll(state) % 240);

	KEEP(block);
	free(block);
}

SITE static void churn_pool(struct state *state)
{
	void **slot = &state->pool[roll(state) % POOL];

	free(*slot);
	*slot = malloc(16 + roll(state) % 400);
	KEEP(*slot);
}

SITE static void churn_cache(struct state *state)
{
	void **slot = &state->cache[state->next++ % CACHE];

	free(*slot);
	*slot = malloc(200);
	KEEP(*slot);
}

/* 5,000 allocations: the leaks are spread among them. */
static void batch(struct state *state)
{
	for (int i = 0; i < BATCH; i++) {
		if (i % 100 == 17)
			leak_hundredth(state);
		else if (i % 1000 == 333)
			leak_thousandth(state);
		else if (i == 2500)
			leak_rare(state);
		else if (i % 10 == 3)
			churn_pool(state);
		else if (i % 50 == 9)
			churn_cache(state);
		else
			churn_plain(state);
	}
	state->allocations += BATCH;
}

static void *drizzle(void *argument)
{
	pthread_barrier_wait(&begin);
	while (now_ns() < until_ns)
		batch(argument);
	return NULL;
}

static void say_truth(long threads, uint64_t ran_ns)
{
	struct state sum = {};

	for (long i = 0; i < threads; i++) {
		sum.allocations += states[i].allocations;
		sum.hundredths += states[i].hundredths;
		sum.thousandths += states[i].thousandths;
		sum.rare += states[i].rare;
	}
	say("{\"sites\":[");
	say_site("leak_hundredth", sum.hundredths * LEAK_BYTES, sum.hundredths);
	say_site("leak_thousandth", sum.thousandths * LEAK_BYTES, sum.thousandths);
	say_site("leak_rare", sum.rare * LEAK_BYTES, sum.rare);
	say("],\"allocations\":%lld,\"seconds\":%lld.%03lld}\n", (long long)sum.allocations,
	    (long long)(ran_ns / 1000000000), (long long)(ran_ns / 1000000 % 1000));
}

int main(int argc, char **argv)
{
	long threads = option(argc, argv, "--threads", 1);
	uint64_t seconds = option(argc, argv, "--seconds", 30), begin_ns;
	pthread_t ids[MAX_THREADS];

	if (threads < 1 || threads > MAX_THREADS)
		die("drizzle: --threads 1…%d\n", MAX_THREADS);
	pthread_barrier_init(&begin, NULL, threads + 1);
	for (long i = 0; i < threads; i++) {
		states[i].random = i;
		if (pthread_create(&ids[i], NULL, drizzle, &states[i]))
			die("drizzle: no thread\n");
	}
	wait_for_go();
	begin_ns = now_ns();
	until_ns = begin_ns + seconds * UINT64_C(1000000000);
	pthread_barrier_wait(&begin);
	for (long i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	end_ns = now_ns();
	say_truth(threads, end_ns - begin_ns);
	wait_for_quit();
	_exit(0);
}
