/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A process that puts probes on and takes them off is killed at any moment: none of them stays. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <cmocka.h>

#include "collect/closing.h"
#include "collect/link.h"
#include "process/proc.h"

enum { KILLS = 40, LINKS = 3, PLACES = 12, LONGEST_US = 60000 };

/* Something to put probes on, that nobody calls. */
#define NAMES(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
#define FUNCTION(number)                                               \
	static __attribute__((noinline)) int place_##number(int value) \
	{                                                              \
		__asm__ volatile("" : "+r"(value));                    \
		return value + number;                                 \
	}
#define ADDRESS(number) place_##number,
NAMES(FUNCTION)
static int (*const places[PLACES])(int) = { NAMES(ADDRESS) };

/* Where they are in our file. */
static void find_offsets(uint64_t offsets[PLACES])
{
	struct maps maps;

	assert_int_equal(maps_read(&maps, getpid()), 0);
	for (size_t i = 0; i < PLACES; i++) {
		const struct map *map = maps_find(&maps, (uintptr_t)places[i]);

		assert_non_null(map);
		offsets[i] = (uintptr_t)places[i] - map->start + map->offset;
	}
	maps_free(&maps);
}

static int load_program(void)
{
	const struct bpf_insn instructions[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options,
		    .expected_attach_type = (enum bpf_attach_type)ATTACH_UPROBE_MULTI);

	return bpf_prog_load(BPF_PROG_TYPE_KPROBE, "unfreed_test", "GPL", instructions, 2,
			     &options);
}

static pid_t start_target(void)
{
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return pid;
}

/* On and off, until it is killed. */
static _Noreturn void trace(pid_t target, int program_fd, const uint64_t *offsets)
{
	int file_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	for (;;) {
		struct closing closing = { 0 };

		for (size_t i = 0; i < LINKS; i++) {
			int fd = link_uprobes(&(struct link_request){
				.program_fd = program_fd,
				.file_fd = file_fd,
				.pid = target,
				.method = LINK_MULTI,
				.offsets = offsets + i * PLACES / LINKS,
				.cookies = offsets,
				.count = PLACES / LINKS,
			});

			if (fd < 0)
				_exit(1);
			closing_add(&closing, fd);
		}
		closing_wait(&closing);
	}
}

static size_t breakpoints_in(pid_t target)
{
	size_t count = 0;

	for (size_t i = 0; i < PLACES; i++) {
		uint8_t byte;

		assert_int_equal(
			proc_read_memory(target, (uintptr_t)places[i], &byte, sizeof(byte)), 0);
		count += byte != *(const volatile uint8_t *)places[i];
	}
	return count;
}

static void test_killed_at_any_moment(void **state)
{
	unsigned int seed = (unsigned int)time(NULL);
	uint64_t offsets[PLACES];
	int program_fd = load_program();
	pid_t target;

	if (program_fd < 0)
		skip(); /* no privileges, or a kernel without such links (6.6) */
	find_offsets(offsets);
	prctl(PR_SET_CHILD_SUBREAPER, 1); /* what a tracer does apart is waited for */
	target = start_target();
	for (int i = 0; i < KILLS; i++) {
		pid_t tracer = fork();
		int status;

		if (!tracer) {
			setpgid(0, 0);
			trace(target, program_fd, offsets);
		}
		setpgid(tracer, tracer);
		usleep((useconds_t)rand_r(&seed) % LONGEST_US);
		kill(tracer, SIGKILL);
		waitpid(tracer, &status, 0);
		assert_true(WIFSIGNALED(status));
		while (waitpid(-tracer, NULL, __WALL) > 0)
			;
		assert_int_equal(errno, ECHILD);
		assert_int_equal(breakpoints_in(target), 0);
	}
	kill(target, SIGKILL);
	waitpid(target, NULL, 0);
	close(program_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_killed_at_any_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
