/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * exits [--status 0] [--signal N] [--exec 1]: leaks, tells the truth, and is gone at once: by exit,
 * by a signal, or replaced by /bin/true. It does not wait for "quit".
 *
 * Truth: sites.
 */
#include <signal.h>

#include "protocol.h"

enum { BLOCKS = 50, BLOCK_BYTES = 1234 };

SITE static void leak_before_exit(void)
{
	for (int i = 0; i < BLOCKS; i++) {
		void *pointer = malloc(BLOCK_BYTES);

		KEEP(pointer);
	}
}

int main(int argc, char **argv)
{
	wait_for_go();
	leak_before_exit();
	say("{\"sites\":[");
	say_site("leak_before_exit", BLOCKS * BLOCK_BYTES, BLOCKS);
	say("]}\n");
	if (option(argc, argv, "--exec", 0))
		execl("/bin/true", "true", NULL);
	if (option(argc, argv, "--signal", 0))
		raise(option(argc, argv, "--signal", 0));
	_exit(option(argc, argv, "--status", 0));
}
