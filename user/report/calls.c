/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Functions and calls. */
#include "report/calls.h"

#include <stdlib.h>

#include "report/label.h"

static uint32_t function_of(struct calls *calls, const struct frame *frame, bool by_file)
{
	const bool named = frame->name && *frame->name;
	struct frame key = { .name = named ? frame->name : NULL };
	uint32_t number;
	bool added;

	if (by_file) {
		key.file = frame->file;
		key.module = frame->module;
	}
	if (!named) {
		key.module = frame->module;
		key.offset = frame->offset;
	}
	/* Only what classes it, and the same in all of its frames. */
	key.type = frame->type == FRAME_INLINED ? FRAME_NATIVE : frame->type;
	number = frame_set_add(calls->frames, FRAME_SET_NONE, &key, &added);
	if (added)
		vec_add(&calls->functions);
	return number;
}

static void add(struct calls_sum *sum, const struct selection_row *row)
{
	sum->bytes[row->site->kind] += row->bytes;
	sum->blocks[row->site->kind] += row->blocks;
}

/* One frame of a stack, as calls see it. */
struct step {
	uint32_t function, line;
	bool over; /* left out ones are between it and the one that it calls */
};

typedef VEC(struct step) steps;

/* The functions of a stack that are not left out, leaf first; the same one after the other is one.
 */
static void walk(struct calls *calls, const struct site *site, bool by_file, steps *found)
{
	static const struct frame unknown = { 0 };
	const struct frame *cut = label_cut(site->end);
	bool over = false;

	found->count = 0;
	if (!cut && !site->frame_count)
		cut = &unknown;
	for (size_t i = 0; i < site->frame_count + !!cut; i++) {
		const struct frame *frame = i < site->frame_count ? &site->frames[i] : cut;
		uint32_t function = function_of(calls, frame, by_file);
		struct step *last = found->count ? &found->items[found->count - 1] : NULL;

		if (calls->functions.items[function].left_out) {
			over = true;
			continue;
		}
		if (!last || last->function != function)
			*vec_add(found) = (struct step){ function, frame->line, over };
		over = false;
	}
}

struct calls *calls_new(const struct selection *selection, bool by_file)
{
	struct calls *calls = mem_alloc(sizeof(*calls));
	VEC(size_t) seen = { 0 }; /* by function: the last row that it was in, and 1 */
	steps found = { 0 };
	size_t number = 0;

	calls->frames = frame_set_new();
	vec_for_each (row, &selection->rows) {
		number++;
		if (!row->bytes && !row->blocks)
			continue;
		walk(calls, row->site, by_file, &found);
		while (seen.count < calls->functions.count)
			*vec_add(&seen) = 0;
		vec_for_each (step, &found) {
			struct calls_function *function = &calls->functions.items[step->function];

			if (step == found.items)
				add(&function->own, row);
			if (seen.items[step->function] != number)
				add(&function->all, row);
			seen.items[step->function] = number;
		}
	}
	vec_free(&found);
	vec_free(&seen);
	return calls;
}

static void add_edge(struct calls *calls, struct frame_set *index, const struct calls_edge *edge,
		     const struct selection_row *row)
{
	const struct frame key = { .offset = edge->callee, .line = edge->line };
	bool added;
	uint32_t number = frame_set_add(index, edge->caller, &key, &added);

	if (added)
		*vec_add(&calls->edges) = *edge;
	calls->edges.items[number].over |= edge->over;
	add(&calls->edges.items[number].sum, row);
}

static int compare(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

static int compare_edges(const void *left, const void *right)
{
	const struct calls_edge *a = left, *b = right;
	int order = compare(a->caller, b->caller);

	order = order ? order : compare(b->callee == CALLS_ITSELF, a->callee == CALLS_ITSELF);
	order = order ? order : compare(a->line, b->line);
	return order ? order : compare(a->callee, b->callee);
}

/* To each function's outermost frame a call, and the leaf itself. */
static void connect_row(struct calls *calls, struct frame_set *index, const steps *found,
			size_t *seen, size_t number, const struct selection_row *row, bool by_file)
{
	for (size_t i = found->count; i-- > 0;) {
		const struct step *step = &found->items[i], *caller = step + 1;
		struct calls_edge edge = { .callee = step->function };

		if (seen[step->function] != number && i + 1 < found->count) {
			edge.caller = caller->function;
			edge.line = by_file ? caller->line : 0;
			edge.over = caller->over;
			add_edge(calls, index, &edge, row);
		}
		seen[step->function] = number;
	}
	add_edge(calls, index,
		 &(struct calls_edge){ .caller = found->items->function,
				       .callee = CALLS_ITSELF,
				       .line = by_file ? found->items->line : 0 },
		 row);
}

void calls_connect(struct calls *calls, const struct selection *selection, bool by_file)
{
	size_t *seen = mem_array(calls->functions.count, sizeof(*seen)), number = 0;
	struct frame_set *index = frame_set_new();
	steps found = { 0 };

	vec_for_each (row, &selection->rows) {
		number++;
		if (!row->bytes && !row->blocks)
			continue;
		walk(calls, row->site, by_file, &found);
		if (found.count)
			connect_row(calls, index, &found, seen, number, row, by_file);
	}
	if (calls->edges.count)
		qsort(calls->edges.items, calls->edges.count, sizeof(*calls->edges.items),
		      compare_edges);
	vec_free(&found);
	frame_set_free(index);
	mem_free(seen);
}

void calls_free(struct calls *calls)
{
	if (!calls)
		return;
	vec_free(&calls->functions);
	vec_free(&calls->edges);
	frame_set_free(calls->frames);
	mem_free(calls);
}
