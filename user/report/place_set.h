/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Places in code, for formats that think in addresses: a place is a frame with all that is inlined
 * into it. Addresses are made up, as a snapshot knows offsets in files only; they come from names
 * and offsets alone, so that two reports, also of two runs, agree on them.
 */
#ifndef UNFREED_REPORT_PLACE_SET_H
#define UNFREED_REPORT_PLACE_SET_H

#include "report/frame_set.h"

enum { PLACE_NO_MODULE = UINT32_MAX };

struct place {
	uint32_t frames; /* in place_set_frames(): the outermost, its parents inlined into it */
	uint32_t module; /* of place_set_module(); PLACE_NO_MODULE */
	uint64_t address;
};

struct place_module {
	const char *path;
	uint64_t start, limit; /* of its addresses; limit grows as places are met */
};

struct place_set;

struct place_set *place_set_new(void);
void place_set_free(struct place_set *places); /* NULL is legal */

/*
 * The places of a stack, leaf first, as numbers from 0 on in the order in which they are first met;
 * a stack that was cut ends with a place that says so, and none is empty. The array is valid until
 * the next call.
 */
size_t place_set_of(struct place_set *places, const struct site *site, const uint32_t **numbers);

uint32_t place_set_count(const struct place_set *places);
const struct place *place_set_get(const struct place_set *places, uint32_t number);
const struct frame_set *place_set_frames(const struct place_set *places);

uint32_t place_set_module_count(const struct place_set *places);
const struct place_module *place_set_module(const struct place_set *places, uint32_t module);
/* Makes it a module, before or after it is met. */
uint32_t place_set_add_module(struct place_set *places, const char *path);

#endif
