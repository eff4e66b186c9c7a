/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From the kernel's sums, the live blocks and the ledgers to the sites of a snapshot. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/error.h"
#include "collect/internal.h"
#include "collect/serving.h"
#include "collect/skeleton.h"
#include "model/classes.h"

/* What is known of one stack of one address space, before it has names. */
struct sums {
	struct abi_site_key key;
	struct abi_site heap;
	uint64_t young_bytes, young_blocks, preexisting_bytes; /* young: also of mappings */
	uint64_t youngest_ns, oldest_ns; /* times of allocation; oldest 0: none */
	uint64_t bytes, committed_bytes, mappings; /* mapping */
	const char *owner;
	UT_hash_handle hh;
};

struct harvest {
	struct collect *collect;
	struct snapshot *snapshot;
	struct sums *sums;
	uint64_t now_ns;
	/* of the ledger being visited */
	uint64_t mm;
	VEC(struct piece) pieces;
};

/* A part of a mapping: one mapping with a hole is two pieces, and counts once. */
struct piece {
	uint64_t site, id;
	bool young;
};

/* While the target runs, one sum is read after another, and a later one may be ahead. */
static uint64_t less(uint64_t from, uint64_t what)
{
	return from > what ? from - what : 0;
}

static struct sums *sums_get(struct harvest *harvest, uint64_t mm, uint64_t stack_id)
{
	struct abi_site_key key = { .mm = mm, .stack_id = stack_id };
	struct sums *sums;

	HASH_FIND(hh, harvest->sums, &key, sizeof(key), sums);
	if (sums)
		return sums;
	sums = mem_alloc(sizeof(*sums));
	sums->key = key;
	HASH_ADD(hh, harvest->sums, key, sizeof(sums->key), sums);
	return sums;
}

static void sums_time(struct sums *sums, uint64_t time_ns)
{
	if (time_ns > sums->youngest_ns)
		sums->youngest_ns = time_ns;
	if (!sums->oldest_ns || time_ns < sums->oldest_ns)
		sums->oldest_ns = time_ns;
}

static bool is_young(const struct harvest *harvest, uint64_t time_ns)
{
	return less(harvest->now_ns, time_ns) < harvest->snapshot->min_age_ns;
}

/* -- reading hash maps in batches -------------------------------------------------------------- */

/* Calls take for each element. A bucket longer than the batch asks for a larger one (ENOSPC). */
static int read_map(int fd, size_t key_bytes, size_t value_bytes,
		    void (*take)(struct harvest *harvest, const void *key, const void *value),
		    struct harvest *harvest)
{
	uint32_t room = 16384, count;
	uint64_t cursor = 0;
	bool started = false;
	int error = 0;

	while (!error) {
		char *keys = mem_array(room, key_bytes), *values = mem_array(room, value_bytes);

		count = room;
		if (bpf_map_lookup_batch(fd, started ? &cursor : NULL, &cursor, keys, values,
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
			take(harvest, keys + i * key_bytes, values + i * value_bytes);
		mem_free(keys);
		mem_free(values);
	}
	return error == -ENOENT ? 0 : error;
}

static void take_site(struct harvest *harvest, const void *key, const void *value)
{
	const struct abi_site_key *site = key;

	sums_get(harvest, site->mm, site->stack_id)->heap = *(const struct abi_site *)value;
}

static void take_block(struct harvest *harvest, const void *key, const void *value)
{
	const struct abi_block_key *at = key;
	const struct abi_block *block = value;
	struct sums *sums = sums_get(harvest, at->mm, block->stack_id);

	sums_time(sums, block->time_ns);
	if (is_young(harvest, block->time_ns)) {
		sums->young_bytes += block->bytes;
		sums->young_blocks++;
	}
	if (block->flags & BLOCK_PREEXISTING)
		sums->preexisting_bytes += block->bytes;
}

static void take_bucket(struct harvest *harvest, const void *key, const void *value)
{
	const struct abi_bucket *bucket = value;

	(void)key;
	for (int i = 0; i < ABI_SLOTS; i++) {
		if (bucket->slots[i].key.address)
			take_block(harvest, &bucket->slots[i].key, &bucket->slots[i].block);
	}
}

/* -- ledgers ----------------------------------------------------------------------------------- */

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
	struct harvest *harvest = context;
	uint64_t bytes = interval->end - interval->start;
	struct sums *sums;

	if (interval->committed && interval->commit_site) {
		sums = sums_get(harvest, harvest->mm, interval->commit_site);
		sums->committed_bytes += bytes;
		if (!sums->owner)
			sums->owner = interval_owner(interval);
	}
	if (!interval->site)
		return;
	sums = sums_get(harvest, harvest->mm, interval->site);
	sums->bytes += bytes;
	if (interval_owner(interval))
		sums->owner = interval_owner(interval);
	sums_time(sums, interval->time_ns);
	if (is_young(harvest, interval->time_ns))
		sums->young_bytes += bytes;
	*vec_add(&harvest->pieces) = (struct piece){ interval->site, interval->id,
						     is_young(harvest, interval->time_ns) };
}

static int piece_compare(const void *a, const void *b)
{
	const struct piece *one = a, *two = b;

	if (one->site != two->site)
		return one->site < two->site ? -1 : 1;
	if (one->id != two->id)
		return one->id < two->id ? -1 : 1;
	return one->young - two->young;
}

/* Sorted, the first piece of a mapping is young only if all of them are. */
static void count_mappings(struct harvest *harvest)
{
	const struct piece *before = NULL;

	if (harvest->pieces.count)
		qsort(harvest->pieces.items, harvest->pieces.count, sizeof(struct piece),
		      piece_compare);
	vec_for_each (piece, &harvest->pieces) {
		if (!before || before->site != piece->site || before->id != piece->id) {
			struct sums *sums = sums_get(harvest, harvest->mm, piece->site);

			sums->mappings++;
			sums->young_blocks += piece->young;
		}
		before = piece;
	}
}

static void take_ledger(struct harvest *harvest, const struct watched *watched)
{
	struct mapping_totals *totals = &harvest->snapshot->mapping_totals;
	struct ledger_sums sums = ledger_sums(watched->ledger);

	harvest->mm = watched->mm;
	harvest->pieces.count = 0;
	ledger_visit(watched->ledger, take_interval, harvest);
	ledger_visit_grown(watched->ledger, take_interval, harvest);
	count_mappings(harvest);
	totals->mapped_bytes += sums.mapped_bytes;
	totals->unmapped_bytes += sums.unmapped_bytes;
	totals->preexisting_unmapped_bytes += sums.preexisting_unmapped_bytes;
}

/* -- sites ------------------------------------------------------------------------------------- */

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

static void add_frames(struct harvest *harvest, const struct stack_frame *from, frame_list *frames)
{
	struct snapshot *snapshot = harvest->snapshot;
	const struct named *named;
	struct frame *frame;

	if (!from->image && !from->java) {
		frame = vec_add(frames);
		frame->module = snapshot_string(snapshot, from->path);
		frame->offset = from->address;
		return;
	}
	named = from->java;
	if (!named)
		named = names_get(harvest->collect->names, from->image, from->address);
	for (size_t i = 0; named && i < named->frames.count; i++) {
		const struct named_frame *one = &named->frames.items[i];

		frame = vec_add(frames);
		frame->name = snapshot_string(snapshot, one->name);
		frame->module = snapshot_string(snapshot, from->image ? from->image->path : NULL);
		frame->offset = from->address;
		frame->file = snapshot_string(snapshot, one->file);
		frame->line = one->line;
		frame->type = one->type;
	}
}

static void site_frames(struct harvest *harvest, const struct stack *stack, struct site *site)
{
	frame_list frames = { 0 };

	for (size_t i = 0; i < stack->count; i++) {
		const struct stack_frame *from = &stack->frames[i];
		const char *symbol =
			i == 0 && stack->kind == KIND_HEAP ? probed_symbol(from) : NULL;

		if (symbol) {
			struct frame *frame = vec_add(&frames);

			frame->name = snapshot_string(harvest->snapshot, symbol);
			frame->module = snapshot_string(harvest->snapshot, from->image->path);
			frame->offset = from->address;
		} else {
			add_frames(harvest, from, &frames);
		}
	}
	site->frames = snapshot_frames(harvest->snapshot, frames.items, frames.count);
	site->frame_count = frames.count;
	site->end = (enum site_end)stack->end;
	vec_free(&frames);
}

static void fill_heap(struct site *site, const struct sums *sums)
{
	site->kind = SITE_HEAP;
	site->bytes = sums->heap.live_bytes;
	site->blocks = sums->heap.live_blocks;
	site->allocated_bytes = sums->heap.allocated_bytes;
	site->allocated_blocks = sums->heap.allocated_blocks;
	site->preexisting_bytes = sums->preexisting_bytes;
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

static void add_totals(struct snapshot *snapshot, const struct site *site)
{
	struct heap_totals *heap = &snapshot->heap_totals;
	struct mapping_totals *mapping = &snapshot->mapping_totals;

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
	heap->freed_bytes += less(site->allocated_bytes, site->bytes);
	heap->freed_blocks += less(site->allocated_blocks, site->blocks);
	heap->preexisting_bytes += site->preexisting_bytes;
}

/* A stack that never made it through the ring has sums, and no frames. */
static void add_site(struct harvest *harvest, struct watched *watched, const struct sums *sums,
		     const struct stack *stack)
{
	bool heap = stack ? stack->kind == KIND_HEAP : sums->heap.allocated_bytes > 0;
	struct site *site;

	if (!heap && !sums->bytes && !sums->committed_bytes && !(stack && stack->allocated_bytes))
		return; /* calls that gave nothing: brk(0), mprotect of something old */
	site = vec_add(&harvest->snapshot->sites);
	site->pid = watched->pid;
	if (heap)
		fill_heap(site, sums);
	else
		fill_mapping(site, sums, stack);
	site->young_bytes = sums->young_bytes < site->bytes ? sums->young_bytes : site->bytes;
	site->young_blocks = sums->young_blocks < site->blocks ? sums->young_blocks : site->blocks;
	if (sums->oldest_ns) {
		site->min_age_ns = less(harvest->now_ns, sums->youngest_ns);
		site->max_age_ns = less(harvest->now_ns, sums->oldest_ns);
	}
	harvest->collect->lost_stacks += !stack;
	site->end = SITE_END_LOST;
	if (stack)
		site_frames(harvest, stack, site);
	if (heap && stack && stack->count)
		serving_add(watched, stack->frames[0].image, site->allocated_blocks);
	add_totals(harvest->snapshot, site);
}

/* -- the whole --------------------------------------------------------------------------------- */

/* What a process held when it ended is history, unless nothing else is left to report. */
static bool counts(const struct collect *collect, const struct watched *watched)
{
	if (watched->state == WATCHED_RUNNING)
		return true;
	vec_for_each (other, &collect->watched) {
		if ((*other)->state == WATCHED_RUNNING)
			return false;
	}
	return true;
}

static struct stack *stack_of(struct collect *collect, const struct sums *sums)
{
	struct stack *stack;

	HASH_FIND(hh, collect->stacks, &sums->key, sizeof(sums->key), stack);
	return stack;
}

static void name_stacks(struct harvest *harvest)
{
	struct collect *collect = harvest->collect;

	for (struct sums *sums = harvest->sums; sums; sums = sums->hh.next) {
		struct stack *stack = stack_of(collect, sums);

		for (size_t i = 0; stack && i < stack->count; i++) {
			if (stack->frames[i].image)
				names_want(collect->names, stack->frames[i].image,
					   stack->frames[i].address);
		}
	}
	names_resolve(collect->names);
}

static void add_sites(struct harvest *harvest)
{
	struct collect *collect = harvest->collect;

	collect->lost_stacks = 0;
	vec_for_each (watched, &collect->watched)
		serving_reset(*watched);
	for (struct sums *sums = harvest->sums; sums; sums = sums->hh.next) {
		struct stack *stack = stack_of(collect, sums);
		struct watched *watched =
			stack ? stack->watched : collect_watched_mm(collect, sums->key.mm);

		if (watched && counts(collect, watched))
			add_site(harvest, watched, sums, stack);
	}
}

static const char *exit_text(struct snapshot *snapshot, const struct watched *watched)
{
	char text[64];
	int code = watched->exit_code;

	if (watched->state != WATCHED_EXITED || code < 0)
		return NULL;
	if (WIFSIGNALED(code))
		snprintf(text, sizeof(text), "killed by signal %d", WTERMSIG(code));
	else
		snprintf(text, sizeof(text), "exit status %d", WEXITSTATUS(code));
	return snapshot_string(snapshot, text);
}

static void add_processes(struct harvest *harvest)
{
	static const char *const states[] = { "running", "exited", "replaced" };
	struct snapshot *snapshot = harvest->snapshot;
	size_t ended = 0;

	vec_for_each (item, &harvest->collect->watched) {
		const struct watched *watched = *item;
		struct process *process = vec_add(&snapshot->processes);
		struct proc proc;
		char *allocators;

		process->pid = watched->pid;
		process->comm = snapshot_string(snapshot, watched->comm);
		process->state = states[watched->state];
		process->exit = exit_text(snapshot, watched);
		allocators = serving_text(watched);
		process->allocator = snapshot_string(snapshot, allocators);
		mem_free(allocators);
		if (watched->state == WATCHED_RUNNING && !proc_read(&proc, watched->pid))
			process->rss_bytes = proc.rss_bytes;
		ended += !counts(harvest->collect, watched);
		if (harvest->collect->options.heap && !watched->probes &&
		    counts(harvest->collect, watched))
			snapshot_note(snapshot,
				      "pid %d (%s): no known allocator%s, its heap is not traced",
				      (int)watched->pid, watched->comm,
				      serving_hidden(watched) ? ": a static program without a "
								"symbol table hides it"
							      : "");
	}
	if (ended)
		snapshot_note(
			snapshot,
			"%zu processes ended in the window: what they held is given back, and "
			"not in the sums",
			ended);
}

/* Where calls were lost or their order was, only the maps know what is still mapped. */
static void correct_ledgers(struct collect *collect)
{
	uint64_t lost = collect_loss(collect, LOSS_MAPPING_RECORDS);

	vec_for_each (watched, &collect->watched) {
		if ((*watched)->state == WATCHED_RUNNING &&
		    (lost != collect->lost_mappings || ledger_doubtful((*watched)->ledger)))
			watched_reconcile(*watched);
	}
	collect->lost_mappings = lost;
}

int collect_harvest(struct collect *collect, struct snapshot *snapshot)
{
	struct harvest harvest = { .collect = collect, .snapshot = snapshot };
	struct unfreed *skeleton = collect->skeleton;
	struct sums *sums, *next;
	int error;

	harvest.now_ns = collect->opened_ns + collect_window_ns(collect);
	error = read_map(bpf_map__fd(skeleton->maps.sites), sizeof(struct abi_site_key),
			 sizeof(struct abi_site), take_site, &harvest);
	if (!error)
		error = read_map(bpf_map__fd(skeleton->maps.buckets), sizeof(uint32_t),
				 sizeof(struct abi_bucket), take_bucket, &harvest);
	if (!error)
		error = read_map(bpf_map__fd(skeleton->maps.blocks), sizeof(struct abi_block_key),
				 sizeof(struct abi_block), take_block, &harvest);
	/* Sums are behind their stack: now that they are read, all stacks are in the ring. */
	collect_look(collect);
	correct_ledgers(collect);
	if (!error) {
		vec_for_each (watched, &collect->watched) {
			if (counts(collect, *watched))
				take_ledger(&harvest, *watched);
		}
		name_stacks(&harvest);
		add_sites(&harvest);
		add_processes(&harvest);
		collect_losses(collect, snapshot);
	}
	HASH_ITER (hh, harvest.sums, sums, next) {
		HASH_DEL(harvest.sums, sums);
		mem_free(sums);
	}
	vec_free(&harvest.pieces);
	return error ? error_set(error, "cannot read the sums: %s", strerror(-error)) : 0;
}
