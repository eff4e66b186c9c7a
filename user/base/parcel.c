/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Packing and unpacking. */
#include "base/parcel.h"

#include <string.h>

/* Where the next bytes are, to be packed or unpacked; NULL: there is no room, or no more. */
static uint8_t *step(struct parcel *parcel, size_t bytes)
{
	size_t start = parcel->unpacking ? parcel->at : parcel->bytes.count;
	size_t room = parcel->unpacking	  ? parcel->bytes.count - start
		      : parcel->bytes_max ? parcel->bytes_max - start
					  : SIZE_MAX - start;

	if (parcel->failed || bytes > room) {
		parcel->failed = true;
		return NULL;
	}
	if (parcel->unpacking) {
		parcel->at += bytes;
	} else {
		parcel->bytes.items =
			mem_grow(parcel->bytes.items, start + bytes, &parcel->bytes.capacity, 1);
		parcel->bytes.count += bytes;
	}
	return parcel->bytes.items + start;
}

void parcel_raw(struct parcel *parcel, void *value, size_t bytes)
{
	uint8_t *place = bytes ? step(parcel, bytes) : NULL;

	if (!bytes)
		return;
	if (parcel->unpacking) {
		if (place)
			memcpy(value, place, bytes);
		else
			memset(value, 0, bytes);
	} else if (place) {
		memcpy(place, value, bytes);
	}
}

void parcel_flag(struct parcel *parcel, bool *value)
{
	uint8_t byte = parcel->unpacking ? 0 : *value;

	parcel_number(parcel, &byte);
	*value = byte;
}

void parcel_text_(struct parcel *parcel, char *text, size_t size)
{
	const char *there;

	if (!parcel->unpacking) {
		parcel_put_text(parcel, text);
		return;
	}
	memset(text, 0, size);
	there = parcel_get_text(parcel);
	if (there)
		memcpy(text, there, strnlen(there, size - 1));
}

void parcel_put_text(struct parcel *parcel, const char *text)
{
	uint32_t bytes = text ? (uint32_t)strlen(text) + 1 : 0;

	parcel_number(parcel, &bytes);
	parcel_raw(parcel, (void *)text, bytes);
}

const char *parcel_get_text(struct parcel *parcel)
{
	const char *text = NULL;
	uint32_t bytes;

	parcel_number(parcel, &bytes);
	if (bytes)
		text = (const char *)step(parcel, bytes);
	if (text && text[bytes - 1]) {
		parcel->failed = true;
		text = NULL;
	}
	return text;
}

void parcel_count(struct parcel *parcel, size_t *count, size_t item_bytes)
{
	uint64_t number = parcel->unpacking ? 0 : *count;

	parcel_number(parcel, &number);
	if (parcel->unpacking && number > (parcel->bytes.count - parcel->at) / item_bytes) {
		parcel->failed = true;
		number = 0;
	}
	*count = number;
}

void parcel_empty(struct parcel *parcel)
{
	parcel->bytes.count = parcel->at = 0;
	parcel->unpacking = parcel->failed = false;
}

void parcel_free(struct parcel *parcel)
{
	vec_free(&parcel->bytes);
	*parcel = (struct parcel){ 0 };
}
