/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Numbers for frames: 0, 1, 2 … in the order in which they are first met. Texts are equal where
 * their addresses are, as in a snapshot and in a series. Who wants functions clears the fields that
 * do not matter before it asks; who wants stacks or inlined chains gives the frame within as
 * parent.
 */
#ifndef UNFREED_REPORT_FRAME_SET_H
#define UNFREED_REPORT_FRAME_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "model/snapshot.h"

struct frame_set;

enum { FRAME_SET_NONE = UINT32_MAX }; /* no parent */

struct frame_set *frame_set_new(void);
void frame_set_free(struct frame_set *set); /* NULL is legal */

/* The number of frame on parent; *added, which may be NULL: it is new. */
uint32_t frame_set_add(struct frame_set *set, uint32_t parent, const struct frame *frame,
		       bool *added);

/* The number of a site, by kind, process and stack, which has one address in all of a series. */
uint32_t frame_set_site(struct frame_set *set, const struct site *site, bool *added);

uint32_t frame_set_count(const struct frame_set *set);

/* Valid until the next frame_set_add. */
const struct frame *frame_set_frame(const struct frame_set *set, uint32_t number);
uint32_t frame_set_parent(const struct frame_set *set, uint32_t number);

#endif
