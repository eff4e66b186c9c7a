/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Blocks, by zlib. The format: unfreed-recording(5). */
#include "record/block.h"

#include <errno.h>
#include <string.h>
#include <zlib.h>

#include "base/error.h"

enum {
	MINIMUM_READER = 1, /* of what is written: the oldest version that reads it */
	LEVEL = 6,
};

/* The first byte is no text, as in a PNG file. */
static const uint8_t magic[8] = { 0x89, 'u', 'n', 'f', 'r', 'e', 'e', 'd' };

static void put32(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (8 * i));
}

static uint32_t get32(const uint8_t *at)
{
	return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint32_t checksum(const uint8_t *head, size_t head_bytes, const uint8_t *stored,
			 uint32_t stored_bytes)
{
	uLong sum = crc32(0, head, (uInt)head_bytes);

	return (uint32_t)(stored_bytes ? crc32(sum, stored, stored_bytes) : sum);
}

/* -- writing ----------------------------------------------------------------------------------- */

static int put(FILE *stream, const void *bytes, size_t count)
{
	if (count && fwrite(bytes, count, 1, stream) != 1)
		return error_set(-EIO, "cannot write the recording: %s", strerror(errno));
	return 0;
}

int block_write_head(FILE *stream)
{
	uint8_t head[RECORDING_HEAD_BYTES] = { 0 };

	memcpy(head, magic, sizeof(magic));
	put32(head + 8, RECORDING_VERSION | MINIMUM_READER << 16);
	put32(head + 12, RECORDING_FEATURES);
	put32(head + 16, 0); /* what a reader need not know of */
	put32(head + 20, checksum(head, 20, NULL, 0));
	return put(stream, head, sizeof(head));
}

int block_write(FILE *stream, uint32_t type, const void *bytes, size_t count)
{
	uLongf stored_bytes = compressBound(count);
	uint8_t head[BLOCK_HEAD_BYTES], *stored;
	int error;

	if (count > BLOCK_MAX_BYTES)
		return error_set(-EFBIG, "cannot write the recording: a snapshot of %zu MiB",
				 count >> 20);
	stored = mem_alloc(stored_bytes);
	compress2(stored, &stored_bytes, bytes, count, LEVEL);
	put32(head, type);
	put32(head + 4, (uint32_t)stored_bytes);
	put32(head + 8, (uint32_t)count);
	put32(head + 12, checksum(head, 12, stored, (uint32_t)stored_bytes));
	error = put(stream, head, sizeof(head));
	if (!error)
		error = put(stream, stored, stored_bytes);
	mem_free(stored);
	if (!error && fflush(stream))
		error = error_set(-errno, "cannot write the recording: %s", strerror(errno));
	return error;
}

/* -- reading ----------------------------------------------------------------------------------- */

int block_read_head(const uint8_t *recording, size_t count)
{
	uint32_t versions, features;

	if (count < sizeof(magic) || memcmp(recording, magic, sizeof(magic)))
		return error_set(-EINVAL, "no recording of 'unfreed trace -w'");
	if (count < RECORDING_HEAD_BYTES ||
	    get32(recording + 20) != checksum(recording, 20, NULL, 0))
		return error_set(-EINVAL, "a recording whose head is cut off or damaged");
	versions = get32(recording + 8);
	features = get32(recording + 12);
	if (versions >> 16 > RECORDING_VERSION || features & ~RECORDING_FEATURES)
		return error_set(-EINVAL,
				 "a recording of version %u (features %#x) that needs a newer "
				 "unfreed: this one reads version %d",
				 versions & 0xffff, features, RECORDING_VERSION);
	return 0;
}

bool block_next(struct block *block, const uint8_t *recording, size_t count, size_t *at)
{
	const uint8_t *head = recording + *at;

	if (count - *at < BLOCK_HEAD_BYTES)
		return false;
	*block = (struct block){
		.type = get32(head),
		.stored = head + BLOCK_HEAD_BYTES,
		.stored_bytes = get32(head + 4),
		.bytes = get32(head + 8),
	};
	if (block->stored_bytes > count - *at - BLOCK_HEAD_BYTES || block->bytes > BLOCK_MAX_BYTES)
		return false;
	if (checksum(head, 12, block->stored, block->stored_bytes) != get32(head + 12))
		return false;
	*at += BLOCK_HEAD_BYTES + block->stored_bytes;
	return true;
}

bool block_contents(const struct block *block, block_bytes *bytes)
{
	uLongf count = block->bytes;

	/* deflate makes nothing smaller than that: no memory is taken on a head's word */
	if (block->bytes / 1032 > block->stored_bytes)
		return false;
	bytes->items = mem_grow(bytes->items, block->bytes + 1, &bytes->capacity, 1);
	bytes->count = block->bytes;
	return uncompress(bytes->items, &count, block->stored, block->stored_bytes) == Z_OK &&
	       count == block->bytes;
}
