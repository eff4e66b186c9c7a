/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sums by stack: from the kernel side's maps, its live blocks and a ledger. */
#include "collect/sums.h"

#include <errno.h>
#include <stdlib.h>

#include <bpf/bpf.h>

#include "base/vec.h"
#include "model/classes.h"

struct sums *sums_find(struct sums *table, uint64_t stack_id)
{
	struct sums *sums;

	HASH_FIND(hh, table, &stack_id, sizeof(stack_id), sums);
	return sums;
}

struct sums *sums_get(struct sums **table, uint64_t stack_id)
{
	struct sums *sums = sums_find(*table, stack_id);

	if (sums)
		return sums;
	sums = mem_alloc(sizeof(*sums));
	sums->stack_id = stack_id;
	HASH_ADD(hh, *table, stack_id, sizeof(sums->stack_id), sums);
	return sums;
}

void sums_clear(struct sums **table)
{
	struct sums *sums, *next;

	HASH_ITER (hh, *table, sums, next) {
		HASH_DEL(*table, sums);
		mem_free(sums);
	}
}

static void sums_time(struct sums *sums, uint64_t time_ns)
{
	if (time_ns > sums->youngest_ns)
		sums->youngest_ns = time_ns;
	if (!sums->oldest_ns || time_ns < sums->oldest_ns)
		sums->oldest_ns = time_ns;
}

static bool is_young(const struct moment *moment, uint64_t time_ns)
{
	return sums_less(moment->now_ns, time_ns) < moment->min_age_ns;
}

void sums_block(struct sums *sums, const struct abi_block *block, const struct moment *moment)
{
	uint64_t bytes = abi_weight_bytes(block, moment->sample_bytes);

	sums_time(sums, block->time_ns);
	if (is_young(moment, block->time_ns)) {
		sums->young_bytes += bytes;
		sums->young_units += abi_weight_units(block, moment->sample_bytes);
	}
	if (block->flags & BLOCK_PREEXISTING)
		sums->preexisting_bytes += block->bytes;
	if (block->time_ns >= moment->exact_since_ns) {
		sums->verified_bytes += bytes;
		sums->verified_units += abi_weight_units(block, moment->sample_bytes);
	}
	sums->samples += (block->flags & BLOCK_SAMPLED) != 0;
	/* Horvitz and Thompson's: (1 - p) / p^2 * s^2 of each; 0 of those that are always kept. */
	sums->variance += (double)bytes * (double)(bytes - block->bytes);
}

void sums_page(struct sums *sums, uint64_t bytes, uint64_t time_ns, const struct moment *moment)
{
	sums_time(sums, time_ns);
	sums->resident_bytes += bytes * ABI_FAULTS;
	sums->pages += ABI_FAULTS;
	if (is_young(moment, time_ns)) {
		sums->young_bytes += bytes * ABI_FAULTS;
		sums->young_units += ABI_FAULTS * ABI_BLOCK_UNITS;
	}
	sums->samples++;
	sums->variance += (double)(bytes * ABI_FAULTS) * (double)(bytes * (ABI_FAULTS - 1));
}

/* -- reading maps in batches ------------------------------------------------------------------- */

/* A bucket longer than the batch asks for a larger one (ENOSPC). */
int sums_read(int map_fd, size_t key_bytes, size_t value_bytes, sums_take_fn take, void *context)
{
	uint32_t room = 16384, count;
	uint64_t cursor = 0;
	bool started = false;
	int error = 0;

	while (!error) {
		char *keys = mem_array(room, key_bytes), *values = mem_array(room, value_bytes);

		count = room;
		if (bpf_map_lookup_batch(map_fd, started ? &cursor : NULL, &cursor, keys, values,
					 &count, NULL))
			error = -errno;
		if (error == -ENOSPC && room < 1U << 24) {
			room *= 4;
			error = 0;
			count = 0;
		} else {
			started = true;
		}
		if (error && error != -ENOENT)
			count = 0;
		for (uint32_t i = 0; i < count; i++)
			take(context, keys + i * key_bytes, values + i * value_bytes);
		mem_free(keys);
		mem_free(values);
	}
	return error == -ENOENT ? 0 : error;
}

/* -- ledgers ----------------------------------------------------------------------------------- */

/* A part of a mapping: one mapping with a hole is two pieces, and counts once. */
struct part {
	uint64_t site, id;
	bool young;
};

struct visit {
	struct sums **table;
	const struct moment *moment;
	VEC(struct part) parts;
};

static const char *interval_owner(const struct ledger_interval *interval)
{
	if (interval->arena)
		return class_name(CLASS_ARENA);
	if (interval->brk)
		return class_name(CLASS_MAIN_HEAP);
	return interval->allocator ? class_name(CLASS_MMAPPED_BLOCK) : NULL;
}

static void take_interval(const struct ledger_interval *interval, void *context)
{
	struct visit *visit = context;
	uint64_t bytes = interval->end - interval->start;
	bool young = is_young(visit->moment, interval->time_ns);
	struct sums *sums;

	if (interval->committed && interval->commit_site) {
		sums = sums_get(visit->table, interval->commit_site);
		sums->committed_bytes += bytes;
		if (!sums->owner)
			sums->owner = interval_owner(interval);
	}
	if (!interval->site)
		return;
	sums = sums_get(visit->table, interval->site);
	sums->bytes += bytes;
	if (interval_owner(interval))
		sums->owner = interval_owner(interval);
	sums_time(sums, interval->time_ns);
	if (young)
		sums->young_bytes += bytes;
	*vec_add(&visit->parts) = (struct part){ interval->site, interval->id, young };
}

static int part_compare(const void *a, const void *b)
{
	const struct part *one = a, *two = b;

	if (one->site != two->site)
		return one->site < two->site ? -1 : 1;
	if (one->id != two->id)
		return one->id < two->id ? -1 : 1;
	return one->young - two->young;
}

/* Sorted, the first part of a mapping is young only if all of them are. */
static void count_mappings(struct visit *visit)
{
	const struct part *before = NULL;

	if (visit->parts.count)
		qsort(visit->parts.items, visit->parts.count, sizeof(struct part), part_compare);
	vec_for_each (part, &visit->parts) {
		if (!before || before->site != part->site || before->id != part->id) {
			struct sums *sums = sums_get(visit->table, part->site);

			sums->mappings++;
			sums->young_units += part->young ? ABI_BLOCK_UNITS : 0;
		}
		before = part;
	}
}

void sums_ledger(struct sums **table, const struct ledger *ledger, const struct moment *moment)
{
	struct visit visit = { .table = table, .moment = moment };

	ledger_visit(ledger, take_interval, &visit);
	ledger_visit_grown(ledger, take_interval, &visit);
	count_mappings(&visit);
	vec_free(&visit.parts);
}
