/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Heap, code, cards and archive have bounds; metaspace and the collector's tables are found by
 * following what points into them. */
#include "hotspot/areas.h"

#include <string.h>

#include "base/vec.h"
#include "hotspot/codecache.h"
#include "hotspot/klasses.h"

enum {
	GRAIN_LOG2 = 16, /* metaspace commits 64 KiB at a time: an address in each is enough */
	OBJECT_BYTES = 1024, /* looked at of each of the collector's objects */
	HEAP_OBJECT_BYTES = 4096,
	OBJECTS_MAX = 8192,
	DEPTH_MAX = 4,
};

struct walk {
	struct memory *memory;
	const struct vmstructs *vm;
	hotspot_area_fn area;
	void *context;
};

static void report(const struct walk *walk, enum hotspot_area_kind kind, uint64_t start,
		   uint64_t end)
{
	if (!walk->memory->failed && start >= MEMORY_PAGE && start <= end && end <= INT64_MAX)
		walk->area(&(struct hotspot_area){ kind, start, end }, walk->context);
	walk->memory->failed = false;
}

/* -- what has bounds --------------------------------------------------------------------------- */

bool areas_heap(struct memory *memory, const struct vmstructs *vm, uint64_t *start, uint64_t *end)
{
	uint64_t region = memory_u64(memory, vm->collected_heap) + vm->heap_reserved, words;

	*start = memory_u64(memory, region + vm->region_start);
	words = memory_u64(memory, region + vm->region_words);
	if (memory->failed || !vm->collected_heap || vm->heap_reserved == VM_ABSENT ||
	    words > INT64_MAX / 8 || *start > INT64_MAX)
		return false;
	*end = *start + 8 * words;
	return true;
}

static void read_heap(const struct walk *walk)
{
	uint64_t start, end;

	if (areas_heap(walk->memory, walk->vm, &start, &end))
		report(walk, HOTSPOT_AREA_HEAP, start, end);
	walk->memory->failed = false;
}

static void report_code(uint64_t start, uint64_t end, void *context)
{
	report(context, HOTSPOT_AREA_CODE, start, end);
}

static void read_cards(const struct walk *walk)
{
	const struct vmstructs *vm = walk->vm;
	uint64_t set, table, start, bytes;

	if (!vm->barrier_set || vm->barrier_card_table == VM_ABSENT || vm->card_map == VM_ABSENT ||
	    vm->card_map_bytes == VM_ABSENT)
		return;
	set = memory_u64(walk->memory, vm->barrier_set);
	table = memory_u64(walk->memory, set + vm->barrier_card_table);
	start = memory_u64(walk->memory, table + vm->card_map);
	bytes = memory_u64(walk->memory, table + vm->card_map_bytes);
	/* Of another collector this is something else; a table of that length at the start of a
	 * page is one. */
	if (start % MEMORY_PAGE || bytes > INT64_MAX - start) {
		walk->memory->failed = false;
		return;
	}
	report(walk, HOTSPOT_AREA_CARDS, start, start + bytes);
}

static void read_archive(const struct walk *walk)
{
	const struct vmstructs *vm = walk->vm;
	uint64_t start, end;

	if (!vm->shared_base || !vm->shared_top)
		return;
	start = memory_u64(walk->memory, vm->shared_base);
	end = memory_u64(walk->memory, vm->shared_top);
	report(walk, HOTSPOT_AREA_ARCHIVE, start, end);
}

/* -- metaspace --------------------------------------------------------------------------------- */

/* One address of each grain, in the order in which they turn up. */
struct grains {
	VEC(uint64_t) addresses;
	uint64_t seen[4096]; /* direct-mapped, by grain: mostly enough to have each once */
};

static void add_grain(struct grains *grains, uint64_t address)
{
	uint64_t grain = address >> GRAIN_LOG2;
	uint64_t *seen = &grains->seen[grain % (sizeof(grains->seen) / sizeof(*grains->seen))];

	if (!grain || *seen == grain)
		return;
	*seen = grain;
	*vec_add(&grains->addresses) = address;
}

struct classes {
	const struct walk *walk;
	struct grains klasses, pools;
};

/* A class, and its constant pool; an array's has other things there. */
static bool add_klass(uint64_t klass, void *context)
{
	struct classes *classes = context;
	const struct vmstructs *vm = classes->walk->vm;
	struct memory *memory = classes->walk->memory;
	uint64_t pool = memory_u64(memory, klass + vm->klass_constants);

	add_grain(&classes->klasses, klass);
	if (vm->klass_layout != VM_ABSENT && memory_s32(memory, klass + vm->klass_layout) < 0)
		return true;
	if (pool % 8 == 0 && pool < INT64_MAX)
		add_grain(&classes->pools, pool);
	return true;
}

static void read_classes(const struct walk *walk)
{
	struct classes *classes = mem_alloc(sizeof(*classes));

	classes->walk = walk;
	if (walk->vm->klass_constants != VM_ABSENT)
		klasses_visit(walk->memory, walk->vm, add_klass, classes);
	vec_for_each (address, &classes->pools.addresses)
		report(walk, HOTSPOT_AREA_METASPACE, *address, *address);
	vec_for_each (address, &classes->klasses.addresses)
		report(walk, HOTSPOT_AREA_CLASS_SPACE, *address, *address);
	vec_free(&classes->pools.addresses);
	vec_free(&classes->klasses.addresses);
	mem_free(classes);
}

/* -- the collector ----------------------------------------------------------------------------- */

struct object {
	uint64_t address;
	uint32_t depth;
};

/* Open addressing; never more than half full. */
struct visited {
	uint64_t slots[8 * OBJECTS_MAX];
	size_t count;
};

/* False: it was there, or there is no room for more. */
static bool visit(struct visited *visited, uint64_t address)
{
	const size_t count = sizeof(visited->slots) / sizeof(*visited->slots);
	size_t slot = (address >> 3) * 0x9e3779b97f4a7c15 % count;

	while (visited->slots[slot] && visited->slots[slot] != address)
		slot = (slot + 1) % count;
	if (visited->slots[slot] || visited->count >= count / 2)
		return false;
	visited->slots[slot] = address;
	visited->count++;
	return true;
}

static bool is_pointer(uint64_t word)
{
	return word % 8 == 0 && word >= 16 * MEMORY_PAGE && word < 1ULL << 47;
}

/*
 * Tables begin at pages: mark bitmaps, card counts, offset tables and queues differ between
 * collectors and versions, and VMStructs lists none of them, but the collector's objects point to
 * each. Breadth first from the heap's own object; what is no object is harmless to look at.
 */
static void read_collector(const struct walk *walk)
{
	struct visited *visited = mem_alloc(sizeof(*visited));
	VEC(struct object) queue = { 0 };
	uint64_t words[HEAP_OBJECT_BYTES / 8];

	*vec_add(&queue) = (struct object){ memory_u64(walk->memory, walk->vm->collected_heap), 0 };
	for (size_t i = 0; i < queue.count; i++) {
		struct object object = queue.items[i];
		size_t bytes = object.depth ? OBJECT_BYTES : HEAP_OBJECT_BYTES;
		uint64_t in_page = MEMORY_PAGE - object.address % MEMORY_PAGE;

		memset(words, 0, sizeof(words));
		/* An object at the end of what is mapped: as far as its page goes. */
		if (!memory_read(walk->memory, object.address, words, bytes)) {
			walk->memory->failed = false;
			bytes = in_page < bytes ? in_page : bytes;
			memory_read(walk->memory, object.address, words, bytes);
			walk->memory->failed = false;
		}
		for (size_t k = 0; k < bytes / 8; k++) {
			if (!is_pointer(words[k]) || !visit(visited, words[k]))
				continue;
			if (words[k] % MEMORY_PAGE == 0)
				report(walk, HOTSPOT_AREA_GC, words[k], words[k]);
			else if (object.depth < DEPTH_MAX && queue.count < OBJECTS_MAX)
				*vec_add(&queue) = (struct object){ words[k], object.depth + 1 };
			if (queue.count >= OBJECTS_MAX)
				break;
		}
	}
	vec_free(&queue);
	mem_free(visited);
}

void areas_read(struct memory *memory, const struct vmstructs *vm, hotspot_area_fn area,
		void *context)
{
	struct walk walk = { memory, vm, area, context };

	memory->failed = false;
	read_heap(&walk);
	codecache_visit(memory, vm, report_code, &walk);
	read_cards(&walk);
	read_archive(&walk);
	read_classes(&walk);
	if (vm->collected_heap)
		read_collector(&walk);
}
