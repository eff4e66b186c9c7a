/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A graph of calls for dot(1): the functions that hold most with what they call, as pprof draws
 * it. Each ledger is a cluster of its own; a dashed call passes over functions that are left out.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/text.h"
#include "base/units.h"
#include "base/vec.h"
#include "report/calls.h"
#include "report/formats.h"
#include "report/label.h"

/* What is drawn, as of pprof: at most so many functions, beyond the first few none of less than
 * 0.5 %, and no call of less than 0.1 %. */
enum { FUNCTIONS_MAX = 80, FUNCTIONS_MIN = 20, FUNCTION_PART = 200, CALL_PART = 1000 };
enum { NAME_WIDTH = 60 };

/* In a quoted string; controls are gone. */
static void write_text(FILE *stream, const char *text)
{
	while (*text) {
		uint32_t character = text_next(&text);
		char piece[TEXT_PIECE_MAX];

		if (character == '"' || character == '\\')
			putc('\\', stream);
		/* No characters of XML, which dot may draw in. */
		if (character == 0xfffe || character == 0xffff)
			character = TEXT_REPLACEMENT;
		fwrite(piece, 1, text_encode(piece, character), stream);
	}
}

struct graph {
	FILE *stream;
	struct calls *calls;
	enum site_kind kind;
	uint64_t total;
};

static uint64_t all_bytes(const struct graph *graph, const struct calls_function *function)
{
	return function->all.bytes[graph->kind];
}

static int compare_bytes(const void *left, const void *right, void *context)
{
	const struct graph *graph = context;
	const struct calls_function *functions = graph->calls->functions.items;
	const uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
	uint64_t one = all_bytes(graph, &functions[a]), other = all_bytes(graph, &functions[b]);

	if (one != other)
		return one > other ? -1 : 1;
	return (a > b) - (a < b);
}

/* Leaves out all but the top; returns how many. */
static uint32_t leave_out(struct graph *graph)
{
	struct calls *calls = graph->calls;
	uint32_t count = calls->functions.count, kept = 0;
	uint32_t *order = mem_array(count, sizeof(*order));

	for (uint32_t i = 0; i < count; i++)
		order[i] = i;
	if (count)
		qsort_r(order, count, sizeof(*order), compare_bytes, graph);
	for (uint32_t i = 0; i < count; i++) {
		struct calls_function *function = &calls->functions.items[order[i]];

		function->left_out = i >= FUNCTIONS_MAX || !all_bytes(graph, function) ||
				     (i >= FUNCTIONS_MIN &&
				      all_bytes(graph, function) < graph->total / FUNCTION_PART);
		kept += !function->left_out;
	}
	mem_free(order);
	return count - kept;
}

static void write_function(const struct graph *graph, uint32_t number)
{
	const struct calls_function *function = &graph->calls->functions.items[number];
	const struct frame *frame = frame_set_frame(graph->calls->frames, number);
	uint64_t own = function->own.bytes[graph->kind], all = all_bytes(graph, function);
	char buffer[LABEL_MAX], name[LABEL_MAX], bytes[UNITS_TEXT_MAX], share[LABEL_SHARE_MAX];

	label_fit(name, label_frame(frame, buffer), NAME_WIDTH);
	fprintf(graph->stream, "\t\t%s%" PRIu32 " [label=\"", site_kind_name(graph->kind), number);
	write_text(graph->stream, name);
	if (own)
		fprintf(graph->stream, "\\n%s (%s)", units_format_bytes(bytes, own),
			label_share(share, own, graph->total));
	if (own != all)
		fprintf(graph->stream, "\\n%s%s (%s)", own ? "of " : "",
			units_format_bytes(bytes, all), label_share(share, all, graph->total));
	/* The more it holds itself the larger, the more in all the redder. */
	fprintf(graph->stream, "\", fontsize=%.1f, fillcolor=\"0.03 %.3f 1.0\"];\n",
		9 + 15 * sqrt((double)own / graph->total), 0.04 + 0.4 * all / graph->total);
}

static void write_call(const struct graph *graph, const struct calls_edge *edge)
{
	const char *kind = site_kind_name(graph->kind);
	uint64_t sum = edge->sum.bytes[graph->kind];
	char bytes[UNITS_TEXT_MAX];

	if (edge->callee == CALLS_ITSELF || !sum || sum < graph->total / CALL_PART)
		return;
	fprintf(graph->stream,
		"\t\t%s%" PRIu32 " -> %s%" PRIu32 " [label=\"%s\", penwidth=%.2f, weight=%d%s];\n",
		kind, edge->caller, kind, edge->callee, units_format_bytes(bytes, sum),
		1 + 4.0 * sum / graph->total, 1 + (int)(100.0 * sum / graph->total),
		edge->over ? ", style=dashed" : "");
}

static void write_kind(FILE *stream, enum site_kind kind, const struct snapshot *snapshot,
		       const struct report_options *options)
{
	struct graph graph = { .stream = stream, .kind = kind };
	char bytes[UNITS_TEXT_MAX], count[UNITS_TEXT_MAX];
	struct selection selection;
	uint32_t out;

	selection_all(&selection, snapshot, 1u << kind, options);
	vec_for_each (row, &selection.rows)
		graph.total += row->bytes;
	graph.calls = calls_new(&selection, false);
	if (graph.total) {
		out = leave_out(&graph);
		calls_connect(graph.calls, &selection, false);
		fprintf(stream, "\tsubgraph cluster_%s {\n\t\tlabel=\"%s: %s outstanding",
			site_kind_name(kind), site_kind_name(kind),
			units_format_bytes(bytes, graph.total));
		if (out)
			fprintf(stream, "; %s functions that hold less are left out",
				units_format_count(count, out));
		fputs("\";\n", stream);
		for (uint32_t i = 0; i < graph.calls->functions.count; i++)
			if (!graph.calls->functions.items[i].left_out)
				write_function(&graph, i);
		vec_for_each (edge, &graph.calls->edges)
			write_call(&graph, edge);
		fputs("\t}\n", stream);
	}
	calls_free(graph.calls);
	selection_free(&selection);
}

void dot_write(const struct snapshot *snapshot, const struct report_options *options, FILE *stream)
{
	char target[LABEL_MAX];

	text_escape(target, sizeof(target), snapshot->target ? snapshot->target : "?");
	fputs("digraph unfreed {\n\tcharset=\"UTF-8\";\n\tlabelloc=t;\n\tlabel=\"unfreed: ",
	      stream);
	write_text(stream, target);
	fputs("\";\n\tgraph [fontname=\"sans-serif\", style=rounded, color=gray];\n"
	      "\tnode [shape=box, style=filled, fontname=\"sans-serif\", color=gray50];\n"
	      "\tedge [fontname=\"sans-serif\", fontsize=9, color=gray40];\n",
	      stream);
	for (int kind = 0; kind < SITE_KINDS; kind++)
		write_kind(stream, kind, snapshot, options);
	fputs("}\n", stream);
}
