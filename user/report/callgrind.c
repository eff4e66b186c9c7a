/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The profile format of callgrind, for callgrind_annotate and KCachegrind: what each line of a
 * function holds, and what its calls do. Each ledger has events of its own.
 */
#include <inttypes.h>

#include "base/text.h"
#include "base/vec.h"
#include "report/calls.h"
#include "report/formats.h"
#include "report/label.h"

struct profile {
	FILE *stream;
	const struct snapshot *snapshot;
	const struct calls *calls;
	struct frame_set *files, *objects; /* paths as names */
	bool *named; /* functions whose names are written: numbers stand for them */
};

static void write_costs(const struct profile *profile, const struct calls_sum *sum)
{
	if (profile->snapshot->heap)
		fprintf(profile->stream, " %" PRIu64 " %" PRIu64, sum->bytes[SITE_HEAP],
			sum->blocks[SITE_HEAP]);
	if (profile->snapshot->mapping)
		fprintf(profile->stream, " %" PRIu64 " %" PRIu64, sum->bytes[SITE_MAPPING],
			sum->blocks[SITE_MAPPING]);
	putc('\n', profile->stream);
}

/* "key=(number) text" for the first time, "key=(number)" from then on. */
static void write_name(const struct profile *profile, const char *key, uint32_t number,
		       const char *text, bool first)
{
	char escaped[LABEL_MAX];

	fprintf(profile->stream, "%s=(%" PRIu32 ")", key, number + 1);
	if (first) {
		text_escape(escaped, sizeof(escaped), text);
		fprintf(profile->stream, " %s", escaped);
	}
	putc('\n', profile->stream);
}

static void write_path(const struct profile *profile, const char *key, struct frame_set *paths,
		       const char *path)
{
	const struct frame frame = { .name = path };
	bool added;
	uint32_t number = frame_set_add(paths, FRAME_SET_NONE, &frame, &added);

	write_name(profile, key, number, path ? path : "???", added);
}

/* Three lines, of the function itself or, with other keys, of one that it calls. */
static void write_function(const struct profile *profile, uint32_t number, const char *object,
			   const char *file, const char *function)
{
	const struct frame *frame = frame_set_frame(profile->calls->frames, number);
	char buffer[LABEL_MAX];

	write_path(profile, object, profile->objects, frame->module);
	write_path(profile, file, profile->files, frame->file);
	write_name(profile, function, number, label_frame(frame, buffer), !profile->named[number]);
	profile->named[number] = true;
}

static void write_edge(const struct profile *profile, const struct calls_edge *edge)
{
	if (edge->callee != CALLS_ITSELF) {
		write_function(profile, edge->callee, "cob", "cfi", "cfn");
		fprintf(profile->stream, "calls=%" PRIu64 " 0\n",
			edge->sum.blocks[SITE_HEAP] + edge->sum.blocks[SITE_MAPPING]);
	}
	fprintf(profile->stream, "%" PRIu32, edge->line);
	write_costs(profile, &edge->sum);
}

static void write_head(const struct profile *profile, const struct selection *selection)
{
	const struct snapshot *snapshot = profile->snapshot;
	struct calls_sum sum = { 0 };
	char target[LABEL_MAX];

	vec_for_each (row, &selection->rows) {
		sum.bytes[row->site->kind] += row->bytes;
		sum.blocks[row->site->kind] += row->blocks;
	}
	text_escape(target, sizeof(target), snapshot->target ? snapshot->target : "?");
	fprintf(profile->stream,
		"# callgrind format\nversion: 1\ncreator: unfreed\ncmd: %s\npositions: line\n"
		"events:%s%s\nsummary:",
		target, snapshot->heap ? " HeapBytes HeapBlocks" : "",
		snapshot->mapping ? " MappingBytes Mappings" : "");
	write_costs(profile, &sum);
}

void callgrind_write(const struct snapshot *snapshot, const struct report_options *options,
		     FILE *stream)
{
	struct profile profile = { .stream = stream, .snapshot = snapshot };
	struct selection selection;
	struct calls *calls;
	uint32_t last = CALLS_ITSELF;

	selection_all(&selection, snapshot, 1u << SITE_HEAP | 1u << SITE_MAPPING, options);
	calls = calls_new(&selection, true);
	calls_connect(calls, &selection, true);
	profile.calls = calls;
	profile.files = frame_set_new();
	profile.objects = frame_set_new();
	profile.named = mem_array(calls->functions.count, sizeof(*profile.named));
	write_head(&profile, &selection);
	vec_for_each (edge, &calls->edges) {
		if (edge->caller != last) {
			putc('\n', stream);
			write_function(&profile, edge->caller, "ob", "fl", "fn");
		}
		last = edge->caller;
		write_edge(&profile, edge);
	}
	mem_free(profile.named);
	frame_set_free(profile.objects);
	frame_set_free(profile.files);
	calls_free(calls);
	selection_free(&selection);
}
