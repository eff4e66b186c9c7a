/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Numbers for what is written once. */
#include "record/texts.h"

#include <obstack.h>
#include <string.h>

#include "base/vec.h"
#include "model/strings.h"

#define obstack_chunk_alloc mem_alloc
#define obstack_chunk_free mem_free

#define uthash_malloc(bytes) mem_alloc(bytes)
#define uthash_free(memory, bytes) mem_free(memory)
#include <uthash.h>

struct numbered {
	UT_hash_handle hh;
	uint64_t number;
	uint8_t bytes[];
};

struct numbers {
	struct obstack memory;
	struct numbered *index;
	uint64_t count;
};

struct numbers *numbers_new(void)
{
	struct numbers *numbers = mem_alloc(sizeof(*numbers));

	obstack_init(&numbers->memory);
	return numbers;
}

void numbers_free(struct numbers *numbers)
{
	if (!numbers)
		return;
	HASH_CLEAR(hh, numbers->index);
	obstack_free(&numbers->memory, NULL);
	mem_free(numbers);
}

static struct numbered *find(struct numbers *numbers, const void *bytes, size_t count, bool *fresh)
{
	struct numbered *found;

	HASH_FIND(hh, numbers->index, bytes, count, found);
	*fresh = !found;
	if (found)
		return found;
	found = obstack_alloc(&numbers->memory, sizeof(*found) + count);
	found->number = ++numbers->count;
	if (count)
		memcpy(found->bytes, bytes, count);
	HASH_ADD_KEYPTR(hh, numbers->index, found->bytes, count, found);
	return found;
}

uint64_t numbers_of(struct numbers *numbers, const void *bytes, size_t count, bool *fresh)
{
	return find(numbers, bytes, count, fresh)->number;
}

uint64_t numbers_count(const struct numbers *numbers)
{
	return numbers->count;
}

/* -- texts ------------------------------------------------------------------------------------- */

struct texts {
	struct numbers *numbers; /* for writing */
	struct strings *strings; /* for reading */
	VEC(const char *) items; /* waiting, or read */
	size_t taken;
};

struct texts *texts_new(struct strings *strings)
{
	struct texts *texts = mem_alloc(sizeof(*texts));

	texts->strings = strings;
	texts->numbers = strings ? NULL : numbers_new();
	return texts;
}

void texts_free(struct texts *texts)
{
	if (!texts)
		return;
	numbers_free(texts->numbers);
	vec_free(&texts->items);
	mem_free(texts);
}

uint64_t texts_number(struct texts *texts, const char *text)
{
	struct numbered *found;
	bool fresh;

	if (!text)
		return 0;
	found = find(texts->numbers, text, strlen(text) + 1, &fresh);
	if (fresh)
		*vec_add(&texts->items) = (const char *)found->bytes;
	return found->number;
}

size_t texts_waiting(const struct texts *texts)
{
	return texts->items.count - texts->taken;
}

const char *texts_take(struct texts *texts)
{
	if (texts->taken < texts->items.count)
		return texts->items.items[texts->taken++];
	texts->taken = texts->items.count = 0;
	return NULL;
}

void texts_put(struct texts *texts, const void *bytes, size_t count)
{
	char *text = mem_alloc(count + 1);

	memcpy(text, bytes, count);
	*vec_add(&texts->items) = strings_intern(texts->strings, text);
	mem_free(text);
}

const char *texts_at(const struct texts *texts, uint64_t number)
{
	return number && number <= texts->items.count ? texts->items.items[number - 1] : NULL;
}

uint64_t texts_count(const struct texts *texts)
{
	return texts->numbers ? texts->numbers->count : texts->items.count;
}
