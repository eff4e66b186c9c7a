/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Processes that have ended. What they held at their end is taken out of the kernel side's maps,
 * which thousands of short processes would fill, and kept as long as there is room: it is what a
 * report shows where nothing else is left.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/units.h"
#include "collect/faults.h"
#include "collect/internal.h"
#include "collect/serving.h"
#include "collect/skeleton.h"

enum {
	ENDED_MAX = 4096, /* processes whose sites are kept */
	SWEEP_NS = 100000000,
	SWEEP_SHARE = 20, /* of our time, at most, for looking through all live blocks */
};

struct burial {
	struct collect *collect;
	VEC(struct watched *) batch; /* sorted, to be found by their blocks' keys */
};

static struct moment end_of(const struct collect *collect, const struct watched *watched)
{
	return (struct moment){ watched->end_ns, collect->options.min_age_ns,
				(uint32_t)collect->options.sample_bytes, watched->exact_since_ns };
}

/* -- out of the kernel's maps ------------------------------------------------------------------ */

static struct sums *take_site(struct collect *collect, struct watched *watched, uint64_t stack_id)
{
	int fd = bpf_map__fd(collect->skeleton->maps.sites);
	struct abi_site_key key = { .mm = watched->mm, .stack_id = stack_id };
	struct sums *sums = sums_find(watched->sums, stack_id);
	struct abi_site site;

	if (sums)
		return sums;
	sums = sums_get(&watched->sums, stack_id);
	if (!bpf_map_lookup_elem(fd, &key, &site)) {
		sums->heap = site;
		bpf_map_delete_elem(fd, &key);
	}
	return sums;
}

static int compare(const void *a, const void *b)
{
	const struct watched *one = *(struct watched *const *)a;
	const struct watched *two = *(struct watched *const *)b;

	if (one->mm != two->mm)
		return one->mm < two->mm ? -1 : 1;
	return one->space - two->space;
}

static int compare_ends(const void *a, const void *b)
{
	const struct watched *one = *(struct watched *const *)a;
	const struct watched *two = *(struct watched *const *)b;

	return one->end_ns < two->end_ns ? -1 : one->end_ns > two->end_ns;
}

/* Whether a block belongs to one of them: its age is taken then. */
static bool take_block(struct burial *burial, const struct abi_block_key *key,
		       const struct abi_block *block)
{
	struct watched like = { .mm = key->mm, .space = (uint16_t)(key->address >> 48) };
	const struct watched *wanted = &like;
	struct watched **found =
		bsearch(&wanted, burial->batch.items, burial->batch.count, sizeof(wanted), compare);
	struct moment moment;

	if (!found)
		return false;
	moment = end_of(burial->collect, *found);
	sums_block(take_site(burial->collect, *found, block->stack_id), block, &moment);
	return true;
}

/* A slot of a process that is gone is nobody's: emptied, it is anyone's. */
static void sweep_buckets(struct burial *burial)
{
	int fd = bpf_map__fd(burial->collect->skeleton->maps.buckets);
	size_t bytes = ABI_BUCKETS * sizeof(struct abi_bucket);
	struct abi_bucket *buckets = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (buckets == MAP_FAILED)
		return;
	for (size_t i = 0; i < ABI_BUCKETS * ABI_SLOTS; i++) {
		struct abi_slot *slot = &buckets[i / ABI_SLOTS].slots[i % ABI_SLOTS];
		struct abi_block_key key = { .mm = slot->key.mm };

		key.address = __atomic_load_n(&slot->key.address, __ATOMIC_ACQUIRE);
		if (key.address && take_block(burial, &key, &slot->block))
			__atomic_store_n(&slot->key.address, 0, __ATOMIC_RELEASE);
	}
	munmap(buckets, bytes);
}

static void sweep_block(void *context, const void *key, const void *value)
{
	struct burial *burial = context;

	if (take_block(burial, key, value))
		bpf_map_delete_elem(bpf_map__fd(burial->collect->skeleton->maps.blocks), key);
}

static void sweep(struct burial *burial)
{
	const struct unfreed *skeleton = burial->collect->skeleton;

	if (!burial->collect->options.heap)
		return;
	sweep_buckets(burial);
	if (skeleton->bss->overflowed)
		sums_read(bpf_map__fd(skeleton->maps.blocks), sizeof(struct abi_block_key),
			  sizeof(struct abi_block), sweep_block, burial);
}

/* -- what is kept ------------------------------------------------------------------------------ */

static void forget(struct collect *collect, struct watched *watched)
{
	struct forgotten *forgotten = &collect->forgotten;

	for (struct sums *sums = watched->sums; sums; sums = sums->hh.next) {
		struct stack *stack = collect_stack(watched, sums->stack_id);
		struct site site = { 0 };

		if (collect_fill_site(&site, sums, stack, watched->end_ns))
			collect_add_totals(&forgotten->heap, &forgotten->mapping, &forgotten->fault,
					   &site);
	}
	collect_add_mapped(&forgotten->mapping, &watched->mapped);
	forgotten->processes++;
	forgotten->stacks_kept -= HASH_COUNT(watched->sums);
	watched_free(watched);
}

/* The oldest make room. */
static void make_room(struct collect *collect)
{
	size_t gone = 0, left;

	while (collect->ended.count - gone > ENDED_MAX ||
	       (collect->forgotten.stacks_kept > collect->options.max_stacks &&
		gone < collect->ended.count))
		forget(collect, collect->ended.items[gone++]);
	if (!gone)
		return;
	left = collect->ended.count - gone;
	memmove(collect->ended.items, collect->ended.items + gone,
		left * sizeof(*collect->ended.items));
	collect->ended.count = left;
}

static void name_allocators(struct watched *watched)
{
	serving_reset(watched);
	for (struct sums *sums = watched->sums; sums; sums = sums->hh.next) {
		struct stack *stack = collect_stack(watched, sums->stack_id);

		if (stack && stack->kind == KIND_HEAP && stack->count)
			serving_add(watched, stack->frames[0].image,
				    sums_blocks(sums->heap.allocated_units));
	}
	watched->allocators = serving_text(watched);
	watched->hidden = serving_hidden(watched);
}

/* A copy of its parent that became another program at once is no process to tell of. */
static bool is_nothing(const struct watched *watched)
{
	return !watched->mm ||
	       (watched->forked && watched->state == WATCHED_REPLACED && !watched->sums);
}

static void bury(struct collect *collect, struct watched *watched)
{
	struct moment moment = end_of(collect, watched);

	sums_ledger(&watched->sums, watched->ledger, &moment);
	if (watched->faults)
		faults_sum(watched->faults, &watched->sums, &moment);
	watched->mapped = ledger_sums(watched->ledger);
	collect->forgotten.overlaps += watched->mapped.overlaps;
	name_allocators(watched);
	watched->too_short = collect->options.heap && watched->began_ns && !watched->probes &&
			     watched->code_read_ns < watched->began_ns + ATTACH_TRY_NS;
	vec_for_each (link, &watched->links)
		*vec_add(&collect->stale_links) = link->fd;
	collect_drop_code(collect, watched);
	watched_end(watched);
	if (is_nothing(watched)) {
		watched_free(watched);
		return;
	}
	collect->short_lived += watched->too_short;
	*vec_add(&collect->ended) = watched;
	collect->forgotten.stacks_kept += HASH_COUNT(watched->sums);
}

/* -- when -------------------------------------------------------------------------------------- */

static void take_batch(struct burial *burial)
{
	struct collect *collect = burial->collect;
	size_t kept = 0;

	vec_for_each (watched, &collect->watched) {
		if ((*watched)->state == WATCHED_RUNNING)
			collect->watched.items[kept++] = *watched;
		else
			*vec_add(&burial->batch) = *watched;
	}
	collect->watched.count = kept;
}

static void find_exact(struct collect *collect, struct watched *watched)
{
	char text[UNITS_TEXT_MAX];
	uint64_t gap_ns;

	watched->exact_since_ns = governor_exact_since(collect, watched->end_ns, &gap_ns);
	if (gap_ns && watched->exact_since_ns != UINT64_MAX && watched->probes)
		collect_note(collect,
			     "pid %d (%s): its heap is as it was %s before its end, when tracing "
			     "every call took more than the budget (--max-overhead)",
			     (int)watched->pid, watched->comm, units_format_time(text, gap_ns));
}

void collect_bury(struct collect *collect, bool now)
{
	struct burial burial = { .collect = collect };
	uint64_t begun_ns = collect_now_ns(), spent_ns;

	if (!now && begun_ns < collect->swept_ns)
		return;
	take_batch(&burial);
	if (!burial.batch.count)
		return;
	vec_for_each (watched, &burial.batch) {
		find_exact(collect, *watched);
		sums_clear(&(*watched)->sums);
		for (struct stack *stack = (*watched)->stacks; stack; stack = stack->hh.next)
			take_site(collect, *watched, stack->id);
	}
	qsort(burial.batch.items, burial.batch.count, sizeof(*burial.batch.items), compare);
	sweep(&burial);
	qsort(burial.batch.items, burial.batch.count, sizeof(*burial.batch.items), compare_ends);
	vec_for_each (watched, &burial.batch)
		bury(collect, *watched);
	vec_free(&burial.batch);
	make_room(collect);
	spent_ns = collect_now_ns() - begun_ns;
	collect->swept_ns = begun_ns + spent_ns +
			    (spent_ns * SWEEP_SHARE > SWEEP_NS ? spent_ns * SWEEP_SHARE : SWEEP_NS);
}
