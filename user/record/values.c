/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sites as columns of differences. */
#include "record/values.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum column_kind {
	COLUMN_WORD, /* uint64_t */
	COLUMN_AGE, /* the same, kept as when the block was born: that stands still */
	COLUMN_FLAG, /* bool */
	COLUMN_END, /* enum site_end */
	COLUMN_TEXT,
};

/*
 * In the order of the bytes. A new one goes into a section of its own. Most sites have blocks of
 * one size: of bytes only what the difference in blocks does not explain is written.
 */
enum {
	ALLOCATED_BLOCKS,
	ALLOCATED_BYTES,
	BLOCKS,
	BYTES,
	YOUNG_BLOCKS,
	YOUNG_BYTES,
	MIN_AGE,
	MAX_AGE,
	COMMITTED_BYTES,
	RESIDENT_BYTES,
	RESIDENT_KNOWN,
	PREEXISTING_BYTES,
	STANDARD_ERROR_BYTES,
	SAMPLED_BLOCKS,
	SAMPLED_LIVE_BLOCKS,
	UNVERIFIED_BLOCKS,
	UNVERIFIED_BYTES,
	OWNER,
	VERDICT,
	END,
	COLUMNS,
};

static const struct column {
	size_t offset;
	enum column_kind kind;
	bool explained; /* bytes of the blocks that are the column before */
} columns[COLUMNS] = {
	[ALLOCATED_BLOCKS] = { offsetof(struct site, allocated_blocks), COLUMN_WORD, false },
	[ALLOCATED_BYTES] = { offsetof(struct site, allocated_bytes), COLUMN_WORD, true },
	[BLOCKS] = { offsetof(struct site, blocks), COLUMN_WORD, false },
	[BYTES] = { offsetof(struct site, bytes), COLUMN_WORD, true },
	[YOUNG_BLOCKS] = { offsetof(struct site, young_blocks), COLUMN_WORD, false },
	[YOUNG_BYTES] = { offsetof(struct site, young_bytes), COLUMN_WORD, true },
	[MIN_AGE] = { offsetof(struct site, min_age_ns), COLUMN_AGE, false },
	[MAX_AGE] = { offsetof(struct site, max_age_ns), COLUMN_AGE, false },
	[COMMITTED_BYTES] = { offsetof(struct site, committed_bytes), COLUMN_WORD, false },
	[RESIDENT_BYTES] = { offsetof(struct site, resident_bytes), COLUMN_WORD, false },
	[RESIDENT_KNOWN] = { offsetof(struct site, resident_known), COLUMN_FLAG, false },
	[PREEXISTING_BYTES] = { offsetof(struct site, preexisting_bytes), COLUMN_WORD, false },
	[STANDARD_ERROR_BYTES] = { offsetof(struct site, standard_error_bytes), COLUMN_WORD,
				   false },
	[SAMPLED_BLOCKS] = { offsetof(struct site, sampled_blocks), COLUMN_WORD, false },
	[SAMPLED_LIVE_BLOCKS] = { offsetof(struct site, sampled_live_blocks), COLUMN_WORD, false },
	[UNVERIFIED_BLOCKS] = { offsetof(struct site, unverified_blocks), COLUMN_WORD, false },
	[UNVERIFIED_BYTES] = { offsetof(struct site, unverified_bytes), COLUMN_WORD, true },
	[OWNER] = { offsetof(struct site, owner), COLUMN_TEXT, false },
	[VERDICT] = { offsetof(struct site, verdict), COLUMN_TEXT, false },
	[END] = { offsetof(struct site, end), COLUMN_END, false },
};

_Static_assert((int)COLUMNS == (int)SITE_VALUES, "a known site keeps each column's value");

_Static_assert(sizeof(struct site) == 232, "everything in a site but its id is recorded");

/* Added to a birth, in units since the window opened: tells that moment from none. */
#define BIRTH_BASE (1ull << 42)

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
		return age ? (window_ns - age + BIRTH_BASE * BIRTH_UNIT_NS) / BIRTH_UNIT_NS : 0;
	case COLUMN_FLAG:
		return *(const bool *)field;
	case COLUMN_END:
		return *(const enum site_end *)field;
	case COLUMN_TEXT:
		return texts_number(texts, *(const char *const *)field);
	}
	return 0;
}

/* Of what is not 0: that is there already. false: it cannot be. */
static bool set_value(struct site *site, const struct column *column, uint64_t value,
		      uint64_t window_ns, const struct texts *texts)
{
	void *field = (char *)site + column->offset;

	switch (column->kind) {
	case COLUMN_WORD:
		*(uint64_t *)field = value;
		return true;
	case COLUMN_AGE:
		*(uint64_t *)field = window_ns - (value - BIRTH_BASE) * BIRTH_UNIT_NS;
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

/*
 * What column's difference is taken for: the blocks that are more times the size of one, as all
 * that were ever allocated say. known's values are this snapshot's up to the column before, of
 * which blocks is the latest.
 */
static uint64_t explained(const struct column *column, const struct known_site *known,
			  uint64_t blocks)
{
	size_t of_blocks = (size_t)(column - columns) - 1;
	uint64_t all;

	if (known->values[of_blocks] == blocks)
		return 0;
	all = of_blocks == ALLOCATED_BLOCKS ? blocks : known->values[ALLOCATED_BLOCKS];

	return all ? (known->values[of_blocks] - blocks) * (known->values[ALLOCATED_BYTES] / all)
		   : 0;
}

static void write_column(struct code *code, const struct column *column, struct pool *pool,
			 const struct numbered_site *sites, const struct snapshot *snapshot,
			 uint64_t *before)
{
	size_t j = (size_t)(column - columns);

	for (size_t i = 0; i < snapshot->sites.count; i++) {
		struct known_site *known = &pool->sites.items[sites[i].number - 1];
		uint64_t value = get_value(sites[i].site, column, snapshot->window_ns, pool->texts);
		uint64_t latest = known->values[j];
		int64_t difference = (int64_t)(value - latest);

		if (column->explained)
			difference -= (int64_t)explained(column, known, before[i]);
		code_signed(code, &difference);
		known->values[j] = value;
		before[i] = latest;
	}
}

void values_write(struct code *code, struct pool *pool, const struct snapshot *snapshot)
{
	uint64_t count = snapshot->sites.count, number = 0, *before;
	struct numbered_site *sites = mem_array(count + 1, sizeof(*sites));

	pool->snapshots++;
	for (size_t i = 0; i < count; i++) {
		sites[i].site = &snapshot->sites.items[i];
		sites[i].number = pool_site(pool, sites[i].site);
	}
	qsort(sites, count, sizeof(*sites), compare_numbers);
	code_number(code, &count);
	for (size_t i = 0; i < count; i++) {
		int64_t difference = (int64_t)(sites[i].number - number);

		code_signed(code, &difference);
		number = sites[i].number;
	}
	before = mem_array(count + 1, sizeof(*before));
	for (size_t j = 0; j < COLUMNS; j++)
		write_column(code, &columns[j], pool, sites, snapshot, before);
	mem_free(before);
	mem_free(sites);
}

/* -- reading ----------------------------------------------------------------------------------- */

/* The sites' numbers, upwards. */
static uint64_t *read_numbers(struct code *code, const struct pool *pool, uint64_t count)
{
	uint64_t *numbers = mem_array(count + 1, sizeof(*numbers));
	uint64_t number = 0;
	int64_t difference = 0;

	for (uint64_t i = 0; i < count && !code->broken; i++) {
		code_signed(code, &difference);
		numbers[i] = number += (uint64_t)difference;
		if (number > pool->sites.count || number <= (i ? numbers[i - 1] : 0))
			code_break(code);
	}
	return numbers;
}

static void read_column(struct code *code, const struct column *column, struct pool *pool,
			const uint64_t *numbers, struct snapshot *snapshot, uint64_t count,
			uint64_t *before)
{
	size_t j = (size_t)(column - columns);
	int64_t difference = 0;

	for (uint64_t i = 0; i < count && !code->broken; i++) {
		struct known_site *known = &pool->sites.items[numbers[i] - 1];
		uint64_t latest = known->values[j], value;

		code_signed(code, &difference);
		value = latest + (uint64_t)difference;
		if (column->explained)
			value += explained(column, known, before[i]);
		known->values[j] = value;
		before[i] = latest;
		if (value && snapshot &&
		    !set_value(&snapshot->sites.items[i], column, value, snapshot->window_ns,
			       pool->texts))
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

/* The sum over all sites is a number that has a difference to any other. */
static bool adds_up(const struct snapshot *snapshot, const struct column *column)
{
	uint64_t sum = 0;

	vec_for_each (site, &snapshot->sites) {
		uint64_t value = *(const uint64_t *)((const char *)site + column->offset);

		if (value > INT64_MAX - sum)
			return false;
		sum += value;
	}
	return true;
}

/* What reports take for granted: they sum up groups of sites, and tell how they have grown. */
static bool is_sound(const struct snapshot *snapshot)
{
	vec_for_each (site, &snapshot->sites)
		if (site->young_bytes > site->bytes || site->young_blocks > site->blocks)
			return false;
	for (size_t i = 0; i < COLUMNS; i++)
		if (columns[i].kind == COLUMN_WORD && !adds_up(snapshot, &columns[i]))
			return false;
	return true;
}

void values_read(struct code *code, struct pool *pool, struct snapshot *snapshot)
{
	uint64_t count = 0, *numbers, *before;

	code_limited(code, &count, code_left(code) / (COLUMNS + 1));
	numbers = read_numbers(code, pool, count);
	if (snapshot && !code->broken)
		add_sites(snapshot, pool, numbers, count);
	before = mem_array(count + 1, sizeof(*before));
	for (size_t j = 0; j < COLUMNS; j++)
		read_column(code, &columns[j], pool, numbers, snapshot, count, before);
	mem_free(before);
	mem_free(numbers);
	if (snapshot && !code->broken && !is_sound(snapshot))
		code_break(code);
}
