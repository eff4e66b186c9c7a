/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A flamegraph for each ledger in one SVG file that needs nothing else. It is drawn whole, so that
 * it shows where scripts do not run; flamegraph.js makes it answer.
 */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "base/units.h"
#include "report/formats.h"
#include "report/label.h"
#include "report/markup.h"
#include "report/tree.h"

/* The build turns both files into the numbers of their bytes. */
static const char style[] = {
#include "user/report/flamegraph.css.inc"
};
static const char script[] = {
#include "user/report/flamegraph.js.inc"
};

/* In pixels; PAGE, MARGIN, CHARACTER and PADDING are flamegraph.js's too. */
enum { PAGE = 1200, MARGIN = 10, PADDING = 3, ROW = 17, HEAD = 78, HEADING = 30, FOOT = 26 };
#define CHARACTER 7.25
/* Narrower frames are not drawn: they could not be seen, and would be most of the file. */
#define NARROWEST 0.2

/* Legend and colours. */
static const struct {
	const char *name, *text;
	int hue, saturation;
} classes[] = {
	[LABEL_LIBC] = { "libc", "libc, allocators", 205, 55 },
	[LABEL_C] = { "c", "C", 8, 72 },
	[LABEL_CPP] = { "cpp", "C++, Rust", 48, 75 },
	[LABEL_JAVA] = { "java", "Java", 112, 45 },
	[LABEL_KERNEL] = { "kernel", "kernel", 28, 85 },
	[LABEL_UNKNOWN] = { "unknown", "no name", 0, 0 },
	[LABEL_CLASSES] = { "mark", "process", 255, 25 },
};
static const int lightness[] = { 64, 69, 74 };

enum {
	CLASSES = sizeof(classes) / sizeof(classes[0]),
	SHADES = sizeof(lightness) / sizeof(lightness[0]),
};

/* At most room characters of text. */
static void write_clipped(FILE *stream, const char *text, size_t room)
{
	const char *end = text;
	size_t count = 0;

	for (; *end; count++)
		text_next(&end);
	if (count <= room) {
		markup_text(stream, text);
		return;
	}
	for (count = 0; count + 2 < room; count++)
		markup_character(stream, text_next(&text));
	fputs("..", stream);
}

/* One of a class's shades, the same for the same function everywhere. */
static unsigned int shade(const char *label)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (; *label; label++)
		hash = (hash ^ (unsigned char)*label) * 16777619;
	return hash % SHADES;
}

static void write_frame(FILE *stream, enum site_kind kind, const struct tree_node *node,
			const struct tree_node *root, double x, double width, int y)
{
	const int class = node->frame ? (int)label_class(node->frame) : LABEL_CLASSES;
	char bytes[UNITS_TEXT_MAX], blocks[UNITS_TEXT_MAX], share[LABEL_SHARE_MAX];
	double room = (width - 2 * PADDING) / CHARACTER;

	fprintf(stream, "<g class=\"frame\" tabindex=\"%d\" data-bytes=\"%" PRIu64 "\"><title>",
		node == root ? 0 : -1, node->bytes);
	markup_text(stream, node->label);
	if (node->frame && node->frame->type == FRAME_INLINED)
		fputs(" (inlined)", stream);
	fprintf(stream, "\n%s, ", units_format_bytes(bytes, node->bytes));
	markup_text(stream, label_share(share, node->bytes, root->bytes)); /* may be "<0.1%" */
	fprintf(stream, "\n%s %s", units_format_count(blocks, node->blocks),
		label_blocks(kind, node->blocks));
	if (node->frame && node->frame->module) {
		putc('\n', stream);
		markup_text(stream, node->frame->module);
	}
	fprintf(stream,
		"</title><rect class=\"%s%u\" x=\"%.2f\" y=\"%d\" width=\"%.2f\" height=\"%d\"/>",
		classes[class].name, shade(node->label), x, y, width, ROW - 1);
	if (room >= 3) {
		fprintf(stream, "<text x=\"%.2f\" y=\"%d\">", x + PADDING, y + 12);
		write_clipped(stream, node->label, room);
		fputs("</text>", stream);
	}
	fputs("</g>\n", stream);
}

static double width_of(const struct tree_node *node, const struct tree_node *root)
{
	return (double)(PAGE - 2 * MARGIN) * node->bytes / root->bytes;
}

/* The next node that is drawn: wide enough, or not standing on one that is not. */
static const struct tree_node *next_drawn(const struct tree_node *node,
					  const struct tree_node *root)
{
	for (node = tree_next(node); node && width_of(node, root) < NARROWEST;)
		node = tree_skip(node);
	return node;
}

/* Rows of the graph that are drawn. */
static int rows_of(const struct tree_node *root)
{
	const struct tree_node *node;
	uint32_t deepest = 0;

	for (node = root; node; node = next_drawn(node, root))
		if (node->depth > deepest)
			deepest = node->depth;
	return deepest + 1;
}

/* A graph with its heading, its upper edge at top; returns its lower edge. */
static int write_graph(FILE *stream, enum site_kind kind, const struct tree_node *root, int top)
{
	const int bottom = top + HEADING + rows_of(root) * ROW;
	char bytes[UNITS_TEXT_MAX], blocks[UNITS_TEXT_MAX];
	static const char *const titles[SITE_KINDS] = {
		[SITE_HEAP] = "Heap",
		[SITE_MAPPING] = "Mappings",
		[SITE_FAULT] = "Page faults",
	};
	const struct tree_node *node;
	VEC(double) starts = { 0 }; /* where the next child of the node of each depth begins */

	fprintf(stream,
		"<g class=\"graph\">\n<text class=\"heading\" x=\"%d\" y=\"%d\">%s: %s outstanding "
		"in %s %s</text>\n<text class=\"matched\" x=\"560\" y=\"%d\"></text>\n",
		MARGIN, top + 20, titles[kind], units_format_bytes(bytes, root->bytes),
		units_format_count(blocks, root->blocks), label_blocks(kind, root->blocks),
		top + 20);
	*vec_add(&starts) = MARGIN;
	for (node = root; node; node = next_drawn(node, root)) {
		double x = starts.items[node->depth], width = width_of(node, root);

		write_frame(stream, kind, node, root, x, width,
			    bottom - (int)(node->depth + 1) * ROW);
		starts.items[node->depth] += width;
		starts.count = node->depth + 1;
		*vec_add(&starts) = x;
	}
	vec_free(&starts);
	fputs("</g>\n", stream);
	return bottom;
}

static void write_style(FILE *stream)
{
	int class, i;

	fputs("<style><![CDATA[\n", stream);
	fwrite(style, 1, sizeof(style), stream);
	for (class = 0; class < CLASSES; class ++)
		for (i = 0; i < SHADES; i++)
			fprintf(stream, ".%s%d { fill: hsl(%d,%d%%,%d%%); }\n", classes[class].name,
				i, classes[class].hue, classes[class].saturation, lightness[i]);
	fputs("]]></style>\n", stream);
}

static void write_head(FILE *stream, const struct snapshot *snapshot)
{
	char length[UNITS_TEXT_MAX], when[32] = "?";
	time_t start = snapshot->start_unix_ns / 1000000000;
	struct tm fields;
	int class, x = MARGIN;

	if (gmtime_r(&start, &fields))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &fields);
	fprintf(stream, "<text class=\"title\" x=\"%d\" y=\"26\">unfreed: ", MARGIN);
	markup_text(stream, snapshot->target ? snapshot->target : "?");
	fprintf(stream,
		"</text>\n<text class=\"quiet\" x=\"%d\" y=\"46\">memory not given back, by the "
		"stacks that allocated it; watched for %s from %s; frames below %.2f%% are not "
		"drawn</text>\n",
		MARGIN, units_format_time(length, snapshot->window_ns), when,
		100 * NARROWEST / (PAGE - 2 * MARGIN));
	for (class = 0; class < CLASSES; class ++) {
		fprintf(stream,
			"<rect class=\"%s1\" x=\"%d\" y=\"57\" width=\"12\" height=\"12\"/>"
			"<text class=\"quiet\" x=\"%d\" y=\"67\">%s</text>\n",
			classes[class].name, x, x + 17, classes[class].text);
		x += 17 + 7.25 * strlen(classes[class].text) + 20;
	}
	fprintf(stream,
		"<text class=\"button\" id=\"search\" role=\"button\" tabindex=\"0\" x=\"%d\" "
		"y=\"67\">Search (Ctrl-F)</text>\n"
		"<text class=\"button\" id=\"reset\" role=\"button\" tabindex=\"0\" x=\"%d\" "
		"y=\"67\">Reset zoom (Esc)</text>\n",
		x + 20, x + 160);
}

void svg_write(const struct snapshot *snapshot, const struct report_options *options, FILE *stream)
{
	struct tree *trees[SITE_KINDS];
	int height = HEAD, y = HEAD, kind;

	for (kind = 0; kind < SITE_KINDS; kind++) {
		trees[kind] = tree_new(snapshot, kind, options, TREE_BY_BYTES);
		if (tree_root(trees[kind])->bytes)
			height += HEADING + rows_of(tree_root(trees[kind])) * ROW;
	}
	if (height == HEAD)
		height += HEADING;
	height += FOOT;
	fprintf(stream,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
		"viewBox=\"0 0 %d %d\">\n",
		PAGE, height, PAGE, height);
	write_style(stream);
	fputs("<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n", stream);
	write_head(stream, snapshot);
	for (kind = 0; kind < SITE_KINDS; kind++) {
		if (tree_root(trees[kind])->bytes)
			y = write_graph(stream, kind, tree_root(trees[kind]), y);
		tree_free(trees[kind]);
	}
	if (y == HEAD)
		fprintf(stream,
			"<text class=\"heading\" x=\"%d\" y=\"%d\">Nothing is outstanding."
			"</text>\n",
			MARGIN, HEAD + 20);
	fputs("<g id=\"details\" class=\"hidden\"><rect width=\"100%\" height=\"20\"/>"
	      "<text x=\"10\" y=\"14\"></text></g>\n<script><![CDATA[\n",
	      stream);
	fwrite(script, 1, sizeof(script), stream);
	fputs("]]></script>\n</svg>\n", stream);
}
