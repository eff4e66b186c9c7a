/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * spin [--threads 1] [--seconds 1 | --pairs N]: nothing but malloc and free, and what a pair of
 * them costs in CPU time. This is what the benchmark traces.
 *
 * Truth: sites (nothing is held); pairs, cpu_ns, and cpu_ns_per_pair.
 */
#include <pthread.h>
#include <stdint.h>
#include <time.h>

#include "protocol.h"

enum { MAX_THREADS = 64, BLOCK_BYTES = 64, BATCH = 256 };

struct spinner {
	uint64_t pairs, cpu_ns;
};

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

static void *spin(void *argument)
{
	struct spinner *spinner = argument;
	uint64_t cpu_ns, until_ns;

	pthread_barrier_wait(&begin);
	cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	until_ns = clock_ns(CLOCK_MONOTONIC) + wanted_ns;
	while (wanted_pairs ? spinner->pairs < wanted_pairs
			    : clock_ns(CLOCK_MONOTONIC) < until_ns) {
		churn_spin();
		spinner->pairs += BATCH;
	}
	spinner->cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns;
	pthread_barrier_wait(&end);
	pause();
	return NULL;
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
