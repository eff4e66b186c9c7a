/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * mapping_truth [--threads 0…4] [--rounds 2000]: sites for all that mmap, munmap, mremap, brk,
 * mprotect and madvise do to address space. Each byte is the site's whose call got it; committed
 * bytes leave out PROT_NONE. The threads map, move and unmap meanwhile, one taking what another has
 * just given back, and leave one mapping each. Nothing is malloced after "go".
 *
 * Truth: sites (bytes, committed_bytes), checked against /proc/self/maps before it is told;
 * preexisting_unmapped_bytes: of mappings from before "go".
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#include "protocol.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

enum { PAGE = 4096, RW = PROT_READ | PROT_WRITE, MAX_THREADS = 4, MAX_PARTS = 128 };

/* What a site holds: pages that must be mapped, with this protection. */
static struct part {
	const char *function;
	char *start;
	size_t pages;
	bool committed;
} parts[MAX_PARTS];
static unsigned int part_count;

static void holds(const char *function, char *start, size_t pages, bool committed)
{
	if (part_count == MAX_PARTS)
		die("mapping_truth: too many parts\n");
	parts[part_count++] = (struct part){ function, start, pages, committed };
}

static void check(bool right, const char *what)
{
	if (!right)
		die("mapping_truth: %s: %s\n", what, strerror(errno));
}

/* Always inlined, so that the site itself calls mmap. */
__attribute__((always_inline)) static inline char *map(size_t pages, int protection)
{
	char *start = mmap(NULL, pages * PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(start != MAP_FAILED, "mmap");
	return start;
}

__attribute__((always_inline)) static inline void unmap(char *start, size_t pages)
{
	check(!munmap(start, pages * PAGE), "munmap");
}

/* -- mmap and munmap ----------------------------------------------------------------------------
 */

SITE static void leak_whole(void)
{
	char *start = mmap(NULL, 4 * PAGE + 1, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(start != MAP_FAILED, "mmap");
	holds(__func__, start, 5, true);
}

SITE static void leak_head_unmapped(void)
{
	char *start = map(10, RW);

	unmap(start, 3);
	holds(__func__, start + 3 * PAGE, 7, true);
}

SITE static void leak_tail_unmapped(void)
{
	char *start = map(10, RW);

	unmap(start + 6 * PAGE, 4);
	holds(__func__, start, 6, true);
}

SITE static void leak_hole_unmapped(void)
{
	char *start = map(20, RW);

	unmap(start + 5 * PAGE, 9);
	holds(__func__, start, 5, true);
	holds(__func__, start + 14 * PAGE, 6, true);
}

SITE static void leak_spanning_low(char *place)
{
	check(mmap(place, 8 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == place,
	      "mmap");
	holds(__func__, place, 5, true);
}

SITE static void leak_spanning_high(char *place)
{
	check(mmap(place, 8 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
		      place,
	      "mmap");
	holds(__func__, place + 2 * PAGE, 6, true);
}

/* One munmap over the end of one mapping and the beginning of the next. */
SITE static void churn_spanning(void)
{
	char *place = map(16, PROT_NONE);

	leak_spanning_low(place);
	leak_spanning_high(place + 8 * PAGE);
	unmap(place + 5 * PAGE, 5);
}

SITE static void leak_fixed_over(char *place)
{
	check(mmap(place, 3 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == place,
	      "mmap");
	holds(__func__, place, 3, true);
}

SITE static void leak_fixed_under(void)
{
	char *start = map(12, RW);

	leak_fixed_over(start + 4 * PAGE);
	holds(__func__, start, 4, true);
	holds(__func__, start + 7 * PAGE, 5, true);
}

SITE static void churn_map(void)
{
	for (int i = 0; i < 100; i++) {
		char *start = map(1 + i % 9, i % 2 ? RW : PROT_NONE);

		unmap(start, 1 + i % 9);
	}
}

/* -- mremap -------------------------------------------------------------------------------------
 */

SITE static void leak_mremap_shrink(void)
{
	char *start = map(9, RW);

	check(mremap(start, 9 * PAGE, 4 * PAGE, 0) == start, "mremap");
	holds(__func__, start, 4, true);
}

SITE static void leak_mremap_grow(char *start)
{
	check(mremap(start, 4 * PAGE, 10 * PAGE, 0) == start, "mremap");
	holds(__func__, start + 4 * PAGE, 6, true);
}

SITE static void leak_mremap_grow_base(void)
{
	char *start = map(10, RW);

	unmap(start + 4 * PAGE, 6); /* where it will grow */
	leak_mremap_grow(start);
	holds(__func__, start, 4, true);
}

SITE static void leak_mremap_move(char *start)
{
	char *moved = mremap(start, 4 * PAGE, 7 * PAGE, MREMAP_MAYMOVE);

	check(moved != MAP_FAILED && moved != start, "mremap");
	holds("leak_mremap_move_base", moved, 4, true);
	holds(__func__, moved + 4 * PAGE, 3, true);
}

SITE static void leak_mremap_move_base(void)
{
	char *start = map(6, RW);

	leak_mremap_move(start); /* its last two pages are in the way */
	holds(__func__, start + 4 * PAGE, 2, true);
}

SITE static void leak_mremap_fixed_base(char *place)
{
	char *start = map(5, RW);

	check(mremap(start, 5 * PAGE, 5 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place) == place,
	      "mremap");
	holds(__func__, place, 5, true);
}

SITE static void leak_mremap_fixed_under(void)
{
	char *start = map(8, PROT_NONE);

	leak_mremap_fixed_base(start + 2 * PAGE);
	holds(__func__, start, 2, false);
	holds(__func__, start + 7 * PAGE, 1, false);
}

SITE static void leak_mremap_dontunmap(char *start)
{
	char *copy = mremap(start, 3 * PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);

	if (copy == MAP_FAILED && errno == EINVAL)
		return; /* before 5.7 */
	check(copy != MAP_FAILED, "mremap");
	holds(__func__, copy, 3, true);
}

SITE static void leak_mremap_dontunmap_base(void)
{
	char *start = map(3, RW);

	leak_mremap_dontunmap(start);
	holds(__func__, start, 3, true);
}

SITE static void leak_mremap_shared(char *start)
{
	char *copy = mremap(start, 0, 2 * PAGE, MREMAP_MAYMOVE);

	check(copy != MAP_FAILED, "mremap");
	holds(__func__, copy, 2, true);
}

SITE static void leak_mremap_shared_base(void)
{
	char *start = mmap(NULL, 2 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	check(start != MAP_FAILED, "mmap");
	leak_mremap_shared(start);
	holds(__func__, start, 2, true);
}

/* -- brk, mprotect, madvise ---------------------------------------------------------------------
 */

SITE static void leak_brk(void)
{
	char *start = sbrk(0);
	size_t odd = -(uintptr_t)start % PAGE; /* begin at a page */

	start = (char *)sbrk(odd + 20 * PAGE) + odd;
	check(start != (char *)-1 + odd, "sbrk");
	check(sbrk(-6 * PAGE) != (void *)-1, "sbrk");
	holds(__func__, start, 14, true);
}

SITE static void commit(char *start, size_t pages, int protection)
{
	check(!mprotect(start, pages * PAGE, protection), "mprotect");
	NO_TAIL_CALL();
}

SITE static void leak_reserved(void)
{
	char *start = map(64, PROT_NONE);

	commit(start, 10, RW);
	commit(start + 20 * PAGE, 4, PROT_READ);
	holds(__func__, start, 10, true);
	holds(__func__, start + 10 * PAGE, 10, false);
	holds(__func__, start + 20 * PAGE, 4, true);
	holds(__func__, start + 24 * PAGE, 40, false);
}

SITE static void leak_decommitted(void)
{
	char *start = map(10, RW);

	commit(start + 3 * PAGE, 5, PROT_NONE);
	holds(__func__, start, 3, true);
	holds(__func__, start + 3 * PAGE, 5, false);
	holds(__func__, start + 8 * PAGE, 2, true);
}

SITE static void leak_advised(void)
{
	char *start = map(11, RW);

	memset(start, 1, 11 * PAGE);
	check(!madvise(start, 11 * PAGE, MADV_DONTNEED), "madvise");
	holds(__func__, start, 11, true);
}

/* -- from before the attach ---------------------------------------------------------------------
 */

static char *before_hole, *before_growth;

SITE static void preexisting_map(void)
{
	before_hole = map(30, RW);
	before_growth = map(30, RW);
	unmap(before_growth + 10 * PAGE, 20);
}

SITE static size_t churn_preexisting(void)
{
	unmap(before_hole + 5 * PAGE, 6);
	return 6 * PAGE;
}

SITE static void leak_grown_preexisting(void)
{
	check(mremap(before_growth, 10 * PAGE, 14 * PAGE, 0) == before_growth, "mremap");
	holds(__func__, before_growth + 10 * PAGE, 4, true);
}

/* -- threads ------------------------------------------------------------------------------------
 */

static pthread_barrier_t begin, end;
static char *left_by_thread[MAX_THREADS];
static long rounds;

/* Equal sizes: what one thread unmaps or moves away, the kernel gives to the next one. */
SITE static void churn_thread(void)
{
	char *start = map(16, RW), *moved;

	moved = mremap(start, 12 * PAGE, 20 * PAGE, MREMAP_MAYMOVE);
	check(moved != MAP_FAILED, "mremap");
	unmap(moved, 20);
	unmap(start + 12 * PAGE, 4);
}

SITE static char *leak_thread(void)
{
	return map(16, RW);
}

static void *work(void *argument)
{
	char **left = argument;

	pthread_barrier_wait(&begin);
	for (long i = 0; i < rounds; i++)
		churn_thread();
	*left = leak_thread();
	pthread_barrier_wait(&end);
	pause();
	return NULL;
}

static void run_threads(long threads)
{
	pthread_barrier_wait(&begin);
	pthread_barrier_wait(&end);
	for (long i = 0; i < threads; i++)
		holds("leak_thread", left_by_thread[i], 16, true);
}

/* -- the truth ----------------------------------------------------------------------------------
 */

static char maps[1 << 20];

static void read_maps(void)
{
	int fd = open("/proc/self/maps", O_RDONLY);
	size_t count = 0;
	ssize_t got;

	while ((got = read(fd, maps + count, sizeof(maps) - 1 - count)) > 0)
		count += got;
	check(!got && count, "/proc/self/maps");
	close(fd);
}

/* How much of the part is mapped as it should be. */
static uintptr_t agreed(const struct part *part)
{
	uintptr_t from = (uintptr_t)part->start, to = from + part->pages * PAGE, bytes = 0;

	for (char *line = maps; line && *line; line = strchr(line, '\n') + 1) {
		uintptr_t start = strtoul(line, &line, 16);
		uintptr_t stop = strtoul(line + 1, &line, 16);
		bool committed = strncmp(line + 1, "---", 3);

		if (committed != part->committed || stop <= from || start >= to)
			continue;
		bytes += (stop < to ? stop : to) - (start > from ? start : from);
	}
	return bytes;
}

static void check_parts(void)
{
	read_maps();
	for (unsigned int i = 0; i < part_count; i++) {
		if (agreed(&parts[i]) != parts[i].pages * PAGE)
			die("mapping_truth: %s: not what /proc/self/maps says\n",
			    parts[i].function);
	}
}

/* Sums the parts of one function, and crosses them out. */
static void say_function(unsigned int first)
{
	const char *function = parts[first].function;
	size_t bytes = 0, committed_bytes = 0;

	for (unsigned int i = first; i < part_count; i++) {
		if (!parts[i].function || strcmp(parts[i].function, function))
			continue;
		bytes += parts[i].pages * PAGE;
		committed_bytes += parts[i].committed * parts[i].pages * PAGE;
		parts[i].function = NULL;
	}
	say("%s{\"function\":\"%s\",\"bytes\":%zu,\"committed_bytes\":%zu}", first ? "," : "",
	    function, bytes, committed_bytes);
}

static void say_truth(size_t preexisting_unmapped_bytes)
{
	static const char *const nothing[] = { "churn_map", "churn_spanning", "churn_thread",
					       "churn_preexisting", "preexisting_map" };

	say("{\"sites\":[");
	for (unsigned int i = 0; i < part_count; i++) {
		if (parts[i].function)
			say_function(i);
	}
	for (size_t i = 0; i < sizeof(nothing) / sizeof(*nothing); i++)
		say(",{\"function\":\"%s\",\"bytes\":0,\"committed_bytes\":0}", nothing[i]);
	say("],\"preexisting_unmapped_bytes\":%zu}\n", preexisting_unmapped_bytes);
}

static void (*const sites[])(void) = {
	leak_whole,
	leak_head_unmapped,
	leak_tail_unmapped,
	leak_hole_unmapped,
	leak_fixed_under,
	leak_mremap_shrink,
	leak_mremap_grow_base,
	leak_mremap_move_base,
	leak_mremap_fixed_under,
	leak_mremap_dontunmap_base,
	leak_mremap_shared_base,
	leak_brk,
	leak_reserved,
	leak_decommitted,
	leak_advised,
	leak_grown_preexisting,
	churn_map,
};

int main(int argc, char **argv)
{
	long threads = option(argc, argv, "--threads", 0);
	size_t preexisting_unmapped_bytes;
	pthread_t thread;

	if (threads < 0 || threads > MAX_THREADS)
		die("mapping_truth: --threads 0…%d\n", MAX_THREADS);
	rounds = option(argc, argv, "--rounds", 2000);
	pthread_barrier_init(&begin, NULL, threads + 1);
	pthread_barrier_init(&end, NULL, threads + 1);
	for (long i = 0; i < threads; i++) {
		if (pthread_create(&thread, NULL, work, &left_by_thread[i]))
			die("mapping_truth: no thread\n");
	}
	preexisting_map();
	wait_for_go();
	churn_spanning();
	preexisting_unmapped_bytes = churn_preexisting();
	for (size_t i = 0; i < sizeof(sites) / sizeof(*sites); i++)
		sites[i]();
	run_threads(threads);
	check_parts();
	say_truth(preexisting_unmapped_bytes);
	wait_for_quit();
	_exit(0);
}
