/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From the kernel's sums, the live blocks and the ledgers to the sites of a snapshot. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/error.h"
#include "collect/faults.h"
#include "collect/internal.h"
#include "collect/serving.h"
#include "collect/skeleton.h"
#include "collect/survivors.h"
#include "model/merge.h"

struct harvest {
	struct collect *collect;
	struct snapshot *snapshot;
	struct moment moment;
	uint64_t since_ns; /* what ran then is asked for; 0: what runs, or all that have ended */
};

/* -- the kernel's sums ------------------------------------------------------------------------- */

static void take_site(void *context, const void *key, const void *value)
{
	struct harvest *harvest = context;
	const struct abi_site_key *site = key;
	struct watched *watched = collect_watched_mm(harvest->collect, site->mm);

	if (watched)
		sums_get(&watched->sums, site->stack_id)->heap = *(const struct abi_site *)value;
}

static void take_block(void *context, const void *key, const void *value)
{
	struct harvest *harvest = context;
	const struct abi_block_key *at = key;
	const struct abi_block *block = value;
	struct watched *watched = collect_watched_mm(harvest->collect, at->mm);

	if (watched && watched->space == at->address >> 48)
		sums_block(sums_get(&watched->sums, block->stack_id), block, &harvest->moment);
}

int collect_read_sites(struct collect *collect, sums_take_fn take, void *context)
{
	return sums_read(bpf_map__fd(collect->skeleton->maps.sites), sizeof(struct abi_site_key),
			 sizeof(struct abi_site), take, context);
}

struct blocks {
	sums_take_fn take;
	void *context;
};

static void take_bucket(void *context, const void *key, const void *value)
{
	const struct blocks *blocks = context;
	const struct abi_bucket *bucket = value;

	(void)key;
	for (int i = 0; i < ABI_SLOTS; i++) {
		if (bucket->slots[i].key.address)
			blocks->take(blocks->context, &bucket->slots[i].key,
				     &bucket->slots[i].block);
	}
}

int collect_read_blocks(struct collect *collect, sums_take_fn take, void *context)
{
	struct unfreed *skeleton = collect->skeleton;
	struct blocks blocks = { take, context };
	int error;

	error = sums_read(bpf_map__fd(skeleton->maps.buckets), sizeof(uint32_t),
			  sizeof(struct abi_bucket), take_bucket, &blocks);
	if (!error)
		error = sums_read(bpf_map__fd(skeleton->maps.blocks), sizeof(struct abi_block_key),
				  sizeof(struct abi_block), take, context);
	return error;
}

/* -- sites ------------------------------------------------------------------------------------- */

/* With windows: what has grown is estimated, what was seen alive before a gap is not known. */
static void fill_estimate(struct site *site, const struct sums *sums)
{
	const struct estimate_sum *estimate = &sums->estimate;

	site->unverified_bytes = sums_less(site->bytes, sums->verified_bytes);
	site->unverified_blocks = sums_less(site->blocks, sums_blocks(sums->verified_units));
	site->bytes = sums->verified_bytes + (uint64_t)estimate->bytes;
	site->blocks = sums_blocks(sums->verified_units) + (uint64_t)estimate->blocks;
	site->standard_error_bytes = (uint64_t)sqrt(estimate->variance);
	site->sampled_blocks = estimate->sampled_blocks;
	site->sampled_live_blocks = estimate->live_blocks;
	site->verdict = estimate_verdict_name(estimate->verdict);
	site->preexisting_bytes = 0;
	if (site->young_bytes > sums->verified_bytes)
		site->young_bytes = sums->verified_bytes;
	if (site->young_blocks > sums_blocks(sums->verified_units))
		site->young_blocks = sums_blocks(sums->verified_units);
}

/* A stack that never made it through the ring has sums, and no frames. */
static void add_site(struct harvest *harvest, struct watched *watched, const struct sums *sums,
		     uint64_t now_ns)
{
	struct snapshot *snapshot = harvest->snapshot;
	struct stack *stack = collect_stack(watched, sums->stack_id);
	struct site site = { .pid = watched->pid, .id = sums->stack_id };

	if (!collect_fill_site(&site, sums, stack, now_ns))
		return;
	if (harvest->collect->survivors && site.kind == SITE_HEAP)
		fill_estimate(&site, sums);
	harvest->collect->lost_stacks += !stack;
	site.end = SITE_END_LOST;
	if (stack)
		collect_site_frames(harvest->collect, snapshot, stack, &site);
	if (stack && stack->kind == KIND_HEAP && stack->count)
		serving_add(watched, stack->frames[0].image, site.allocated_blocks);
	collect_add_totals(&snapshot->heap_totals, &snapshot->mapping_totals,
			   &snapshot->fault_totals, &site);
	*vec_add(&snapshot->sites) = site;
}

/* -- the whole --------------------------------------------------------------------------------- */

struct stack *collect_stack(struct watched *watched, uint64_t stack_id)
{
	struct stack *stack;

	HASH_FIND(hh, watched->stacks, &stack_id, sizeof(stack_id), stack);
	return stack;
}

/* What a process held when it ended is history, unless nothing else is left to report. */
static bool all_ended(const struct collect *collect)
{
	return !collect->watched.count;
}

/* Is it to be told what that one held, which has ended? */
static bool is_wanted(const struct harvest *harvest, const struct watched *ended)
{
	return harvest->since_ns ? ended->end_ns >= harvest->since_ns : all_ended(harvest->collect);
}

static void want_stack(struct names *names, const struct stack *stack)
{
	for (size_t i = 0; stack && i < stack->count; i++) {
		if (stack->frames[i].image)
			names_want(names, stack->frames[i].image, stack->frames[i].address);
	}
}

static void want_names(struct names *names, struct watched *watched)
{
	for (struct sums *sums = watched->sums; sums; sums = sums->hh.next)
		want_stack(names, collect_stack(watched, sums->stack_id));
}

void collect_prepare(struct collect *collect)
{
	vec_for_each (watched, &collect->watched) {
		for (struct stack *stack = (*watched)->stacks; stack; stack = stack->hh.next) {
			if (!stack->prepared)
				want_stack(collect->names, stack);
			stack->prepared = true;
		}
	}
	names_resolve(collect->names);
}

/* While a window is open, the ring must be emptied: there is no time to wait for a server. */
static void resolve_names(struct collect *collect)
{
	if (collect->frozen)
		collect_fetch(collect);
	names_resolve(collect->names);
}

static void add_sites(struct harvest *harvest, struct watched *watched, uint64_t now_ns)
{
	size_t first = harvest->snapshot->sites.count;

	for (struct sums *sums = watched->sums; sums; sums = sums->hh.next)
		add_site(harvest, watched, sums, now_ns);
	if (watched->java || watched->jit) /* the same method, compiled anew */
		snapshot_merge(harvest->snapshot, first);
}

static void add_faults(struct harvest *harvest, struct watched *watched)
{
	if (!watched->faults)
		return;
	faults_look(watched->faults);
	faults_sum(watched->faults, &watched->sums, &harvest->moment);
}

static void prepare_running(struct harvest *harvest)
{
	struct collect *collect = harvest->collect;

	vec_for_each (item, &collect->watched) {
		struct watched *watched = *item;
		struct ledger_sums mapped = ledger_sums(watched->ledger);

		sums_ledger(&watched->sums, watched->ledger, &harvest->moment);
		add_faults(harvest, watched);
		collect_add_mapped(&harvest->snapshot->mapping_totals, &mapped);
		want_names(collect->names, watched);
	}
}

static void prepare_ended(struct harvest *harvest)
{
	struct collect *collect = harvest->collect;
	struct snapshot *snapshot = harvest->snapshot;

	if (!harvest->since_ns && all_ended(collect)) {
		snapshot->heap_totals = collect->forgotten.heap;
		snapshot->mapping_totals = collect->forgotten.mapping;
		snapshot->fault_totals = collect->forgotten.fault;
	}
	vec_for_each (watched, &collect->ended) {
		if (!is_wanted(harvest, *watched))
			continue;
		collect_add_mapped(&snapshot->mapping_totals, &(*watched)->mapped);
		want_names(collect->names, *watched);
	}
}

static void add_all_sites(struct harvest *harvest)
{
	struct collect *collect = harvest->collect;

	prepare_running(harvest);
	prepare_ended(harvest);
	resolve_names(collect);
	vec_for_each (watched, &collect->watched) {
		serving_reset(*watched);
		add_sites(harvest, *watched, harvest->moment.now_ns);
	}
	vec_for_each (watched, &collect->ended) {
		if (is_wanted(harvest, *watched))
			add_sites(harvest, *watched, (*watched)->end_ns);
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

static void add_process(struct snapshot *snapshot, const struct watched *watched,
			const char *allocators)
{
	static const char *const states[] = { "running", "exited", "replaced" };
	struct process *process = vec_add(&snapshot->processes);
	struct proc proc;

	process->pid = watched->pid;
	process->comm = snapshot_string(snapshot, watched->comm);
	process->state = states[watched->state];
	process->exit = exit_text(snapshot, watched);
	process->allocator = snapshot_string(snapshot, allocators);
	if (watched->state != WATCHED_RUNNING || proc_read(&proc, watched->pid))
		return;
	process->rss_bytes = proc.rss_bytes;
	if (proc.tracer)
		snapshot_note(snapshot,
			      "pid %d (%s) is traced by pid %u: a debugger's breakpoint where a "
			      "probe is may outlast both, and end the process",
			      (int)watched->pid, watched->comm, proc.tracer);
}

/* Of processes without an allocator, one is named for all. */
struct untraced {
	const struct watched *first;
	size_t count;
};

static void add_untraced(struct untraced *untraced, const struct watched *watched)
{
	if (watched->probes || watched->too_short)
		return;
	if (!untraced->count++)
		untraced->first = watched;
}

static void note_untraced(struct snapshot *snapshot, const struct untraced *untraced)
{
	char others[64] = "";

	if (!untraced->count)
		return;
	if (untraced->count > 1)
		snprintf(others, sizeof(others), " and %zu more processes", untraced->count - 1);
	snapshot_note(snapshot, "pid %d (%s)%s: no known allocator%s, %s not traced",
		      (int)untraced->first->pid, untraced->first->comm, others,
		      untraced->first->hidden ? ": a static program without a symbol table hides it"
					      : "",
		      untraced->count > 1 ? "their heaps are" : "its heap is");
}

/* Those that run, then those that have ended: the ones that were there before all others. */
static void add_processes(struct harvest *harvest)
{
	struct collect *collect = harvest->collect;
	struct untraced untraced = { 0 };

	vec_for_each (watched, &collect->watched) {
		char *allocators = serving_text(*watched);

		(*watched)->hidden = serving_hidden(*watched);
		add_process(harvest->snapshot, *watched, allocators);
		add_untraced(&untraced, *watched);
		mem_free(allocators);
	}
	for (int begun = 0; begun < 2; begun++) {
		vec_for_each (watched, &collect->ended) {
			if (harvest->since_ns && !is_wanted(harvest, *watched))
				continue;
			if (!(*watched)->began_ns == !begun)
				add_process(harvest->snapshot, *watched, (*watched)->allocators);
			if (begun && is_wanted(harvest, *watched))
				add_untraced(&untraced, *watched);
		}
	}
	if (collect->options.heap)
		note_untraced(harvest->snapshot, &untraced);
}

static void note_ended(struct harvest *harvest)
{
	const struct collect *collect = harvest->collect;
	uint64_t ended = collect->forgotten.processes;

	if (!harvest->since_ns && all_ended(collect))
		return;
	vec_for_each (watched, &collect->ended)
		ended += !is_wanted(harvest, *watched);
	if (ended)
		snapshot_note(harvest->snapshot,
			      "%llu process%s ended in the window: what %s held is given back, and "
			      "not in the sums",
			      (unsigned long long)ended, ended == 1 ? "" : "es",
			      ended == 1 ? "it" : "they");
}

/* Where calls were lost or their order was, only the maps know what is still mapped. */
static void correct_ledgers(struct collect *collect)
{
	uint64_t lost =
		collect_loss(collect, LOSS_MAPPING_RECORDS) + collect_missed_mapping_calls(collect);

	if (!collect->options.mapping)
		return;
	vec_for_each (watched, &collect->watched) {
		if ((*watched)->state == WATCHED_RUNNING &&
		    (lost != collect->lost_mappings || ledger_doubtful((*watched)->ledger)))
			watched_reconcile(*watched);
	}
	collect->lost_mappings = lost;
}

/* Reads the kernel's maps into the sums of those that run. */
static int read_sums(struct harvest *harvest)
{
	int error;

	vec_for_each (watched, &harvest->collect->watched)
		sums_clear(&(*watched)->sums);
	error = collect_read_sites(harvest->collect, take_site, harvest);
	if (!error)
		error = collect_read_blocks(harvest->collect, take_block, harvest);
	return error;
}

static struct watched *find_ended(struct collect *collect, uint64_t mm)
{
	for (size_t i = collect->ended.count; i; i--) {
		if (collect->ended.items[i - 1]->mm == mm)
			return collect->ended.items[i - 1];
	}
	return NULL;
}

static void take_estimate(void *context, const struct abi_site_key *key,
			  const struct estimate_sum *estimate)
{
	struct harvest *harvest = context;
	struct collect *collect = harvest->collect;
	struct watched *watched = collect_watched_mm(collect, key->mm);
	struct sums *sums;

	if (!watched)
		watched = find_ended(collect, key->mm);
	sums = watched ? sums_find(watched->sums, key->stack_id) : NULL;
	if (sums)
		sums->estimate = *estimate;
}

static void add_module(struct image *image, void *context)
{
	const struct harvest *harvest = context;

	if (image->usable)
		snapshot_module(harvest->snapshot, image->path, image->info.build_id,
				image->info.build_id_bytes);
}

int collect_harvest(struct collect *collect, struct snapshot *snapshot, uint64_t since_ns)
{
	struct harvest harvest = { .collect = collect, .snapshot = snapshot, .since_ns = since_ns };
	int error;

	collect_look(collect);
	collect_bury(collect, true);
	snapshot->window_ns = collect_window_ns(collect);
	harvest.moment.now_ns = collect->opened_ns + snapshot->window_ns;
	harvest.moment.min_age_ns = snapshot->min_age_ns;
	harvest.moment.sample_bytes = (uint32_t)collect->options.sample_bytes;
	harvest.moment.exact_since_ns =
		governor_holds(collect) ? UINT64_MAX : collect->skeleton->bss->epoch_ns;
	error = read_sums(&harvest);
	if (error)
		return error_set(error, "cannot read the sums: %s", strerror(-error));
	/* Sums are behind their stack: now that they are read, all stacks are in the ring. */
	collect_look(collect);
	correct_ledgers(collect);
	if (collect->survivors)
		survivors_estimate(collect, take_estimate, &harvest);
	collect->lost_stacks = 0;
	add_all_sites(&harvest);
	add_processes(&harvest);
	images_each(collect->images, add_module, &harvest);
	note_ended(&harvest);
	collect_losses(collect, snapshot);
	return 0;
}
