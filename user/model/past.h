/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What each stack held some time ago: numbers alone, as their names are those of a later snapshot.
 * That keeps the minutes before an incident in little memory.
 */
#ifndef UNFREED_MODEL_PAST_H
#define UNFREED_MODEL_PAST_H

#include "model/snapshot.h"

struct past_site {
	pid_t pid;
	enum site_kind kind;
	uint64_t id; /* site.id */
	uint64_t bytes, blocks;
};

struct past {
	uint64_t time_ns; /* since the window opened */
	VEC(struct past_site) sites;
};

void past_clear(struct past *past);

/*
 * A snapshot of then: of the sites of a later one of the same watch, those that held something, in
 * order. Its texts are the later one's, which must outlive it.
 */
struct snapshot *past_snapshot(struct past *past, const struct snapshot *later);

#endif
