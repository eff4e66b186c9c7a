/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * big [--blocks 100]: mallocs above the mmap threshold. malloc(1 MiB) nests mmap(1,052,672): one
 * block and one mapping, in two ledgers. Half as many again are freed.
 *
 * Truth: sites of the heap; mappings: the same for those that malloc made.
 */
#include <malloc.h>

#include "protocol.h"

enum { BLOCK_BYTES = 1 << 20, MAPPING_BYTES = BLOCK_BYTES + 4096 };

SITE static void leak_big(long blocks)
{
	for (long i = 0; i < blocks; i++) {
		void *pointer = malloc(BLOCK_BYTES);

		KEEP(pointer);
	}
}

SITE static void churn_big(long blocks)
{
	for (long i = 0; i < blocks; i++) {
		void *pointer = malloc(BLOCK_BYTES);

		KEEP(pointer);
		free(pointer);
	}
}

int main(int argc, char **argv)
{
	long blocks = option(argc, argv, "--blocks", 100);

	/* fixed: else the first free raises the threshold above the size of our blocks */
	mallopt(M_MMAP_THRESHOLD, 128 << 10);
	mallopt(M_MMAP_MAX, 1 << 20);
	free(alias(malloc(1))); /* the main heap is there before our blocks */
	wait_for_go();
	leak_big(blocks / 2);
	churn_big(blocks / 2);
	leak_big(blocks - blocks / 2);
	say("{\"sites\":[");
	say_site("leak_big", blocks * BLOCK_BYTES, blocks);
	say_site("churn_big", 0, 0);
	say("],\"mappings\":[{\"function\":\"leak_big\",\"bytes\":%ld,\"blocks\":%ld},"
	    "{\"function\":\"churn_big\",\"bytes\":0,\"blocks\":0}]}\n",
	    blocks * MAPPING_BYTES, blocks);
	wait_for_quit();
	_exit(0);
}
