/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * For the static program: Debian's libelf.a and libdw.a of elfutils 0.191 and later refer to a part
 * of elfutils (lib/eu-search.h) that no package has as an archive. These are tsearch(3) over a tree
 * with a lock, which unfreed does without: one thread alone uses these libraries.
 */
#include <search.h>
#include <stddef.h>

typedef struct {
	void *root; /* the lock comes behind it */
} search_tree;

typedef int compare_fn(const void *, const void *);

void *eu_tsearch(const void *key, search_tree *tree, compare_fn *compare);
void *eu_tfind(const void *key, search_tree *tree, compare_fn *compare);
void *eu_tdelete(const void *key, search_tree *tree, compare_fn *compare);
void eu_tdestroy(search_tree *tree, void (*free_node)(void *));
void eu_search_tree_init(search_tree *tree);
void eu_search_tree_fini(search_tree *tree, void (*free_node)(void *));

void *eu_tsearch(const void *key, search_tree *tree, compare_fn *compare)
{
	return tsearch(key, &tree->root, compare);
}

void *eu_tfind(const void *key, search_tree *tree, compare_fn *compare)
{
	return tfind(key, &tree->root, compare);
}

void *eu_tdelete(const void *key, search_tree *tree, compare_fn *compare)
{
	return tdelete(key, &tree->root, compare);
}

void eu_tdestroy(search_tree *tree, void (*free_node)(void *))
{
	tdestroy(tree->root, free_node);
	tree->root = NULL;
}

void eu_search_tree_init(search_tree *tree)
{
	tree->root = NULL;
}

void eu_search_tree_fini(search_tree *tree, void (*free_node)(void *))
{
	eu_tdestroy(tree, free_node);
}
