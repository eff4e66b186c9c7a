/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Matching the sites of two snapshots. */
#include "model/diff.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/strings.h"

#define uthash_malloc(bytes) mem_alloc(bytes)
#define uthash_free(memory, bytes) mem_free(memory)
#include <uthash.h>

#define HOUR_NS 3600e9

/* A site of the result by what it is called, of words of the result's own texts. */
struct matched {
	UT_hash_handle hh;
	size_t site;
};

struct matching {
	struct diff *diff;
	struct matched *index;
	VEC(const void *) key; /* of the site at hand */
	VEC(struct frame) frames;
};

/* -- what a site is called --------------------------------------------------------------------- */

static const char *basename_of(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : path;
}

/* A function by its name and its module's; code without a name by build-id and offset. */
static void name_frame(struct matching *matching, const struct snapshot *snapshot,
		       const struct frame *frame)
{
	struct snapshot *shown = matching->diff->shown;
	const char *module = basename_of(frame->module), *build_id;
	char *text;

	if (frame->name) {
		*vec_add(&matching->key) = snapshot_string(shown, frame->name);
		*vec_add(&matching->key) = snapshot_string(shown, module);
		return;
	}
	build_id = frame->module ? snapshot_build_id(snapshot, frame->module) : NULL;
	text = mem_printf("%s+%" PRIx64, build_id ? build_id : module ? module : "", frame->offset);
	*vec_add(&matching->key) = snapshot_string(shown, text);
	*vec_add(&matching->key) = NULL;
	mem_free(text);
}

/* Pids tell processes apart only as long as these run. */
static const char *name_process(const struct matching *matching, const struct snapshot *snapshot,
				const struct site *site)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)site->pid);
	return snapshot_string(matching->diff->shown, matching->diff->same_watch
							      ? pid
							      : snapshot_comm(snapshot, site->pid));
}

static void name_site(struct matching *matching, const struct snapshot *snapshot,
		      const struct site *site)
{
	struct snapshot *shown = matching->diff->shown;

	matching->key.count = 0;
	*vec_add(&matching->key) = site_kind_name(site->kind);
	*vec_add(&matching->key) = snapshot_string(shown, site->owner);
	*vec_add(&matching->key) = name_process(matching, snapshot, site);
	for (size_t i = 0; i < site->frame_count; i++)
		name_frame(matching, snapshot, &site->frames[i]);
}

/* -- adding up --------------------------------------------------------------------------------- */

static void copy_frames(struct matching *matching, struct site *site)
{
	struct snapshot *shown = matching->diff->shown;

	matching->frames.count = 0;
	for (size_t i = 0; i < site->frame_count; i++) {
		struct frame *frame = vec_add(&matching->frames);

		*frame = site->frames[i];
		frame->name = snapshot_string(shown, frame->name);
		frame->module = snapshot_string(shown, frame->module);
		frame->file = snapshot_string(shown, frame->file);
	}
	site->frames = snapshot_frames(shown, matching->frames.items, site->frame_count);
	site->owner = snapshot_string(shown, site->owner);
	site->verdict = NULL;
}

/* The result's site of this name; its sums may be those of none yet. */
static struct site *find_site(struct matching *matching, const struct site *site)
{
	struct snapshot *shown = matching->diff->shown;
	size_t bytes = matching->key.count * sizeof(*matching->key.items);
	struct matched *found;
	struct site *new;

	HASH_FIND(hh, matching->index, matching->key.items, bytes, found);
	if (found)
		return &shown->sites.items[found->site];
	found = mem_alloc(sizeof(*found));
	found->site = shown->sites.count;
	HASH_ADD_KEYPTR(hh, matching->index,
			strings_copy(shown->strings, matching->key.items, bytes), bytes, found);
	new = vec_add(&shown->sites);
	*new = (struct site){
		.kind = site->kind,
		.pid = site->pid,
		.owner = site->owner,
		.frames = site->frames,
		.frame_count = site->frame_count,
		.end = site->end,
	};
	copy_frames(matching, new);
	return new;
}

static void add_after(struct matching *matching, const struct snapshot *after)
{
	vec_for_each (site, &after->sites) {
		struct site *sum;

		name_site(matching, after, site);
		sum = find_site(matching, site);
		sum->bytes += site->bytes;
		sum->blocks += site->blocks;
		sum->allocated_bytes += site->allocated_bytes;
		sum->allocated_blocks += site->allocated_blocks;
		sum->committed_bytes += site->committed_bytes;
		sum->preexisting_bytes += site->preexisting_bytes;
		if (site->max_age_ns > sum->max_age_ns)
			sum->max_age_ns = site->max_age_ns;
		if (site->max_age_ns && (!sum->min_age_ns || site->min_age_ns < sum->min_age_ns))
			sum->min_age_ns = site->min_age_ns;
	}
}

static void add_before(struct matching *matching, const struct snapshot *before)
{
	vec_for_each (site, &before->sites) {
		struct site *sum;

		name_site(matching, before, site);
		sum = find_site(matching, site);
		sum->before_bytes += site->bytes;
		sum->before_blocks += site->blocks;
		sum->before_allocated_bytes += site->allocated_bytes;
		sum->before_allocated_blocks += site->allocated_blocks;
		sum->before_committed_bytes += site->committed_bytes;
	}
}

/* -- the whole --------------------------------------------------------------------------------- */

/* The head of after, in memory of its own. */
static struct snapshot *copy_head(const struct snapshot *after)
{
	struct snapshot *shown = snapshot_new(), *head = snapshot_copy(after);
	struct strings *strings = shown->strings;

	*shown = *head;
	shown->strings = strings;
	shown->sites = (__typeof__(shown->sites)){ 0 };
	vec_free(&shown->verdicts); /* of one moment */
	vec_free(&shown->incidents);
	vec_free(&shown->readings);
	shown->target = snapshot_string(shown, head->target);
	shown->mode = snapshot_string(shown, head->mode);
	shown->ended_by = snapshot_string(shown, head->ended_by);
	vec_for_each (epoch, &shown->epochs)
		epoch->mode = snapshot_string(shown, epoch->mode);
	vec_for_each (process, &shown->processes) {
		process->comm = snapshot_string(shown, process->comm);
		process->state = snapshot_string(shown, process->state);
		process->exit = snapshot_string(shown, process->exit);
		process->allocator = snapshot_string(shown, process->allocator);
	}
	vec_for_each (module, &shown->modules) {
		module->path = snapshot_string(shown, module->path);
		module->build_id = snapshot_string(shown, module->build_id);
	}
	vec_for_each (loss, &shown->losses) {
		loss->name = snapshot_string(shown, loss->name);
		loss->text = snapshot_string(shown, loss->text);
	}
	vec_for_each (note, &shown->notes)
		*note = snapshot_string(shown, *note);
	vec_free(&head->sites);
	strings_free(head->strings);
	mem_free(head); /* its other lists are those of shown */
	return shown;
}

/* Processes that were there before, and are not any more: their sites name them. */
static void add_processes(struct snapshot *shown, const struct snapshot *before)
{
	vec_for_each (process, &before->processes) {
		bool known = false;

		vec_for_each (other, &shown->processes)
			known |= other->pid == process->pid;
		if (!known)
			*vec_add(&shown->processes) = (struct process){
				.pid = process->pid,
				.comm = snapshot_string(shown, process->comm),
				.state = "gone",
			};
	}
}

struct diff *diff_new(const struct snapshot *before, const struct snapshot *after)
{
	struct diff *diff = mem_alloc(sizeof(*diff));
	struct matching matching = { .diff = diff };
	struct matched *each, *next;

	*diff = (struct diff){
		.shown = copy_head(after),
		.same_watch = before->start_unix_ns == after->start_unix_ns,
		.before_unix_ns = before->start_unix_ns + before->window_ns,
		.after_unix_ns = after->start_unix_ns + after->window_ns,
		.before_window_ns = before->window_ns,
		.after_window_ns = after->window_ns,
		.before_losses = snapshot_losses(before),
		.before_heap = before->heap_totals,
		.before_mapping = before->mapping_totals,
	};
	diff->before_target = snapshot_string(diff->shown, before->target);
	add_processes(diff->shown, before);
	add_after(&matching, after);
	add_before(&matching, before);
	snapshot_sort(diff->shown);
	HASH_ITER (hh, matching.index, each, next) {
		HASH_DEL(matching.index, each);
		mem_free(each);
	}
	vec_free(&matching.key);
	vec_free(&matching.frames);
	return diff;
}

struct snapshot *diff_before(const struct diff *diff)
{
	struct snapshot *before = snapshot_copy(diff->shown);

	before->start_unix_ns = diff->before_unix_ns - diff->before_window_ns;
	before->window_ns = diff->before_window_ns;
	before->heap_totals = diff->before_heap;
	before->mapping_totals = diff->before_mapping;
	vec_for_each (site, &before->sites) {
		site->bytes = site->before_bytes;
		site->blocks = site->before_blocks;
		site->allocated_bytes = site->before_allocated_bytes;
		site->allocated_blocks = site->before_allocated_blocks;
		site->committed_bytes = site->before_committed_bytes;
	}
	return before;
}

void diff_free(struct diff *diff)
{
	if (!diff)
		return;
	snapshot_free(diff->shown);
	mem_free(diff);
}

/* -- figures ----------------------------------------------------------------------------------- */

int64_t diff_growth(const struct site *site)
{
	return (int64_t)(site->bytes - site->before_bytes);
}

void diff_keep_changed(struct diff *diff, uint64_t least_bytes)
{
	struct snapshot *shown = diff->shown;
	size_t kept = 0;

	vec_for_each (site, &shown->sites)
		if ((uint64_t)llabs(diff_growth(site)) >= least_bytes)
			shown->sites.items[kept++] = *site;
	shown->sites.count = kept;
}

double diff_rate(const struct diff *diff, uint64_t before_bytes, uint64_t after_bytes)
{
	double between_ns = (double)(int64_t)(diff->after_unix_ns - diff->before_unix_ns);

	if (diff->same_watch)
		return between_ns
			       ? ((double)after_bytes - (double)before_bytes) * HOUR_NS / between_ns
			       : 0;
	return (diff->after_window_ns
			? (double)after_bytes * HOUR_NS / (double)diff->after_window_ns
			: 0) -
	       (diff->before_window_ns
			? (double)before_bytes * HOUR_NS / (double)diff->before_window_ns
			: 0);
}

const char *diff_state(const struct site *site)
{
	if (!site->before_bytes && !site->before_blocks && (site->bytes || site->blocks))
		return "new";
	if (!site->bytes && !site->blocks && (site->before_bytes || site->before_blocks))
		return "vanished";
	return diff_growth(site) > 0 ? "grown" : diff_growth(site) < 0 ? "shrunk" : "same";
}

static int compare_growth(int64_t a, int64_t b)
{
	return a > b ? -1 : a < b;
}

static int compare_sites(const void *left, const void *right)
{
	const struct site *a = *(const struct site *const *)left;
	const struct site *b = *(const struct site *const *)right;
	int order = compare_growth(diff_growth(a), diff_growth(b));

	return order ? order : a < b ? -1 : a > b;
}

void diff_sort_sites(const struct snapshot *shown, diff_sites *sites)
{
	*sites = (diff_sites){ 0 };
	vec_for_each (site, &shown->sites)
		if (site->bytes != site->before_bytes || site->blocks != site->before_blocks)
			*vec_add(sites) = site;
	if (sites->count)
		qsort(sites->items, sites->count, sizeof(*sites->items), compare_sites);
}

static struct diff_class *find_class(diff_classes *classes, const struct site *site)
{
	const char *name = site_class(site);
	struct diff_class *new;

	vec_for_each (class, classes)
		if (class->kind == site->kind && !strcmp(class->name, name))
			return class;
	new = vec_add(classes);
	new->kind = site->kind;
	new->name = name;
	return new;
}

static int compare_classes(const void *left, const void *right)
{
	const struct diff_class *a = left, *b = right;
	int order = (a->kind > b->kind) - (a->kind < b->kind);

	order = order ? order
		      : compare_growth((int64_t)(a->bytes - a->before_bytes),
				       (int64_t)(b->bytes - b->before_bytes));
	return order ? order : strcmp(a->name, b->name);
}

void diff_sum_classes(const struct snapshot *shown, diff_classes *classes)
{
	*classes = (diff_classes){ 0 };
	vec_for_each (site, &shown->sites) {
		struct diff_class *class = find_class(classes, site);

		class->before_bytes += site->before_bytes;
		class->before_blocks += site->before_blocks;
		class->bytes += site->bytes;
		class->blocks += site->blocks;
	}
	if (classes->count)
		qsort(classes->items, classes->count, sizeof(*classes->items), compare_classes);
}
