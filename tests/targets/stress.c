/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * stress [--threads 0…128] [--operations 5000] [--forks N] [--dlopens N --plugins DIR]: much at
 * once, again at each "go", the same in every run. Threads begin, allocate, pass blocks to each
 * other, and end; beside them, one thread forks N children, each of which frees what it inherited
 * and exits, or executes a program (this one, briefly); and one opens and closes plugins
 * (tests/targets/linked/stress_plugin.c, DIR/0.so and so on) N times.
 *
 * Truth, after each round: sites, of all rounds so far; and how many children and plugins there
 * were that did what they should.
 */
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/wait.h>

#include "protocol.h"

enum { MAX_THREADS = 128, SLOTS = 200, PASSED = 1024, INHERITED = 16, PLUGINS = 8 };
enum { LEAK_EVERY = 16, LEAK_BYTES = 48, FORK_BYTES = 72 };

struct block {
	unsigned char *pointer;
	size_t size;
	unsigned int site;
};

typedef void *site_fn(void *old, size_t size);

/* -- sites --------------------------------------------------------------------------------------
 */

SITE static void *leak_malloc(void *old, size_t size)
{
	void *pointer = malloc(size);

	KEEP(pointer);
	return pointer;
}

SITE static void *leak_calloc(void *old, size_t size)
{
	void *pointer = calloc(1, size);

	KEEP(pointer);
	return pointer;
}

SITE static void *leak_aligned(void *old, size_t size)
{
	void *pointer = memalign(256, size);

	KEEP(pointer);
	return pointer;
}

/* The last one: an old block, grown or shrunk. */
SITE static void *leak_realloc(void *old, size_t size)
{
	void *pointer = realloc(old, size);

	KEEP(pointer);
	return pointer;
}

static const struct {
	const char *function;
	site_fn *call;
} sites[] = {
	{ "leak_malloc", leak_malloc },
	{ "leak_calloc", leak_calloc },
	{ "leak_aligned", leak_aligned },
	{ "leak_realloc", leak_realloc },
};
enum { SITES = sizeof(sites) / sizeof(*sites), REALLOC = SITES - 1 };

SITE static void leak_beside_fork(void)
{
	void *pointer = malloc(FORK_BYTES);

	KEEP(pointer);
	NO_TAIL_CALL();
}

/* Plugins call it: its caller's code is gone when the window ends. */
SITE static void leak_for_plugin(void)
{
	void *pointer = malloc(LEAK_BYTES);

	KEEP(pointer);
	NO_TAIL_CALL();
}

SITE static void work_in_child(void **inherited)
{
	for (int i = 0; i < INHERITED; i++) {
		void *pointer = malloc(100 + i);

		KEEP(pointer);
		free(inherited[i]);
		free(pointer);
	}
}

/* -- threads ------------------------------------------------------------------------------------
 */

struct worker {
	pthread_t thread;
	uint64_t random;
	long calls[SITES], passed;
	struct block slots[SLOTS];
};

static struct worker workers[MAX_THREADS];
static _Atomic(void *) passed[PASSED];
static long operations;

static uint64_t draw(struct worker *worker, uint64_t below)
{
	worker->random ^= worker->random << 13;
	worker->random ^= worker->random >> 7;
	worker->random ^= worker->random << 17;
	return worker->random % below;
}

/* Which byte a block of this size begins and ends with. */
static unsigned char mark(size_t size)
{
	return (unsigned char)(size * 31 + 7);
}

static void check(const struct block *block)
{
	unsigned char expected = mark(block->size);

	if (block->pointer[0] != expected || block->pointer[block->size - 1] != expected)
		die("stress: a block of %zu bytes has changed\n", block->size);
}

static void fill(struct worker *worker, struct block *block, unsigned int site, size_t size)
{
	block->pointer = sites[site].call(block->pointer, size);
	if (!block->pointer)
		die("stress: no memory\n");
	block->site = site;
	block->size = size;
	block->pointer[0] = block->pointer[size - 1] = mark(size);
	worker->calls[site]++;
}

/* Another thread frees it, or this one, or nobody until the round ends. */
SITE static void churn_passed(struct worker *worker)
{
	void *pointer = malloc(1 + draw(worker, 500));

	KEEP(pointer);
	free(atomic_exchange(&passed[draw(worker, PASSED)], pointer));
	worker->passed++;
}

static void operate(struct worker *worker)
{
	struct block *block = &worker->slots[draw(worker, SLOTS)];
	size_t size = 1 + draw(worker, draw(worker, 500) ? 600 : 200000);

	if (draw(worker, 4) == 0) {
		churn_passed(worker);
	} else if (!block->pointer) {
		fill(worker, block, draw(worker, REALLOC), size);
	} else if (draw(worker, 3) == 0) {
		check(block);
		fill(worker, block, REALLOC, size);
	} else {
		check(block);
		free(block->pointer);
		block->pointer = NULL;
	}
}

static void *work(void *argument)
{
	for (long i = 0; i < operations; i++)
		operate(argument);
	return NULL;
}

/* -- processes and plugins ----------------------------------------------------------------------
 */

static long forks, dlopens, children, plugins;
static const char *plugin_folder;

static pid_t begin_child(long i, void **inherited)
{
	char *const arguments[] = { "stress", "--brief", "1", NULL };
	extern char **environ;
	pid_t pid;

	if (i % 3 == 0)
		return posix_spawn(&pid, "/proc/self/exe", NULL, NULL, arguments, environ) ? -1
											   : pid;
	pid = fork();
	if (pid)
		return pid;
	work_in_child(inherited);
	if (i % 3 == 1)
		execv("/proc/self/exe", arguments);
	_exit(0);
}

/* Two children at a time. */
static void *fork_storm(void *argument)
{
	void *inherited[INHERITED];
	pid_t before = 0;
	int status;

	for (int i = 0; i < INHERITED; i++)
		inherited[i] = malloc(64 + i);
	for (long i = 0; i <= forks; i++) {
		pid_t pid = i < forks ? begin_child(i, inherited) : 0;

		if (pid < 0 || (before && (waitpid(before, &status, 0) != before || status)))
			die("stress: child %ld failed\n", i);
		children += before > 0;
		before = pid;
		if (i % LEAK_EVERY == 0 && i < forks)
			leak_beside_fork();
	}
	for (int i = 0; i < INHERITED; i++)
		free(inherited[i]);
	return NULL;
}

static void *open_and_close(void *argument)
{
	for (long i = 0; i < dlopens; i++) {
		int (*use)(int, void (*)(void));
		char path[256];
		void *plugin;

		snprintf(path, sizeof(path), "%s/%ld.so", plugin_folder, i % PLUGINS);
		plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
		if (!plugin)
			die("stress: %s\n", dlerror());
		*(void **)&use = dlsym(plugin, "use");
		plugins += use && use(3, i % LEAK_EVERY ? NULL : leak_for_plugin) == 6;
		if (dlclose(plugin))
			die("stress: %s\n", dlerror());
	}
	return NULL;
}

/* -- rounds -------------------------------------------------------------------------------------
 */

static void begin_thread(pthread_t *thread, void *(*function)(void *), void *argument)
{
	if (pthread_create(thread, NULL, function, argument))
		die("stress: no thread\n");
}

static void do_round(long threads)
{
	pthread_t forker, opener;

	begin_thread(&forker, fork_storm, NULL);
	begin_thread(&opener, open_and_close, NULL);
	for (long i = 0; i < threads; i++)
		begin_thread(&workers[i].thread, work, &workers[i]);
	for (long i = 0; i < threads; i++)
		pthread_join(workers[i].thread, NULL);
	pthread_join(forker, NULL);
	pthread_join(opener, NULL);
	for (size_t i = 0; i < PASSED; i++)
		free(atomic_exchange(&passed[i], NULL));
}

static long long leaks(long rounds, long count)
{
	return (long long)rounds * ((count + LEAK_EVERY - 1) / LEAK_EVERY);
}

static void say_site_of(const char *function, long long bytes, long long blocks, long long calls)
{
	say("{\"function\":\"%s\",\"bytes\":%lld,\"blocks\":%lld,\"allocated_blocks\":%lld},",
	    function, bytes, blocks, calls);
}

static void say_truth(long threads, long rounds)
{
	long long bytes[SITES] = {}, blocks[SITES] = {}, calls[SITES] = {}, passes = 0;
	long long forked = leaks(rounds, forks), opened = leaks(rounds, dlopens);

	for (long i = 0; i < threads; i++) {
		for (const struct block *block = workers[i].slots; block < &workers[i].slots[SLOTS];
		     block++) {
			if (!block->pointer)
				continue;
			check(block);
			bytes[block->site] += block->size;
			blocks[block->site]++;
		}
		for (size_t site = 0; site < SITES; site++)
			calls[site] += workers[i].calls[site];
		passes += workers[i].passed;
	}
	say("{\"sites\":[");
	for (size_t site = 0; site < SITES; site++)
		say_site_of(sites[site].function, bytes[site], blocks[site], calls[site]);
	say_site_of("leak_beside_fork", forked * FORK_BYTES, forked, forked);
	say_site_of("churn_passed", 0, 0, passes);
	say("{\"function\":\"leak_for_plugin\",\"bytes\":%lld,\"blocks\":%lld,"
	    "\"allocated_blocks\":%lld}],\"children\":%ld,\"plugins\":%ld}\n",
	    opened * LEAK_BYTES, opened, opened, children, plugins);
}

int main(int argc, char **argv)
{
	long threads = option(argc, argv, "--threads", 0), rounds = 0;

	if (option(argc, argv, "--brief", 0)) {
		work_in_child((void *[INHERITED]){});
		return 0;
	}
	if (threads < 0 || threads > MAX_THREADS)
		die("stress: --threads 0…%d\n", MAX_THREADS);
	operations = option(argc, argv, "--operations", 5000);
	forks = option(argc, argv, "--forks", 0);
	dlopens = option(argc, argv, "--dlopens", 0);
	for (int i = 1; i + 1 < argc; i++) {
		if (!strcmp(argv[i], "--plugins"))
			plugin_folder = argv[i + 1];
	}
	for (long i = 0; i < MAX_THREADS; i++)
		workers[i].random = 88172645463325252 + 7919 * i;
	for (wait_for_go();; rounds++) {
		do_round(threads);
		say_truth(threads, rounds + 1);
		if (!hear("go"))
			_exit(0);
	}
}
