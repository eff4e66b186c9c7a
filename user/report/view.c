/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Choosing sites, and what is said of the others. */
#include "report/view.h"

#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/units.h"
#include "report/label.h"
#include "report/regroup.h"

#define uthash_malloc(bytes) mem_alloc(bytes)
#define uthash_free(memory, bytes) mem_free(memory)
#include <uthash.h>

/* Whether a text matches: most stand in many stacks. */
struct known_text {
	const char *text;
	bool matches;
	UT_hash_handle hh;
};

/* Any of these. */
struct patterns {
	VEC(regex_t) items;
	struct known_text *known;
};

struct view_caches {
	struct patterns wanted, unwanted;
	VEC(const char *) classes;
	struct regroup *regroup;
};

void view_init(struct view *view)
{
	*view = (struct view){ .caches = mem_alloc(sizeof(*view->caches)) };
	view->caches->regroup = regroup_new();
}

static void patterns_forget(struct patterns *patterns)
{
	struct known_text *each, *next;

	HASH_ITER (hh, patterns->known, each, next) {
		HASH_DEL(patterns->known, each);
		mem_free(each);
	}
}

static void patterns_free(struct patterns *patterns)
{
	patterns_forget(patterns);
	vec_for_each (pattern, &patterns->items)
		regfree(pattern);
	vec_free(&patterns->items);
}

void view_free(struct view *view)
{
	if (!view->caches)
		return;
	patterns_free(&view->caches->wanted);
	patterns_free(&view->caches->unwanted);
	vec_free(&view->caches->classes);
	regroup_free(view->caches->regroup);
	mem_free(view->caches);
	view->caches = NULL;
}

/* -- what is asked for ------------------------------------------------------------------------- */

static int add_pattern(struct patterns *patterns, const char *text)
{
	char why[128];
	regex_t pattern;
	int error = regcomp(&pattern, text, REG_EXTENDED | REG_NOSUB);

	if (error) {
		regerror(error, &pattern, why, sizeof(why));
		return error_set(-EINVAL, "'%s' is no regular expression: %s", text, why);
	}
	*vec_add(&patterns->items) = pattern;
	return 0;
}

int view_want(struct view *view, const char *pattern)
{
	return add_pattern(&view->caches->wanted, pattern);
}

int view_exclude(struct view *view, const char *pattern)
{
	return add_pattern(&view->caches->unwanted, pattern);
}

int view_class(struct view *view, const char *name)
{
	*vec_add(&view->caches->classes) = name;
	return 0;
}

/* Without what is behind '#', and white space at both ends. */
static char *trim(char *line)
{
	char *end;

	line[strcspn(line, "#\n")] = '\0';
	line += strspn(line, " \t\r");
	for (end = line + strlen(line); end > line && strchr(" \t\r", end[-1]); end--)
		;
	*end = '\0';
	return line;
}

int view_exclude_from(struct view *view, const char *path)
{
	cleanup_fclose FILE *stream = fopen(path, "re");
	cleanup_free char *line = NULL;
	size_t size = 0, number = 0;
	int error = 0;

	if (!stream)
		return error_set(-errno, "cannot open %s: %s", path, strerror(errno));
	while (!error && getline(&line, &size, stream) >= 0) {
		char *pattern = trim(line);

		number++;
		if (*pattern && view_exclude(view, pattern))
			error = error_prefix(-EINVAL, "%s:%zu", path, number);
	}
	return error;
}

int view_kind(struct view *view, const char *name)
{
	for (enum site_kind kind = 0; kind < SITE_KINDS; kind++) {
		if (strcmp(site_kind_name(kind), name))
			continue;
		view->kinds |= 1u << kind;
		return 0;
	}
	return error_set(-EINVAL, "no kind '%s': heap, mapping, fault", name);
}

int view_group_by(struct view *view, const char *name)
{
	static const char *const names[] = {
		[VIEW_BY_SITE] = "site",       [VIEW_BY_FUNCTION] = "function",
		[VIEW_BY_MODULE] = "module",   [VIEW_BY_THREAD] = "thread",
		[VIEW_BY_PROCESS] = "process",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i], name))
			continue;
		view->by = (enum view_by)i;
		return 0;
	}
	return error_set(-EINVAL, "by what: site, function, module, thread, process; not '%s'",
			 name);
}

static bool chooses(const struct view *view)
{
	return view->kinds || view->min_bytes || view->older_ns || view->younger_ns ||
	       view->caches->wanted.items.count || view->caches->unwanted.items.count ||
	       view->caches->classes.count;
}

bool view_is_plain(const struct view *view)
{
	return !chooses(view) && view->by == VIEW_BY_SITE && !view->invert;
}

/* -- choosing ---------------------------------------------------------------------------------- */

static bool text_matches(struct patterns *patterns, const char *text)
{
	struct known_text *known;

	if (!text)
		return false;
	HASH_FIND_PTR(patterns->known, &text, known);
	if (known)
		return known->matches;
	known = mem_alloc(sizeof(*known));
	known->text = text;
	vec_for_each (pattern, &patterns->items)
		known->matches |= !regexec(pattern, text, 0, NULL, 0);
	HASH_ADD_PTR(patterns->known, text, known);
	return known->matches;
}

static bool stack_matches(struct patterns *patterns, const struct site *site)
{
	for (size_t i = 0; i < site->frame_count; i++) {
		const struct frame *frame = &site->frames[i];

		if (text_matches(patterns, frame->name) || text_matches(patterns, frame->module) ||
		    text_matches(patterns, frame->file))
			return true;
	}
	return false;
}

static bool is_of_class(const struct view_caches *caches, const struct site *site)
{
	const char *class = site_class(site);

	vec_for_each (name, &caches->classes)
		if (!strcasecmp(*name, class))
			return true;
	return !caches->classes.count;
}

/* Leaves of site what is old, or young, enough, as far as the snapshot tells. false: nothing. */
static bool choose_age(const struct view *view, uint64_t min_age_ns, struct site *site)
{
	if (view->older_ns && site->max_age_ns < view->older_ns)
		return false;
	if (view->younger_ns && (!site->max_age_ns || site->min_age_ns >= view->younger_ns))
		return false;
	if (view->older_ns && view->older_ns == min_age_ns) {
		site->bytes -= site->young_bytes;
		site->blocks -= site->young_blocks;
		site->young_bytes = site->young_blocks = 0;
		if (site->min_age_ns < min_age_ns)
			site->min_age_ns = min_age_ns;
	}
	if (view->younger_ns && view->younger_ns == min_age_ns) {
		site->bytes = site->young_bytes;
		site->blocks = site->young_blocks;
		if (site->max_age_ns > min_age_ns)
			site->max_age_ns = min_age_ns;
	}
	return true;
}

static bool choose(struct view *view, uint64_t min_age_ns, struct site *site)
{
	struct view_caches *caches = view->caches;

	if (view->kinds && !(view->kinds & 1u << site->kind))
		return false;
	if (!is_of_class(caches, site) || !choose_age(view, min_age_ns, site) ||
	    site->bytes < view->min_bytes)
		return false;
	if (caches->wanted.items.count && !stack_matches(&caches->wanted, site))
		return false;
	return !caches->unwanted.items.count || !stack_matches(&caches->unwanted, site);
}

static uint64_t less(uint64_t from, uint64_t count)
{
	return count < from ? from - count : 0;
}

static void take(uint64_t *from, uint64_t count)
{
	*from = less(*from, count);
}

/* Takes what is not shown of a site from the totals. */
static void take_from_totals(struct snapshot *snapshot, const struct site *site, uint64_t bytes,
			     uint64_t blocks, bool all)
{
	struct heap_totals *heap = &snapshot->heap_totals;
	struct mapping_totals *mapping = &snapshot->mapping_totals;
	struct fault_totals *fault = &snapshot->fault_totals;

	if (site->kind == SITE_HEAP) {
		take(&heap->live_bytes, bytes);
		take(&heap->live_blocks, blocks);
		take(&heap->preexisting_bytes, all ? site->preexisting_bytes : 0);
		take(&heap->allocated_bytes, all ? site->allocated_bytes : 0);
		take(&heap->allocated_blocks, all ? site->allocated_blocks : 0);
		take(&heap->freed_bytes, all ? less(site->allocated_bytes, bytes) : 0);
		take(&heap->freed_blocks, all ? less(site->allocated_blocks, blocks) : 0);
	} else if (site->kind == SITE_MAPPING) {
		take(&mapping->live_bytes, bytes);
		take(&mapping->live_mappings, blocks);
		take(&mapping->committed_bytes, all ? site->committed_bytes : 0);
		take(&mapping->mapped_bytes, all ? site->allocated_bytes : 0);
		take(&mapping->unmapped_bytes, all ? less(site->allocated_bytes, bytes) : 0);
	} else {
		take(&fault->resident_bytes, bytes);
		take(&fault->resident_pages, blocks);
		take(&fault->touched_bytes, all ? site->allocated_bytes : 0);
	}
}

static void choose_sites(struct view *view, struct snapshot *snapshot)
{
	char text[UNITS_TEXT_MAX], count[UNITS_TEXT_MAX];
	uint64_t left_out = 0;
	size_t kept = 0, sites = 0;

	vec_for_each (site, &snapshot->sites) {
		struct site chosen = *site;
		bool shown = choose(view, snapshot->min_age_ns, &chosen);
		uint64_t bytes = site->bytes - (shown ? chosen.bytes : 0);
		uint64_t blocks = site->blocks - (shown ? chosen.blocks : 0);

		take_from_totals(snapshot, site, bytes, blocks, !shown);
		left_out += bytes;
		sites += !shown && site->bytes;
		if (shown)
			snapshot->sites.items[kept++] = chosen;
	}
	snapshot->sites.count = kept;
	snapshot_note(snapshot, "left out, as was asked for: %s outstanding, %s stack%s whole",
		      units_format_bytes(text, left_out), units_format_count(count, sites),
		      sites == 1 ? "" : "s");
}

/* -- the whole --------------------------------------------------------------------------------- */

static struct snapshot *apply(struct view *view, struct snapshot *snapshot)
{
	struct snapshot *shown;

	if (view_is_plain(view))
		return snapshot;
	shown = snapshot_copy(snapshot);
	shown->whole = snapshot;
	if (chooses(view))
		choose_sites(view, shown);
	regroup_by(view->caches->regroup, shown, view->by);
	if (view->invert)
		regroup_invert(view->caches->regroup, shown);
	snapshot_sort(shown);
	return shown;
}

struct snapshot *view_apply(struct view *view, struct snapshot *snapshot)
{
	/* What is known by an address may have been of another snapshot. */
	patterns_forget(&view->caches->wanted);
	patterns_forget(&view->caches->unwanted);
	regroup_forget(view->caches->regroup);
	return apply(view, snapshot);
}

/* -- a series ---------------------------------------------------------------------------------- */

struct viewed {
	struct view *view;
	struct series *series;
};

static struct snapshot *load_viewed(void *source, size_t i)
{
	struct viewed *viewed = source;

	return apply(viewed->view, series_load(viewed->series, i));
}

static struct footprint *footprint_viewed(void *source, size_t i)
{
	struct viewed *viewed = source;

	return series_footprint(viewed->series, i);
}

static void free_viewed(void *source)
{
	struct viewed *viewed = source;

	series_free(viewed->series);
	mem_free(viewed);
}

struct series *view_series(struct view *view, struct series *series)
{
	static const struct series_ops ops = {
		.load = load_viewed,
		.footprint = footprint_viewed,
		.free = free_viewed,
	};
	struct viewed *viewed = mem_alloc(sizeof(*viewed));
	struct series *shown = series_new(&ops, viewed);

	viewed->view = view;
	viewed->series = series;
	vec_for_each (moment, &series->moments)
		*vec_add(&shown->moments) = *moment;
	vec_for_each (fact, &series->facts)
		*vec_add(&shown->facts) = *fact;
	shown->warning = series->warning;
	return shown;
}
