/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * many_stacks [--stacks 12000]: one block from each of so many distinct call stacks: paths through
 * a tree with four functions on each of nine levels.
 *
 * Truth: sites; stacks: how many distinct ones.
 */
#include "protocol.h"

enum { LEVELS = 9, MAX_STACKS = 1 << 2 * LEVELS, BLOCK_BYTES = 24 };

typedef void step_fn(unsigned long path, int levels);
static step_fn step_0, step_1, step_2, step_3;
static step_fn *const steps[] = { step_0, step_1, step_2, step_3 };

SITE static void leak_stack(void)
{
	void *pointer = malloc(BLOCK_BYTES);

	KEEP(pointer);
}

#define STEP(name)                                              \
	SITE static void name(unsigned long path, int levels)   \
	{                                                       \
		if (levels)                                     \
			steps[path & 3](path >> 2, levels - 1); \
		else                                            \
			leak_stack();                           \
		NO_TAIL_CALL();                                 \
	}
STEP(step_0)
STEP(step_1)
STEP(step_2)
STEP(step_3)

int main(int argc, char **argv)
{
	long stacks = option(argc, argv, "--stacks", 12000);

	if (stacks < 1 || stacks > MAX_STACKS)
		die("many_stacks: --stacks 1…%d\n", MAX_STACKS);
	wait_for_go();
	for (long path = 0; path < stacks; path++)
		steps[path & 3](path >> 2, LEVELS - 1);
	say("{\"sites\":[");
	say_site("leak_stack", stacks * BLOCK_BYTES, stacks);
	say("],\"stacks\":%ld}\n", stacks);
	wait_for_quit();
	_exit(0);
}
