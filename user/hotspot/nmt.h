/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a JVM answers to VM.native_memory (share/nmt/memReporter.cpp): sums by category, and with
 * "detail" by who asked for them. Versions 8 to 25 differ in details; whatever is no figure that is
 * known is passed over.
 */
#ifndef UNFREED_HOTSPOT_NMT_H
#define UNFREED_HOTSPOT_NMT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NMT_CATEGORIES_MAX = 64, NMT_SITES_MAX = 64, NMT_NAME_MAX = 40, NMT_FRAMES_MAX = 512 };

struct nmt_category {
	char name[NMT_NAME_MAX]; /* "Java Heap" */
	uint64_t reserved_bytes, committed_bytes; /* all of it */
	uint64_t malloc_bytes, malloc_blocks;
	uint64_t arena_bytes; /* of arenas, which lie in blocks of malloc */
	uint64_t mapped_bytes; /* committed, of mappings and of stacks */
};

/* A stack that asked malloc for blocks. */
struct nmt_site {
	char frames[NMT_FRAMES_MAX]; /* "Unsafe_AllocateMemory0 < …", innermost first */
	char category[NMT_NAME_MAX];
	uint64_t bytes, blocks;
};

struct nmt {
	uint64_t reserved_bytes, committed_bytes;
	uint64_t malloc_bytes; /* of all categories, their arenas included */
	struct nmt_category categories[NMT_CATEGORIES_MAX];
	size_t category_count;
	struct nmt_site sites[NMT_SITES_MAX]; /* those with most bytes, most first */
	size_t site_count;
	uint64_t sites_left_out;
};

/* Takes an answer in. False: it is none. */
bool nmt_parse(struct nmt *nmt, const char *text);

/* The category of this name, or NULL. */
const struct nmt_category *nmt_find(const struct nmt *nmt, const char *name);

#endif
