/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What tests/targets/stress.c opens and closes: allocates when it comes, is used, and goes. */
#include "../protocol.h"

static void *held;

__attribute__((constructor)) static void come(void)
{
	held = malloc(4000);
	KEEP(held);
}

__attribute__((destructor)) static void go(void)
{
	free(held);
}

SITE static void work_in_plugin(int count)
{
	for (int i = 0; i < count; i++) {
		void *pointer = calloc(3, 50);

		KEEP(pointer);
		free(pointer);
	}
}

int use(int count, void (*leak)(void))
{
	work_in_plugin(count);
	if (leak)
		leak();
	NO_TAIL_CALL();
	return 2 * count;
}
