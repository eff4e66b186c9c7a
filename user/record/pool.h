/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the snapshots of a recording share: texts, frames, stacks, and sites with their latest
 * values. Each is written once, with the first snapshot that has it, and called by its number.
 */
#ifndef UNFREED_RECORD_POOL_H
#define UNFREED_RECORD_POOL_H

#include "model/snapshot.h"
#include "record/code.h"
#include "record/texts.h"

enum {
	POOL_FRAMES_MAX = 1 << 24, /* in all stacks: of what is read */
	POOL_SITES_MAX = 1 << 22,
	SITE_VALUES = 20, /* of a site, beside what it is */
};

struct stack {
	const struct frame *frames;
	size_t count;
};

/* What a site is, and its latest values. */
struct known_site {
	enum site_kind kind;
	pid_t pid;
	uint64_t stack; /* its number, 0: no frames */
	uint64_t occurrence; /* among those that are equal in all that */
	uint64_t values[SITE_VALUES];
	/* writing: the snapshot that had it last, and how many equal ones that had, if it is the
	 * first */
	uint64_t seen, equals;
};

/* Things that have become bytes; those that are new since they were last written out. */
struct pool_table {
	struct numbers *numbers;
	struct code fresh;
	uint64_t fresh_count;
};

struct pool {
	struct texts *texts;
	struct strings *strings; /* reading: owns texts and frames */
	struct pool_table new_frames, new_stacks, new_sites; /* writing */
	struct code scratch;
	VEC(struct frame) frames; /* reading, as are stacks */
	VEC(struct stack) stacks;
	uint64_t frames_in_stacks;
	VEC(struct known_site) sites; /* both ways; number 1 is the first */
	uint64_t snapshots; /* written */
};

struct pool *pool_new(bool reads);
void pool_free(struct pool *pool); /* NULL is legal */

/* Writing: the site's number in this snapshot (pool->snapshots tells one from the next). */
uint64_t pool_site(struct pool *pool, const struct site *site);

/* Numbers of sites begin anew, at each whole snapshot: pids come and go without end. */
void pool_forget_sites(struct pool *pool);

/* What is new, to or from a section of its own each. */
void pool_code_texts(struct pool *pool, struct code *code);
void pool_code_frames(struct pool *pool, struct code *code);
void pool_code_stacks(struct pool *pool, struct code *code);
void pool_code_sites(struct pool *pool, struct code *code);

#endif
