/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "collect/survivors.h"

#include <math.h>
#include <string.h>

#include "collect/internal.h"
#include "collect/allocators.h"
#include "collect/heap_growth.h"
#include "collect/marks.h"
#include "collect/skeleton.h"

enum {
	BINS = 64, /* of time, in which samples are told apart; twice as long when they are full */
	LOOK_NS = 1000000000, /* how often it is looked who lives */
	MARKS_AT_ONCE = 20000, /* blocks whose marks are read in one look */
	MARK_AGE_NS = 200000000, /* younger ones are given time to be freed */
	AGES = 2,
};

static const uint64_t bin_first_ns = 1000000000;
static const uint64_t ages_ns[AGES] = { SURVIVORS_AGE_NS, 10000000000 };

/* The samples of one site in one bin. */
struct bin {
	uint32_t blocks, live;
	uint64_t bytes, live_bytes, live_chunk_bytes;
	double live_chunk_squares;
	uint32_t live_at[AGES]; /* 1 + how many lived at that age; 0: not that old yet */
};

struct sampled {
	struct abi_site_key key;
	uint64_t units, bytes; /* of the kernel side's sums: taken in already */
	struct bin bins[BINS];
	/* of the times of sampling that have ended; and with this one, as last looked */
	struct estimate_sum earlier, all;
	UT_hash_handle hh;
};

struct suspect {
	struct abi_block_key key;
	struct sampled *site;
	struct bin *bin;
};

struct survivors {
	struct sampled *sites;
	bool sampling;
	uint64_t begun_ns;
	uint64_t bin_ns;
	uint64_t looked_ns;
	uint64_t turn; /* which part of the live set has its marks read next */
	struct heap_growth growth;
	/* of the look under way */
	uint64_t now_ns;
	VEC(struct suspect) suspects;
	VEC(struct mark) marks;
};

static struct survivors *survivors_of(struct collect *collect)
{
	if (!collect->survivors) {
		collect->survivors = mem_alloc(sizeof(*collect->survivors));
		collect->survivors->bin_ns = bin_first_ns;
	}
	return collect->survivors;
}

void survivors_free(struct survivors *survivors)
{
	struct sampled *site, *next;

	if (!survivors)
		return;
	HASH_ITER (hh, survivors->sites, site, next) {
		HASH_DEL(survivors->sites, site);
		mem_free(site);
	}
	vec_free(&survivors->suspects);
	vec_free(&survivors->marks);
	mem_free(survivors);
}

/* -- bins -------------------------------------------------------------------------------------- */

static void bin_merge(struct bin *into, const struct bin *from)
{
	into->blocks += from->blocks;
	into->bytes += from->bytes;
	for (int i = 0; i < AGES; i++) {
		if (into->live_at[i] && from->live_at[i])
			into->live_at[i] += from->live_at[i] - 1;
		else
			into->live_at[i] = 0;
	}
}

/* A block more that is alive, or (-1) one less. */
static void bin_count(struct bin *bin, uint64_t bytes, int sign)
{
	uint64_t chunk_bytes = marks_chunk_bytes(bytes);

	bin->live += (uint32_t)sign;
	bin->live_bytes += (uint64_t)sign * bytes;
	bin->live_chunk_bytes += (uint64_t)sign * chunk_bytes;
	bin->live_chunk_squares += sign * ((double)chunk_bytes * (double)chunk_bytes);
}

static void bin_forget(struct bin *bin)
{
	bin->live = 0;
	bin->live_bytes = bin->live_chunk_bytes = 0;
	bin->live_chunk_squares = 0;
}

static void widen(struct survivors *survivors)
{
	for (struct sampled *site = survivors->sites; site; site = site->hh.next) {
		for (int i = 0; i < BINS / 2; i++) {
			struct bin bin = site->bins[2 * i];

			bin_merge(&bin, &site->bins[2 * i + 1]);
			site->bins[i] = bin;
		}
		memset(&site->bins[BINS / 2], 0, BINS / 2 * sizeof(struct bin));
	}
	survivors->bin_ns *= 2;
}

static struct bin *bin_at(struct survivors *survivors, struct sampled *site, uint64_t time_ns)
{
	uint64_t since_ns = time_ns - survivors->begun_ns;

	if (time_ns < survivors->begun_ns)
		return NULL;
	while (since_ns / survivors->bin_ns >= BINS)
		widen(survivors);
	return &site->bins[since_ns / survivors->bin_ns];
}

/* -- what a window has sampled ----------------------------------------------------------------- */

static struct sampled *site_get(struct survivors *survivors, const struct abi_site_key *key)
{
	struct sampled *site;

	HASH_FIND(hh, survivors->sites, key, sizeof(*key), site);
	if (site)
		return site;
	site = mem_alloc(sizeof(*site));
	site->key = *key;
	HASH_ADD(hh, survivors->sites, key, sizeof(site->key), site);
	return site;
}

static void take_baseline(void *context, const void *key, const void *value)
{
	const struct abi_site *sums = value;
	struct sampled *site;

	if (!sums->allocated_bytes)
		return; /* of a mapping */
	site = site_get(context, key);
	site->units = sums->allocated_units;
	site->bytes = sums->allocated_bytes;
}

static void take_sums(void *context, const void *key, const void *value)
{
	struct survivors *survivors = context;
	const struct abi_site *sums = value;
	struct sampled *site;
	struct bin *bin;

	if (!sums->allocated_bytes)
		return;
	site = site_get(survivors, key);
	if (sums->allocated_units == site->units)
		return;
	bin = bin_at(survivors, site, survivors->now_ns);
	bin->blocks += (uint32_t)((sums->allocated_units - site->units) / ABI_BLOCK_UNITS);
	bin->bytes += sums->allocated_bytes - site->bytes;
	site->units = sums->allocated_units;
	site->bytes = sums->allocated_bytes;
}

/* -- who lives --------------------------------------------------------------------------------- */

/* Is its allocator one whose marks are known? */
static bool has_marks(struct watched *watched, const struct abi_site_key *key)
{
	struct stack *stack = collect_stack(watched, key->stack_id);

	if (!stack || !stack->count || !stack->frames[0].image)
		return false;
	vec_for_each (family, &stack->frames[0].image->families) {
		if ((*family)->allocator == ALLOCATOR_GLIBC)
			return true;
	}
	return false;
}

struct look {
	struct collect *collect;
	struct survivors *survivors;
};

static void take_block(void *context, const void *key, const void *value)
{
	const struct look *look = context;
	const struct abi_block_key *at = key;
	const struct abi_block *block = value;
	struct survivors *survivors = look->survivors;
	struct abi_site_key site_key = { .mm = at->mm, .stack_id = block->stack_id };
	struct sampled *site = site_get(survivors, &site_key);
	struct bin *bin = bin_at(survivors, site, block->time_ns);

	if (bin)
		bin_count(bin, block->bytes, 1);
	if (survivors->now_ns - block->time_ns < MARK_AGE_NS)
		return;
	*vec_add(&survivors->suspects) = (struct suspect){ *at, site, bin };
	*vec_add(&survivors->marks) =
		(struct mark){ .address = at->address << 16 >> 16, .bytes = block->bytes };
}

static void remove_block(struct collect *collect, const struct abi_block_key *key)
{
	struct unfreed *skeleton = collect->skeleton;
	uint32_t index = abi_bucket_index(key->address);
	struct abi_bucket bucket;
	int fd = bpf_map__fd(skeleton->maps.buckets);

	if (!bpf_map_lookup_elem(fd, &index, &bucket)) {
		for (int i = 0; i < ABI_SLOTS; i++) {
			struct abi_slot *slot = &bucket.slots[i];

			if (slot->key.address != key->address || slot->key.mm != key->mm)
				continue;
			slot->key.address = 0;
			bpf_map_update_elem(fd, &index, &bucket, BPF_EXIST);
			return;
		}
	}
	bpf_map_delete_elem(bpf_map__fd(skeleton->maps.blocks), key);
}

static void bury(struct collect *collect, const struct suspect *suspect, uint64_t bytes)
{
	remove_block(collect, &suspect->key);
	if (!suspect->bin)
		return;
	bin_count(suspect->bin, bytes, -1);
}

/* Reads the marks of one process' suspects, a part of them in each look. */
static void look_at_marks(struct collect *collect, struct watched *watched)
{
	struct survivors *survivors = collect->survivors;
	size_t count = survivors->suspects.count;
	VEC(size_t) picked = { 0 };
	VEC(struct mark) marks = { 0 };
	struct proc proc;

	for (size_t i = 0; i < count && picked.count < MARKS_AT_ONCE; i++) {
		size_t at = (survivors->turn + i) % count;
		const struct suspect *suspect = &survivors->suspects.items[at];

		if (suspect->key.mm != watched->mm ||
		    suspect->key.address >> 48 != watched->space ||
		    !has_marks(watched, &suspect->site->key))
			continue;
		*vec_add(&picked) = at;
		*vec_add(&marks) = survivors->marks.items[at];
	}
	if (picked.count && !proc_read(&proc, watched->pid))
		marks_look(watched->pid, marks_key(watched->pid, proc.start_brk), marks.items,
			   marks.count);
	for (size_t i = 0; i < picked.count; i++) {
		if (marks.items[i].dead)
			bury(collect, &survivors->suspects.items[picked.items[i]],
			     marks.items[i].bytes);
	}
	vec_free(&picked);
	vec_free(&marks);
}

/* Bins that have come to an age since the last look. */
static void note_ages(struct survivors *survivors)
{
	for (struct sampled *site = survivors->sites; site; site = site->hh.next) {
		for (uint64_t i = 0; i < BINS; i++) {
			uint64_t end_ns = survivors->begun_ns + (i + 1) * survivors->bin_ns;

			for (int age = 0; age < AGES; age++) {
				if (!site->bins[i].live_at[age] &&
				    survivors->now_ns > end_ns + ages_ns[age])
					site->bins[i].live_at[age] = 1 + site->bins[i].live;
			}
		}
	}
}

static void look(struct collect *collect)
{
	struct survivors *survivors = collect->survivors;
	struct look context = { collect, survivors };

	for (struct sampled *site = survivors->sites; site; site = site->hh.next) {
		for (int i = 0; i < BINS && collect_watched_mm(collect, site->key.mm); i++)
			bin_forget(&site->bins[i]);
	}
	survivors->suspects.count = survivors->marks.count = 0;
	collect_read_blocks(collect, take_block, &context);
	vec_for_each (watched, &collect->watched) {
		if ((*watched)->state == WATCHED_RUNNING)
			look_at_marks(collect, *watched);
	}
	survivors->turn += MARKS_AT_ONCE;
	note_ages(survivors);
	survivors->looked_ns = survivors->now_ns;
}

/* -- the whole --------------------------------------------------------------------------------- */

void survivors_begin(struct collect *collect)
{
	struct survivors *survivors = survivors_of(collect);

	for (struct sampled *site = survivors->sites; site; site = site->hh.next)
		memset(site->bins, 0, sizeof(site->bins));
	survivors->bin_ns = bin_first_ns;
	survivors->sampling = true;
	heap_growth_begin(&survivors->growth, collect);
	survivors->begun_ns = collect_now_ns();
	collect_read_sites(collect, take_baseline, survivors);
}

void survivors_window(struct collect *collect)
{
	struct survivors *survivors = survivors_of(collect);

	collect_look(collect);
	survivors->now_ns = collect_now_ns();
	collect_read_sites(collect, take_sums, survivors);
	heap_growth_note(&survivors->growth, collect);
	if (survivors->now_ns - survivors->looked_ns >= LOOK_NS)
		look(collect);
}

/* The age at which survivors are judged: the longer one as soon as it leaves enough. */
static int age_of(const struct survivors *survivors)
{
	uint64_t elapsed_ns = survivors->now_ns - survivors->begun_ns;

	return elapsed_ns > 5 * ages_ns[1] / 2 ? 1 : 0;
}

static void add_up(const struct survivors *survivors, const struct sampled *site,
		   struct estimate *estimate)
{
	uint64_t now_ns = survivors->now_ns;
	int age = age_of(survivors);

	for (uint64_t i = 0; i < BINS; i++) {
		uint64_t end_ns = survivors->begun_ns + (i + 1) * survivors->bin_ns;
		const struct bin *bin = &site->bins[i];

		if (now_ns < end_ns + ages_ns[age])
			break;
		estimate->sampled_blocks += bin->blocks;
		estimate->sampled_bytes += bin->bytes;
		estimate->live_blocks += bin->live;
		estimate->live_bytes += bin->live_bytes;
		estimate->live_heap_bytes += bin->live_chunk_bytes;
		estimate->live_heap_squares += bin->live_chunk_squares;
		if (!bin->live_at[age] || now_ns < end_ns + 2 * ages_ns[age])
			continue;
		estimate->aged_blocks += bin->live_at[age] - 1;
		estimate->aged_live_blocks += bin->live;
	}
}

/* What follows from the samples of this time, together with earlier ones. */
static void sum_up(struct collect *collect)
{
	struct survivors *survivors = collect->survivors;
	const struct governor *governor = &collect->governor;
	const struct epoch *epoch = &governor->epochs.items[governor->epochs.count - 1];
	VEC(struct estimate) estimates = { 0 };
	double seconds, old_seconds;
	size_t i = 0;

	survivors->now_ns = collect_now_ns();
	look(collect);
	for (struct sampled *site = survivors->sites; site; site = site->hh.next)
		add_up(survivors, site, vec_add(&estimates));
	seconds = (double)(survivors->now_ns - survivors->begun_ns) / 1e9;
	old_seconds = fmax(0, seconds - (double)ages_ns[age_of(survivors)] / 1e9);
	estimate_sites(estimates.items, estimates.count, old_seconds,
		       (double)epoch->on_ns / 1e9 * old_seconds / seconds,
		       heap_growth_rate(&survivors->growth, collect));
	for (struct sampled *site = survivors->sites; site; site = site->hh.next) {
		site->all = site->earlier;
		estimate_add(&site->all, &estimates.items[i++], seconds);
	}
	vec_free(&estimates);
}

void survivors_end(struct collect *collect)
{
	struct survivors *survivors = survivors_of(collect);

	sum_up(collect);
	for (struct sampled *site = survivors->sites; site; site = site->hh.next)
		site->earlier = site->all;
	survivors->sampling = false;
}

void survivors_estimate(struct collect *collect,
			void (*take)(void *context, const struct abi_site_key *key,
				     const struct estimate_sum *estimate),
			void *context)
{
	struct survivors *survivors = collect->survivors;

	if (!survivors)
		return;
	if (survivors->sampling)
		sum_up(collect);
	for (struct sampled *site = survivors->sites; site; site = site->hh.next)
		take(context, &site->key, &site->all);
}
