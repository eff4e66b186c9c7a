/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sites of one kind merged from their roots on: process, then the stack, outermost frame first. */
#ifndef UNFREED_REPORT_TREE_H
#define UNFREED_REPORT_TREE_H

#include "report/report.h"

struct tree;

struct tree_node {
	const char *label; /* not escaped; the tree's or the snapshot's */
	const struct frame *frame; /* one of the frames merged here; NULL: process, or a mark */
	uint64_t bytes, blocks; /* with all that stands on it */
	uint64_t self_bytes; /* of stacks that end here */
	uint64_t before_bytes, self_before_bytes; /* of a diff: what these held before */
	uint64_t width_bytes; /* bytes; of a diff the more of both, of each stack */
	const struct tree_node *parent, *first, *next; /* NULL: none */
	uint32_t depth; /* 0: the root of all, 1: processes */
};

/* How siblings are ordered. */
enum tree_order { TREE_BY_LABEL, TREE_BY_BYTES };

struct tree *tree_new(const struct snapshot *snapshot, enum site_kind kind,
		      const struct report_options *options, enum tree_order order);
void tree_free(struct tree *tree);

/* Its label is the kind's name; no first child when nothing is outstanding. */
const struct tree_node *tree_root(const struct tree *tree);

/* Every node once, parents before children, siblings in order; NULL behind the last. */
const struct tree_node *tree_next(const struct tree_node *node);
/* The same without what stands on node. */
const struct tree_node *tree_skip(const struct tree_node *node);

#endif
