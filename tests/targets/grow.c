/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * grow: at each "go" one site grows, one has given all back, one has begun, and one stays.
 *
 * Truth of each: sites, and what they hold by then.
 */
#include "protocol.h"

enum {
	STEADY = 100,
	STEADY_BYTES = 48,
	ONCE = 7,
	ONCE_BYTES = 5000,
	LATE_BYTES = 30000,
	SAME_BYTES = 64
};

static void *once[ONCE];

static void *filled(void *block)
{
	if (!block)
		die("grow: no memory\n");
	KEEP(block);
	return block;
}

SITE static void leak_steady(void)
{
	for (int i = 0; i < STEADY; i++)
		filled(malloc(STEADY_BYTES));
}

SITE static void leak_once(void)
{
	for (int i = 0; i < ONCE; i++)
		once[i] = filled(malloc(ONCE_BYTES));
}

SITE static void leak_late(void)
{
	filled(malloc(LATE_BYTES));
	NO_TAIL_CALL();
}

SITE static void leak_same(void)
{
	filled(malloc(SAME_BYTES));
	NO_TAIL_CALL();
}

static void work(long round)
{
	leak_steady();
	if (round == 1) {
		leak_once();
		leak_same();
	} else if (round == 2) {
		for (int i = 0; i < ONCE; i++)
			free(once[i]);
	}
	if (round > 1)
		leak_late();
}

static void tell(const char *comma, const char *function, long bytes, long blocks)
{
	say("%s{\"function\":\"%s\",\"bytes\":%ld,\"blocks\":%ld}", comma, function, bytes * blocks,
	    blocks);
}

int main(void)
{
	wait_for_go();
	for (long round = 1;; round++) {
		work(round);
		say("{\"sites\":[");
		tell("", "leak_steady", STEADY_BYTES, STEADY * round);
		tell(",", "leak_once", ONCE_BYTES, round == 1 ? ONCE : 0);
		tell(",", "leak_late", LATE_BYTES, round - 1);
		tell(",", "leak_same", SAME_BYTES, 1);
		say("]}\n");
		if (!hear("go"))
			_exit(0);
	}
}
