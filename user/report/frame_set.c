/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A hash table of frames: open addressing, as a report may hold a million of them. */
#include <string.h>

#include "base/vec.h"
#include "report/frame_set.h"

struct entry {
	struct frame frame;
	uint64_t parent;
};
_Static_assert(sizeof(struct entry) == 48, "padding in what is hashed");

struct frame_set {
	VEC(struct entry) entries;
	uint32_t *slots; /* number + 1 of an entry; 0: empty */
	size_t slot_count; /* a power of two, at least twice the entries */
};

struct frame_set *frame_set_new(void)
{
	struct frame_set *set = mem_alloc(sizeof(*set));

	set->slot_count = 1024;
	set->slots = mem_array(set->slot_count, sizeof(*set->slots));
	return set;
}

void frame_set_free(struct frame_set *set)
{
	if (!set)
		return;
	vec_free(&set->entries);
	mem_free(set->slots);
	mem_free(set);
}

/* Keys are addresses and offsets of this process's own making: no need to resist an attack. */
static uint64_t hash(const struct entry *entry)
{
	uint64_t words[sizeof(*entry) / sizeof(uint64_t)], sum = 0;

	memcpy(words, entry, sizeof(words));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		sum = (sum ^ words[i]) * 0x9e3779b97f4a7c15ull;
		sum ^= sum >> 29;
	}
	return sum;
}

/* Where entry stands, or would. */
static uint32_t *slot_of(const struct frame_set *set, const struct entry *entry)
{
	size_t i = hash(entry) & (set->slot_count - 1);

	while (set->slots[i] &&
	       memcmp(&set->entries.items[set->slots[i] - 1], entry, sizeof(*entry)))
		i = (i + 1) & (set->slot_count - 1);
	return &set->slots[i];
}

static void grow(struct frame_set *set)
{
	uint32_t number = 0;

	mem_free(set->slots);
	set->slot_count *= 2;
	set->slots = mem_array(set->slot_count, sizeof(*set->slots));
	vec_for_each (entry, &set->entries)
		*slot_of(set, entry) = ++number;
}

uint32_t frame_set_add(struct frame_set *set, uint32_t parent, const struct frame *frame,
		       bool *added)
{
	struct entry entry = { .frame = *frame, .parent = parent };
	uint32_t *slot = slot_of(set, &entry);

	if (added)
		*added = !*slot;
	if (*slot)
		return *slot - 1;
	*vec_add(&set->entries) = entry;
	*slot = set->entries.count;
	if (set->entries.count * 2 > set->slot_count)
		grow(set);
	return set->entries.count - 1;
}

uint32_t frame_set_count(const struct frame_set *set)
{
	return set->entries.count;
}

const struct frame *frame_set_frame(const struct frame_set *set, uint32_t number)
{
	return &set->entries.items[number].frame;
}

uint32_t frame_set_parent(const struct frame_set *set, uint32_t number)
{
	return set->entries.items[number].parent;
}
