/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The door to the parsers: every request, about an image of any bytes. Numbers that the sandbox
 * never gave out are refused.
 */
#include <stdlib.h>
#include <string.h>

#include "abi.h"
#include "base/error.h"
#include "base/vec.h"
#include "fuzz.h"
#include "sandbox/parser.h"

enum { PROBES = 3, ADDRESSES = 16, NOBODY = 77 };

static void count_frame(size_t i, const struct sandbox_frame *frame, void *context)
{
	fuzz_expect(i < ADDRESSES);
	*(size_t *)context += !frame->inlined;
}

static void ask_names(struct parser *parser, const struct sandbox_image *image)
{
	uint64_t addresses[ADDRESSES],
		first = image->segment_count ? image->segments[0].address : 0;
	size_t answers = 0;

	for (size_t i = 0; i < ADDRESSES; i++)
		addresses[i] = first + 0x1000 + 0x10 * i;
	fuzz_expect(
		!parser_symbolise(parser, image->id, addresses, ADDRESSES, count_frame, &answers));
	fuzz_expect(answers == ADDRESSES);
	fuzz_expect(parser_symbolise(parser, NOBODY, addresses, 1, count_frame, &answers) < 0);
}

static void ask_exits(struct parser *parser, const struct sandbox_image *image,
		      const struct sandbox_probe *probe)
{
	struct sandbox_leaver leaver = { .function_address = probe->function_address };
	struct sandbox_exits exits;

	fuzz_expect(!parser_exits(parser, image->id, &leaver, 1, &exits));
	fuzz_expect(memchr(leaver.why, 0, sizeof(leaver.why)));
	for (size_t i = 1; i < exits.count; i++)
		fuzz_expect(exits.items[i - 1].address < exits.items[i].address);
	mem_free(exits.items);
}

static size_t ask_probes(struct parser *parser, const struct sandbox_image *image)
{
	static const struct sandbox_probe_request requests[PROBES] = { { "malloc", true, 1 },
								       { "free", false, 1 },
								       { "f", true, 0x3f } };
	struct sandbox_probe probes[PROBES];
	size_t placed = 0;

	fuzz_expect(!parser_probes(parser, image->id, requests, PROBES, probes));
	for (int i = 0; i < PROBES; i++) {
		fuzz_expect(probes[i].found || !probes[i].placed);
		fuzz_expect(!probes[i].found || probes[i].placed || *probes[i].why);
		fuzz_expect(memchr(probes[i].why, 0, sizeof(probes[i].why)));
		placed += probes[i].placed;
		ask_exits(parser, image, &probes[i]);
	}
	return placed;
}

static size_t ask_rows(struct parser *parser, const struct sandbox_image *image)
{
	struct sandbox_rows rows = { 0 };

	if (parser_rows(parser, image->id, &rows))
		return 0;
	for (size_t i = 1; i < rows.count; i++)
		fuzz_expect(rows.rows[i - 1].pc < rows.rows[i].pc);
	free(rows.rows);
	return rows.count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct parser *parser = parser_new();
	struct sandbox_image image, again;
	int fd = fuzz_file(data, size);
	uint32_t jvm;
	size_t placed, rows;

	if (parser_open(parser, fd, &image)) {
		fuzz_end("%s", error_message());
		parser_free(parser);
		return 0;
	}
	placed = ask_probes(parser, &image);
	rows = ask_rows(parser, &image);
	ask_names(parser, &image);
	parser_debug(parser, image.id, fd, -1); /* it may well be its own debug file */
	ask_names(parser, &image);
	if (!parser_jvm_open(parser, image.id, 0, fd, -1, &jvm))
		parser_jvm_close(parser, jvm);
	if (!parser_open_bytes(parser, data, size, &again))
		fuzz_expect(again.id != image.id);
	parser_close(parser, image.id);
	fuzz_expect(parser_rows(parser, image.id, &(struct sandbox_rows){ 0 }) < 0);
	fuzz_end("%zu probes, %zu rows%s%s", placed, rows, image.has_symtab ? ", symbols" : "",
		 image.has_dwarf ? ", DWARF" : "");
	parser_free(parser);
	return 0;
}
