/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What stands above the rows of watch: the target, the ledgers, what is missed and what it costs.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "base/units.h"
#include "cmd/cells.h"
#include "cmd/screen.h"
#include "cmd/watch_head.h"
#include "report/label.h"

enum { LABEL_WIDTH = 10, LINE_MAX_BYTES = 512, NAME_MAX_BYTES = 96 };

/* -- the lines ---------------------------------------------------------------------------------
 */

static void add(char *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(char *line, const char *format, ...)
{
	size_t length = strlen(line);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line + length, LINE_MAX_BYTES - length, format, arguments);
	va_end(arguments);
}

/* The group of a process is mostly that of a whole session: without a limit it says nothing. */
static void add_group(char *line, const struct watch *watch)
{
	const struct footprint_group *group = &watch->group;
	char share[LABEL_SHARE_MAX];

	if (!group->path || (group->limit_bytes == UINT64_MAX && !watch->target.cgroup_path))
		return;
	if (group->limit_bytes == UINT64_MAX)
		add(line, "; cgroup %s, no limit", cell_bytes(group->usage_bytes).text);
	else
		add(line, "; cgroup %s of %s, %s", cell_bytes(group->usage_bytes).text,
		    cell_bytes(group->limit_bytes).text,
		    label_share(share, group->usage_bytes, group->limit_bytes));
}

static void processes(const struct watch *watch, char *line)
{
	const struct snapshot *snapshot = watch->latest;
	char name[NAME_MAX_BYTES], state[NAME_MAX_BYTES];
	uint64_t rss_bytes = 0;
	size_t ended = 0;

	vec_for_each (process, &snapshot->processes) {
		rss_bytes += process->rss_bytes;
		ended += process->state && strcmp(process->state, "running") != 0;
	}
	if (snapshot->processes.count == 1) {
		const struct process *process = &snapshot->processes.items[0];

		text_escape(name, sizeof(name), process->comm ? process->comm : "?");
		text_escape(state, sizeof(state),
			    process->exit    ? process->exit
			    : process->state ? process->state
					     : "?");
		add(line, "%d %s: %s, ", (int)process->pid, name, state);
		if (process->allocator)
			add(line, "%s, ", process->allocator);
	} else {
		add(line, "%s, ", cell_count(snapshot->processes.count).text);
		if (ended)
			add(line, "%s of them ended, ", cell_count(ended).text);
	}
	add(line, "RSS %s", cell_bytes(rss_bytes).text);
	add_group(line, watch);
}

static void heap(const struct watch *watch, char *line)
{
	const struct heap_totals *totals = &watch->latest->heap_totals;

	add(line, "%s%s outstanding in %s %s; %s allocated, %s freed",
	    snapshot_is_estimated(watch->latest) ? "about " : "",
	    cell_bytes(totals->live_bytes).text, cell_count(totals->live_blocks).text,
	    label_blocks(SITE_HEAP, totals->live_blocks), cell_bytes(totals->allocated_bytes).text,
	    cell_bytes(totals->freed_bytes).text);
}

static void mappings(const struct watch *watch, char *line)
{
	const struct mapping_totals *totals = &watch->latest->mapping_totals;

	add(line, "%s outstanding in %s %s, %s of it committed; %s mapped",
	    cell_bytes(totals->live_bytes).text, cell_count(totals->live_mappings).text,
	    label_blocks(SITE_MAPPING, totals->live_mappings),
	    cell_bytes(totals->committed_bytes).text, cell_bytes(totals->mapped_bytes).text);
}

static void faults(const struct watch *watch, char *line)
{
	const struct fault_totals *totals = &watch->latest->fault_totals;

	add(line, "about %s resident of %s touched", cell_bytes(totals->resident_bytes).text,
	    cell_bytes(totals->touched_bytes).text);
}

static void coverage(const struct watch *watch, char *line)
{
	const struct snapshot *snapshot = watch->latest;
	const struct cost *cost = &snapshot->cost;
	double share = 100 * snapshot_stacks_complete(snapshot);
	uint64_t losses = snapshot_losses(snapshot);

	/* "100 %" is said only of all */
	add(line, share == 100 ? "stacks 100%% complete; " : "stacks %.1f%% complete; ",
	    share > 99.9 ? 99.9 : share);
	add(line, "losses %s; ", losses ? cell_count(losses).text : "none");
	if (cost->budget_share > 0)
		add(line, "probes %.1f%% of %.1f%%; ", 100 * cost->used_share,
		    100 * cost->budget_share);
	add(line, "%s hits", cell_count(cost->hits).text);
}

/* -- the head ----------------------------------------------------------------------------------
 */

static const struct item {
	const char *label;
	size_t traced; /* offset of a bool in the snapshot; 0: always */
	int least_lines; /* of the screen */
	void (*write)(const struct watch *watch, char *line);
} items[] = {
	{ "processes", 0, 12, processes },
	{ "heap", offsetof(struct snapshot, heap), 8, heap },
	{ "mappings", offsetof(struct snapshot, mapping), 12, mappings },
	{ "faults", offsetof(struct snapshot, fault), 12, faults },
	{ "coverage", 0, 16, coverage },
};

static void state(const struct watch *watch, char *line)
{
	const char *pattern = watch->rows.pattern;
	char shown[NAME_MAX_BYTES];

	if (pattern) {
		text_escape(shown, sizeof(shown), pattern);
		add(line, " /%s/ ", shown);
	}
	if (watch->save)
		add(line, " REC %s ", cell_count(watch->recorded).text);
	if (watch->ended)
		add(line, " EXITED ");
	if (watch->paused)
		add(line, " PAUSED ");
}

static void title(const struct watch *watch)
{
	const struct snapshot *snapshot = watch->latest;
	char line[LINE_MAX_BYTES] = "", right[LINE_MAX_BYTES] = "", name[LABEL_MAX];
	char time[UNITS_TEXT_MAX];
	int columns = screen_columns(), width;

	state(watch, right);
	width = columns - (int)strlen(right);
	label_fit(name, watch->target.name, width > 50 ? (size_t)width - 34 : 16);
	add(line, " unfreed: %.*s", LINE_MAX_BYTES - 64, name);
	if (snapshot)
		add(line, ", %s, %s", units_format_time(time, snapshot->window_ns), snapshot->mode);
	screen_put(0, 0, columns, STYLE_TITLE, line);
	if (width > 0)
		screen_put(0, width, columns - width, STYLE_TITLE, right);
}

int watch_head(const struct watch *watch)
{
	int next = 1;

	title(watch);
	if (!watch->latest)
		return next;
	for (size_t i = 0; i < sizeof(items) / sizeof(*items); i++) {
		char line[LINE_MAX_BYTES] = "";

		if (screen_lines() < items[i].least_lines ||
		    (items[i].traced && !*((const char *)watch->latest + items[i].traced)))
			continue;
		items[i].write(watch, line);
		screen_put(next, 1, LABEL_WIDTH, STYLE_DIM, items[i].label);
		screen_put(next++, 1 + LABEL_WIDTH, screen_columns(), STYLE_PLAIN, line);
	}
	return next;
}
