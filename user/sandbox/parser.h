/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The parsers behind the sandbox's door, in whatever process they are called: each function does
 * what its namesake in sandbox/sandbox.h promises.
 */
#ifndef UNFREED_SANDBOX_PARSER_H
#define UNFREED_SANDBOX_PARSER_H

#include "sandbox/sandbox.h"

struct parser;

struct parser *parser_new(void);
void parser_free(struct parser *parser); /* NULL is legal */

int parser_open(struct parser *parser, int fd, struct sandbox_image *image);
int parser_open_bytes(struct parser *parser, const void *bytes, size_t count,
		      struct sandbox_image *image);
int parser_debug(struct parser *parser, uint32_t image, int fd, int alt_fd);
void parser_close(struct parser *parser, uint32_t image);
int parser_probes(struct parser *parser, uint32_t image,
		  const struct sandbox_probe_request *requests, size_t count,
		  struct sandbox_probe *probes);
int parser_exits(struct parser *parser, uint32_t image, struct sandbox_leaver *leavers,
		 size_t count, struct sandbox_exits *exits);
int parser_symbolise(struct parser *parser, uint32_t image, const uint64_t *addresses, size_t count,
		     sandbox_frame_fn frame, void *context);
int parser_rows(struct parser *parser, uint32_t image, struct sandbox_rows *rows);

int parser_perfmap_open(struct parser *parser, int fd, uint32_t *id);
void parser_perfmap_close(struct parser *parser, uint32_t id);
int parser_perfmap_names(struct parser *parser, uint32_t id, const uint64_t *addresses,
			 size_t count, sandbox_frame_fn frame, void *context);

int parser_jvm_open(struct parser *parser, uint32_t image, uint64_t bias, int memory_fd,
		    int pagemap_fd, uint32_t *id);
void parser_jvm_close(struct parser *parser, uint32_t id);
int parser_jvm_layout(struct parser *parser, uint32_t id, struct sandbox_jvm *jvm);
int parser_jvm_areas(struct parser *parser, uint32_t id, sandbox_jvm_area_fn area, void *context);
int parser_jvm_facts(struct parser *parser, uint32_t id, struct hotspot_facts *facts);
uint64_t parser_jvm_code_state(struct parser *parser, uint32_t id);
int parser_jvm_names(struct parser *parser, uint32_t id, const struct sandbox_java_place *places,
		     size_t count, sandbox_java_fn frame, void *context);

#endif
