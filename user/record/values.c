/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sites as columns of differences. */
#include "record/values.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum column_kind {
	COLUMN_WORD, /* uint64_t */
	COLUMN_AGE, /* the same, kept as the time since the window opened: that stands still */
	COLUMN_FLAG, /* bool */
	COLUMN_END, /* enum site_end */
	COLUMN_TEXT,
};

#define WORD(field)                                       \
	{                                                 \
		offsetof(struct site, field), COLUMN_WORD \
	}

/* In the order of the bytes. A new one goes into a section of its own. */
static const struct column {
	size_t offset;
	enum column_kind kind;
} columns[] = {
	WORD(bytes),
	WORD(blocks),
	WORD(allocated_bytes),
	WORD(allocated_blocks),
	WORD(committed_bytes),
	WORD(resident_bytes),
	{ offsetof(struct site, resident_known), COLUMN_FLAG },
	WORD(young_bytes),
	WORD(young_blocks),
	WORD(preexisting_bytes),
	{ offsetof(struct site, min_age_ns), COLUMN_AGE },
	{ offsetof(struct site, max_age_ns), COLUMN_AGE },
	WORD(standard_error_bytes),
	WORD(sampled_blocks),
	WORD(sampled_live_blocks),
	WORD(unverified_bytes),
	WORD(unverified_blocks),
	{ offsetof(struct site, owner), COLUMN_TEXT },
	{ offsetof(struct site, verdict), COLUMN_TEXT },
	{ offsetof(struct site, end), COLUMN_END },
};

enum { COLUMNS = sizeof(columns) / sizeof(columns[0]) };
_Static_assert((int)COLUMNS == (int)SITE_VALUES, "a known site keeps each column's value");

/* Tells a block as old as the window from none: ages are shorter. */
#define AGE_BASE (1ull << 62)

/* -- one value --------------------------------------------------------------------------------- */

static uint64_t get_value(const struct site *site, const struct column *column, uint64_t window_ns,
			  struct texts *texts)
{
	const void *field = (const char *)site + column->offset;
	uint64_t age;

	switch (column->kind) {
	case COLUMN_WORD:
		return *(const uint64_t *)field;
	case COLUMN_AGE:
		age = *(const uint64_t *)field;
		return age ? window_ns - age + AGE_BASE : 0;
	case COLUMN_FLAG:
		return *(const bool *)field;
	case COLUMN_END:
		return *(const enum site_end *)field;
	case COLUMN_TEXT:
		return texts_number(texts, *(const char *const *)field);
	}
	return 0;
}

/* false: it cannot be. */
static bool set_value(struct site *site, const struct column *column, uint64_t value,
		      uint64_t window_ns, const struct texts *texts)
{
	void *field = (char *)site + column->offset;

	switch (column->kind) {
	case COLUMN_WORD:
		*(uint64_t *)field = value;
		return true;
	case COLUMN_AGE:
		*(uint64_t *)field = value ? window_ns - value + AGE_BASE : 0;
		return true;
	case COLUMN_FLAG:
		*(bool *)field = value;
		return value <= 1;
	case COLUMN_END:
		*(enum site_end *)field = (enum site_end)value;
		return value < SITE_ENDS;
	case COLUMN_TEXT:
		*(const char **)field = texts_at(texts, value);
		return value <= texts_count(texts);
	}
	return false;
}

/* -- writing ----------------------------------------------------------------------------------- */

struct numbered_site {
	uint64_t number;
	const struct site *site;
};

static int compare_numbers(const void *left, const void *right)
{
	const struct numbered_site *a = left, *b = right;

	return (a->number > b->number) - (a->number < b->number);
}

static void forget_values(struct pool *pool)
{
	vec_for_each (known, &pool->sites)
		memset(known->values, 0, sizeof(known->values));
}

static void write_difference(struct code *code, uint64_t value, uint64_t *latest)
{
	int64_t difference = (int64_t)(value - *latest);

	code_signed(code, &difference);
	*latest = value;
}

void values_write(struct code *code, struct pool *pool, const struct snapshot *snapshot, bool whole)
{
	uint64_t count = snapshot->sites.count, number = 0;
	struct numbered_site *sites = mem_array(count + 1, sizeof(*sites));

	if (whole)
		forget_values(pool);
	pool->snapshots++;
	for (size_t i = 0; i < count; i++) {
		sites[i].site = &snapshot->sites.items[i];
		sites[i].number = pool_site(pool, sites[i].site);
	}
	qsort(sites, count, sizeof(*sites), compare_numbers);
	code_number(code, &count);
	for (size_t i = 0; i < count; i++)
		write_difference(code, sites[i].number, &number);
	for (size_t j = 0; j < COLUMNS; j++)
		for (size_t i = 0; i < count; i++)
			write_difference(code,
					 get_value(sites[i].site, &columns[j], snapshot->window_ns,
						   pool->texts),
					 &pool->sites.items[sites[i].number - 1].values[j]);
	mem_free(sites);
}

/* -- reading ----------------------------------------------------------------------------------- */

static uint64_t read_difference(struct code *code, uint64_t *latest)
{
	int64_t difference = 0;

	code_signed(code, &difference);
	*latest += (uint64_t)difference;
	return *latest;
}

/* The sites' numbers, upwards. */
static uint64_t *read_numbers(struct code *code, const struct pool *pool, uint64_t count)
{
	uint64_t *numbers = mem_array(count + 1, sizeof(*numbers));
	uint64_t number = 0;

	for (uint64_t i = 0; i < count && !code->broken; i++) {
		numbers[i] = read_difference(code, &number);
		if (number > pool->sites.count || number <= (i ? numbers[i - 1] : 0))
			code_break(code);
	}
	return numbers;
}

static void read_column(struct code *code, const struct column *column, struct pool *pool,
			const uint64_t *numbers, struct snapshot *snapshot, uint64_t count)
{
	size_t j = (size_t)(column - columns);

	for (uint64_t i = 0; i < count && !code->broken; i++) {
		uint64_t value =
			read_difference(code, &pool->sites.items[numbers[i] - 1].values[j]);

		if (snapshot && !set_value(&snapshot->sites.items[i], column, value,
					   snapshot->window_ns, pool->texts))
			code_break(code);
	}
}

static void add_sites(struct snapshot *snapshot, const struct pool *pool, const uint64_t *numbers,
		      uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		const struct known_site *known = &pool->sites.items[numbers[i] - 1];
		struct site *site = vec_add(&snapshot->sites);

		site->kind = known->kind;
		site->pid = known->pid;
		if (known->stack) {
			site->frames = pool->stacks.items[known->stack - 1].frames;
			site->frame_count = pool->stacks.items[known->stack - 1].count;
		}
	}
}

/* What reports take for granted. */
static bool is_sound(const struct snapshot *snapshot)
{
	vec_for_each (site, &snapshot->sites)
		if (site->young_bytes > site->bytes || site->young_blocks > site->blocks)
			return false;
	return true;
}

void values_read(struct code *code, struct pool *pool, struct snapshot *snapshot, bool whole)
{
	uint64_t count = 0, *numbers;

	if (whole)
		forget_values(pool);
	code_limited(code, &count, code_left(code) / (COLUMNS + 1));
	numbers = read_numbers(code, pool, count);
	if (snapshot && !code->broken)
		add_sites(snapshot, pool, numbers, count);
	for (size_t j = 0; j < COLUMNS; j++)
		read_column(code, &columns[j], pool, numbers, snapshot, count);
	mem_free(numbers);
	if (snapshot && !code->broken && !is_sound(snapshot))
		code_break(code);
}
