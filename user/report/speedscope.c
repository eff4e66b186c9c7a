/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The JSON of speedscope: a profile for each ledger, its samples the stacks, root first, weighed
 * by what they hold. A process is the root of its stacks.
 */
#include "base/json.h"
#include "base/vec.h"
#include "model/strings.h"
#include "report/formats.h"
#include "report/frame_set.h"
#include "report/label.h"
#include "report/selection.h"

/* How a file says that it is one. */
#define SCHEMA "https://www.speedscope.app/file-format-schema.json"

struct document {
	struct json json;
	struct strings *strings;
	struct frame_set *frames;
	const struct snapshot *snapshot;
};

/* Functions: speedscope adds up what has one name and file, so that lines are left out. */
static uint32_t frame_number(struct document *document, const struct frame *frame)
{
	const bool named = frame->name && *frame->name;
	const struct frame key = { .name = named ? frame->name : NULL,
				   .module = named && frame->file ? NULL : frame->module,
				   .offset = named ? 0 : frame->offset,
				   .file = frame->file };

	return frame_set_add(document->frames, FRAME_SET_NONE, &key, NULL);
}

static uint32_t process_number(struct document *document, pid_t pid)
{
	char *name = mem_printf("%s-%d", snapshot_comm(document->snapshot, pid), (int)pid);
	const struct frame frame = { .name = strings_intern(document->strings, name) };

	mem_free(name);
	return frame_number(document, &frame);
}

static void write_frames(struct document *document)
{
	struct json *json = &document->json;
	char buffer[LABEL_MAX];

	json_begin_object(json, "shared");
	json_begin_array(json, "frames");
	for (uint32_t i = 0; i < frame_set_count(document->frames); i++) {
		const struct frame *frame = frame_set_frame(document->frames, i);

		json_begin_object(json, NULL);
		label_json(json, "name", label_frame(frame, buffer));
		if (frame->file || frame->module)
			label_json(json, "file", frame->file ? frame->file : frame->module);
		json_end(json);
	}
	json_end(json);
	json_end(json);
}

static void write_sample(struct document *document, const struct site *site)
{
	const struct frame *cut = label_cut(site->end);
	struct json *json = &document->json;

	json_begin_array(json, NULL);
	json_uint(json, NULL, process_number(document, site->pid));
	if (cut)
		json_uint(json, NULL, frame_number(document, cut));
	for (size_t i = site->frame_count; i-- > 0;)
		json_uint(json, NULL, frame_number(document, &site->frames[i]));
	json_end(json);
}

static void write_profile(struct document *document, enum site_kind kind,
			  const struct report_options *options)
{
	static const char *const names[SITE_KINDS] = {
		[SITE_HEAP] = "Heap: outstanding bytes",
		[SITE_MAPPING] = "Mappings: outstanding bytes",
		[SITE_FAULT] = "Page faults: resident bytes",
	};
	struct json *json = &document->json;
	struct selection selection;
	uint64_t total = 0;

	selection_make(&selection, document->snapshot, 1u << kind, options, options->shape_all);
	if (selection.rows.count) {
		json_begin_object(json, NULL);
		json_text(json, "type", "sampled");
		json_text(json, "name", names[kind]);
		json_text(json, "unit", "bytes");
		json_begin_array(json, "samples");
		vec_for_each (row, &selection.rows)
			write_sample(document, row->site);
		json_end(json);
		json_begin_array(json, "weights");
		vec_for_each (row, &selection.rows) {
			json_uint(json, NULL, row->bytes);
			total += row->bytes;
		}
		json_end(json);
		json_uint(json, "startValue", 0);
		json_uint(json, "endValue", total);
		json_end(json);
	}
	selection_free(&selection);
}

void speedscope_write(const struct snapshot *snapshot, const struct report_options *options,
		      FILE *stream)
{
	struct document document = { .snapshot = snapshot };
	struct json *json = &document.json;

	document.strings = strings_new();
	document.frames = frame_set_new();
	json_init(json, stream);
	json_begin_object(json, NULL);
	json_text(json, "$schema", SCHEMA);
	json_text(json, "exporter", "unfreed");
	label_json(json, "name", snapshot->target);
	json_begin_array(json, "profiles");
	for (int kind = 0; kind < SITE_KINDS; kind++)
		write_profile(&document, kind, options);
	json_end(json);
	write_frames(&document);
	json_end(json);
	putc('\n', stream);
	frame_set_free(document.frames);
	strings_free(document.strings);
}
