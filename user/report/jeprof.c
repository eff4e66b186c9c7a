/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A heap profile as gperftools writes it, behind the names of its addresses: the form that jeprof
 * and google-pprof call symbolized. "heapprofile" in its head says that all is counted, nothing
 * sampled: heap_v2, which jemalloc writes, would have small blocks scaled up. One ledger: the heap,
 * or the first one that was traced.
 */
#include <inttypes.h>

#include "base/text.h"
#include "base/vec.h"
#include "report/formats.h"
#include "report/label.h"
#include "report/place_set.h"
#include "report/selection.h"

/* Two dashes part inlined functions; jeprof hands quotes to dot as they are. */
static void write_name(FILE *stream, const struct frame *frame)
{
	char buffer[LABEL_MAX], escaped[LABEL_MAX];
	const char *text;

	text_escape(escaped, sizeof(escaped), label_frame(frame, buffer));
	for (text = escaped; *text; text++) {
		if (*text == '-' && text[1] == '-')
			fputs("- ", stream);
		else
			putc_unlocked(*text == '"' ? '\'' : *text, stream);
	}
	if (text[-1] == '-')
		putc_unlocked(' ', stream);
}

/* "ADDRESS outermost--…--innermost" */
static void write_symbol(FILE *stream, const struct place_set *places, const struct place *place,
			 uint64_t address)
{
	const struct frame_set *frames = place_set_frames(places);
	uint32_t at;

	fprintf(stream, "0x%016" PRIx64 " ", address);
	for (at = place->frames; at != FRAME_SET_NONE; at = frame_set_parent(frames, at)) {
		if (at != place->frames)
			fputs("--", stream);
		write_name(stream, frame_set_frame(frames, at));
	}
	putc_unlocked('\n', stream);
}

/* Of callers, jeprof takes one from the address: it stands for where the call returns to.
 * google-pprof, of a file with names, does not. */
static void write_place(FILE *stream, const struct place_set *places, const struct place *place)
{
	write_symbol(stream, places, place, place->address);
	write_symbol(stream, places, place, place->address + 1);
}

static void write_path(FILE *stream, const char *path)
{
	char escaped[LABEL_MAX];

	text_escape(escaped, sizeof(escaped), path);
	fprintf(stream, "%s\n", escaped);
}

static void write_symbols(FILE *stream, struct place_set *places, const struct selection *selection,
			  const struct snapshot *snapshot)
{
	const char *program = selection_program(selection, snapshot);
	const uint32_t *numbers;

	fputs("--- symbol\n", stream);
	if (program) {
		fputs("binary=", stream);
		write_path(stream, program);
	}
	vec_for_each (row, &selection->rows)
		place_set_of(places, row->site, &numbers);
	for (uint32_t i = 0; i < place_set_count(places); i++)
		write_place(stream, places, place_set_get(places, i));
	fputs("---\n", stream);
}

static void write_values(FILE *stream, uint64_t blocks, uint64_t bytes, uint64_t all_blocks,
			 uint64_t all_bytes)
{
	fprintf(stream, "%" PRIu64 ": %" PRIu64 " [%" PRIu64 ": %" PRIu64 "] @", blocks, bytes,
		all_blocks, all_bytes);
}

static void write_stack(FILE *stream, struct place_set *places, const struct selection_row *row)
{
	const struct site *site = row->site;
	const uint32_t *numbers;
	size_t count;

	if (!row->bytes && !row->blocks && !site->allocated_blocks)
		return;
	write_values(stream, row->blocks, row->bytes, site->allocated_blocks,
		     site->allocated_bytes);
	count = place_set_of(places, site, &numbers);
	for (size_t i = 0; i < count; i++)
		fprintf(stream, " 0x%" PRIx64,
			place_set_get(places, numbers[i])->address + (i > 0));
	putc_unlocked('\n', stream);
}

static void write_modules(FILE *stream, const struct place_set *places)
{
	fputs("\nMAPPED_LIBRARIES:\n", stream);
	for (uint32_t i = 0; i < place_set_module_count(places); i++) {
		const struct place_module *module = place_set_module(places, i);

		fprintf(stream, "%016" PRIx64 "-%016" PRIx64 " r-xp 00000000 00:00 0 ",
			module->start, module->limit);
		write_path(stream, module->path);
	}
}

void jeprof_write(const struct snapshot *snapshot, const struct report_options *options,
		  FILE *stream)
{
	struct place_set *places = place_set_new();
	uint64_t all_bytes = 0, all_blocks = 0, bytes = 0, blocks = 0;
	enum site_kind kind = SITE_HEAP;
	struct selection selection;

	while (kind + 1 < SITE_KINDS && !selection_shows(snapshot, kind, options))
		kind++;
	selection_all(&selection, snapshot, 1u << kind, options);
	vec_for_each (row, &selection.rows) {
		bytes += row->bytes;
		blocks += row->blocks;
		all_bytes += row->site->allocated_bytes;
		all_blocks += row->site->allocated_blocks;
	}
	write_symbols(stream, places, &selection, snapshot);
	fputs("heap profile: ", stream);
	write_values(stream, blocks, bytes, all_blocks, all_bytes);
	fputs(" heapprofile\n", stream);
	vec_for_each (row, &selection.rows)
		write_stack(stream, places, row);
	write_modules(stream, places);
	selection_free(&selection);
	place_set_free(places);
}
