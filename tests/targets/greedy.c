/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Allocates as fast as it can, until the kernel has had enough of it. How much is outstanding
 * stands in a file that all its processes share, so that it can be read behind their backs, and
 * their end.
 *
 *   greedy --file PATH [--threads N] [--processes N] [--size BYTES] [--most BYTES]
 *
 * The file holds, for each process, struct count. A block is counted when its malloc has returned,
 * before it is touched. With --most, it stops there and waits to be killed in another way.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>

#include "protocol.h"

enum { PROCESSES_MAX = 64, PAGE = 4096 };

struct count {
	uint64_t pid; /* as the process sees itself; 0: it was never there */
	uint64_t bytes, blocks; /* outstanding */
	uint64_t done; /* no more will come */
};

static struct count *count;
static long size, most;

/* Every fourth block is given back: what is outstanding is not all that was allocated. */
SITE static void leak_greedily(void)
{
	char *kept = malloc((size_t)size), *given_back;

	if (!kept)
		die("malloc failed\n");
	__atomic_fetch_add(&count->bytes, (uint64_t)size, __ATOMIC_RELAXED);
	__atomic_fetch_add(&count->blocks, 1, __ATOMIC_RELAXED);
	for (long i = 0; i < size; i += PAGE)
		kept[i] = 1;
	KEEP(kept);
	if (count->blocks % 4)
		return;
	given_back = malloc((size_t)size);
	KEEP(given_back);
	free(given_back);
}

static void *work(void *unused)
{
	while (!most || count->bytes + (uint64_t)size <= (uint64_t)most)
		leak_greedily();
	count->done = 1;
	return unused;
}

static struct count *open_counts(const char *path)
{
	size_t bytes = PROCESSES_MAX * sizeof(struct count);
	int fd = open(path, O_RDWR | O_CREAT, 0600);
	void *counts;

	if (fd < 0 || ftruncate(fd, (off_t)bytes))
		die("cannot open %s\n", path);
	counts = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (counts == MAP_FAILED)
		die("cannot map %s\n", path);
	return counts;
}

static const char *text_option(int argc, char **argv, const char *name)
{
	for (int i = 1; i + 1 < argc; i++) {
		if (!strcmp(argv[i], name))
			return argv[i + 1];
	}
	die("no %s\n", name);
}

int main(int argc, char **argv)
{
	struct count *counts = open_counts(text_option(argc, argv, "--file"));
	long threads = option(argc, argv, "--threads", 1);
	long processes = option(argc, argv, "--processes", 1);
	pthread_t thread;
	int go[2];
	char byte;

	size = option(argc, argv, "--size", 1024);
	most = option(argc, argv, "--most", 0);
	if (pipe(go) || processes > PROCESSES_MAX)
		die("cannot begin\n");
	count = counts;
	for (long i = 1; i < processes && count == counts; i++) {
		if (!fork())
			count = &counts[i];
	}
	*count = (struct count){ .pid = (uint64_t)getpid() };
	if (count == counts) {
		wait_for_go();
		close(go[1]);
		say("{}\n");
	} else {
		close(go[1]);
		if (read(go[0], &byte, 1)) /* until the first one closes it */
			die("nobody is there\n");
	}
	for (long i = 1; i < threads; i++) {
		if (pthread_create(&thread, NULL, work, NULL))
			die("no thread\n");
	}
	work(NULL);
	for (;;)
		pause();
}
