/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * family [--storm N] [--heirs N]: a parent and its children: forked, executed (fork and exec, vfork
 * and exec, posix_spawn), each of which leaks when told. After "go" they exist and wait; after
 * "work" each has leaked, and the forked one has freed blocks that it inherited. With --storm the
 * parent forks N children one after another, half of which execute this program, that leak nothing.
 * With
 * --heirs N it forks one at each "next", which leaks from many stacks at "end", and ends.
 *
 * Truth of "go": children, by how they began. Of "work": sites, inherited_frees.
 */
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "protocol.h"

enum { BLOCKS = 20, PARENT_BYTES = 3000, CHILD_BYTES = 700, INHERITED = 30, CHILDREN = 4 };
enum { HEIR_TURNS = 5, HEIR_BLOCKS = 400 };

static const char *const names[CHILDREN] = { "forked", "executed", "vforked", "spawned" };
static int told[CHILDREN][2], done[2]; /* pipes: to each child, and from all of them */

SITE static void leak_in_parent(void)
{
	for (int i = 0; i < BLOCKS; i++) {
		void *pointer = malloc(PARENT_BYTES);

		KEEP(pointer);
	}
	NO_TAIL_CALL();
}

SITE static void leak_in_child(void)
{
	for (int i = 0; i < BLOCKS; i++) {
		void *pointer = malloc(CHILD_BYTES);

		KEEP(pointer);
	}
	NO_TAIL_CALL();
}

SITE static void churn_in_child(void)
{
	for (int i = 0; i < BLOCKS; i++) {
		void *pointer = malloc(CHILD_BYTES);

		KEEP(pointer);
		free(pointer);
	}
	NO_TAIL_CALL();
}

static void wait_byte(int fd)
{
	char byte;

	if (read(fd, &byte, 1) != 1)
		_exit(9);
}

/* A child's life: it ends with its parent. */
static void child(int wait_fd, int done_fd, void **inherited, int count)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	wait_byte(wait_fd);
	for (int i = 0; i < count; i++)
		free(inherited[i]);
	leak_in_child();
	churn_in_child();
	if (write(done_fd, "d", 1) != 1)
		_exit(9);
	for (;;)
		pause();
}

static pid_t begin(int how)
{
	char wait_text[16], done_text[16];
	char *const arguments[] = { "family", "--child", wait_text, "--done", done_text, NULL };
	extern char **environ;
	pid_t pid = -1;

	snprintf(wait_text, sizeof(wait_text), "%d", told[how][0]);
	snprintf(done_text, sizeof(done_text), "%d", done[1]);
	if (how == 3) {
		posix_spawn(&pid, "/proc/self/exe", NULL, NULL, arguments, environ);
		return pid;
	}
	pid = how == 2 ? vfork() : fork();
	if (pid)
		return pid;
	execv("/proc/self/exe", arguments);
	_exit(9);
}

static void storm(long count)
{
	char *const arguments[] = { "family", "--brief", "1", NULL };

	for (long i = 0; i < count; i++) {
		pid_t pid = fork();

		if (!pid) {
			churn_in_child();
			if (i % 2)
				execv("/proc/self/exe", arguments);
			_exit(0);
		}
		if (pid < 0 || waitpid(pid, NULL, 0) != pid)
			die("family: child %ld failed\n", i);
	}
}

/* A stack for each path through these two. */
SITE static void leak_in_heir(unsigned int path, int depth);

SITE static void turn(unsigned int path, int depth)
{
	leak_in_heir(path >> 1, depth - 1);
	NO_TAIL_CALL();
}

SITE static void leak_in_heir(unsigned int path, int depth)
{
	if (!depth) {
		for (int i = 0; i < HEIR_BLOCKS; i++) {
			void *pointer = malloc(CHILD_BYTES);

			KEEP(pointer);
		}
	} else if (path & 1) {
		turn(path, depth);
	} else {
		leak_in_heir(path >> 1, depth - 1);
	}
	NO_TAIL_CALL();
}

static void heirs(long count)
{
	for (long i = 0; i < count; i++) {
		char byte = 0;
		pid_t pid;

		if (!hear("next"))
			_exit(9);
		pid = fork();
		if (!pid) {
			wait_byte(told[0][0]);
			for (unsigned int path = 0; path < 1 << HEIR_TURNS; path++)
				leak_in_heir(path, HEIR_TURNS);
			_exit(0);
		}
		say("{\"pid\":%d}\n", (int)pid);
		if (!hear("end") || write(told[0][1], &byte, 1) != 1 ||
		    waitpid(pid, NULL, 0) != pid)
			_exit(9);
		leak_in_parent();
		say("{}\n");
	}
	say("{\"sites\":[");
	say_site("leak_in_parent", count * BLOCKS * PARENT_BYTES, count * BLOCKS);
	say("]}\n");
}

static pid_t fork_heir(void *inherited[INHERITED])
{
	pid_t pid = fork();

	if (pid)
		return pid;
	child(told[0][0], done[1], inherited, INHERITED);
	return 0;
}

static void have_children(void)
{
	void *inherited[INHERITED];

	for (int i = 0; i < INHERITED; i++)
		inherited[i] = malloc(100);
	say("{\"children\":{");
	for (int how = 0; how < CHILDREN; how++) {
		pid_t pid = how ? begin(how) : fork_heir(inherited);

		if (pid < 0)
			die("family: no child\n");
		say("%s\"%s\":%d", how ? "," : "", names[how], (int)pid);
	}
	say("}}\n");
	for (int i = 0; i < INHERITED; i++)
		free(inherited[i]);
}

static void work(void)
{
	leak_in_parent();
	for (int how = 0; how < CHILDREN; how++) {
		if (write(told[how][1], "w", 1) != 1)
			die("family: a child has gone\n");
	}
	for (int how = 0; how < CHILDREN; how++)
		wait_byte(done[0]);
	say("{\"sites\":[");
	say_site("leak_in_parent", BLOCKS * PARENT_BYTES, BLOCKS);
	say_site("leak_in_child", CHILDREN * BLOCKS * CHILD_BYTES, CHILDREN * BLOCKS);
	say("],\"inherited_frees\":%d}\n", INHERITED);
}

int main(int argc, char **argv)
{
	long storms = option(argc, argv, "--storm", 0);

	if (option(argc, argv, "--brief", 0)) {
		churn_in_child();
		_exit(0);
	}
	if (option(argc, argv, "--child", 0))
		child(option(argc, argv, "--child", 0), option(argc, argv, "--done", 0), NULL, 0);
	if (pipe(done))
		die("family: no pipe\n");
	for (int how = 0; how < CHILDREN; how++) {
		if (pipe(told[how]))
			die("family: no pipe\n");
	}
	wait_for_go();
	if (option(argc, argv, "--heirs", 0)) {
		heirs(option(argc, argv, "--heirs", 0));
	} else if (storms) {
		storm(storms);
		say("{\"sites\":[]}\n");
	} else {
		have_children();
		if (!hear("work"))
			_exit(9);
		work();
	}
	wait_for_quit();
	_exit(0);
}
