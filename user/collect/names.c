/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The cache of names, keyed by image and address. */
#include "collect/names.h"

#include <uthash.h>

struct key {
	const struct image *image;
	uint64_t address;
};

struct entry {
	struct key key;
	struct named named;
	UT_hash_handle hh;
};

/* What is wanted of one image. */
struct batch {
	struct image *image;
	VEC(uint64_t) addresses;
	VEC(struct entry *) entries;
};

struct names {
	struct sandbox *sandbox;
	struct entry *entries;
	VEC(struct batch) wanted;
};

struct names *names_new(struct sandbox *sandbox)
{
	struct names *names = mem_alloc(sizeof(*names));

	names->sandbox = sandbox;
	return names;
}

void named_clear(struct named *named)
{
	vec_for_each (frame, &named->frames) {
		mem_free(frame->name);
		mem_free(frame->file);
	}
	vec_free(&named->frames);
}

static void entry_free(struct entry *entry)
{
	named_clear(&entry->named);
	mem_free(entry);
}

static void wanted_free(struct names *names)
{
	vec_for_each (batch, &names->wanted) {
		vec_free(&batch->addresses);
		vec_free(&batch->entries);
	}
	vec_free(&names->wanted);
}

void names_free(struct names *names)
{
	struct entry *entry, *next;

	if (!names)
		return;
	HASH_ITER (hh, names->entries, entry, next) {
		HASH_DEL(names->entries, entry);
		entry_free(entry);
	}
	wanted_free(names);
	mem_free(names);
}

static struct entry *find(const struct names *names, const struct image *image, uint64_t address)
{
	struct key key = { image, address };
	struct entry *entry;

	HASH_FIND(hh, names->entries, &key, sizeof(key), entry);
	return entry;
}

static struct batch *batch_of(struct names *names, struct image *image)
{
	struct batch *batch;

	vec_for_each (old, &names->wanted) {
		if (old->image == image)
			return old;
	}
	batch = vec_add(&names->wanted);
	batch->image = image;
	return batch;
}

void names_want(struct names *names, struct image *image, uint64_t address)
{
	struct batch *batch;
	struct entry *entry;

	if (find(names, image, address))
		return;
	entry = mem_alloc(sizeof(*entry));
	entry->key.image = image;
	entry->key.address = address;
	HASH_ADD(hh, names->entries, key, sizeof(entry->key), entry);
	batch = batch_of(names, image);
	*vec_add(&batch->addresses) = address;
	*vec_add(&batch->entries) = entry;
}

static void add_frame(size_t i, const struct sandbox_frame *frame, void *context)
{
	struct batch *batch = context;
	struct named_frame *named = vec_add(&batch->entries.items[i]->named.frames);

	named->name = mem_string(frame->name);
	named->file = mem_string(frame->file);
	named->line = frame->line;
	named->type = frame->inlined ? FRAME_INLINED : FRAME_NATIVE;
}

void names_forget(struct names *names, const struct image *image)
{
	struct entry *entry, *next;

	HASH_ITER (hh, names->entries, entry, next) {
		if (entry->key.image != image)
			continue;
		HASH_DEL(names->entries, entry);
		entry_free(entry);
	}
}

void names_images(const struct names *names, void (*visit)(struct image *image, void *context),
		  void *context)
{
	vec_for_each (batch, &names->wanted)
		visit(batch->image, context);
}

void names_resolve(struct names *names)
{
	vec_for_each (batch, &names->wanted) {
		if (batch->image->usable)
			sandbox_symbolise(names->sandbox, batch->image->info.id,
					  batch->addresses.items, batch->addresses.count, add_frame,
					  batch);
		vec_for_each (entry, &batch->entries) {
			if (!(*entry)->named.frames.count)
				vec_add(&(*entry)->named.frames);
		}
	}
	wanted_free(names);
}

const struct named *names_get(const struct names *names, const struct image *image,
			      uint64_t address)
{
	struct entry *entry = find(names, image, address);

	return entry ? &entry->named : NULL;
}
