/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From one stack and its sums to a site of a snapshot. */
#include <math.h>
#include <string.h>

#include "collect/internal.h"

/* -- frames ------------------------------------------------------------------------------------ */

/* The function that the probe stands on; its symbol is known without asking. */
static const char *probed_symbol(const struct stack_frame *frame)
{
	if (!frame->image)
		return NULL;
	vec_for_each (placed, &frame->image->probes) {
		if (placed->probe.function_address == frame->address &&
		    strncmp(placed->symbol, "_Z", 2))
			return placed->symbol;
	}
	return NULL;
}

typedef VEC(struct frame) frame_list;

/* Java's own methods are in none. */
static const char *module_of(const struct stack_frame *from, const struct named *named)
{
	if (from->image && named != from->made)
		return from->image->path;
	return from->image || from->path ? "[perf map]" : NULL;
}

/*
 * Code that was made at run time is made again, elsewhere: where it has a name, its address says
 * nothing more, and would tell stacks apart that are the same.
 */
static void add_frames(struct collect *collect, struct snapshot *snapshot,
		       const struct stack_frame *from, frame_list *frames)
{
	const struct named *named;
	struct frame *frame;

	named = from->made;
	if (from->image && (!named || !named->frames.count))
		named = names_get(collect->names, from->image, from->address);
	if (!named || !named->frames.count) {
		frame = vec_add(frames);
		frame->module = snapshot_string(snapshot, from->path);
		frame->offset = from->address;
		return;
	}
	for (size_t i = 0; i < named->frames.count; i++) {
		const struct named_frame *one = &named->frames.items[i];

		frame = vec_add(frames);
		frame->name = snapshot_string(snapshot, one->name);
		frame->module = snapshot_string(snapshot, module_of(from, named));
		frame->offset = named == from->made && one->name ? 0 : from->address;
		frame->file = snapshot_string(snapshot, one->file);
		frame->line = one->line;
		frame->type = one->type;
	}
}

void collect_site_frames(struct collect *collect, struct snapshot *snapshot,
			 const struct stack *stack, struct site *site)
{
	frame_list frames = { 0 };

	for (size_t i = 0; i < stack->count; i++) {
		const struct stack_frame *from = &stack->frames[i];
		const char *symbol =
			i == 0 && stack->kind == KIND_HEAP ? probed_symbol(from) : NULL;

		if (symbol) {
			struct frame *frame = vec_add(&frames);

			frame->name = snapshot_string(snapshot, symbol);
			frame->module = snapshot_string(snapshot, from->image->path);
			frame->offset = from->address;
		} else {
			add_frames(collect, snapshot, from, &frames);
		}
	}
	site->frames = snapshot_frames(snapshot, frames.items, frames.count);
	site->frame_count = frames.count;
	site->end = (enum site_end)stack->end;
	vec_free(&frames);
}

/* -- figures ----------------------------------------------------------------------------------- */

static void fill_heap(struct site *site, const struct sums *sums)
{
	site->kind = SITE_HEAP;
	site->bytes = sums->heap.live_bytes;
	site->blocks = sums_blocks(sums->heap.live_units);
	site->allocated_bytes = sums->heap.allocated_bytes;
	site->allocated_blocks = sums_blocks(sums->heap.allocated_units);
	site->preexisting_bytes = sums->preexisting_bytes;
	site->sampled_live_blocks = sums->samples;
	site->standard_error_bytes = (uint64_t)sqrt(sums->variance);
}

static void fill_mapping(struct site *site, const struct sums *sums, const struct stack *stack)
{
	site->kind = SITE_MAPPING;
	site->bytes = sums->bytes;
	site->blocks = sums->mappings;
	site->committed_bytes = sums->committed_bytes;
	site->owner = sums->owner;
	if (stack) {
		site->allocated_bytes = stack->allocated_bytes;
		site->allocated_blocks = stack->allocated_blocks;
		if (!site->owner)
			site->owner = stack->owner;
	}
}

static void fill_fault(struct site *site, const struct sums *sums, const struct stack *stack)
{
	site->kind = SITE_FAULT;
	site->bytes = sums->resident_bytes;
	site->blocks = sums->pages;
	site->sampled_live_blocks = sums->samples;
	site->standard_error_bytes = (uint64_t)sqrt(sums->variance);
	if (stack) {
		site->allocated_bytes = stack->allocated_bytes;
		site->allocated_blocks = stack->allocated_blocks;
	}
}

void collect_add_totals(struct heap_totals *heap, struct mapping_totals *mapping,
			struct fault_totals *fault, const struct site *site)
{
	if (site->kind == SITE_FAULT) {
		fault->resident_bytes += site->bytes;
		fault->resident_pages += site->blocks;
		fault->touched_bytes += site->allocated_bytes;
		return;
	}
	if (site->kind == SITE_MAPPING) {
		mapping->live_bytes += site->bytes;
		mapping->committed_bytes += site->committed_bytes;
		mapping->live_mappings += site->blocks;
		return;
	}
	heap->live_bytes += site->bytes;
	heap->live_blocks += site->blocks;
	heap->allocated_bytes += site->allocated_bytes;
	heap->allocated_blocks += site->allocated_blocks;
	heap->freed_bytes += sums_less(site->allocated_bytes, site->bytes);
	heap->freed_blocks += sums_less(site->allocated_blocks, site->blocks);
	heap->preexisting_bytes += site->preexisting_bytes;
}

bool collect_fill_site(struct site *site, const struct sums *sums, const struct stack *stack,
		       uint64_t now_ns)
{
	bool heap = stack ? stack->kind == KIND_HEAP : sums->heap.allocated_bytes > 0;
	bool fault = stack ? stack->kind == KIND_FAULT : sums->pages > 0;

	if (!heap && !fault && !sums->bytes && !sums->committed_bytes &&
	    !(stack && stack->allocated_bytes))
		return false; /* calls that gave nothing: brk(0), mprotect of something old */
	if (heap)
		fill_heap(site, sums);
	else if (fault)
		fill_fault(site, sums, stack);
	else
		fill_mapping(site, sums, stack);
	site->young_bytes = sums->young_bytes < site->bytes ? sums->young_bytes : site->bytes;
	site->young_blocks = sums_blocks(sums->young_units);
	if (site->young_blocks > site->blocks)
		site->young_blocks = site->blocks;
	if (sums->oldest_ns) {
		site->min_age_ns = sums_less(now_ns, sums->youngest_ns);
		site->max_age_ns = sums_less(now_ns, sums->oldest_ns);
	}
	return true;
}

void collect_add_mapped(struct mapping_totals *mapping, const struct ledger_sums *sums)
{
	mapping->mapped_bytes += sums->mapped_bytes;
	mapping->unmapped_bytes += sums->unmapped_bytes;
	mapping->preexisting_unmapped_bytes += sums->preexisting_unmapped_bytes;
}
