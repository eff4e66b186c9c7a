/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * faulty --unmap 1 | --move 1 | --filter 1: leaks 1,000 blocks, then does what few programs do:
 * unmaps the code of its own libc, and leaves without it; or leaves its namespaces and its root,
 * and leaks as much again. With --filter it has a filter of system calls from its start, and
 * another one than those that it makes itself ends it.
 */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "protocol.h"

enum { BLOCKS = 1000, BYTES = 100 };

SITE static void leak_first(void)
{
	for (int i = 0; i < BLOCKS; i++) {
		void *pointer = malloc(BYTES);

		KEEP(pointer);
	}
	NO_TAIL_CALL();
}

SITE static void leak_elsewhere(void)
{
	for (int i = 0; i < BLOCKS; i++) {
		void *pointer = malloc(BYTES);

		KEEP(pointer);
	}
	NO_TAIL_CALL();
}

/* Where the code lies that malloc is in. */
static void find_code(uintptr_t *start, uintptr_t *end)
{
	static char text[1 << 16];
	int fd = open("/proc/self/maps", O_RDONLY);
	size_t bytes = 0;
	ssize_t got;

	while ((got = read(fd, text + bytes, sizeof(text) - 1 - bytes)) > 0)
		bytes += (size_t)got;
	close(fd);
	for (char *line = text; line && *line; line = strchr(line, '\n'), line += line != NULL) {
		char *rest;

		*start = strtoul(line, &rest, 16);
		*end = strtoul(rest + 1, NULL, 16);
		if ((uintptr_t)malloc >= *start && (uintptr_t)malloc < *end)
			return;
	}
	die("faulty: no mapping has malloc\n");
}

static inline long call(long number, long a, long b, long c)
{
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return result;
}

/* From its first call on it does without the library. */
__attribute__((noreturn)) static void unmap(void)
{
	static const char gone[] = "gone\n";
	uintptr_t start, end;
	char word[8];

	find_code(&start, &end);
	if (call(SYS_munmap, (long)start, (long)(end - start), 0))
		call(SYS_exit_group, 8, 0, 0);
	call(SYS_write, 1, (long)gone, sizeof(gone) - 1);
	call(SYS_read, 0, (long)word, sizeof(word));
	for (;;)
		call(SYS_exit_group, 5, 0, 0);
}

static void move(void)
{
	if (unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWPID) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", "/tmp", "tmpfs", 0, NULL) || chroot("/tmp") || chdir("/"))
		die("faulty: cannot leave\n");
	leak_elsewhere();
}

/* getpid() would be one more. */
static void filter_calls(int pid)
{
#define ALLOW(call)                                            \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 1), \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
	struct sock_filter rows[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ALLOW(read),
		ALLOW(write),
		ALLOW(brk),
		ALLOW(mmap),
		ALLOW(munmap),
		ALLOW(exit_group),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog program = { sizeof(rows) / sizeof(*rows), rows };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		die("faulty: no filter\n");
	say("ready %d\n", pid);
	if (!hear("go"))
		_exit(9);
}

static void leak_before(void)
{
	void *pointer = malloc(BYTES);

	KEEP(pointer);
}

int main(int argc, char **argv)
{
	leak_before(); /* what malloc does at first is not filtered */
	if (option(argc, argv, "--filter", 0))
		filter_calls(getpid());
	else
		wait_for_go();
	leak_first();
	say("{\"sites\":[");
	say_site("leak_first", BLOCKS * BYTES, BLOCKS);
	if (option(argc, argv, "--move", 0)) {
		move();
		say_site("leak_elsewhere", BLOCKS * BYTES, BLOCKS);
	}
	say("]}\n");
	if (option(argc, argv, "--unmap", 0))
		unmap();
	wait_for_quit();
	return 0;
}
