/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Places and their addresses. */
#include <string.h>

#include "base/vec.h"
#include "report/label.h"
#include "report/place_set.h"

/*
 * An address is 0x0MMMMMOOOOOOOOO: which module by 20 bits, and 36 bits of offset. What is in no
 * module, or too far in it, has an address of one bit more. Perl reads these exactly: jeprof.
 */
enum { OFFSET_BITS = 36, MODULE_BITS = 20 };
#define NOWHERE (1ull << (OFFSET_BITS + MODULE_BITS))

struct place_set {
	struct frame_set *frames;
	VEC(struct place) places;
	VEC(uint32_t) of_frames; /* by number of the outermost frame: its place + 1, or 0 */
	VEC(struct place_module) modules;
	VEC(uint32_t) stack;
	uint64_t *taken; /* addresses, hashed; 0: empty */
	size_t taken_count, taken_slots; /* a power of two, at least twice as many */
	const char *last_path; /* the module of the last lookup: it is often the next one's */
	uint32_t last_module;
};

struct place_set *place_set_new(void)
{
	struct place_set *places = mem_alloc(sizeof(*places));

	places->frames = frame_set_new();
	places->taken_slots = 1024;
	places->taken = mem_array(places->taken_slots, sizeof(*places->taken));
	return places;
}

void place_set_free(struct place_set *places)
{
	if (!places)
		return;
	mem_free(places->taken);
	frame_set_free(places->frames);
	vec_free(&places->places);
	vec_free(&places->of_frames);
	vec_free(&places->modules);
	vec_free(&places->stack);
	mem_free(places);
}

/* FNV-1a, of text and its end. */
static uint64_t hash_text(uint64_t hash, const char *text)
{
	for (; text && *text; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3ull;
	return (hash ^ 0xff) * 0x100000001b3ull;
}

#define HASH_START 0xcbf29ce484222325ull

static bool start_is_taken(const struct place_set *places, uint64_t start)
{
	vec_for_each (module, &places->modules)
		if (module->start == start)
			return true;
	return false;
}

uint32_t place_set_add_module(struct place_set *places, const char *path)
{
	struct place_module *module;
	uint64_t slot;

	if (path == places->last_path && path)
		return places->last_module;
	places->last_path = path;
	for (size_t i = 0; i < places->modules.count; i++)
		if (places->modules.items[i].path == path)
			return places->last_module = i;
	slot = hash_text(HASH_START, path) >> 7;
	do
		slot = (slot + 1) & ((1u << MODULE_BITS) - 1);
	while (!slot || start_is_taken(places, slot << OFFSET_BITS));
	module = vec_add(&places->modules);
	module->path = path;
	module->start = slot << OFFSET_BITS;
	module->limit = module->start + 4096;
	return places->last_module = places->modules.count - 1;
}

static uint64_t *taken_slot(const struct place_set *places, uint64_t address)
{
	size_t i = address * 0x9e3779b97f4a7c15ull >> 32;

	while (places->taken[i & (places->taken_slots - 1)] &&
	       places->taken[i & (places->taken_slots - 1)] != address)
		i++;
	return &places->taken[i & (places->taken_slots - 1)];
}

static void make_room(struct place_set *places)
{
	uint64_t *before = places->taken;
	size_t count = places->taken_slots;

	places->taken_slots *= 2;
	places->taken = mem_array(places->taken_slots, sizeof(*places->taken));
	for (size_t i = 0; i < count; i++)
		if (before[i])
			*taken_slot(places, before[i]) = before[i];
	mem_free(before);
}

/* With the address behind it, which stands for it where a call returns to it. */
static bool take(struct place_set *places, uint64_t address)
{
	if (*taken_slot(places, address) || *taken_slot(places, address + 1))
		return false;
	*taken_slot(places, address) = address;
	*taken_slot(places, address + 1) = address + 1;
	places->taken_count += 2;
	if (places->taken_count * 2 > places->taken_slots)
		make_room(places);
	return true;
}

/* By all that tells a place from others, the same in every report. */
static uint64_t address_of_names(const struct place_set *places, uint32_t number)
{
	uint64_t hash = HASH_START;

	for (; number != FRAME_SET_NONE; number = frame_set_parent(places->frames, number)) {
		const struct frame *frame = frame_set_frame(places->frames, number);

		hash = hash_text(hash, frame->name);
		hash = hash_text(hash, frame->module);
		hash = hash_text(hash, frame->file);
		/* Code made at run time is elsewhere in each run. */
		hash = (hash ^ (frame->name ? 0 : frame->offset)) * 0x100000001b3ull;
		hash = (hash ^ frame->line) * 0x100000001b3ull;
	}
	return NOWHERE | ((hash >> 8) & (NOWHERE - 1) & ~3ull);
}

static void set_address(struct place_set *places, struct place *place)
{
	const struct frame *frame = frame_set_frame(places->frames, place->frames);
	uint64_t address = 0;

	place->module = PLACE_NO_MODULE;
	if (frame->module) {
		struct place_module *module;

		place->module = place_set_add_module(places, frame->module);
		module = &places->modules.items[place->module];
		if (frame->offset < (1ull << OFFSET_BITS) - 4096) {
			address = module->start + frame->offset;
			if (address >= module->limit)
				module->limit = (address | 4095) + 1;
		}
	}
	/* Two chains of inlined frames at one offset cannot be, but in files that lie. */
	if (!address || !take(places, address)) {
		place->module = PLACE_NO_MODULE;
		address = address_of_names(places, place->frames);
		while (!take(places, address))
			address += 4;
	}
	place->address = address;
}

static uint32_t place_of(struct place_set *places, uint32_t frames)
{
	struct place place = { .frames = frames };

	while (places->of_frames.count <= frames)
		*vec_add(&places->of_frames) = 0;
	if (!places->of_frames.items[frames]) {
		set_address(places, &place);
		*vec_add(&places->places) = place;
		places->of_frames.items[frames] = places->places.count;
	}
	return places->of_frames.items[frames] - 1;
}

size_t place_set_of(struct place_set *places, const struct site *site, const uint32_t **numbers)
{
	static const struct frame unknown = { 0 };
	uint32_t inner = FRAME_SET_NONE;
	const struct frame *cut = label_cut(site->end);

	places->stack.count = 0;
	for (size_t i = 0; i < site->frame_count; i++) {
		const struct frame *frame = &site->frames[i];

		inner = frame_set_add(places->frames, inner, frame, NULL);
		if (frame->type == FRAME_INLINED && i + 1 < site->frame_count)
			continue;
		*vec_add(&places->stack) = place_of(places, inner);
		inner = FRAME_SET_NONE;
	}
	if (!cut && !site->frame_count)
		cut = &unknown;
	if (cut)
		*vec_add(&places->stack) =
			place_of(places, frame_set_add(places->frames, FRAME_SET_NONE, cut, NULL));
	*numbers = places->stack.items;
	return places->stack.count;
}

uint32_t place_set_count(const struct place_set *places)
{
	return places->places.count;
}

const struct place *place_set_get(const struct place_set *places, uint32_t number)
{
	return &places->places.items[number];
}

const struct frame_set *place_set_frames(const struct place_set *places)
{
	return places->frames;
}

uint32_t place_set_module_count(const struct place_set *places)
{
	return places->modules.count;
}

const struct place_module *place_set_module(const struct place_set *places, uint32_t module)
{
	return &places->modules.items[module];
}
