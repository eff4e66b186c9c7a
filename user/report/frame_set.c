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

/* The hash beside it, so that few entries are looked at in vain, and none to make room. */
struct slot {
	uint32_t hash;
	uint32_t number; /* of an entry, and 1; 0: empty */
};

struct frame_set {
	VEC(struct entry) entries;
	struct slot *slots;
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
static uint32_t hash_of(const struct entry *entry)
{
	uint64_t words[sizeof(*entry) / sizeof(uint64_t)], sum = 0;

	memcpy(words, entry, sizeof(words));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		sum = (sum ^ words[i]) * 0x9e3779b97f4a7c15ull;
		sum ^= sum >> 29;
	}
	return sum >> 32;
}

/* Where entry stands, or would. */
static struct slot *slot_of(const struct frame_set *set, const struct entry *entry, uint32_t hash)
{
	size_t i = hash & (set->slot_count - 1);

	for (; set->slots[i].number; i = (i + 1) & (set->slot_count - 1))
		if (set->slots[i].hash == hash &&
		    !memcmp(&set->entries.items[set->slots[i].number - 1], entry, sizeof(*entry)))
			break;
	return &set->slots[i];
}

static void grow(struct frame_set *set)
{
	struct slot *before = set->slots;
	size_t count = set->slot_count;

	set->slot_count *= 2;
	set->slots = mem_array(set->slot_count, sizeof(*set->slots));
	for (size_t i = 0; i < count; i++) {
		size_t at = before[i].hash & (set->slot_count - 1);

		while (set->slots[at].number)
			at = (at + 1) & (set->slot_count - 1);
		if (before[i].number)
			set->slots[at] = before[i];
	}
	mem_free(before);
}

uint32_t frame_set_add(struct frame_set *set, uint32_t parent, const struct frame *frame,
		       bool *added)
{
	struct entry entry = { .frame = *frame, .parent = parent };
	uint32_t hash = hash_of(&entry);
	struct slot *slot = slot_of(set, &entry, hash);

	if (added)
		*added = !slot->number;
	if (slot->number)
		return slot->number - 1;
	*vec_add(&set->entries) = entry;
	*slot = (struct slot){ hash, set->entries.count };
	if (set->entries.count * 2 > set->slot_count)
		grow(set);
	return set->entries.count - 1;
}

uint32_t frame_set_site(struct frame_set *set, const struct site *site, bool *added)
{
	const struct frame key = { .name = (const void *)site->frames,
				   .offset = (uint64_t)site->pid << 32 | site->frame_count,
				   .line = site->end,
				   .type = (enum frame_type)site->kind };

	return frame_set_add(set, FRAME_SET_NONE, &key, added);
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
