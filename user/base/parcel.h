/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Values in a row of bytes, between two processes of one program: numbers as they lie in memory,
 * and texts. The same function packs a struct and unpacks it, by what its parcel is for. Who
 * unpacks trusts nothing: what is not there is zero, and failed says so, once, at the end.
 */
#ifndef UNFREED_BASE_PARCEL_H
#define UNFREED_BASE_PARCEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"

struct parcel {
	VEC(uint8_t) bytes; /* that are packed, or the whole that is unpacked */
	size_t at; /* what is unpacked next */
	size_t bytes_max; /* that may be packed; 0: any number */
	bool unpacking, failed;
};

/* An integer, or a plain array of such. */
#define parcel_number(parcel, value) parcel_raw(parcel, value, sizeof(*(value)))
void parcel_raw(struct parcel *parcel, void *value, size_t bytes);
void parcel_flag(struct parcel *parcel, bool *value);

/* A text in an array: what is unpacked always ends within it. */
#define parcel_array(parcel, text) parcel_text_(parcel, text, sizeof(text))
void parcel_text_(struct parcel *parcel, char *text, size_t size);

/* A text of any length, or NULL: packed, and what is there, which lives as long as the parcel. */
void parcel_put_text(struct parcel *parcel, const char *text);
const char *parcel_get_text(struct parcel *parcel);

/*
 * A number of items that follow, of item_bytes at least each: none, and a failure, where so many
 * cannot be there.
 */
void parcel_count(struct parcel *parcel, size_t *count, size_t item_bytes);

/* Empty, to be packed. The memory stays. */
void parcel_empty(struct parcel *parcel);
void parcel_free(struct parcel *parcel);

#endif
