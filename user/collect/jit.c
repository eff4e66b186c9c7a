/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Keeps a process's perf map open, and the names that it gave by address and size of the map. */
#include "collect/jit.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

struct place {
	uint64_t address;
	uint64_t map_bytes; /* when it was wanted: code may have been replaced since */
};

struct entry {
	struct place place;
	struct named named;
	UT_hash_handle hh;
};

struct jit {
	struct sandbox *sandbox;
	pid_t pid;
	int fd; /* -1: no map yet */
	uint32_t id;
	struct entry *entries;
	VEC(struct entry *) nameless;
	uint64_t seen_bytes; /* of the map, when it was last asked */
	size_t seen_nameless;
	bool complained, ended;
};

struct jit *jit_new(struct sandbox *sandbox, pid_t pid)
{
	struct jit *jit = mem_alloc(sizeof(*jit));

	jit->sandbox = sandbox;
	jit->pid = pid;
	jit->fd = -1;
	return jit;
}

static void close_map(struct jit *jit)
{
	if (jit->fd < 0)
		return;
	sandbox_perfmap_close(jit->sandbox, jit->id);
	close(jit->fd);
	jit->fd = -1;
}

void jit_free(struct jit *jit)
{
	struct entry *entry, *next;

	if (!jit)
		return;
	HASH_ITER (hh, jit->entries, entry, next) {
		HASH_DEL(jit->entries, entry);
		named_clear(&entry->named);
		mem_free(entry);
	}
	vec_free(&jit->nameless);
	close_map(jit);
	mem_free(jit);
}

/* 0: there is none. */
static uint64_t map_bytes(const struct jit *jit)
{
	struct stat status;

	return jit->fd >= 0 && !fstat(jit->fd, &status) ? (uint64_t)status.st_size : 0;
}

const struct named *jit_want(struct jit *jit, uint64_t address)
{
	struct place place = { address, map_bytes(jit) };
	struct entry *entry;

	HASH_FIND(hh, jit->entries, &place, sizeof(place), entry);
	if (entry)
		return &entry->named;
	entry = mem_alloc(sizeof(*entry));
	entry->place = place;
	HASH_ADD(hh, jit->entries, place, sizeof(entry->place), entry);
	*vec_add(&jit->nameless) = entry;
	return &entry->named;
}

static void open_map(struct jit *jit)
{
	jit->fd = proc_open_perf_map(jit->pid);
	if (jit->fd < 0 || !sandbox_perfmap_open(jit->sandbox, jit->fd, &jit->id))
		return;
	close(jit->fd);
	jit->fd = -1;
}

static void add_frame(size_t i, const struct sandbox_frame *frame, void *context)
{
	struct jit *jit = context;
	struct named_frame *named;

	if (!frame->name)
		return;
	named = vec_add(&jit->nameless.items[i]->named.frames);
	named->name = mem_string(frame->name);
	named->file = mem_string(frame->file);
	named->line = frame->line;
	named->type = frame->interpreted ? FRAME_INTERPRETED : FRAME_NATIVE;
}

static int ask(struct jit *jit)
{
	uint64_t *addresses = mem_array(jit->nameless.count, sizeof(*addresses));
	size_t kept = 0;
	int error;

	for (size_t i = 0; i < jit->nameless.count; i++)
		addresses[i] = jit->nameless.items[i]->place.address;
	error = sandbox_perfmap_names(jit->sandbox, jit->id, addresses, jit->nameless.count,
				      add_frame, jit);
	mem_free(addresses);
	vec_for_each (entry, &jit->nameless) {
		if (!(*entry)->named.frames.count)
			jit->nameless.items[kept++] = *entry;
	}
	jit->seen_nameless = jit->nameless.count = kept;
	return error;
}

int jit_resolve(struct jit *jit)
{
	uint64_t bytes;

	if (!jit->nameless.count)
		return 0;
	if (jit->fd < 0 && !jit->ended)
		open_map(jit);
	bytes = map_bytes(jit);
	if (!bytes || (bytes == jit->seen_bytes && jit->nameless.count == jit->seen_nameless))
		return 0;
	jit->seen_bytes = bytes;
	if (!ask(jit) || jit->complained)
		return 0;
	jit->complained = true;
	return -EIO;
}

void jit_end(struct jit *jit)
{
	if (!jit)
		return;
	jit_resolve(jit);
	close_map(jit);
	jit->ended = true;
}
