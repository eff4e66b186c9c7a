/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * profile.proto, compressed by gzip: what pprof and all that speak with it read. The two ledgers
 * have sample types of their own, since pprof adds up what has one type. Fields may come in any
 * order: each string, function and place is written when it is met, and nothing is kept whole.
 */
#include <stdlib.h>
#include <zlib.h>

#include "base/text.h"
#include "base/vec.h"
#include "model/strings.h"
#include "report/formats.h"
#include "report/label.h"
#include "report/place_set.h"
#include "report/selection.h"
#include "report/wire.h"

/* Field numbers of profile.proto's messages. */
enum {
	PROFILE_SAMPLE_TYPE = 1,
	PROFILE_SAMPLE,
	PROFILE_MAPPING,
	PROFILE_LOCATION,
	PROFILE_FUNCTION,
	PROFILE_STRING_TABLE,
	PROFILE_TIME_NANOS = 9,
	PROFILE_DURATION_NANOS,
	PROFILE_PERIOD_TYPE,
	PROFILE_PERIOD,
	PROFILE_COMMENT,
	PROFILE_DEFAULT_SAMPLE_TYPE,
};
enum { VALUE_TYPE_TYPE = 1, VALUE_TYPE_UNIT };
enum { SAMPLE_LOCATION_ID = 1, SAMPLE_VALUE, SAMPLE_LABEL };
enum { LABEL_KEY = 1, LABEL_STR, LABEL_NUM, LABEL_NUM_UNIT };
enum {
	MAPPING_ID = 1,
	MAPPING_MEMORY_START,
	MAPPING_MEMORY_LIMIT,
	MAPPING_FILENAME = 5,
	MAPPING_BUILD_ID,
	MAPPING_HAS_FUNCTIONS,
	MAPPING_HAS_FILENAMES,
	MAPPING_HAS_LINE_NUMBERS,
	MAPPING_HAS_INLINE_FRAMES,
};
enum { LOCATION_ID = 1, LOCATION_MAPPING_ID, LOCATION_ADDRESS, LOCATION_LINE };
enum { LINE_FUNCTION_ID = 1, LINE_LINE };
enum { FUNCTION_ID = 1, FUNCTION_NAME, FUNCTION_SYSTEM_NAME, FUNCTION_FILENAME };

enum { FLUSH_BYTES = 1 << 16 };

struct line {
	uint32_t function, line;
};

struct profile {
	FILE *stream;
	z_stream gzip;
	struct wire out, message, inner;
	const struct snapshot *snapshot;
	struct strings *strings; /* texts that are not the snapshot's */
	struct frame_set *texts; /* by address, as names of frames: numbers in the string table */
	struct frame_set *functions;
	struct place_set *places;
	bool traced[SITE_KINDS]; /* these have samples */
	VEC(struct line) chain; /* of a place: outermost frame first */
};

static uint64_t outstanding_bytes(const struct selection_row *row)
{
	return row->bytes;
}

static uint64_t outstanding_blocks(const struct selection_row *row)
{
	return row->blocks;
}

static uint64_t allocated_bytes(const struct selection_row *row)
{
	return row->site->allocated_bytes;
}

static uint64_t allocated_blocks(const struct selection_row *row)
{
	return row->site->allocated_blocks;
}

static uint64_t committed_bytes(const struct selection_row *row)
{
	return row->site->committed_bytes;
}

/* The last of a kind is what it shows unless asked. */
static const struct {
	enum site_kind kind;
	const char *type, *unit;
	uint64_t (*value)(const struct selection_row *row);
} types[] = {
	{ SITE_HEAP, "alloc_objects", "count", allocated_blocks },
	{ SITE_HEAP, "alloc_space", "bytes", allocated_bytes },
	{ SITE_HEAP, "inuse_objects", "count", outstanding_blocks },
	{ SITE_HEAP, "inuse_space", "bytes", outstanding_bytes },
	{ SITE_MAPPING, "mapping_alloc_objects", "count", allocated_blocks },
	{ SITE_MAPPING, "mapping_alloc_space", "bytes", allocated_bytes },
	{ SITE_MAPPING, "mapping_inuse_objects", "count", outstanding_blocks },
	{ SITE_MAPPING, "mapping_committed_space", "bytes", committed_bytes },
	{ SITE_MAPPING, "mapping_inuse_space", "bytes", outstanding_bytes },
	{ SITE_FAULT, "fault_touched_space", "bytes", allocated_bytes },
	{ SITE_FAULT, "fault_resident_pages", "count", outstanding_blocks },
	{ SITE_FAULT, "fault_resident_space", "bytes", outstanding_bytes },
};

enum { TYPES = sizeof(types) / sizeof(types[0]) };

/* -- bytes ------------------------------------------------------------------------------------- */

static void flush(struct profile *profile, int mode)
{
	unsigned char packed[FLUSH_BYTES];

	profile->gzip.next_in = profile->out.items;
	profile->gzip.avail_in = profile->out.count;
	do {
		profile->gzip.next_out = packed;
		profile->gzip.avail_out = sizeof(packed);
		deflate(&profile->gzip, mode);
		fwrite(packed, 1, sizeof(packed) - profile->gzip.avail_out, profile->stream);
	} while (!profile->gzip.avail_out);
	profile->out.count = 0;
}

static void end_message(struct profile *profile, uint32_t field)
{
	wire_message(&profile->out, field, &profile->message);
	if (profile->out.count >= FLUSH_BYTES)
		flush(profile, Z_NO_FLUSH);
}

/* -- what samples refer to --------------------------------------------------------------------- */

/* Its number in the string table; text lives as long as the profile. */
static uint32_t text_number(struct profile *profile, const char *text)
{
	char escaped[LABEL_MAX];
	uint32_t number;
	bool added;

	if (!text)
		return 0;
	number = frame_set_add(profile->texts, FRAME_SET_NONE, &(struct frame){ .name = text },
			       &added);
	if (added) {
		text_escape(escaped, sizeof(escaped), text);
		wire_bytes(&profile->out, PROFILE_STRING_TABLE, escaped, strlen(escaped));
	}
	return number;
}

static uint32_t copied_text_number(struct profile *profile, const char *text)
{
	return text_number(profile, strings_intern(profile->strings, text));
}

static uint32_t function_id(struct profile *profile, const struct frame *frame)
{
	const bool named = frame->name && *frame->name;
	struct frame key = { .file = frame->file };
	char buffer[LABEL_MAX];
	uint32_t id, name, file;
	bool added;

	key.name = named ? frame->name : NULL;
	key.module = named ? NULL : frame->module;
	key.offset = named ? 0 : frame->offset;
	id = frame_set_add(profile->functions, FRAME_SET_NONE, &key, &added) + 1;
	if (!added)
		return id;
	name = copied_text_number(profile, label_frame(frame, buffer));
	file = text_number(profile, frame->file);
	wire_uint(&profile->message, FUNCTION_ID, id);
	wire_uint(&profile->message, FUNCTION_NAME, name);
	wire_uint(&profile->message, FUNCTION_SYSTEM_NAME, name);
	wire_uint(&profile->message, FUNCTION_FILENAME, file);
	end_message(profile, PROFILE_FUNCTION);
	return id;
}

/* The lines of a location begin with the innermost of its inlined functions. */
static void write_location(struct profile *profile, uint32_t number)
{
	const struct place *place = place_set_get(profile->places, number);
	const struct frame_set *frames = place_set_frames(profile->places);
	uint32_t at;

	profile->chain.count = 0;
	for (at = place->frames; at != FRAME_SET_NONE; at = frame_set_parent(frames, at)) {
		const struct frame *frame = frame_set_frame(frames, at);
		uint32_t function = function_id(profile, frame); /* is written before */

		*vec_add(&profile->chain) = (struct line){ function, frame->line };
	}
	wire_uint(&profile->message, LOCATION_ID, number + 1);
	wire_uint(&profile->message, LOCATION_MAPPING_ID,
		  place->module == PLACE_NO_MODULE ? 0 : place->module + 1);
	wire_uint(&profile->message, LOCATION_ADDRESS, place->address);
	while (profile->chain.count) {
		const struct line *line = &profile->chain.items[--profile->chain.count];

		wire_uint(&profile->inner, LINE_FUNCTION_ID, line->function);
		wire_uint(&profile->inner, LINE_LINE, line->line);
		wire_message(&profile->message, LOCATION_LINE, &profile->inner);
	}
	end_message(profile, PROFILE_LOCATION);
}

/* Names are known here: pprof need not look for them, and could not at made-up addresses. */
static void write_mapping(struct profile *profile, uint32_t number)
{
	const struct place_module *module = place_set_module(profile->places, number);
	uint32_t path = text_number(profile, module->path);
	uint32_t id = text_number(profile, snapshot_build_id(profile->snapshot, module->path));

	wire_uint(&profile->message, MAPPING_ID, number + 1);
	wire_uint(&profile->message, MAPPING_MEMORY_START, module->start);
	wire_uint(&profile->message, MAPPING_MEMORY_LIMIT, module->limit);
	wire_uint(&profile->message, MAPPING_FILENAME, path);
	wire_uint(&profile->message, MAPPING_BUILD_ID, id);
	wire_uint(&profile->message, MAPPING_HAS_FUNCTIONS, true);
	wire_uint(&profile->message, MAPPING_HAS_FILENAMES, true);
	wire_uint(&profile->message, MAPPING_HAS_LINE_NUMBERS, true);
	wire_uint(&profile->message, MAPPING_HAS_INLINE_FRAMES, true);
	end_message(profile, PROFILE_MAPPING);
}

/* -- samples ----------------------------------------------------------------------------------- */

static void add_label(struct profile *profile, const char *key, const char *text)
{
	uint32_t key_number, text_at;
	struct wire label = { 0 };

	if (!text)
		return;
	key_number = text_number(profile, key);
	text_at = copied_text_number(profile, text);
	wire_uint(&label, LABEL_KEY, key_number);
	wire_uint(&label, LABEL_STR, text_at);
	wire_message(&profile->message, SAMPLE_LABEL, &label);
	mem_free(label.items);
}

static void add_number(struct profile *profile, const char *key, uint64_t number, const char *unit)
{
	struct wire label = { 0 };

	if (!number)
		return;
	wire_uint(&label, LABEL_KEY, text_number(profile, key));
	wire_uint(&label, LABEL_NUM, number);
	wire_uint(&label, LABEL_NUM_UNIT, text_number(profile, unit));
	wire_message(&profile->message, SAMPLE_LABEL, &label);
	mem_free(label.items);
}

static void add_labels(struct profile *profile, const struct site *site)
{
	const struct frame *thread = label_thread(site);
	char process[64], buffer[LABEL_MAX];

	snprintf(process, sizeof(process), "%s (%d)", snapshot_comm(profile->snapshot, site->pid),
		 (int)site->pid);
	add_label(profile, "kind", site_kind_name(site->kind));
	add_label(profile, "process", process);
	if (thread)
		add_label(profile, "thread", label_frame(thread, buffer));
	add_label(profile, "owner", site->owner);
	add_label(profile, "verdict", site->verdict);
	add_number(profile, "max_age", site->max_age_ns, "nanoseconds");
}

static void write_sample(struct profile *profile, const struct selection_row *row)
{
	const uint32_t known = place_set_count(profile->places);
	const uint32_t *numbers;
	size_t count = place_set_of(profile->places, row->site, &numbers), i;

	for (i = known; i < place_set_count(profile->places); i++)
		write_location(profile, i);
	for (i = 0; i < count; i++)
		wire_varint(&profile->inner, numbers[i] + 1);
	wire_message(&profile->message, SAMPLE_LOCATION_ID, &profile->inner);
	for (i = 0; i < TYPES; i++) {
		uint64_t value = types[i].kind == row->site->kind ? types[i].value(row) : 0;

		if (profile->traced[types[i].kind])
			wire_varint(&profile->inner, value > INT64_MAX ? INT64_MAX : value);
	}
	wire_message(&profile->message, SAMPLE_VALUE, &profile->inner);
	add_labels(profile, row->site);
	end_message(profile, PROFILE_SAMPLE);
}

/* -- the whole --------------------------------------------------------------------------------- */

static void write_type(struct profile *profile, uint32_t field, const char *type, const char *unit)
{
	wire_uint(&profile->message, VALUE_TYPE_TYPE, text_number(profile, type));
	wire_uint(&profile->message, VALUE_TYPE_UNIT, text_number(profile, unit));
	end_message(profile, field);
}

static void write_comment(struct profile *profile, const char *format, const char *text)
{
	char *comment = mem_printf(format, text);

	wire_uint(&profile->out, PROFILE_COMMENT, copied_text_number(profile, comment));
	mem_free(comment);
}

static void write_head(struct profile *profile)
{
	const struct snapshot *snapshot = profile->snapshot;
	enum site_kind first = SITE_KINDS;
	const char *shown = "";

	text_number(profile, ""); /* is the first in every string table */
	for (size_t i = 0; i < TYPES; i++) {
		if (!profile->traced[types[i].kind])
			continue;
		write_type(profile, PROFILE_SAMPLE_TYPE, types[i].type, types[i].unit);
		first = first == SITE_KINDS ? types[i].kind : first;
		shown = types[i].kind == first ? types[i].type : shown;
	}
	write_type(profile, PROFILE_PERIOD_TYPE, "space", "bytes");
	wire_uint(&profile->out, PROFILE_PERIOD, 1);
	wire_uint(&profile->out, PROFILE_DEFAULT_SAMPLE_TYPE, text_number(profile, shown));
	wire_uint(&profile->out, PROFILE_TIME_NANOS, snapshot->start_unix_ns);
	wire_uint(&profile->out, PROFILE_DURATION_NANOS, snapshot->window_ns);
}

/* The coverage in short: pprof -comments. */
static void write_comments(struct profile *profile)
{
	const struct snapshot *snapshot = profile->snapshot;

	write_comment(profile, "unfreed: %s", snapshot->target ? snapshot->target : "?");
	write_comment(profile, "mode: %s", snapshot->mode ? snapshot->mode : "?");
	vec_for_each (loss, &snapshot->losses) {
		char *text = mem_printf("%s: %llu", loss->text, (unsigned long long)loss->count);

		if (loss->count)
			write_comment(profile, "lost: %s", text);
		mem_free(text);
	}
	vec_for_each (note, &snapshot->notes)
		write_comment(profile, "note: %s", *note);
}

void pprof_write(const struct snapshot *snapshot, const struct report_options *options,
		 FILE *stream)
{
	struct profile profile = { .stream = stream, .snapshot = snapshot };
	struct selection selection;

	/* 16: with gzip's header, which has no time in it */
	if (deflateInit2(&profile.gzip, Z_BEST_SPEED, Z_DEFLATED, MAX_WBITS + 16, 8,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		abort(); /* no memory, as elsewhere */
	profile.strings = strings_new();
	profile.texts = frame_set_new();
	profile.functions = frame_set_new();
	profile.places = place_set_new();
	for (int kind = 0; kind < SITE_KINDS; kind++)
		profile.traced[kind] = selection_shows(snapshot, kind, options);
	selection_all(&selection, snapshot, (1u << SITE_KINDS) - 1, options);
	write_head(&profile);
	write_comments(&profile);
	/* pprof takes the first mapping for the program */
	if (selection_program(&selection, snapshot))
		place_set_add_module(profile.places, selection_program(&selection, snapshot));
	vec_for_each (row, &selection.rows)
		write_sample(&profile, row);
	for (uint32_t i = 0; i < place_set_module_count(profile.places); i++)
		write_mapping(&profile, i);
	flush(&profile, Z_FINISH);
	deflateEnd(&profile.gzip);
	selection_free(&selection);
	place_set_free(profile.places);
	frame_set_free(profile.functions);
	frame_set_free(profile.texts);
	strings_free(profile.strings);
	vec_free(&profile.chain);
	mem_free(profile.out.items);
	mem_free(profile.message.items);
	mem_free(profile.inner.items);
}
