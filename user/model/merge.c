/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/merge.h"

#include <math.h>
#include <string.h>

#define uthash_malloc(bytes) mem_alloc(bytes)
#define uthash_free(memory, bytes) mem_free(memory)
#include <uthash.h>

static void merge_ages(struct site *into, const struct site *site)
{
	if (!site->max_age_ns)
		return;
	if (!into->max_age_ns || site->min_age_ns < into->min_age_ns)
		into->min_age_ns = site->min_age_ns;
	if (site->max_age_ns > into->max_age_ns)
		into->max_age_ns = site->max_age_ns;
}

void site_merge(struct site *into, const struct site *site)
{
	merge_ages(into, site);
	into->bytes += site->bytes;
	into->blocks += site->blocks;
	into->allocated_bytes += site->allocated_bytes;
	into->allocated_blocks += site->allocated_blocks;
	into->committed_bytes += site->committed_bytes;
	into->resident_bytes += site->resident_bytes;
	into->resident_known &= site->resident_known;
	into->young_bytes += site->young_bytes;
	into->young_blocks += site->young_blocks;
	into->preexisting_bytes += site->preexisting_bytes;
	into->standard_error_bytes += site->standard_error_bytes;
	into->sampled_blocks += site->sampled_blocks;
	into->sampled_live_blocks += site->sampled_live_blocks;
	into->unverified_bytes += site->unverified_bytes;
	into->unverified_blocks += site->unverified_blocks;
	into->before_bytes += site->before_bytes;
	into->before_blocks += site->before_blocks;
	if (into->owner != site->owner)
		into->owner = NULL;
	if (into->verdict != site->verdict)
		into->verdict = NULL;
}

/* A site by all that it has in common with those that are the same. */
struct known {
	size_t site;
	UT_hash_handle hh;
	size_t bytes; /* of what follows */
	struct {
		const char *owner;
		uint32_t kind, end;
		int64_t pid;
	} head;
	struct frame frames[];
};

_Static_assert(sizeof(struct frame) == 4 * 8 + 2 * 4, "padding is compared, too");

/* Texts are equal where their addresses are. */
static struct known *known_of(const struct site *site)
{
	size_t bytes = site->frame_count * sizeof(*site->frames);
	struct known *known = mem_alloc(sizeof(*known) + bytes);

	known->head.owner = site->owner;
	known->head.kind = site->kind;
	known->head.end = site->end;
	known->head.pid = site->pid;
	known->bytes = sizeof(known->head) + bytes;
	if (bytes)
		memcpy(known->frames, site->frames, bytes);
	return known;
}

static void merge_same(struct site *into, const struct site *site)
{
	double error =
		hypot((double)into->standard_error_bytes, (double)site->standard_error_bytes);
	const char *verdict = site->bytes > into->bytes ? site->verdict : into->verdict;

	site_merge(into, site);
	into->standard_error_bytes = (uint64_t)error;
	into->verdict = verdict;
}

void snapshot_merge(struct snapshot *snapshot, size_t first)
{
	struct known *all = NULL, *known, *same, *next;
	size_t count = first;

	for (size_t i = first; i < snapshot->sites.count; i++) {
		const struct site *site = &snapshot->sites.items[i];

		if (!site->frame_count) { /* a lost stack may be any */
			snapshot->sites.items[count++] = *site;
			continue;
		}
		known = known_of(site);
		HASH_FIND(hh, all, &known->head, known->bytes, same);
		if (same) {
			merge_same(&snapshot->sites.items[same->site], site);
			mem_free(known);
			continue;
		}
		known->site = count;
		HASH_ADD_KEYPTR(hh, all, &known->head, known->bytes, known);
		snapshot->sites.items[count++] = *site;
	}
	snapshot->sites.count = count;
	HASH_ITER (hh, all, known, next) {
		HASH_DEL(all, known);
		mem_free(known);
	}
}
