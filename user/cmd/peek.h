/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* unfreed heap --peek: what is in some blocks. */
#ifndef UNFREED_CMD_PEEK_H
#define UNFREED_CMD_PEEK_H

#include "base/json.h"
#include "base/vec.h"
#include "glibc/reader.h"
#include "process/proc.h"

enum { PEEK_BLOCKS = 4, PEEK_BYTES = 128, PEEK_READ = 4096, PEEK_STRINGS = 8, PEEK_TEXT_MAX = 64 };

struct peek_request {
	bool wanted;
	uint64_t address; /* one block's; 0: none */
	uint64_t sizes[3]; /* of chunks; ends with 0 */
};

/* A pointer in a block, and what it points to. */
struct peek_pointer {
	uint32_t offset;
	uint64_t value;
	char *name; /* "libjvm.so: Inflater_init+0x12"; a class's for a vtable */
	bool is_class;
};

struct peek_block {
	uint64_t address, size_bytes; /* the user's, and the chunk's; 0: unknown */
	uint32_t bytes; /* that were read */
	uint8_t content[PEEK_READ];
	VEC(struct peek_pointer) pointers;
	VEC(char *) strings;
};

struct peek {
	uint64_t matching; /* blocks of that size */
	VEC(struct peek_block) blocks;
};

/* SIZE (64K) or ADDRESS (0x…). Returns 0 or -EINVAL with a sentence. */
int peek_parse(const char *argument, void *request);

/* For walk_watch.seen: keeps some, evenly. */
void peek_seen(void *peek, uint64_t address, uint64_t size_bytes);

/* Reads what was seen, and names what it points to. */
void peek_read(struct peek *peek, const struct peek_request *request, struct reader *reader,
	       pid_t pid, const struct maps *maps);
void peek_free(struct peek *peek);

void peek_table(const struct peek *peek, FILE *stream);
void peek_json(const struct peek *peek, struct json *json);

#endif
