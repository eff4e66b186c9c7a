/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sites get the numbers that a recording would give them. */
#include "report/trend.h"

#include "record/pool.h"

/* A ring of what was outstanding. */
struct line {
	uint64_t bytes[TREND_MOMENTS];
};

struct trend {
	struct pool *pool;
	VEC(struct line) lines; /* by number, from 1 */
	uint64_t times_ns[TREND_MOMENTS];
	uint64_t moments; /* in all */
};

struct trend *trend_new(void)
{
	struct trend *trend = mem_alloc(sizeof(*trend));

	trend->pool = pool_new(false);
	trend->moments = 1;
	return trend;
}

void trend_free(struct trend *trend)
{
	if (!trend)
		return;
	pool_free(trend->pool);
	vec_free(&trend->lines);
	mem_free(trend);
}

void trend_forget(struct trend *trend)
{
	pool_free(trend->pool);
	trend->pool = pool_new(false);
	trend->lines.count = 0;
	trend->moments = 0;
}

void trend_numbers(struct trend *trend, const struct snapshot *snapshot, uint64_t *numbers)
{
	trend->pool->snapshots++;
	texts_forget(trend->pool->texts);
	for (size_t i = 0; i < snapshot->sites.count; i++)
		numbers[i] = pool_site(trend->pool, &snapshot->sites.items[i]);
}

void trend_add(struct trend *trend, const struct snapshot *snapshot, bool old)
{
	uint64_t *numbers = mem_array(snapshot->sites.count + 1, sizeof(*numbers));
	size_t slot = trend->moments++ % TREND_MOMENTS;

	trend_numbers(trend, snapshot, numbers);
	trend->times_ns[slot] = snapshot->window_ns;
	vec_for_each (line, &trend->lines)
		line->bytes[slot] = 0;
	for (size_t i = 0; i < snapshot->sites.count; i++) {
		const struct site *site = &snapshot->sites.items[i];

		while (trend->lines.count < numbers[i])
			vec_add(&trend->lines);
		trend->lines.items[numbers[i] - 1].bytes[slot] =
			site->bytes - (old ? site->young_bytes : 0);
	}
	mem_free(numbers);
}

size_t trend_count(const struct trend *trend)
{
	return trend->moments < TREND_MOMENTS ? trend->moments : TREND_MOMENTS;
}

uint64_t trend_bytes(const struct trend *trend, uint64_t number, size_t ago)
{
	if (!number || number > trend->lines.count || ago >= trend_count(trend))
		return 0;
	return trend->lines.items[number - 1].bytes[(trend->moments - 1 - ago) % TREND_MOMENTS];
}

uint64_t trend_span_ns(const struct trend *trend, size_t ago)
{
	if (ago >= trend_count(trend))
		return 0;
	return trend->times_ns[(trend->moments - 1) % TREND_MOMENTS] -
	       trend->times_ns[(trend->moments - 1 - ago) % TREND_MOMENTS];
}
