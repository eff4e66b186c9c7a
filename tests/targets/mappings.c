/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * mappings COUNT [--stall]: maps COUNT pages that the kernel cannot join, and says "ready PID".
 * With
 * --stall a thread then maps and unmaps a page all the time; each line of input is answered by
 * {"longest_ns": N}, the longest that this took since the last one.
 *
 * mappings COUNT --grow BYTES: from then on allocates, and writes to, BYTES a second, for ever.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096 };

static atomic_ullong longest_ns;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static void *stall(void *unused)
{
	(void)unused;
	for (;;) {
		uint64_t start_ns = now_ns(), took_ns;
		void *page = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		munmap(page, PAGE);
		took_ns = now_ns() - start_ns;
		if (took_ns > longest_ns)
			longest_ns = took_ns;
		usleep(50);
	}
	return NULL;
}

static void grow(long bytes_per_second)
{
	enum { TIMES = 20 };
	uint64_t next_ns = now_ns();

	for (;;) {
		char *block = malloc(bytes_per_second / TIMES);

		if (!block)
			exit(1);
		memset(block, 1, bytes_per_second / TIMES);
		next_ns += 1000000000 / TIMES;
		while (now_ns() < next_ns)
			usleep(1000);
	}
}

/* Neighbours differ in their protection. */
static void map_all(long count)
{
	char *base = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	if (base == MAP_FAILED)
		exit(1);
	for (long i = 0; i < count; i++) {
		base[i * PAGE] = 1;
		if (i % 2 && mprotect(base + i * PAGE, PAGE, PROT_READ))
			exit(1);
	}
}

int main(int argc, char **argv)
{
	char line[64];
	pthread_t thread;

	map_all(argc > 1 ? atol(argv[1]) : 1);
	if (argc > 2 && !strcmp(argv[2], "--stall"))
		pthread_create(&thread, NULL, stall, NULL);
	printf("ready %d\n", (int)getpid());
	fflush(stdout);
	if (argc > 3 && !strcmp(argv[2], "--grow"))
		grow(atol(argv[3]));
	while (fgets(line, sizeof(line), stdin) && strcmp(line, "quit\n")) {
		printf("{\"longest_ns\": %llu}\n",
		       (unsigned long long)atomic_exchange(&longest_ns, 0));
		fflush(stdout);
	}
	return 0;
}
