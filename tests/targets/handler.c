/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * handler [--rounds 100]: blocks that are asked for where stacks are hard to follow: in signal
 * handlers, on the stack that was interrupted and on another one, and below a hundred frames.
 *
 * Truth: sites.
 */
#include <signal.h>

#include "protocol.h"

enum { BLOCK_BYTES = 48, DEEP_FRAMES = 100, STACK_BYTES = 64 * 1024 };

SITE static void leak_in_handler(void)
{
	KEEP(malloc(BLOCK_BYTES));
	NO_TAIL_CALL();
}

SITE static void leak_on_other_stack(void)
{
	KEEP(malloc(BLOCK_BYTES));
	NO_TAIL_CALL();
}

SITE static void leak_below(int frames)
{
	if (frames)
		leak_below(frames - 1);
	else
		KEEP(malloc(BLOCK_BYTES));
	NO_TAIL_CALL();
}

static void on_signal(int number)
{
	if (number == SIGUSR1)
		leak_in_handler();
	else
		leak_on_other_stack();
	NO_TAIL_CALL();
}

static void set_up(void)
{
	static char other[STACK_BYTES];
	stack_t stack = { .ss_sp = other, .ss_size = sizeof(other) };
	struct sigaction action = { .sa_handler = on_signal };

	if (sigaltstack(&stack, NULL) || sigaction(SIGUSR1, &action, NULL))
		die("handler: no signals\n");
	action.sa_flags = SA_ONSTACK;
	if (sigaction(SIGUSR2, &action, NULL))
		die("handler: no signals\n");
}

int main(int argc, char **argv)
{
	long rounds = option(argc, argv, "--rounds", 100);

	set_up();
	wait_for_go();
	for (long i = 0; i < rounds; i++) {
		raise(SIGUSR1);
		raise(SIGUSR2);
		leak_below(DEEP_FRAMES - 1);
	}
	say("{\"sites\":[");
	say_site("leak_in_handler", rounds * BLOCK_BYTES, rounds);
	say_site("leak_on_other_stack", rounds * BLOCK_BYTES, rounds);
	say_site("leak_below", rounds * BLOCK_BYTES, rounds);
	say("]}\n");
	wait_for_quit();
	_exit(0);
}
