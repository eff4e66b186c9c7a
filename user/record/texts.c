/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Numbers for what is written once. */
#include "record/texts.h"

#include <string.h>

#include "base/vec.h"
#include "model/strings.h"

#define uthash_malloc(bytes) mem_alloc(bytes)
#define uthash_free(memory, bytes) mem_free(memory)
#include <uthash.h>

struct numbered {
	UT_hash_handle hh;
	uint64_t number;
	const void *bytes;
};

struct numbers {
	struct strings *memory;
	struct numbered *index;
	uint64_t count;
};

struct numbers *numbers_new(void)
{
	struct numbers *numbers = mem_alloc(sizeof(*numbers));

	numbers->memory = strings_new();
	return numbers;
}

void numbers_free(struct numbers *numbers)
{
	if (!numbers)
		return;
	HASH_CLEAR(hh, numbers->index);
	strings_free(numbers->memory);
	mem_free(numbers);
}

static struct numbered *find(struct numbers *numbers, const void *bytes, size_t count, bool *fresh)
{
	struct numbered *found;

	HASH_FIND(hh, numbers->index, bytes, count, found);
	*fresh = !found;
	if (found)
		return found;
	found = strings_copy(numbers->memory,
			     &(struct numbered){
				     .number = ++numbers->count,
				     .bytes = strings_copy(numbers->memory, bytes, count),
			     },
			     sizeof(*found));
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

enum { RECENT = 4096 };

struct texts {
	struct numbers *numbers; /* for writing */
	struct {
		const char *text;
		uint64_t number;
	} recent[RECENT]; /* by address: valid while the same snapshot is written */
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
	size_t place = (uintptr_t)text / 16 % RECENT;
	struct numbered *found;
	bool fresh;

	if (!text)
		return 0;
	if (texts->recent[place].text == text)
		return texts->recent[place].number;
	found = find(texts->numbers, text, strlen(text) + 1, &fresh);
	if (fresh)
		*vec_add(&texts->items) = found->bytes;
	texts->recent[place].text = text;
	return texts->recent[place].number = found->number;
}

void texts_forget(struct texts *texts)
{
	memset(texts->recent, 0, sizeof(texts->recent));
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
