/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is in some blocks: bytes, texts, and what the pointers in them point to. */
#include "cmd/peek.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "cmd/peek_names.h"

enum { TEXT_LEAST = 6, ROW = 16, CHUNK_HEADER = 16 };

int peek_parse(const char *argument, void *value)
{
	struct peek_request *request = value;
	uint64_t bytes;
	char *end;

	request->wanted = true;
	if (!strncmp(argument, "0x", 2)) {
		errno = 0;
		request->address = strtoull(argument, &end, 16);
		if (errno || *end || request->address < READER_PAGE || request->address >> 56)
			return error_set(-EINVAL, "'%s' is no address", argument);
		return 0;
	}
	if (units_parse_bytes(argument, &bytes) || !bytes || bytes >> 48)
		return error_set(-EINVAL, "'%s' is no size, and no address (0x…)", argument);
	/* A chunk's size, as the table has it, or else what a malloc() of it gets. */
	request->sizes[0] = bytes < 32 ? 32 : bytes % 16 ? (bytes + 8 + 15) & ~15ULL : bytes;
	request->sizes[1] =
		bytes >= 128 << 10 && bytes % READER_PAGE == 0 ? bytes + READER_PAGE : 0;
	return 0;
}

/* -- which blocks ------------------------------------------------------------------------------ */

/* Every block at first, then each of the last ones with falling odds: all are as likely. */
void peek_seen(void *context, uint64_t address, uint64_t size_bytes)
{
	struct peek *peek = context;
	uint64_t place = peek->matching++;
	struct peek_block *block;

	if (place < PEEK_BLOCKS) {
		block = vec_add(&peek->blocks);
	} else {
		/* Not random: the same heap is to show the same blocks. */
		place = place * 0x9e3779b97f4a7c15ULL % peek->matching;
		if (place >= PEEK_BLOCKS)
			return;
		block = &peek->blocks.items[place];
	}
	block->address = address + CHUNK_HEADER;
	block->size_bytes = size_bytes;
}

/* -- what is in them --------------------------------------------------------------------------- */

/* A block that reaches into pages that are not there is read up to them. */
static void read_content(struct peek_block *block, struct reader *reader)
{
	uint64_t wanted = block->size_bytes ? block->size_bytes - 8 : PEEK_BYTES;

	if (wanted > PEEK_READ)
		wanted = PEEK_READ;
	while (block->bytes < wanted) {
		uint64_t at = block->address + block->bytes;
		uint64_t part = READER_PAGE - at % READER_PAGE;

		if (part > wanted - block->bytes)
			part = wanted - block->bytes;
		if (!reader_read(reader, at, block->content + block->bytes, part))
			return;
		block->bytes += part;
	}
}

static void find_strings(struct peek_block *block)
{
	uint32_t start = 0;

	for (uint32_t i = 0; i <= block->bytes && block->strings.count < PEEK_STRINGS; i++) {
		if (i < block->bytes && isascii(block->content[i]) && isprint(block->content[i]))
			continue;
		if (i - start >= TEXT_LEAST) {
			uint32_t length = i - start < PEEK_TEXT_MAX ? i - start : PEEK_TEXT_MAX;

			*vec_add(&block->strings) =
				mem_printf("%.*s", (int)length, block->content + start);
		}
		start = i + 1;
	}
}

void peek_read(struct peek *peek, const struct peek_request *request, struct reader *reader,
	       pid_t pid, const struct maps *maps)
{
	struct peek_names *names = peek_names_new(pid, maps, reader);

	if (request->address)
		vec_add(&peek->blocks)->address = request->address;
	vec_for_each (block, &peek->blocks) {
		read_content(block, reader);
		find_strings(block);
		for (uint32_t at = 0; at + 8 <= block->bytes; at += 8) {
			struct peek_pointer pointer = { .offset = at };

			memcpy(&pointer.value, block->content + at, sizeof(pointer.value));
			pointer.name = peek_names_find(names, pointer.value, &pointer.is_class);
			if (pointer.name)
				*vec_add(&block->pointers) = pointer;
		}
	}
	peek_names_free(names);
}

void peek_free(struct peek *peek)
{
	vec_for_each (block, &peek->blocks) {
		vec_for_each (pointer, &block->pointers)
			mem_free(pointer->name);
		vec_for_each (string, &block->strings)
			mem_free(*string);
		vec_free(&block->pointers);
		vec_free(&block->strings);
	}
	vec_free(&peek->blocks);
}

/* -- as a table, as JSON ----------------------------------------------------------------------- */

static void print_row(const uint8_t *bytes, uint32_t offset, FILE *stream)
{
	fprintf(stream, "    %04x ", offset);
	for (int i = 0; i < ROW; i++)
		fprintf(stream, "%s%02x", i % 8 ? " " : "  ", bytes[i]);
	fputs("  ", stream);
	for (int i = 0; i < ROW; i++)
		fputc(isascii(bytes[i]) && isprint(bytes[i]) ? bytes[i] : '.', stream);
	fputc('\n', stream);
}

static void print_block(const struct peek_block *block, FILE *stream)
{
	char text[4 * PEEK_TEXT_MAX + 512];

	fprintf(stream, "\n  block at %#llx", (unsigned long long)block->address);
	if (block->size_bytes)
		fprintf(stream, ", chunk size %llu", (unsigned long long)block->size_bytes);
	fputs(block->bytes ? "\n" : ": not in memory\n", stream);
	for (uint32_t at = 0; at + ROW <= block->bytes && at < PEEK_BYTES; at += ROW)
		print_row(block->content + at, at, stream);
	vec_for_each (pointer, &block->pointers) {
		text_escape(text, sizeof(text), pointer->name);
		fprintf(stream, "    %04x   -> %s%s\n", pointer->offset,
			pointer->is_class ? "class " : "", text);
	}
	vec_for_each (string, &block->strings)
		fprintf(stream, "    text   \"%s\"\n", *string);
}

void peek_table(const struct peek *peek, FILE *stream)
{
	char count[UNITS_TEXT_MAX];

	if (peek->matching || !peek->blocks.count)
		fprintf(stream, "\n  PEEK        %s blocks of this size are in use\n",
			units_format_count(count, peek->matching));
	vec_for_each (block, &peek->blocks)
		print_block(block, stream);
}

static void hex_text(const struct peek_block *block, char *text)
{
	uint32_t count = block->bytes < PEEK_BYTES ? block->bytes : PEEK_BYTES;

	for (uint32_t i = 0; i < count; i++)
		snprintf(text + 2 * (size_t)i, 3, "%02x", block->content[i]);
	text[2 * (size_t)count] = '\0';
}

void peek_json(const struct peek *peek, struct json *json)
{
	char hex[2 * PEEK_BYTES + 1];

	json_begin_object(json, "peek");
	json_uint(json, "matching_blocks", peek->matching);
	json_begin_array(json, "blocks");
	vec_for_each (block, &peek->blocks) {
		hex_text(block, hex);
		json_begin_object(json, NULL);
		json_uint(json, "address", block->address);
		json_uint(json, "size_bytes", block->size_bytes);
		json_uint(json, "read_bytes", block->bytes);
		json_text(json, "hex", hex);
		json_begin_array(json, "pointers");
		vec_for_each (pointer, &block->pointers) {
			json_begin_object(json, NULL);
			json_uint(json, "offset", pointer->offset);
			json_uint(json, "value", pointer->value);
			json_text(json, pointer->is_class ? "class" : "symbol", pointer->name);
			json_end(json);
		}
		json_end(json);
		json_begin_array(json, "strings");
		vec_for_each (string, &block->strings)
			json_text(json, NULL, *string);
		json_end(json);
		json_end(json);
	}
	json_end(json);
	json_end(json);
}
