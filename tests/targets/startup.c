/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * startup [--status 0] [--signal N] [--wait 1]: to be started by the tracer. Allocates before main
 * as well as in it, frees a part of it behind main, tells the truth, and ends. With --wait it says
 * "ready PID" first and waits for "go".
 *
 * Truth: sites.
 */
#include <signal.h>

#include "protocol.h"

enum { EARLY = 11, EARLY_BYTES = 301, MAIN = 13, MAIN_BYTES = 503, LATE = 7, LATE_BYTES = 701 };

static void *late[LATE];

SITE static void leak_before_main(void)
{
	for (int i = 0; i < EARLY; i++) {
		void *pointer = malloc(EARLY_BYTES);

		KEEP(pointer);
	}
}

SITE static void churn_before_main(void)
{
	for (int i = 0; i < LATE; i++)
		late[i] = calloc(1, LATE_BYTES);
}

/* The program's own constructor, and what runs even before those of its libraries. */
__attribute__((constructor)) static void construct(void)
{
	churn_before_main();
	NO_TAIL_CALL();
}

static void preinit(int argc, char **argv, char **environment)
{
	leak_before_main();
	NO_TAIL_CALL();
}

__attribute__((section(".preinit_array"), used)) static void (*preinit_pointer)(int, char **,
										char **) = preinit;

__attribute__((destructor)) static void destruct(void)
{
	for (int i = 0; i < LATE; i++)
		free(late[i]);
}

SITE static void leak_in_main(void)
{
	for (int i = 0; i < MAIN; i++) {
		void *pointer = malloc(MAIN_BYTES);

		KEEP(pointer);
	}
}

int main(int argc, char **argv)
{
	if (option(argc, argv, "--wait", 0))
		wait_for_go();
	leak_in_main();
	say("{\"sites\":[");
	say_site("leak_before_main", EARLY * EARLY_BYTES, EARLY);
	say_site("leak_in_main", MAIN * MAIN_BYTES, MAIN);
	say("]}\n");
	if (option(argc, argv, "--signal", 0))
		raise(option(argc, argv, "--signal", 0));
	return option(argc, argv, "--status", 0);
}
