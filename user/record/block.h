/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The frame of a recording: its head, and blocks with a length and a checksum, compressed. */
#ifndef UNFREED_RECORD_BLOCK_H
#define UNFREED_RECORD_BLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/vec.h"

enum {
	RECORDING_VERSION = 1, /* of what is written */
	RECORDING_HEAD_BYTES = 24,
	BLOCK_HEAD_BYTES = 16,
	BLOCK_MAX_BYTES = 256 << 20, /* of its contents, not compressed */
};

/* What a reader must know of to understand a recording. None yet. */
#define RECORDING_FEATURES 0u

/* Four letters. A reader skips a block that it does not know if the first one is small. */
#define BLOCK_TYPE(a, b, c, d) \
	((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)
#define BLOCK_ABOUT BLOCK_TYPE('A', 'B', 'O', 'U') /* facts */
#define BLOCK_SNAPSHOT BLOCK_TYPE('S', 'N', 'A', 'P')
#define BLOCK_FOOTPRINT BLOCK_TYPE('f', 'o', 'o', 't') /* of the snapshot before it */
#define BLOCK_END BLOCK_TYPE('D', 'O', 'N', 'E') /* all of it is there */

typedef VEC(uint8_t) block_bytes;

/* Both write to stream. 0 or a negative errno with a sentence. */
int block_write_head(FILE *stream);
int block_write(FILE *stream, uint32_t type, const void *bytes, size_t count);

struct block {
	uint32_t type;
	const uint8_t *stored; /* compressed */
	uint32_t stored_bytes, bytes;
};

/*
 * The head of a recording of count bytes. 0, or -EINVAL with a sentence: it is none, broken, or of
 * a version that this reader does not understand.
 */
int block_read_head(const uint8_t *recording, size_t count);

/* Steps over the block at *at; false: there is no whole one with the right checksum. */
bool block_next(struct block *block, const uint8_t *recording, size_t count, size_t *at);

/* Its contents, anew in bytes; false: they are not what the head says. */
bool block_contents(const struct block *block, block_bytes *bytes);

#endif
