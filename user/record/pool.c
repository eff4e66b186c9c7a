/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What snapshots share. */
#include "record/pool.h"

#include <string.h>

#include "model/strings.h"

struct pool *pool_new(bool reads)
{
	struct pool *pool = mem_alloc(sizeof(*pool));

	if (reads) {
		pool->strings = strings_new();
	} else {
		pool->new_frames.numbers = numbers_new();
		pool->new_stacks.numbers = numbers_new();
		pool->new_sites.numbers = numbers_new();
	}
	pool->texts = texts_new(pool->strings);
	pool->scratch.texts = pool->texts;
	return pool;
}

static void table_free(struct pool_table *table)
{
	numbers_free(table->numbers);
	code_free(&table->fresh);
}

void pool_free(struct pool *pool)
{
	if (!pool)
		return;
	table_free(&pool->new_frames);
	table_free(&pool->new_stacks);
	table_free(&pool->new_sites);
	code_free(&pool->scratch);
	vec_free(&pool->frames);
	vec_free(&pool->stacks);
	vec_free(&pool->sites);
	texts_free(pool->texts);
	strings_free(pool->strings);
	mem_free(pool);
}

/* -- things, both ways ------------------------------------------------------------------------- */

static void code_frame(struct code *code, struct frame *frame)
{
	uint64_t line = frame->line, type = frame->type;

	code_text(code, &frame->name);
	code_text(code, &frame->module);
	code_number(code, &frame->offset);
	code_text(code, &frame->file);
	code_limited(code, &line, UINT32_MAX);
	code_limited(code, &type, FRAME_KERNEL);
	frame->line = (uint32_t)line;
	frame->type = (enum frame_type)type;
}

static void code_known_site(struct code *code, struct known_site *site, uint64_t stacks)
{
	uint64_t kind = site->kind;

	code_limited(code, &kind, SITE_KINDS - 1);
	code_pid(code, &site->pid);
	code_limited(code, &site->stack, stacks);
	code_number(code, &site->occurrence);
	site->kind = (enum site_kind)kind;
}

/* -- writing ----------------------------------------------------------------------------------- */

/* The number of what is in pool->scratch. */
static uint64_t take(struct pool *pool, struct pool_table *table, bool *fresh)
{
	struct code *scratch = &pool->scratch;
	uint64_t number =
		numbers_of(table->numbers, scratch->bytes.items, scratch->bytes.count, fresh);

	if (*fresh) {
		code_raw(&table->fresh, scratch->bytes.items, scratch->bytes.count);
		table->fresh_count++;
	}
	scratch->bytes.count = 0;
	return number;
}

static uint64_t stack_number(struct pool *pool, const struct site *site)
{
	VEC(uint64_t) numbers = { 0 };
	uint64_t count = site->frame_count, number;
	bool fresh;

	if (!count)
		return 0;
	for (size_t i = 0; i < count; i++) {
		struct frame frame = site->frames[i];

		code_frame(&pool->scratch, &frame);
		*vec_add(&numbers) = take(pool, &pool->new_frames, &fresh);
	}
	code_number(&pool->scratch, &count);
	vec_for_each (each, &numbers)
		code_number(&pool->scratch, each);
	number = take(pool, &pool->new_stacks, &fresh);
	vec_free(&numbers);
	return number;
}

static uint64_t known_number(struct pool *pool, struct known_site *known)
{
	uint64_t number;
	bool fresh;

	code_known_site(&pool->scratch, known, UINT64_MAX);
	number = take(pool, &pool->new_sites, &fresh);
	if (fresh)
		*vec_add(&pool->sites) = *known;
	return number;
}

uint64_t pool_site(struct pool *pool, const struct site *site)
{
	struct known_site known = {
		.kind = site->kind,
		.pid = site->pid,
		.stack = stack_number(pool, site),
	};
	uint64_t number = known_number(pool, &known);
	struct known_site *first = &pool->sites.items[number - 1];

	if (first->seen != pool->snapshots) {
		first->seen = pool->snapshots;
		first->equals = 0;
	}
	known.occurrence = first->equals++;
	return known.occurrence ? known_number(pool, &known) : number;
}

void pool_forget_sites(struct pool *pool)
{
	pool->sites.count = 0;
	if (!pool->new_sites.numbers)
		return;
	numbers_free(pool->new_sites.numbers);
	pool->new_sites.numbers = numbers_new();
}

static void write_table(struct pool_table *table, struct code *code)
{
	code_number(code, &table->fresh_count);
	code_raw(code, table->fresh.bytes.items, table->fresh.bytes.count);
	table->fresh.bytes.count = 0;
	table->fresh_count = 0;
}

/* -- both ways --------------------------------------------------------------------------------- */

static void write_texts(struct pool *pool, struct code *code)
{
	uint64_t count = texts_waiting(pool->texts);
	const char *text;

	code_number(code, &count);
	while ((text = texts_take(pool->texts)))
		code_put_bytes(code, text, strlen(text));
}

void pool_code_texts(struct pool *pool, struct code *code)
{
	uint64_t left = 0;
	const void *bytes;
	size_t count;

	if (!code->reads) {
		write_texts(pool, code);
		return;
	}
	for (code_number(code, &left); left && !code->broken; left--) {
		bytes = code_take_bytes(code, &count);
		if (count && memchr(bytes, '\0', count))
			code_break(code);
		if (!code->broken)
			texts_put(pool->texts, bytes, count);
	}
}

void pool_code_frames(struct pool *pool, struct code *code)
{
	uint64_t left = 0;

	if (!code->reads) {
		write_table(&pool->new_frames, code);
		return;
	}
	for (code_number(code, &left); left && !code->broken; left--)
		code_frame(code, vec_add(&pool->frames));
}

/* A stack's frames are all there, one after another: what reads a snapshot wants them so. */
static void read_stack(struct pool *pool, struct code *code)
{
	struct stack *stack = vec_add(&pool->stacks);
	uint64_t count = 0, number = 0;
	struct frame *frames;

	code_limited(code, &count, code_left(code));
	if (!count || pool->frames_in_stacks + count > POOL_FRAMES_MAX)
		code_break(code);
	if (code->broken)
		return;
	pool->frames_in_stacks += count;
	frames = mem_array(count, sizeof(*frames));
	for (uint64_t i = 0; i < count; i++) {
		code_limited(code, &number, pool->frames.count);
		if (number)
			frames[i] = pool->frames.items[number - 1];
		else
			code_break(code);
	}
	stack->frames = strings_copy(pool->strings, frames, count * sizeof(*frames));
	stack->count = count;
	mem_free(frames);
}

void pool_code_stacks(struct pool *pool, struct code *code)
{
	uint64_t left = 0;

	if (!code->reads) {
		write_table(&pool->new_stacks, code);
		return;
	}
	for (code_number(code, &left); left && !code->broken; left--)
		read_stack(pool, code);
}

void pool_code_sites(struct pool *pool, struct code *code)
{
	uint64_t left = 0;

	if (!code->reads) {
		write_table(&pool->new_sites, code);
		return;
	}
	for (code_number(code, &left); left && !code->broken; left--) {
		if (pool->sites.count >= POOL_SITES_MAX)
			code_break(code);
		else
			code_known_site(code, vec_add(&pool->sites), pool->stacks.count);
	}
}
