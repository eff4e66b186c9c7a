/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Recordings. First byte 0: a file as it is. 1: blocks, each of a type (8 bits), a length (16 bits)
 * and its contents, as a file of them with the checksums that belong to it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/error.h"
#include "fuzz.h"
#include "model/diff.h"
#include "model/footprint.h"
#include "record/block.h"
#include "record/recording.h"
#include "report/view.h"

enum { LOADED_MAX = 4, STORED_MORE_BYTES = 11 };

static uint8_t *put(uint8_t *at, uint32_t value, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		*at++ = (uint8_t)(value >> (8 * i));
	return at;
}

/* A block that is stored, and not compressed: that takes most of the time else (RFC 1950, 1951). */
static void write_block(FILE *stream, uint32_t type, const uint8_t *contents, size_t count)
{
	uint8_t *block = malloc(BLOCK_HEAD_BYTES + STORED_MORE_BYTES + count), *at = block;
	uint32_t stored_bytes = (uint32_t)count + STORED_MORE_BYTES;
	uint32_t adler = (uint32_t)adler32(1, contents, (uInt)count), sum;

	at = put(put(put(at, type, 4), stored_bytes, 4), (uint32_t)count, 4) + 4;
	at = put(put(put(at, 0x0178, 2), 1, 1), (uint32_t)(count | ~count << 16), 4);
	memcpy(at, contents, count);
	put(at + count, __builtin_bswap32(adler), 4);
	sum = (uint32_t)crc32(crc32(0, block, 12), block + BLOCK_HEAD_BYTES, stored_bytes);
	put(block + 12, sum, 4);
	fwrite(block, BLOCK_HEAD_BYTES + stored_bytes, 1, stream);
	free(block);
}

static uint8_t *make_file(struct input *input, size_t *count)
{
	static const uint32_t types[] = { BLOCK_SNAPSHOT, BLOCK_ABOUT, BLOCK_FOOTPRINT, BLOCK_END };
	char *file = NULL;
	FILE *stream = open_memstream(&file, count);

	fuzz_expect(!block_write_head(stream));
	while (input->left) {
		uint32_t type = types[input_number(input, 1) % 4];
		size_t bytes;
		uint8_t *contents = input_bytes(input, input_number(input, 2), &bytes);

		write_block(stream, type, contents, bytes);
		free(contents);
	}
	fclose(stream);
	return (uint8_t *)file;
}

static void check_text(const char *text)
{
	fuzz_expect(!text || strlen(text) < 1 << 24);
}

static void check_snapshot(const struct snapshot *snapshot)
{
	const struct site *last = NULL;

	vec_for_each (site, &snapshot->sites) {
		fuzz_expect(site->kind < SITE_KINDS && site->end < SITE_ENDS && site->pid >= 0);
		fuzz_expect(site->young_bytes <= site->bytes && site->young_blocks <= site->blocks);
		fuzz_expect(!last || last->bytes >= site->bytes);
		last = site;
		for (size_t i = 0; i < site->frame_count; i++) {
			fuzz_expect(site->frames[i].type <= FRAME_KERNEL);
			check_text(site->frames[i].name);
			check_text(site->frames[i].module);
			check_text(site->frames[i].file);
		}
		check_text(site->owner);
		check_text(site->verdict);
	}
	vec_for_each (module, &snapshot->modules)
		fuzz_expect(module->path);
	vec_for_each (loss, &snapshot->losses)
		fuzz_expect(loss->name);
	vec_for_each (note, &snapshot->notes)
		fuzz_expect(*note);
	vec_for_each (incident, &snapshot->incidents) {
		fuzz_expect(incident->reason && incident->pid >= 0);
		check_text(incident->comm);
		check_text(incident->sender_comm);
		check_text(incident->asking_comm);
	}
	check_text(snapshot->target);
}

/* The same whichever way it was come to. */
static void check_series(struct series *series)
{
	size_t count = series->moments.count, sites = 0;

	fuzz_expect(count);
	for (size_t i = 0; i < count && i < LOADED_MAX; i++) {
		size_t which = i % 2 ? i / 2 : count - 1 - i / 2;
		struct snapshot *snapshot = series_load(series, which);
		struct snapshot *again = series_load(series, which);

		check_snapshot(snapshot);
		fuzz_expect(again->sites.count == snapshot->sites.count);
		fuzz_expect(snapshot->heap_totals.live_bytes ==
			    series->moments.items[which].heap.live_bytes);
		sites += snapshot->sites.count;
		snapshot_free(again);
		snapshot_free(snapshot);
	}
	vec_for_each (fact, &series->facts)
		fuzz_expect(fact->name && fact->text);
	fuzz_end("%zu snapshots, %zu sites%s", count, sites, series->warning ? ", cut off" : "");
}

static void check_use(struct series *series)
{
	struct snapshot *first = series_load(series, 0);
	struct snapshot *last = series_load(series, series->moments.count - 1);
	struct diff *diff = diff_new(first, last);
	struct view view;

	view_init(&view);
	view.by = VIEW_BY_FUNCTION;
	view.older_ns = first->min_age_ns;
	check_snapshot(diff->shown);
	first = view_apply(&view, first);
	check_snapshot(first);
	diff_free(diff);
	snapshot_free(first);
	snapshot_free(last);
	view_free(&view);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	bool made = input_number(&input, 1) == 1;
	struct series *series = NULL;
	size_t count = input.left;
	uint8_t *bytes = made ? make_file(&input, &count) : input_bytes(&input, count, &count);

	if (recording_parse(&series, bytes, count)) {
		fuzz_expect(*error_message());
		fuzz_end("%s", error_message());
		return 0;
	}
	check_series(series);
	check_use(series);
	for (size_t i = 0; i < series->moments.count && i < LOADED_MAX; i++)
		footprint_free(series_footprint(series, i));
	series_free(series);
	return 0;
}
