/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * drizzle [--threads 1]: a storm of malloc and free in which three sites leak, one block in 100, in
 * 1,000 and in 5,000 allocations, beside innocent ones: plain churn, a pool whose blocks are
 * replaced at random, and a bounded cache. It begins at "go", rests at "rest", leaks one block more
 * at "leak", and answers each word, "count" too, with the truth at that moment: sites, allocations,
 * and when that was (seconds of the monotonic clock).
 */
#include <pthread.h>
#include <stdbool.h>
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
	uint64_t allocations;
	uint32_t random;
	void *pool[POOL], *cache[CACHE];
	size_t next;
};

static struct state states[MAX_THREADS];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work = PTHREAD_COND_INITIALIZER;
static volatile bool working;
static uint64_t calm;

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

SITE static void leak_hundredth(void)
{
	KEEP(memset(malloc(LEAK_BYTES), 1, LEAK_BYTES));
}

SITE static void leak_thousandth(void)
{
	KEEP(memset(malloc(LEAK_BYTES), 1, LEAK_BYTES));
}

SITE static void leak_rare(void)
{
	KEEP(memset(malloc(LEAK_BYTES), 1, LEAK_BYTES));
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
			leak_hundredth();
		else if (i % 1000 == 333)
			leak_thousandth();
		else if (i == 2500)
			leak_rare();
		else if (i % 10 == 3)
			churn_pool(state);
		else if (i % 50 == 9)
			churn_cache(state);
		else
			churn_plain(state);
	}
	__atomic_store_n(&state->allocations, state->allocations + BATCH, __ATOMIC_RELAXED);
}

/* Threads wait here until they are to work. */
static void rest(void)
{
	pthread_mutex_lock(&mutex);
	while (!working)
		pthread_cond_wait(&work, &mutex);
	pthread_mutex_unlock(&mutex);
}

static void *drizzle(void *argument)
{
	for (;;) {
		if (!working)
			rest();
		batch(argument);
	}
	return NULL;
}

static void let_work(bool on)
{
	pthread_mutex_lock(&mutex);
	working = on;
	pthread_cond_broadcast(&work);
	pthread_mutex_unlock(&mutex);
}

SITE static void leak_calm(void)
{
	KEEP(memset(malloc(LEAK_BYTES), 1, LEAK_BYTES));
	calm++;
}

/* What was leaked until now: a batch that is under way may not be in it. */
static void say_truth(long threads)
{
	const struct {
		const char *function;
		uint64_t every;
	} leaks[] = { { "leak_hundredth", 100 },
		      { "leak_thousandth", 1000 },
		      { "leak_rare", 5000 } };
	uint64_t allocations = 0, time_ns = now_ns();

	for (long i = 0; i < threads; i++)
		allocations += __atomic_load_n(&states[i].allocations, __ATOMIC_RELAXED);
	say("{\"sites\":[{\"function\":\"leak_calm\",\"bytes\":%llu,\"blocks\":%llu}",
	    (unsigned long long)calm * LEAK_BYTES, (unsigned long long)calm);
	for (size_t i = 0; i < sizeof(leaks) / sizeof(*leaks); i++)
		say(",{\"function\":\"%s\",\"bytes\":%llu,\"blocks\":%llu}", leaks[i].function,
		    (unsigned long long)(allocations / leaks[i].every * LEAK_BYTES),
		    (unsigned long long)(allocations / leaks[i].every));
	say("],\"allocations\":%llu,\"seconds\":%llu.%09llu}\n", (unsigned long long)allocations,
	    (unsigned long long)(time_ns / 1000000000), (unsigned long long)(time_ns % 1000000000));
}

int main(int argc, char **argv)
{
	long threads = option(argc, argv, "--threads", 1);
	pthread_t thread;
	char word[WORD_BYTES];

	if (threads < 1 || threads > MAX_THREADS)
		die("drizzle: --threads 1…%d\n", MAX_THREADS);
	for (long i = 0; i < threads; i++) {
		states[i].random = i;
		if (pthread_create(&thread, NULL, drizzle, &states[i]))
			die("drizzle: no thread\n");
	}
	say("ready %d\n", (int)getpid());
	while (hear_word(word) && strcmp(word, "quit")) {
		if (!strcmp(word, "go"))
			let_work(true);
		else if (!strcmp(word, "rest"))
			let_work(false);
		else if (!strcmp(word, "leak"))
			leak_calm();
		say_truth(threads);
	}
	_exit(0);
}
