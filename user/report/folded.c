/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Folded stacks: "process;[heap];root;…;leaf BYTES", for flamegraph.pl, inferno and speedscope; of
 * a diff with what was there before ahead of BYTES.
 */
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "base/vec.h"
#include "report/formats.h"
#include "report/tree.h"

typedef VEC(char) line_t;

static void append(line_t *line, const char *text, size_t length)
{
	line->items = mem_grow(line->items, line->count + length, &line->capacity, 1);
	if (length)
		memcpy(line->items + line->count, text, length);
	line->count += length;
}

/* A label without what has a meaning here: ';' parts frames, a line's end parts stacks. */
static void append_label(line_t *line, const struct tree_node *node)
{
	const char *text = node->label;
	char piece[TEXT_PIECE_MAX];

	while (*text) {
		size_t plain = 0; /* most of it: copied at once */
		uint32_t character;

		while (text[plain] >= ' ' && text[plain] < 0x7f && text[plain] != ';')
			plain++;
		append(line, text, plain);
		text += plain;
		if (!*text)
			break;
		character = text_next(&text);
		append(line, piece, text_escape_one(piece, character == ';' ? ':' : character));
	}
	if (node->frame && node->frame->type == FRAME_INLINED)
		append(line, "_[i]", 4);
}

static void write_kind(const struct snapshot *snapshot, enum site_kind kind,
		       const struct report_options *options, FILE *stream)
{
	struct tree *tree = tree_new(snapshot, kind, options, TREE_BY_LABEL);
	const struct tree_node *node;
	VEC(size_t) lengths = { 0 }; /* of the line up to each depth */
	line_t line = { 0 };

	*vec_add(&lengths) = 0;
	for (node = tree_next(tree_root(tree)); node; node = tree_next(node)) {
		lengths.count = node->depth;
		line.count = lengths.items[node->depth - 1];
		if (node->depth > 1)
			append(&line, ";", 1);
		append_label(&line, node);
		if (node->depth == 1) {
			append(&line, ";[", 2);
			append(&line, site_kind_name(kind), strlen(site_kind_name(kind)));
			append(&line, "]", 1);
		}
		*vec_add(&lengths) = line.count;
		if (node->self_bytes || (options->diff && node->self_before_bytes)) {
			fwrite(line.items, 1, line.count, stream);
			if (options->diff)
				fprintf(stream, " %" PRIu64, node->self_before_bytes);
			fprintf(stream, " %" PRIu64 "\n", node->self_bytes);
		}
	}
	vec_free(&line);
	vec_free(&lengths);
	tree_free(tree);
}

void folded_write(const struct snapshot *snapshot, const struct report_options *options,
		  FILE *stream)
{
	enum site_kind kind;

	for (kind = 0; kind < SITE_KINDS; kind++)
		write_kind(snapshot, kind, options, stream);
}
