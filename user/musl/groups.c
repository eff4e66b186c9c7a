/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Each group begins with a pointer to its struct meta, which points back. These lie in areas of a
 * page, each of which begins with one secret number: one group leads to an area, its lists to all.
 */
#include "musl/groups.h"

#include <stdlib.h>
#include <string.h>

enum {
	UNIT = 16,
	PAGE = 4096,
	SLOTS_MAX = 101, /* that fit into an area */
	AREAS_MAX = 1 << 16, /* 6 million groups */
	HEAP_PAGES_MAX = 1 << 16,
};

struct meta {
	uint64_t previous, next, group;
	uint32_t available, freed; /* bits of slots */
	uint64_t bits; /* last slot: 5, freeable: 1, size class: 6, pages mapped: the rest */
};

struct area {
	uint64_t check, next;
	uint32_t slot_count, unused;
	struct meta slots[SLOTS_MAX];
};

/* Of slots, in units. */
static const uint16_t size_classes[] = {
	1,   2,	  3,   4,    5,	   6,	 7,    8,    9,	   10,	 12,   15,   18,   20,	 25,   31,
	36,  42,  50,  63,   72,   84,	 102,  127,  146,  170,	 204,  255,  292,  340,	 409,  511,
	584, 682, 818, 1023, 1169, 1364, 1637, 2047, 2340, 2730, 3276, 4095, 4680, 5460, 6552, 8191,
};

struct group {
	uint64_t start, end, slot_bytes;
	uint32_t used; /* slots */
	bool is_mapped; /* else it lies in a slot of another one */
};

struct reading {
	struct resident *resident;
	uint64_t check; /* 0: not known yet */
	VEC(uint64_t) areas; /* by address */
	VEC(uint64_t) queue; /* those that were not read yet */
	VEC(struct group) groups;
};

/* -- areas --------------------------------------------------------------------------------------
 */

/* Queues an area, unless it is known. */
static void want(struct reading *reading, uint64_t address)
{
	size_t low = 0, high = reading->areas.count;

	address &= ~(uint64_t)(PAGE - 1);
	if (address < PAGE || address > INT64_MAX || reading->areas.count >= AREAS_MAX)
		return;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (reading->areas.items[middle] == address)
			return;
		if (reading->areas.items[middle] < address)
			low = middle + 1;
		else
			high = middle;
	}
	vec_add(&reading->areas);
	memmove(&reading->areas.items[low + 1], &reading->areas.items[low],
		(reading->areas.count - 1 - low) * sizeof(*reading->areas.items));
	reading->areas.items[low] = address;
	*vec_add(&reading->queue) = address;
}

/* Whether this is a meta in use: its group points to it. */
static bool is_meta(struct reading *reading, uint64_t address, const struct meta *meta)
{
	uint64_t back;

	return meta->group >= PAGE && meta->group % UNIT == 0 &&
	       resident_read(reading->resident, meta->group, &back, sizeof(back)) &&
	       back == address;
}

static void add_group(struct reading *reading, const struct meta *meta)
{
	uint32_t last = meta->bits & 31, class = meta->bits >> 6 & 63;
	uint32_t all = (uint32_t)((2ULL << last) - 1);
	uint64_t mapped_bytes = meta->bits >> 12 << 12;
	struct group *group;

	if ((class >= sizeof(size_classes) / sizeof(*size_classes) && (last || !mapped_bytes)) ||
	    mapped_bytes > 1ULL << 47)
		return;
	group = vec_add(&reading->groups);
	group->start = meta->group;
	group->is_mapped = mapped_bytes;
	group->slot_bytes =
		!last && mapped_bytes ? mapped_bytes - UNIT : (uint64_t)UNIT * size_classes[class];
	group->end = mapped_bytes ? meta->group + mapped_bytes
				  : meta->group + UNIT + group->slot_bytes * (last + 1);
	group->used = (uint32_t)__builtin_popcount(all & ~(meta->available | meta->freed));
}

static void read_area(struct reading *reading, uint64_t address)
{
	struct area area;
	bool found = false;

	if (!resident_read(reading->resident, address, &area, sizeof(area)) || !area.check ||
	    !area.slot_count || area.slot_count > SLOTS_MAX || area.next % PAGE ||
	    (reading->check && area.check != reading->check))
		return;
	for (uint32_t i = 0; i < area.slot_count; i++) {
		const struct meta *meta = &area.slots[i];
		uint64_t at = address + offsetof(struct area, slots) + i * sizeof(*meta);

		if (!is_meta(reading, at, meta))
			continue;
		found = true;
		reading->check = area.check;
		add_group(reading, meta);
		want(reading, meta->previous);
		want(reading, meta->next);
	}
	if (found || area.check == reading->check)
		want(reading, area.next);
}

/* Where mappings begin with a group; and the heap of brk(2), where areas come from. */
static void find_first(struct reading *reading, const struct maps *maps)
{
	vec_for_each (map, &maps->rows) {
		bool is_heap = map->path && !strcmp(map->path, "[heap]");
		uint64_t word;

		if (!map->writable || map->shared || map->inode)
			continue;
		if (resident_read(reading->resident, map->start, &word, sizeof(word)) &&
		    word % 8 == 0)
			want(reading, word);
		for (uint64_t i = 0; is_heap && i < HEAP_PAGES_MAX; i++) {
			if (map->start + i * PAGE >= map->end)
				break;
			want(reading, map->start + i * PAGE);
		}
	}
}

/* -- sums ---------------------------------------------------------------------------------------
 */

static int by_start(const void *a, const void *b)
{
	const struct group *left = a, *right = b;

	if (left->start != right->start)
		return left->start < right->start ? -1 : 1;
	return left->end > right->end ? -1 : left->end < right->end;
}

/* A group that lies in a slot of another one is what that slot is used for. */
static void sum_up(struct musl_heap *heap, struct reading *reading)
{
	VEC(const struct group *) around = { 0 };

	qsort(reading->groups.items, reading->groups.count, sizeof(*reading->groups.items),
	      by_start);
	vec_for_each (group, &reading->groups) {
		while (around.count && around.items[around.count - 1]->end <= group->start)
			around.count--;
		heap->groups++;
		heap->in_use_blocks += group->used;
		heap->in_use_bytes += group->used * group->slot_bytes;
		if (group->is_mapped)
			heap->mapped_bytes += group->end - group->start;
		else if (around.count) {
			heap->in_use_blocks--;
			heap->in_use_bytes -= around.items[around.count - 1]->slot_bytes;
		}
		heap->free_bytes +=
			(group->end - group->start - UNIT) / group->slot_bytes * group->slot_bytes -
			group->used * group->slot_bytes;
		*vec_add(&around) = group;
	}
	vec_free(&around);
}

bool musl_read(struct musl_heap *heap, struct resident *resident, const struct maps *maps)
{
	struct reading reading = { .resident = resident };

	*heap = (struct musl_heap){ 0 };
	find_first(&reading, maps);
	for (size_t i = 0; i < reading.queue.count; i++)
		read_area(&reading, reading.queue.items[i]);
	if (reading.groups.count)
		sum_up(heap, &reading);
	vec_free(&reading.areas);
	vec_free(&reading.queue);
	vec_free(&reading.groups);
	return heap->groups;
}
