/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reads little-endian DWARF data. A read past the end gives 0 and sets failed, so that callers
 * check once, behind a group of reads.
 */
#ifndef UNFREED_UNWIND_READER_H
#define UNFREED_UNWIND_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reader {
	const uint8_t *at, *end;
	uint64_t address; /* of the byte at at */
	bool failed;
};

static inline size_t reader_left(const struct reader *reader)
{
	return (size_t)(reader->end - reader->at);
}

static inline void reader_skip(struct reader *reader, uint64_t bytes)
{
	if (bytes > reader_left(reader)) {
		bytes = reader_left(reader);
		reader->failed = true;
	}
	reader->at += bytes;
	reader->address += bytes;
}

/* The next bytes as a reader of their own. */
static inline struct reader reader_part(struct reader *reader, uint64_t bytes)
{
	struct reader part = *reader;

	reader_skip(reader, bytes);
	part.end = reader->at;
	part.failed = reader->failed;
	return part;
}

/* An unsigned number of 1, 2, 4 or 8 bytes. */
static inline uint64_t reader_fixed(struct reader *reader, unsigned int bytes)
{
	const uint8_t *at = reader->at;
	uint64_t value = 0;

	reader_skip(reader, bytes);
	if (reader->failed)
		return 0;
	for (unsigned int i = 0; i < bytes; i++)
		value |= (uint64_t)at[i] << (8 * i);
	return value;
}

static inline int64_t reader_fixed_signed(struct reader *reader, unsigned int bytes)
{
	unsigned int unused_bits = 64 - 8 * bytes;

	return (int64_t)(reader_fixed(reader, bytes) << unused_bits) >> unused_bits;
}

/* LEB128; bits beyond the 64th are dropped. */
static inline uint64_t reader_leb(struct reader *reader, bool is_signed)
{
	uint64_t value = 0;
	unsigned int shift = 0;
	uint8_t byte;

	do {
		byte = (uint8_t)reader_fixed(reader, 1);
		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	if (is_signed && shift < 64 && byte & 0x40)
		value |= ~(uint64_t)0 << shift;
	return value;
}

static inline uint64_t reader_uleb(struct reader *reader)
{
	return reader_leb(reader, false);
}

static inline int64_t reader_sleb(struct reader *reader)
{
	return (int64_t)reader_leb(reader, true);
}

/* A text that ends in a zero byte within the data, else NULL. */
static inline const char *reader_text(struct reader *reader)
{
	const char *text = (const char *)reader->at;

	while (reader_fixed(reader, 1))
		;
	return reader->failed ? NULL : text;
}

#endif
