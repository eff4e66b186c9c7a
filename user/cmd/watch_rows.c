/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cmd/watch_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	RATE_MOMENTS = 5,
	OPEN_SHARE = 20, /* a node that holds one part in so many of its kind is open at first */
};

void watch_rows_init(struct watch_rows *rows, const struct report_options *report)
{
	*rows = (struct watch_rows){ .report = report, .trend = trend_new() };
	view_init(&rows->grouping);
	view_init(&rows->filter);
}

static void forget(struct watch_rows *rows)
{
	for (size_t i = 0; i < SITE_KINDS; i++) {
		tree_free(rows->trees[i]);
		rows->trees[i] = NULL;
	}
	rows->rows.count = 0;
	snapshot_free(rows->compared);
	snapshot_free(rows->shown);
	rows->compared = rows->shown = NULL;
}

void watch_rows_free(struct watch_rows *rows)
{
	forget(rows);
	snapshot_free(rows->grouped);
	trend_free(rows->trend);
	view_free(&rows->grouping);
	view_free(&rows->filter);
	vec_free(&rows->rows);
	vec_free(&rows->turned);
	mem_free(rows->pattern);
}

const struct watch_row *watch_rows_chosen(const struct watch_rows *rows)
{
	return rows->rows.count ? &rows->rows.items[rows->chosen] : NULL;
}

/* -- sites -------------------------------------------------------------------------------------
 */

static double figure(const struct watch_row *row, enum watch_sort sort)
{
	switch (sort) {
	case SORT_GROWTH:
		return (double)row->growth;
	case SORT_RATE:
		return row->rate;
	case SORT_BLOCKS:
		return (double)row->blocks;
	case SORT_ALLOCATED:
		return (double)row->site->allocated_bytes;
	case SORT_LIVE:
	case SORTS:
		break;
	}
	return (double)row->bytes;
}

static int compare_rows(const void *left, const void *right, void *context)
{
	const struct watch_row *a = left, *b = right;
	const enum watch_sort sort = *(const enum watch_sort *)context;
	double of_a = figure(a, sort), of_b = figure(b, sort);

	if (of_a != of_b)
		return of_a > of_b ? -1 : 1;
	if (a->bytes != b->bytes)
		return a->bytes > b->bytes ? -1 : 1;
	return (a->key > b->key) - (a->key < b->key);
}

static int64_t growth_since(const struct trend *trend, uint64_t number, size_t ago)
{
	return (int64_t)(trend_bytes(trend, number, 0) - trend_bytes(trend, number, ago));
}

static void fill_trend(const struct trend *trend, struct watch_row *row)
{
	size_t most = trend_count(trend), few = most > RATE_MOMENTS ? RATE_MOMENTS + 1 : most;
	double seconds;

	if (most < 2)
		return;
	row->growth = growth_since(trend, row->number, most - 1);
	seconds = (double)trend_span_ns(trend, few - 1) / 1e9;
	if (seconds > 0)
		row->rate = (double)growth_since(trend, row->number, few - 1) / seconds;
}

static void list_sites(struct watch_rows *rows, const uint64_t *numbers)
{
	struct selection selection;

	selection_make(&selection, rows->shown, ~0u, rows->report, true);
	rows->bytes = selection.bytes;
	rows->blocks = selection.blocks;
	rows->young_bytes = selection.young_bytes;
	rows->young_blocks = selection.young_blocks;
	if (!rows->as_tree) {
		vec_for_each (selected, &selection.rows) {
			struct watch_row *row = vec_add(&rows->rows);

			row->site = selected->site;
			row->number = numbers[selected->site - rows->shown->sites.items];
			row->key = row->number;
			row->bytes = selected->bytes;
			row->blocks = selected->blocks;
			fill_trend(rows->trend, row);
		}
		qsort_r(rows->rows.items, rows->rows.count, sizeof(*rows->rows.items), compare_rows,
			&rows->sort);
	}
	selection_free(&selection);
}

/* -- the tree ----------------------------------------------------------------------------------
 */

/* FNV-1a over the labels on the way to the node: a path, from moment to moment. */
static uint64_t key_of(uint64_t parent, const char *label)
{
	uint64_t key = parent ^ 0xcbf29ce484222325u;

	for (; *label; label++)
		key = (key ^ (uint8_t)*label) * 0x100000001b3u;
	return key * 0x100000001b3u;
}

static bool is_turned(const struct watch_rows *rows, uint64_t key)
{
	vec_for_each (each, &rows->turned)
		if (*each == key)
			return true;
	return false;
}

/* A node that stands alone is as far in as what it stands on: stacks are deep, lines are not. */
static void add_node(struct watch_rows *rows, const struct tree_node *node, uint64_t parent_key,
		     int indent, uint64_t whole)
{
	struct watch_row *row = vec_add(&rows->rows);

	*row = (struct watch_row){
		.key = key_of(parent_key, node->label),
		.node = node,
		.bytes = node->bytes,
		.blocks = node->blocks,
		.share_of = whole,
		.growth = (int64_t)(node->bytes - node->before_bytes),
		.indent = indent,
	};
	row->open = is_turned(rows, row->key) != (node->bytes >= whole / OPEN_SHARE);
}

struct place {
	uint64_t key;
	int indent;
};

/* Nodes that are shown, parents before what stands on them. */
static void list_tree(struct watch_rows *rows, const struct tree_node *root)
{
	VEC(struct place) places = { 0 }; /* by depth */
	const struct tree_node *node = root;

	*vec_add(&places) = (struct place){ 0 };
	while (node) {
		struct place *of = &places.items[node->depth];
		const struct watch_row *row;
		int indent = of->indent;

		add_node(rows, node, of->key, indent, root->bytes);
		row = &rows->rows.items[rows->rows.count - 1];
		if (!row->open || !node->first) {
			node = tree_skip(node);
			continue;
		}
		places.count = node->depth + 1;
		*vec_add(&places) =
			(struct place){ row->key, indent + (node == root || node->first->next) };
		node = node->first;
	}
	vec_free(&places);
}

static void list_trees(struct watch_rows *rows, const uint64_t *numbers)
{
	struct report_options options = *rows->report;
	size_t oldest = trend_count(rows->trend) - 1;

	options.shape_all = true;
	rows->compared = snapshot_copy(rows->shown);
	for (size_t i = 0; i < rows->compared->sites.count; i++)
		rows->compared->sites.items[i].before_bytes =
			trend_bytes(rows->trend, numbers[i], oldest);
	for (size_t i = 0; i < SITE_KINDS; i++) {
		rows->trees[i] =
			tree_new(rows->compared, (enum site_kind)i, &options, TREE_BY_BYTES);
		if (tree_root(rows->trees[i])->first)
			list_tree(rows, tree_root(rows->trees[i]));
	}
}

/* -- all of them -------------------------------------------------------------------------------
 */

/* The chosen row stays what it was, wherever that is now; else the line stays. */
static void choose(struct watch_rows *rows, uint64_t key)
{
	for (size_t i = 0; i < rows->rows.count; i++) {
		if (rows->rows.items[i].key == key) {
			rows->chosen = i;
			return;
		}
	}
	watch_rows_move(rows, 0);
}

static void list(struct watch_rows *rows)
{
	const struct watch_row *chosen = watch_rows_chosen(rows);
	/* At the top it is the line that was chosen. */
	uint64_t key = chosen && rows->chosen ? chosen->key : 0, *numbers;

	if (!rows->grouped)
		return;
	forget(rows);
	rows->shown = view_apply(&rows->filter, snapshot_copy(rows->grouped));
	numbers = mem_array(rows->shown->sites.count + 1, sizeof(*numbers));
	trend_numbers(rows->trend, rows->shown, numbers);
	list_sites(rows, numbers);
	if (rows->as_tree)
		list_trees(rows, numbers);
	mem_free(numbers);
	choose(rows, key);
}

static void group(struct watch_rows *rows)
{
	forget(rows);
	snapshot_free(rows->grouped);
	/* Anew: it remembers each group that there ever was. */
	view_free(&rows->grouping);
	view_init(&rows->grouping);
	rows->grouping.by = rows->by;
	rows->grouped = view_apply(&rows->grouping, snapshot_copy(rows->latest));
	trend_add(rows->trend, rows->grouped, rows->report->min_age_ns > 0);
}

void watch_rows_take(struct watch_rows *rows, const struct snapshot *latest)
{
	const struct watch_row *chosen = watch_rows_chosen(rows);
	uint64_t key = chosen && rows->chosen ? chosen->key : 0;

	rows->latest = latest;
	group(rows);
	list(rows);
	choose(rows, key);
}

void watch_rows_sort(struct watch_rows *rows, enum watch_sort sort)
{
	rows->sort = sort;
	list(rows);
}

void watch_rows_group(struct watch_rows *rows, enum view_by by)
{
	rows->by = by;
	trend_forget(rows->trend);
	if (rows->latest)
		group(rows);
	list(rows);
}

void watch_rows_tree(struct watch_rows *rows, bool as_tree)
{
	rows->as_tree = as_tree;
	rows->chosen = 0;
	list(rows);
}

/* -- what is shown -----------------------------------------------------------------------------
 */

static int set_filter(struct watch_rows *rows, unsigned int kinds, const char *pattern)
{
	struct view filter;
	int error;

	view_init(&filter);
	filter.kinds = kinds;
	error = *pattern ? view_want(&filter, pattern) : 0;
	if (error) {
		view_free(&filter);
		return error;
	}
	forget(rows); /* they may point into the view */
	view_free(&rows->filter);
	rows->filter = filter;
	rows->kinds = kinds;
	list(rows);
	return 0;
}

int watch_rows_filter(struct watch_rows *rows, const char *pattern)
{
	int error = set_filter(rows, rows->kinds, pattern);

	if (error)
		return error;
	mem_free(rows->pattern);
	rows->pattern = *pattern ? mem_string(pattern) : NULL;
	return 0;
}

void watch_rows_kinds(struct watch_rows *rows, unsigned int kinds)
{
	set_filter(rows, kinds, rows->pattern ? rows->pattern : "");
}

/* -- the chosen one ----------------------------------------------------------------------------
 */

void watch_rows_move(struct watch_rows *rows, long by)
{
	long last = (long)rows->rows.count - 1, to = (long)rows->chosen + by;

	if (to > last)
		to = last;
	rows->chosen = to > 0 ? (size_t)to : 0;
}

void watch_rows_open(struct watch_rows *rows, bool open)
{
	const struct watch_row *row = watch_rows_chosen(rows);
	uint64_t key = row ? row->key : 0;
	size_t kept = 0;

	if (!row || !row->node || row->open == open)
		return;
	if (is_turned(rows, key)) {
		vec_for_each (each, &rows->turned)
			if (*each != key)
				rows->turned.items[kept++] = *each;
		rows->turned.count = kept;
	} else {
		*vec_add(&rows->turned) = key;
	}
	list(rows);
	choose(rows, key);
}
