/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Merging stacks into a tree. */
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "model/strings.h"
#include "report/label.h"
#include "report/selection.h"
#include "report/tree.h"

/*
 * What is merged: same parent, same function. A snapshot has one copy of each text, so addresses
 * stand for names. Compared as bytes: without padding.
 */
struct key {
	const struct node *parent;
	const char *text; /* the name, else the module */
	uint64_t offset; /* without a name */
	uint64_t type;
};
_Static_assert(sizeof(struct key) == 32, "padding in a hashed key");

struct node {
	struct tree_node public;
	struct key key;
};

struct tree {
	struct node *nodes; /* of fixed size: they point at each other */
	size_t count;
	uint32_t *index; /* open addressing: numbers of nodes from 1 on, 0: free */
	uint64_t index_mask;
	struct strings *strings;
};

enum { TYPE_MARK = 100, TYPE_UNNAMED = 101 }; /* beside enum frame_type */

/* splitmix64's last steps over each word: addresses differ in few bits. */
static uint64_t hash_of(const struct key *key)
{
	const uint64_t words[] = { (uintptr_t)key->parent, (uintptr_t)key->text, key->offset,
				   key->type };
	uint64_t hash = 0;

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		hash = (hash ^ words[i]) * 0xbf58476d1ce4e5b9u;
		hash ^= hash >> 29;
	}
	return hash;
}

/* The key's place in the index, or where it belongs: half of it is free at least. */
static uint32_t *slot_of(const struct tree *tree, const struct key *key)
{
	uint64_t i = hash_of(key) & tree->index_mask;

	while (tree->index[i] && memcmp(&tree->nodes[tree->index[i] - 1].key, key, sizeof(*key)))
		i = (i + 1) & tree->index_mask;
	return &tree->index[i];
}

static struct node *child(struct tree *tree, struct node *parent, struct key key, const char *label,
			  const struct frame *frame)
{
	struct node *node;
	char buffer[LABEL_MAX];
	uint32_t *slot;

	key.parent = parent;
	slot = slot_of(tree, &key);
	if (*slot)
		return &tree->nodes[*slot - 1];
	node = &tree->nodes[tree->count++];
	*slot = (uint32_t)tree->count;
	node->key = key;
	node->public.frame = frame;
	node->public.parent = parent ? &parent->public : NULL;
	node->public.depth = parent ? parent->public.depth + 1 : 0;
	if (frame)
		label = label_frame(frame, buffer);
	/* a name is the snapshot's, and lives as long */
	node->public.label = label == buffer ? strings_intern(tree->strings, buffer) : label;
	return node;
}

static struct node *frame_child(struct tree *tree, struct node *parent, const struct frame *frame)
{
	struct key key = { .text = frame->name, .type = frame->type };

	if (!frame->name || !*frame->name) {
		key.text = frame->module;
		key.offset = frame->offset;
		key.type = TYPE_UNNAMED;
	}
	return child(tree, parent, key, NULL, frame);
}

/* A node that is no frame. Frees label. */
static struct node *mark_child(struct tree *tree, struct node *parent, char *label)
{
	const char *interned = strings_intern(tree->strings, label);

	mem_free(label);
	return child(tree, parent, (struct key){ .text = interned, .type = TYPE_MARK }, interned,
		     NULL);
}

static void add_site(struct tree *tree, const struct snapshot *snapshot,
		     const struct selection_row *row)
{
	const struct site *site = row->site;
	const struct frame *cut = label_cut(site->end);
	struct node *node = tree->nodes;
	size_t i;

	node = mark_child(tree, node,
			  mem_printf("%s-%d", snapshot_comm(snapshot, site->pid), site->pid));
	/* A stack that was cut stands on no root: it must not look as if it did. */
	if (cut)
		node = mark_child(tree, node, mem_string(cut->name));
	for (i = site->frame_count; i-- > 0;)
		node = frame_child(tree, node, &site->frames[i]);
	node->public.self_bytes += row->bytes;
	node->public.bytes += row->bytes;
	node->public.blocks += row->blocks;
	node->public.self_before_bytes += site->before_bytes;
	node->public.before_bytes += site->before_bytes;
	node->public.width_bytes +=
		row->bytes > site->before_bytes ? row->bytes : site->before_bytes;
}

static int compare_labels(const void *left, const void *right)
{
	const struct node *a = *(const struct node *const *)left;
	const struct node *b = *(const struct node *const *)right;
	int order = strcmp(a->public.label, b->public.label);

	return order ? order : (a->key.type > b->key.type) - (a->key.type < b->key.type);
}

static int compare_bytes(const void *left, const void *right)
{
	const struct node *a = *(const struct node *const *)left;
	const struct node *b = *(const struct node *const *)right;

	if (a->public.bytes != b->public.bytes)
		return a->public.bytes > b->public.bytes ? -1 : 1;
	return compare_labels(left, right);
}

typedef VEC(struct node *) siblings_t;

/* Most nodes have one child: only where there are several there is anything to order. */
static void order_children(struct node *parent, siblings_t *siblings, enum tree_order order)
{
	const struct tree_node **place = &parent->public.first;

	siblings->count = 0;
	for (const struct tree_node *each = parent->public.first; each; each = each->next)
		*vec_add(siblings) = (struct node *)each; /* public is its first member */
	qsort(siblings->items, siblings->count, sizeof(*siblings->items),
	      order == TREE_BY_LABEL ? compare_labels : compare_bytes);
	vec_for_each (node, siblings) {
		*place = &(*node)->public;
		place = &(*node)->public.next;
	}
	*place = NULL;
}

/* A parent was made before its children: from the back, each node is complete when it is met. */
static void finish(struct tree *tree, enum tree_order order)
{
	siblings_t siblings = { 0 };

	for (size_t i = tree->count; i-- > 0;) {
		struct node *node = &tree->nodes[i];
		struct node *parent = (struct node *)node->key.parent;

		if (node->public.first && node->public.first->next)
			order_children(node, &siblings, order);
		if (!parent)
			continue;
		parent->public.bytes += node->public.bytes;
		parent->public.blocks += node->public.blocks;
		parent->public.before_bytes += node->public.before_bytes;
		parent->public.width_bytes += node->public.width_bytes;
		node->public.next = parent->public.first;
		parent->public.first = &node->public;
	}
	vec_free(&siblings);
}

struct tree *tree_new(const struct snapshot *snapshot, enum site_kind kind,
		      const struct report_options *options, enum tree_order order)
{
	struct tree *tree = mem_alloc(sizeof(*tree));
	struct selection selection;
	size_t most = 1;

	selection_make(&selection, snapshot, 1u << kind, options, options->shape_all);
	vec_for_each (row, &selection.rows)
		most += row->site->frame_count + 2;
	tree->nodes = mem_array(most, sizeof(struct node));
	while (tree->index_mask < 2 * most)
		tree->index_mask = 2 * tree->index_mask + 1;
	tree->index = mem_array(tree->index_mask + 1, sizeof(*tree->index));
	tree->strings = strings_new();
	child(tree, NULL, (struct key){ .type = TYPE_MARK }, site_kind_name(kind), NULL);
	vec_for_each (row, &selection.rows)
		add_site(tree, snapshot, row);
	finish(tree, order);
	selection_free(&selection);
	return tree;
}

void tree_free(struct tree *tree)
{
	if (!tree)
		return;
	mem_free(tree->index);
	strings_free(tree->strings);
	mem_free(tree->nodes);
	mem_free(tree);
}

const struct tree_node *tree_root(const struct tree *tree)
{
	return &tree->nodes[0].public;
}

const struct tree_node *tree_skip(const struct tree_node *node)
{
	while (node && !node->next)
		node = node->parent;
	return node ? node->next : NULL;
}

const struct tree_node *tree_next(const struct tree_node *node)
{
	return node->first ? node->first : tree_skip(node);
}
