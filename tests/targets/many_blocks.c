/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * many_blocks [--blocks 1200000]: small live blocks, one stack, so that a full map shows. They are
 * linked, and freed again where the test says "free" instead of "quit".
 *
 * Truth: sites.
 */
#include "protocol.h"

struct block {
	struct block *next;
	long number;
};

SITE static struct block *leak_many(long blocks)
{
	struct block *first = NULL;

	for (long i = 0; i < blocks; i++) {
		struct block *block = malloc(sizeof(*block));

		if (!block)
			die("many_blocks: out of memory\n");
		*block = (struct block){ first, i };
		first = block;
	}
	return first;
}

int main(int argc, char **argv)
{
	long blocks = option(argc, argv, "--blocks", 1200000);
	struct block *first;

	wait_for_go();
	first = leak_many(blocks);
	say("{\"sites\":[");
	say_site("leak_many", blocks * (long)sizeof(*first), blocks);
	say("]}\n");
	if (hear("free")) {
		while (first) {
			struct block *next = first->next;

			free(first);
			first = next;
		}
		say("{\"sites\":[{\"function\":\"leak_many\",\"bytes\":0,\"blocks\":0}]}\n");
		wait_for_quit();
	}
	_exit(0);
}
