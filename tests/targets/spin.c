/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * spin [--threads 1] [--seconds 1 | --pairs N]: nothing but malloc and free, and what a pair of
 * them costs in CPU time. This is what the benchmark traces.
 *
 * Truth: sites (nothing is held); pairs, cpu_ns, and cpu_ns_per_pair.
 *
 * With --seconds 0 it goes on until "quit", and answers each word by what was done since the last
 * one: pairs, cpu_ns, slices of 10 ms of its first thread, and the longest time that it stood still
 * in half of the slices (gap_p50_us), in 999 of 1,000 (gap_p999_us), and in all (gap_most_us).
 */
#include <pthread.h>
#include <stdint.h>
#include <time.h>

#include "protocol.h"

enum { MAX_THREADS = 64, BLOCK_BYTES = 64, BATCH = 256, SLICE_NS = 10000000, SLICES = 100000 };

struct spinner {
	uint64_t pairs, cpu_ns;
};

/* The longest time between two batches in each slice of the first thread. */
static uint32_t gaps_us[SLICES];
static volatile size_t slices;

static struct spinner spinners[MAX_THREADS];
static pthread_barrier_t begin, end;
static uint64_t wanted_pairs, wanted_ns;

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * UINT64_C(1000000000) + now.tv_nsec;
}

SITE static void churn_spin(void)
{
	for (int i = 0; i < BATCH; i++) {
		void *pointer = malloc(BLOCK_BYTES);

		KEEP(pointer);
		free(pointer);
	}
}

static void note_gap(uint64_t before_ns, uint64_t now_ns)
{
	static uint64_t slice_ns;
	static uint32_t longest_us;
	uint32_t gap_us = (now_ns - before_ns) / 1000;

	if (gap_us > longest_us)
		longest_us = gap_us;
	if (now_ns - slice_ns < SLICE_NS)
		return;
	if (slice_ns && slices < SLICES)
		gaps_us[slices++] = longest_us;
	slice_ns = now_ns;
	longest_us = 0;
}

static void *spin(void *argument)
{
	struct spinner *spinner = argument;
	uint64_t cpu_ns, now_ns, until_ns, before_ns;

	pthread_barrier_wait(&begin);
	cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	now_ns = clock_ns(CLOCK_MONOTONIC);
	until_ns = wanted_ns ? now_ns + wanted_ns : UINT64_MAX;
	while (wanted_pairs ? spinner->pairs < wanted_pairs : now_ns < until_ns) {
		before_ns = now_ns;
		churn_spin();
		__atomic_store_n(&spinner->pairs, spinner->pairs + BATCH, __ATOMIC_RELAXED);
		now_ns = clock_ns(CLOCK_MONOTONIC);
		if (spinner == spinners && !wanted_ns)
			note_gap(before_ns, now_ns);
	}
	spinner->cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns;
	pthread_barrier_wait(&end);
	pause();
	return NULL;
}

static int by_size(const void *a, const void *b)
{
	return *(const uint32_t *)a < *(const uint32_t *)b ? -1 : 1;
}

/* What was done since the last time. */
static void say_since(long threads)
{
	static uint64_t before_pairs, before_ns;
	static size_t told;
	uint64_t pairs = 0, cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	size_t count = slices - told;
	uint32_t *gaps = &gaps_us[told];

	for (long i = 0; i < threads; i++)
		pairs += __atomic_load_n(&spinners[i].pairs, __ATOMIC_RELAXED);
	qsort(gaps, count, sizeof(*gaps), by_size);
	say("{\"pairs\":%llu,\"cpu_ns\":%llu,\"slices\":%zu,\"gap_p50_us\":%u,\"gap_p999_us\":%u,"
	    "\"gap_most_us\":%u}\n",
	    (unsigned long long)(pairs - before_pairs), (unsigned long long)(cpu_ns - before_ns),
	    count, count ? gaps[count / 2] : 0, count ? gaps[count * 999 / 1000] : 0,
	    count ? gaps[count - 1] : 0);
	told += count;
	before_pairs = pairs;
	before_ns = cpu_ns;
}

static void answer_until_quit(long threads)
{
	char word[WORD_BYTES];

	while (hear_word(word) && strcmp(word, "quit"))
		say_since(threads);
	_exit(0);
}

int main(int argc, char **argv)
{
	long threads = option(argc, argv, "--threads", 1);
	struct spinner sum = {};
	pthread_t thread;

	wanted_pairs = option(argc, argv, "--pairs", 0);
	wanted_ns = option(argc, argv, "--seconds", 1) * UINT64_C(1000000000);
	if (threads < 1 || threads > MAX_THREADS)
		die("spin: --threads 1…%d\n", MAX_THREADS);
	pthread_barrier_init(&begin, NULL, threads + 1);
	pthread_barrier_init(&end, NULL, threads + 1);
	for (long i = 0; i < threads; i++) {
		if (pthread_create(&thread, NULL, spin, &spinners[i]))
			die("spin: no thread\n");
	}
	wait_for_go();
	pthread_barrier_wait(&begin);
	if (!wanted_ns && !wanted_pairs) {
		say_since(threads);
		answer_until_quit(threads);
	}
	pthread_barrier_wait(&end);
	for (long i = 0; i < threads; i++) {
		sum.pairs += spinners[i].pairs;
		sum.cpu_ns += spinners[i].cpu_ns;
	}
	say("{\"sites\":[");
	say_site("churn_spin", 0, 0);
	say("],\"pairs\":%llu,\"cpu_ns\":%llu,\"cpu_ns_per_pair\":%.1f}\n",
	    (unsigned long long)sum.pairs, (unsigned long long)sum.cpu_ns,
	    (double)sum.cpu_ns / sum.pairs);
	wait_for_quit();
	_exit(0);
}
