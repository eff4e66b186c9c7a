/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reading a recording. */
#include "record/recording.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "model/strings.h"
#include "record/block.h"
#include "record/footprint_file.h"
#include "record/sections.h"

enum { NONE = -1 };
#define FILE_MAX_BYTES (2ull << 30)

/* Where a snapshot is. */
struct place {
	struct block snapshot, footprint; /* footprint.stored may be NULL */
	bool whole;
};

struct recording {
	uint8_t *bytes;
	struct pool *pool;
	VEC(struct place) places;
	ssize_t latest; /* the snapshot whose values the pool has, or NONE */
	block_bytes contents; /* of the block last looked into */
	struct series *series;
	bool ended;
};

static void recording_free(void *source)
{
	struct recording *recording = source;

	pool_free(recording->pool);
	vec_free(&recording->places);
	vec_free(&recording->contents);
	mem_free(recording->bytes);
	mem_free(recording);
}

/* -- one snapshot ------------------------------------------------------------------------------ */

static int read_parts(struct recording *recording, struct place *place, unsigned int parts,
		      struct snapshot *snapshot)
{
	if (!block_contents(&place->snapshot, &recording->contents))
		return -EINVAL;
	return sections_read(recording->contents.items, recording->contents.count, parts,
			     recording->pool, snapshot, &place->whole);
}

/* Goes to the values before snapshot i, from the nearest that stands for itself. */
static void go_before(struct recording *recording, size_t i)
{
	size_t from = i;

	while (!recording->places.items[from].whole && from &&
	       (ssize_t)from != recording->latest + 1)
		from--;
	for (; from < i; from++)
		read_parts(recording, &recording->places.items[from], SECTION_SITES, NULL);
}

static struct snapshot *load(void *source, size_t i)
{
	struct recording *recording = source;
	struct snapshot *snapshot = snapshot_new();

	go_before(recording, i);
	read_parts(recording, &recording->places.items[i], SECTION_HEAD | SECTION_SITES, snapshot);
	recording->latest = (ssize_t)i;
	snapshot_sort(snapshot);
	return snapshot;
}

static struct footprint *load_footprint(void *source, size_t i)
{
	struct recording *recording = source;
	struct footprint *footprint;

	if (!block_contents(&recording->places.items[i].footprint, &recording->contents) ||
	    footprint_parse(&footprint, (char *)recording->contents.items,
			    recording->contents.count))
		return NULL;
	return footprint;
}

static const struct series_ops ops = {
	.load = load,
	.footprint = load_footprint,
	.free = recording_free,
};

/* -- all of it --------------------------------------------------------------------------------- */

static const char *take_text(struct recording *recording, struct code *code)
{
	size_t count;
	const void *bytes = code_take_bytes(code, &count);
	char *text = mem_alloc(count + 1);
	const char *kept;

	memcpy(text, bytes, count);
	kept = strings_intern(recording->pool->strings, text);
	mem_free(text);
	return kept;
}

static int take_facts(struct recording *recording, const struct block *block)
{
	struct code code;
	uint64_t left = 0;

	if (!block_contents(block, &recording->contents))
		return -EINVAL;
	code = code_reader(recording->contents.items, recording->contents.count, NULL);
	for (code_number(&code, &left); left && !code.broken; left--) {
		struct fact *fact = vec_add(&recording->series->facts);

		fact->name = take_text(recording, &code);
		fact->text = take_text(recording, &code);
	}
	return code.broken ? -EINVAL : 0;
}

/* All of it is read once: what is wrong with it is known from the start. */
static int take_snapshot(struct recording *recording, const struct block *block)
{
	struct place place = { .snapshot = *block };
	struct snapshot *snapshot = snapshot_new();
	int error = read_parts(recording, &place, SECTION_POOL | SECTION_HEAD | SECTION_SITES,
			       snapshot);

	if (!error && !place.whole && !recording->places.count)
		error = -EINVAL;
	if (!error) {
		*vec_add(&recording->places) = place;
		series_add(recording->series, snapshot, false);
		recording->latest = (ssize_t)recording->places.count - 1;
	}
	snapshot_free(snapshot);
	return error;
}

static int take_footprint(struct recording *recording, const struct block *block)
{
	size_t count = recording->places.count;

	if (!count)
		return -EINVAL;
	recording->places.items[count - 1].footprint = *block;
	recording->series->moments.items[count - 1].has_footprint = true;
	return 0;
}

static int take_block(struct recording *recording, const struct block *block)
{
	switch (block->type) {
	case BLOCK_ABOUT:
		return take_facts(recording, block);
	case BLOCK_SNAPSHOT:
		return take_snapshot(recording, block);
	case BLOCK_FOOTPRINT:
		return take_footprint(recording, block);
	case BLOCK_END:
		recording->ended = true;
		return 0;
	}
	return block->type & 0x20 ? 0 : -EINVAL;
}

static void warn(struct recording *recording, const char *what, size_t at)
{
	char *text = mem_printf("the recording is %s at byte %zu: %zu whole snapshot%s before that",
				what, at, recording->places.count,
				recording->places.count == 1 ? "" : "s");

	recording->series->warning = strings_intern(recording->pool->strings, text);
	mem_free(text);
}

static int read_blocks(struct recording *recording, size_t count)
{
	size_t at = RECORDING_HEAD_BYTES, next = at;
	struct block block;
	int error = 0;

	while (!error && !recording->ended && block_next(&block, recording->bytes, count, &next)) {
		error = take_block(recording, &block);
		at = error ? at : next;
	}
	if (error)
		warn(recording, "damaged", at);
	else if (!recording->ended)
		warn(recording, at == count ? "not complete" : "cut off or damaged", at);
	if (recording->places.count)
		return 0;
	return error_set(-EINVAL, "no whole snapshot in it%s",
			 recording->ended ? "" : ": it is cut off or damaged");
}

int recording_parse(struct series **out, uint8_t *bytes, size_t count)
{
	struct recording *recording;
	int error = block_read_head(bytes, count);

	if (error) {
		mem_free(bytes);
		return error;
	}
	recording = mem_alloc(sizeof(*recording));
	recording->bytes = bytes;
	recording->pool = pool_new(true);
	recording->latest = NONE;
	recording->series = series_new(&ops, recording);
	error = read_blocks(recording, count);
	if (error) {
		series_free(recording->series);
		return error;
	}
	*out = recording->series;
	return 0;
}

static int read_file(block_bytes *bytes, FILE *stream)
{
	enum { PIECE = 1 << 16 };
	size_t got;

	do {
		if (bytes->count > FILE_MAX_BYTES)
			return -EFBIG;
		bytes->items = mem_grow(bytes->items, bytes->count + PIECE, &bytes->capacity, 1);
		got = fread(bytes->items + bytes->count, 1, PIECE, stream);
		bytes->count += got;
	} while (got == PIECE);
	return ferror(stream) ? -errno : 0;
}

int recording_read(struct series **series, FILE *stream, const char *path)
{
	block_bytes bytes = { 0 };
	int error = read_file(&bytes, stream);

	if (error) {
		vec_free(&bytes);
		return error_set(error, "cannot read %s: %s", path, strerror(-error));
	}
	error = recording_parse(series, bytes.items, bytes.count);
	return error ? error_prefix(error, "%s", path) : 0;
}
