/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The rows of watch: sites, or a tree of their frames; which of them, in what order, and the one
 * that is chosen. Nothing of a terminal. */
#ifndef UNFREED_CMD_WATCH_ROWS_H
#define UNFREED_CMD_WATCH_ROWS_H

#include "report/selection.h"
#include "report/tree.h"
#include "report/trend.h"
#include "report/view.h"

enum watch_sort { SORT_LIVE, SORT_GROWTH, SORT_RATE, SORT_BLOCKS, SORT_ALLOCATED, SORTS };

struct watch_row {
	uint64_t key; /* what it is, from moment to moment */
	const struct site *site; /* of the tree: NULL */
	const struct tree_node *node; /* of sites: NULL */
	uint64_t number; /* of the trend; of the tree: 0 */
	uint64_t bytes, blocks;
	uint64_t share_of; /* of the tree: what all of its kind hold */
	int64_t growth; /* over the trend */
	double rate; /* bytes a second, over its last moments */
	int indent; /* of the tree */
	bool open; /* of the tree: what stands on it is shown, where there is any */
};

struct watch_rows {
	VEC(struct watch_row) rows;
	size_t chosen; /* 0 where there are none */
	enum watch_sort sort;
	enum view_by by;
	bool as_tree;
	unsigned int kinds; /* 0: all */
	char *pattern; /* NULL: no filter */
	uint64_t bytes, blocks; /* of all rows that are old enough */
	uint64_t young_bytes, young_blocks; /* left out */
	struct trend *trend;
	/* of the latest moment */
	const struct snapshot *latest; /* the caller's */
	struct snapshot *grouped, *shown, *compared;

	/* private */
	const struct report_options *report;
	struct view grouping, filter;
	struct tree *trees[SITE_KINDS];
	VEC(uint64_t) turned; /* nodes that are open and need not be, or the other way round */
};

/* report, which stays the caller's, says how young a block may be. Ends with watch_rows_free. */
void watch_rows_init(struct watch_rows *rows, const struct report_options *report);
void watch_rows_free(struct watch_rows *rows);

/* The next moment. latest must outlive it, as rows point into it. */
void watch_rows_take(struct watch_rows *rows, const struct snapshot *latest);

/* What changes the rows; before there is a moment, too. */
void watch_rows_sort(struct watch_rows *rows, enum watch_sort sort);
void watch_rows_group(struct watch_rows *rows, enum view_by by);
void watch_rows_kinds(struct watch_rows *rows, unsigned int kinds);
void watch_rows_tree(struct watch_rows *rows, bool as_tree);
/* Only sites of which a frame matches; "": all. 0, or -EINVAL with a sentence, and as it was. */
int watch_rows_filter(struct watch_rows *rows, const char *pattern);
/* Opens or closes the chosen node of the tree. */
void watch_rows_open(struct watch_rows *rows, bool open);

/* The chosen row is so many further down, as far as there are any. */
void watch_rows_move(struct watch_rows *rows, long by);

/* NULL: there is none. */
const struct watch_row *watch_rows_chosen(const struct watch_rows *rows);

#endif
