/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The pool: glibc's obstack for the memory, uthash to find what is there. */
#include <obstack.h>
#include <string.h>

#include "base/vec.h"
#include "model/strings.h"

#define obstack_chunk_alloc mem_alloc
#define obstack_chunk_free mem_free

#define uthash_malloc(bytes) mem_alloc(bytes)
#define uthash_free(memory, bytes) mem_free(memory)
#include <uthash.h>

struct interned {
	UT_hash_handle hh;
	char text[];
};

struct strings {
	struct obstack memory;
	struct interned *index;
};

struct strings *strings_new(void)
{
	struct strings *strings = mem_alloc(sizeof(*strings));

	obstack_init(&strings->memory);
	return strings;
}

void strings_free(struct strings *strings)
{
	if (!strings)
		return;
	HASH_CLEAR(hh, strings->index);
	obstack_free(&strings->memory, NULL);
	mem_free(strings);
}

/* The macros of obstack.h count from a null pointer. */
#define OBSTACK_USE __attribute__((no_sanitize("pointer-overflow")))

OBSTACK_USE const char *strings_intern(struct strings *strings, const char *text)
{
	struct interned *found;
	size_t length;

	if (!text)
		return NULL;
	length = strlen(text);
	HASH_FIND(hh, strings->index, text, length, found);
	if (!found) {
		found = obstack_alloc(&strings->memory, sizeof(*found) + length + 1);
		memcpy(found->text, text, length + 1);
		HASH_ADD_KEYPTR(hh, strings->index, found->text, length, found);
	}
	return found->text;
}

OBSTACK_USE void *strings_copy(struct strings *strings, const void *data, size_t bytes)
{
	return obstack_copy(&strings->memory, data, bytes);
}
