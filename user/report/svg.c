/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A flamegraph for each ledger in one SVG file that needs nothing else. It is drawn whole, so that
 * it shows where scripts do not run; flamegraph.js makes it answer.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
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

/* One flamegraph. */
struct graph {
	enum site_kind kind;
	const struct tree_node *root;
	bool diff;
	uint64_t most; /* of a diff: what any frame but the roots has grown or shrunk by */
};

static int64_t growth_of(const struct tree_node *node)
{
	return (int64_t)(node->bytes - node->before_bytes);
}

static void write_figures(FILE *stream, const struct graph *graph, const struct tree_node *node)
{
	char bytes[UNITS_TEXT_MAX], more[UNITS_TEXT_MAX], share[LABEL_SHARE_MAX];

	if (graph->diff) {
		fprintf(stream, "\n%c%s: %s", growth_of(node) < 0 ? '-' : '+',
			units_format_bytes(bytes, (uint64_t)llabs(growth_of(node))),
			units_format_bytes(more, node->before_bytes));
		fprintf(stream, " before, %s after", units_format_bytes(bytes, node->bytes));
		return;
	}
	fprintf(stream, "\n%s, ", units_format_bytes(bytes, node->bytes));
	markup_text(stream, label_share(share, node->bytes, graph->root->bytes)); /* "<0.1%" */
	fprintf(stream, "\n%s %s", units_format_count(more, node->blocks),
		label_blocks(graph->kind, node->blocks));
}

/* Its colour: by what it is, of a diff red where it has grown, blue where it has shrunk. */
static void write_paint(FILE *stream, const struct graph *graph, const struct tree_node *node)
{
	const int class = node->frame ? (int)label_class(node->frame) : LABEL_CLASSES;
	double strength;

	if (!graph->diff) {
		fprintf(stream, "class=\"%s%u\"", classes[class].name, shade(node->label));
		return;
	}
	strength = graph->most ? fmin((double)llabs(growth_of(node)) / (double)graph->most, 1) : 0;
	if (growth_of(node))
		fprintf(stream, "fill=\"hsl(%d,80%%,%.0f%%)\"", growth_of(node) > 0 ? 8 : 212,
			88 - 33 * strength);
	else
		fputs("fill=\"#d8d8d8\"", stream);
}

static void write_frame(FILE *stream, const struct graph *graph, const struct tree_node *node,
			double x, double width, int y)
{
	double room = (width - 2 * PADDING) / CHARACTER;

	fprintf(stream, "<g class=\"frame\" tabindex=\"%d\" data-bytes=\"%" PRIu64 "\"><title>",
		node == graph->root ? 0 : -1, graph->diff ? node->width_bytes : node->bytes);
	markup_text(stream, node->label);
	if (node->frame && node->frame->type == FRAME_INLINED)
		fputs(" (inlined)", stream);
	write_figures(stream, graph, node);
	if (node->frame && node->frame->module) {
		putc('\n', stream);
		markup_text(stream, node->frame->module);
	}
	fputs("</title><rect ", stream);
	write_paint(stream, graph, node);
	fprintf(stream, " x=\"%.2f\" y=\"%d\" width=\"%.2f\" height=\"%d\"/>", x, y, width,
		ROW - 1);
	if (room >= 3) {
		fprintf(stream, "<text x=\"%.2f\" y=\"%d\">", x + PADDING, y + 12);
		write_clipped(stream, node->label, room);
		fputs("</text>", stream);
	}
	fputs("</g>\n", stream);
}

static double width_of(const struct tree_node *node, const struct tree_node *root)
{
	return (double)(PAGE - 2 * MARGIN) * node->width_bytes / root->width_bytes;
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

static void write_heading(FILE *stream, const struct graph *graph, int y)
{
	static const char *const titles[SITE_KINDS] = {
		[SITE_HEAP] = "Heap",
		[SITE_MAPPING] = "Mappings",
		[SITE_FAULT] = "Page faults",
	};
	const struct tree_node *root = graph->root;
	char bytes[UNITS_TEXT_MAX], more[UNITS_TEXT_MAX];

	fprintf(stream, "<text class=\"heading\" x=\"%d\" y=\"%d\">%s: ", MARGIN, y,
		titles[graph->kind]);
	if (graph->diff)
		fprintf(stream, "%s outstanding before, %s after",
			units_format_bytes(bytes, root->before_bytes),
			units_format_bytes(more, root->bytes));
	else
		fprintf(stream, "%s outstanding in %s %s", units_format_bytes(bytes, root->bytes),
			units_format_count(more, root->blocks),
			label_blocks(graph->kind, root->blocks));
	fprintf(stream, "</text>\n<text class=\"matched\" x=\"560\" y=\"%d\"></text>\n", y);
}

/* The strongest colour is that of the most change above the processes. */
static uint64_t most_change(const struct tree_node *root)
{
	uint64_t most = 0;

	for (const struct tree_node *node = root; node; node = next_drawn(node, root))
		if (node->depth > 1 && (uint64_t)llabs(growth_of(node)) > most)
			most = (uint64_t)llabs(growth_of(node));
	return most;
}

/* A graph with its heading, its upper edge at top; returns its lower edge. */
static int write_graph(FILE *stream, enum site_kind kind, const struct tree_node *root, bool diff,
		       int top)
{
	const struct graph graph = { kind, root, diff, diff ? most_change(root) : 0 };
	const int bottom = top + HEADING + rows_of(root) * ROW;
	const struct tree_node *node;
	VEC(double) starts = { 0 }; /* where the next child of the node of each depth begins */

	fputs("<g class=\"graph\">\n", stream);
	write_heading(stream, &graph, top + 20);
	*vec_add(&starts) = MARGIN;
	for (node = root; node; node = next_drawn(node, root)) {
		double x = starts.items[node->depth], width = width_of(node, root);

		write_frame(stream, &graph, node, x, width, bottom - (int)(node->depth + 1) * ROW);
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

static void write_legend(FILE *stream, int *x, const char *paint, const char *text)
{
	fprintf(stream,
		"<rect %s x=\"%d\" y=\"57\" width=\"12\" height=\"12\"/>"
		"<text class=\"quiet\" x=\"%d\" y=\"67\">%s</text>\n",
		paint, *x, *x + 17, text);
	*x += 17 + 7.25 * strlen(text) + 20;
}

static void write_legends(FILE *stream, bool diff, int *x)
{
	char paint[32];

	for (int class = 0; !diff && class < CLASSES; class ++) {
		snprintf(paint, sizeof(paint), "class=\"%s1\"", classes[class].name);
		write_legend(stream, x, paint, classes[class].text);
	}
	if (!diff)
		return;
	write_legend(stream, x, "fill=\"hsl(8,80%,55%)\"", "grown");
	write_legend(stream, x, "fill=\"hsl(212,80%,55%)\"", "shrunk");
	write_legend(stream, x, "fill=\"#d8d8d8\"", "the same");
}

static void write_head(FILE *stream, const struct snapshot *snapshot, bool diff)
{
	char length[UNITS_TEXT_MAX], when[32] = "?";
	time_t start = snapshot->start_unix_ns / 1000000000;
	struct tm fields;
	int x = MARGIN;

	if (gmtime_r(&start, &fields))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &fields);
	fprintf(stream, "<text class=\"title\" x=\"%d\" y=\"26\">unfreed: ", MARGIN);
	markup_text(stream, snapshot->target ? snapshot->target : "?");
	fprintf(stream,
		"</text>\n<text class=\"quiet\" x=\"%d\" y=\"46\">%s; watched for %s from %s; "
		"frames below %.2f%% are not drawn</text>\n",
		MARGIN,
		diff ? "what changed, by the stacks that allocated it, as wide as the more of both"
		     : "memory not given back, by the stacks that allocated it",
		units_format_time(length, snapshot->window_ns), when,
		100 * NARROWEST / (PAGE - 2 * MARGIN));
	write_legends(stream, diff, &x);
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
		if (tree_root(trees[kind])->width_bytes)
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
	write_head(stream, snapshot, options->diff);
	for (kind = 0; kind < SITE_KINDS; kind++) {
		if (tree_root(trees[kind])->width_bytes)
			y = write_graph(stream, kind, tree_root(trees[kind]), options->diff, y);
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
