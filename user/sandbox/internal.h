/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the files of the parser share. */
#ifndef UNFREED_SANDBOX_INTERNAL_H
#define UNFREED_SANDBOX_INTERNAL_H

#include "base/vec.h"
#include "elf/image.h"
#include "hotspot/hotspot.h"
#include "sandbox/parser.h"
#include "symbol/perfmap.h"
#include "symbol/symbol.h"

struct entry {
	struct image *image; /* NULL: closed */
	struct image *debug, *alt;
	struct symboliser *symboliser; /* made when first asked for names */
};

struct perf_file {
	int fd;
	uint64_t taken_bytes;
	struct perfmap *map; /* NULL: closed */
};

/* For whoever passes names on. */
struct parser_answer {
	sandbox_frame_fn frame;
	void *context;
};

struct parser {
	VEC(struct entry) entries; /* by id */
	VEC(struct hotspot *) jvms; /* by id, NULL: closed */
	VEC(struct perf_file) perf_files; /* by id */
};

/* An image by its id; NULL, with a sentence: none has it. */
struct image *parser_image_of(struct parser *parser, uint32_t id);

/* A symbol_frame_fn; context is a struct parser_answer. */
void parser_pass_on(size_t i, const struct symbol_frame *frame, void *context);

#endif
