/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A plugin of plugin_host: one of those that come and go a thousand times. */
#include <stdlib.h>

#include "protocol.h"

enum { BLOCKS = 9 };

SITE static void *leak_in_plugin(long bytes)
{
	void *block = malloc(bytes);

	KEEP(block);
	return block;
}

SITE static void churn_in_plugin(long round)
{
	void *blocks[BLOCKS];

	for (int i = 0; i < BLOCKS; i++)
		blocks[i] = i % 2 ? malloc(round % 500 + 1) : calloc(3, i + 1);
	for (int i = 0; i < BLOCKS; i++) {
		blocks[i] = realloc(blocks[i], 700 + i);
		KEEP(blocks[i]);
		free(blocks[i]);
	}
	NO_TAIL_CALL();
}

__attribute__((visibility("default"))) void *plugin_work(long round, long *bytes)
{
	void *block;

	*bytes = 100 + round % 50;
	block = leak_in_plugin(*bytes);
	churn_in_plugin(round);
	return block;
}
