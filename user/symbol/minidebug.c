/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Unpacks it, within bounds, and opens what it is. */
#include "symbol/minidebug.h"

#include <lzma.h>
#include <string.h>

#include "base/vec.h"

enum {
	PACKED_MAX = 16 << 20,
	UNPACKED_MAX = 64 << 20, /* of the largest programs: 10 MB */
	DECODER_MAX = 128 << 20, /* xz -9 needs 65 MB */
	CHUNK_BYTES = 32 << 10,
};

struct bytes {
	uint8_t *items;
	size_t count, capacity;
};

static bool make_room(struct bytes *out, lzma_stream *stream)
{
	if (out->count > UNPACKED_MAX - CHUNK_BYTES)
		return false;
	out->items = mem_grow(out->items, out->count + CHUNK_BYTES, &out->capacity, 1);
	stream->next_out = out->items + out->count;
	stream->avail_out = CHUNK_BYTES;
	return true;
}

static bool unpack(const struct image_section *section, struct bytes *out)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	lzma_ret result = lzma_stream_decoder(&stream, DECODER_MAX, 0);

	stream.next_in = section->bytes;
	stream.avail_in = section->size;
	while (result == LZMA_OK && make_room(out, &stream)) {
		result = lzma_code(&stream, LZMA_FINISH);
		out->count += CHUNK_BYTES - stream.avail_out;
	}
	lzma_end(&stream);
	return result == LZMA_STREAM_END;
}

static bool is_of(const struct image *mini, const struct image *image)
{
	return image_info(mini)->machine == image_info(image)->machine &&
	       image_info(mini)->bits32 == image_info(image)->bits32;
}

/* Not even read where it is larger than any that is sound. */
static bool is_small(Elf_Scn *section, const GElf_Shdr *header, const char *name, void *context)
{
	(void)section;
	if (!strcmp(name, ".gnu_debugdata"))
		*(bool *)context = header->sh_size <= PACKED_MAX;
	return strcmp(name, ".gnu_debugdata");
}

struct image *minidebug_open(struct image *image)
{
	struct image_section section;
	struct image *mini = NULL;
	struct bytes out = { 0 };
	bool small = false;

	image_sections(image, is_small, &small);
	if (!small || image_section(image, ".gnu_debugdata", &section))
		return NULL;
	if (unpack(&section, &out) && image_open_bytes(&mini, out.items, out.count))
		mini = NULL;
	vec_free(&out);
	if (mini && !is_of(mini, image)) {
		image_free(mini);
		mini = NULL;
	}
	return mini;
}
