/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A process that loads and unloads files for ever must not fill our memory, our table of open files
 * or the table of unwind rows: what no process maps any more is dropped. What its stacks are called
 * is asked for before.
 */
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "collect/internal.h"

static void mark_unused(struct image *image, void *context)
{
	(void)context;
	image->used = image->named = false;
}

static void mark_used(const struct collect *collect)
{
	vec_for_each (item, &collect->watched) {
		const struct watched *watched = *item;

		if (watched->state != WATCHED_RUNNING)
			continue;
		vec_for_each (code, &watched->code) {
			if (code->image && watched_has(watched, code))
				code->image->used = true;
		}
	}
}

static void name_stacks(struct collect *collect, const struct watched *watched)
{
	for (struct stack *stack = watched->stacks; stack; stack = stack->hh.next) {
		for (size_t i = 0; i < stack->count; i++) {
			struct image *image = stack->frames[i].image;

			if (!image)
				continue;
			image->named = true;
			if (image_is_idle(image))
				names_want(collect->names, image, stack->frames[i].address);
		}
	}
}

static void forget(const struct image *image, void *context)
{
	struct collect *collect = context;

	names_forget(collect->names, image);
	vec_for_each (watched, &collect->watched)
		watched_forget(*watched, image);
}

static void publish(struct collect *collect)
{
	vec_for_each (watched, &collect->watched) {
		if ((*watched)->state == WATCHED_RUNNING && (*watched)->mm)
			collect_publish_code(collect, *watched);
	}
}

void collect_drop_images(struct collect *collect)
{
	if (!images_crowded(collect->images))
		return;
	images_each(collect->images, mark_unused, NULL);
	mark_used(collect);
	vec_for_each (watched, &collect->watched)
		name_stacks(collect, *watched);
	vec_for_each (watched, &collect->ended)
		name_stacks(collect, *watched);
	names_resolve(collect->names);
	images_drop(collect->images, forget, collect);
	/* Walks that are under way read the mappings as they were, and their rows. */
	publish(collect);
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	images_settle(collect->images);
	publish(collect);
}
