/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The footprint for people: a table of classes, processes or mappings, then the container. */
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "report/footprint.h"
#include "report/label.h"
#include "report/page.h"

enum {
	COLUMNS_DEFAULT = 80,
	COLUMNS_MIN = 60,
	NAME_WIDTH = 19,
	UNKNOWN_MAX = 5, /* largest unknown mappings listed */
};

/* A column; those that are not always there are left out where the sum of all has none. */
static const struct column {
	const char *title;
	size_t member; /* of struct figures */
	bool always;
} columns[] = {
	{ "PSS", offsetof(struct figures, pss_bytes), true },
	{ "DIRTY", offsetof(struct figures, private_dirty_bytes), true },
	{ "SWAP", offsetof(struct figures, swap_bytes), false },
	{ "HUGE", offsetof(struct figures, huge_bytes), false },
	{ "HUGETLB", offsetof(struct figures, hugetlb_bytes), false },
	{ "SIZE", offsetof(struct figures, size_bytes), true },
};

enum { COLUMNS = sizeof(columns) / sizeof(columns[0]) };

static uint64_t member(const struct figures *figures, const struct column *column)
{
	return *(const uint64_t *)((const char *)figures + column->member);
}

static bool is_shown(const struct column *column, const struct figures *total)
{
	return column->always || member(total, column);
}

/* -- rows -------------------------------------------------------------------------------------- */

struct row {
	char *name, *details; /* details may be NULL */
	const struct figures *figures;
};

typedef VEC(struct row) row_list;

static int compare_rows(const void *left, const void *right)
{
	const struct figures *a = ((const struct row *)left)->figures;
	const struct figures *b = ((const struct row *)right)->figures;

	if (a->rss_bytes != b->rss_bytes)
		return a->rss_bytes < b->rss_bytes ? 1 : -1;
	if (a->swap_bytes != b->swap_bytes)
		return a->swap_bytes < b->swap_bytes ? 1 : -1;
	return (a->size_bytes < b->size_bytes) - (a->size_bytes > b->size_bytes);
}

static void sort_and_free(row_list *rows, bool sort)
{
	if (sort && rows->count)
		qsort(rows->items, rows->count, sizeof(struct row), compare_rows);
	if (sort)
		return;
	vec_for_each (row, rows) {
		mem_free(row->name);
		mem_free(row->details);
	}
	vec_free(rows);
}

static void write_head_of(const struct page *page, const char *name, const struct figures *total)
{
	fprintf(page->stream, "\n%s%-*s%s %8s  %5s", page_bold(page), NAME_WIDTH, name,
		page_plain(page), "RSS", "SHARE");
	for (size_t i = 0; i < COLUMNS; i++)
		if (is_shown(&columns[i], total))
			fprintf(page->stream, " %8s", columns[i].title);
	fprintf(page->stream, " %6s\n", "COUNT");
}

static void write_row(const struct page *page, const struct row *row, const struct figures *total)
{
	char text[UNITS_TEXT_MAX], share[LABEL_SHARE_MAX], name[LABEL_MAX];
	size_t length = label_fit(name, row->name, NAME_WIDTH);

	fprintf(page->stream, "%s%*s %s%8s%s  %5s", name, (int)(NAME_WIDTH - length), "",
		page_bold(page), units_format_bytes(text, row->figures->rss_bytes),
		page_plain(page), label_share(share, row->figures->rss_bytes, total->rss_bytes));
	for (size_t i = 0; i < COLUMNS; i++)
		if (is_shown(&columns[i], total))
			fprintf(page->stream, " %8s",
				units_format_bytes(text, member(row->figures, &columns[i])));
	fprintf(page->stream, " %6s\n", units_format_count(text, row->figures->mappings));
	if (!row->details)
		return;
	label_fit(name, row->details, page->columns - 4);
	fprintf(page->stream, "    %s%s%s\n", page_dim(page), name, page_plain(page));
}

static void write_rows(const struct page *page, const char *name, row_list *rows, uint64_t top,
		       const struct figures *total)
{
	struct row all = { .name = (char *)"all", .figures = total };
	char count[UNITS_TEXT_MAX];

	sort_and_free(rows, true);
	write_head_of(page, name, total);
	for (size_t i = 0; i < rows->count && i < top; i++)
		write_row(page, &rows->items[i], total);
	if (rows->count > top)
		fprintf(page->stream, "and %s more (--top)\n",
			units_format_count(count, rows->count - top));
	write_row(page, &all, total);
	sort_and_free(rows, false);
}

static void write_by_class(const struct page *page, const struct footprint *footprint)
{
	row_list rows = { 0 };

	for (int class = 0; class < CLASSES; class ++)
		if (footprint->classes[class].size_bytes)
			*vec_add(&rows) = (struct row){ mem_string(class_name(class)), NULL,
							&footprint->classes[class] };
	write_rows(page, "CLASS", &rows, CLASSES, &footprint->total);
}

static void write_by_process(const struct page *page, const struct footprint *footprint,
			     uint64_t top)
{
	row_list rows = { 0 };

	vec_for_each (process, &footprint->processes)
		*vec_add(&rows) = (struct row){ mem_printf("%d %s", process->pid,
							   process->comm ? process->comm : "?"),
						NULL, &process->total };
	write_rows(page, "PROCESS", &rows, top, &footprint->total);
}

static char *describe(const struct footprint *footprint, const struct footprint_process *process,
		      const struct footprint_mapping *mapping)
{
	char *pid = footprint->processes.count > 1 ? mem_printf("pid %d ", process->pid)
						   : mem_string("");
	char *text = mem_printf("%s%" PRIx64 "-%" PRIx64 " %s%s%s", pid, mapping->start,
				mapping->end, mapping->permissions, mapping->name ? " " : "",
				mapping->name ? mapping->name : "");

	mem_free(pid);
	return text;
}

/* class: of this class only; CLASSES: all. */
static void add_mappings(row_list *rows, const struct footprint *footprint, enum memory_class class)
{
	vec_for_each (process, &footprint->processes) {
		vec_for_each (mapping, &process->mappings) {
			if (class != CLASSES && mapping->class != class)
				continue;
			*vec_add(rows) = (struct row){
				mem_string(class_name(mapping->class)),
				describe(footprint, process, mapping),
				&mapping->figures,
			};
		}
	}
}

static void write_by_mapping(const struct page *page, const struct footprint *footprint,
			     uint64_t top)
{
	row_list rows = { 0 };

	add_mappings(&rows, footprint, CLASSES);
	write_rows(page, "MAPPING", &rows, top, &footprint->total);
}

/* What is unknown is looked into by hand: where it is. */
static void write_unknown(const struct page *page, const struct footprint *footprint)
{
	const struct figures *unknown = &footprint->classes[CLASS_UNKNOWN];
	char text[UNITS_TEXT_MAX];
	row_list rows = { 0 };

	if (!unknown->rss_bytes && !unknown->swap_bytes)
		return;
	add_mappings(&rows, footprint, CLASS_UNKNOWN);
	sort_and_free(&rows, true);
	fprintf(page->stream, "\n%sUNKNOWN%s: the largest of %zu\n", page_bold(page),
		page_plain(page), rows.count);
	for (size_t i = 0; i < rows.count && i < UNKNOWN_MAX; i++)
		page_item(page, units_format_bytes(text, rows.items[i].figures->rss_bytes), "%s",
			  rows.items[i].details);
	sort_and_free(&rows, false);
}

/* -- the container ----------------------------------------------------------------------------- */

static void write_kernel(const struct page *page, const struct footprint *footprint)
{
	const struct footprint_group *group = &footprint->group;
	char bytes[UNITS_TEXT_MAX], tables[UNITS_TEXT_MAX], slab[UNITS_TEXT_MAX],
		stacks[UNITS_TEXT_MAX];
	uint64_t table_bytes = 0;

	vec_for_each (process, &footprint->processes)
		table_bytes += process->page_table_bytes;
	units_format_bytes(bytes, group->kernel_bytes);
	if (group->version == 2)
		page_item(page, "kernel", "%s: page tables %s, slab %s, stacks %s", bytes,
			  units_format_bytes(tables, group->page_table_bytes),
			  units_format_bytes(slab, group->slab_bytes),
			  units_format_bytes(stacks, group->kernel_stack_bytes));
	else
		page_item(page, "kernel", "%s, of it page tables of these processes %s", bytes,
			  units_format_bytes(tables, table_bytes));
	page_item(page, "sockets", "%s", units_format_bytes(bytes, group->socket_bytes));
}

/* What the sum of the processes does not show, though it is charged: all but what they map. */
static void write_beyond(const struct page *page, const struct footprint *footprint)
{
	const struct footprint_group *group = &footprint->group;
	uint64_t mapped = group->anon_bytes + group->file_mapped_bytes;
	uint64_t beyond = group->usage_bytes > mapped ? group->usage_bytes - mapped : 0;
	char bytes[UNITS_TEXT_MAX], share[LABEL_SHARE_MAX], pss[UNITS_TEXT_MAX];

	page_item(page, "beyond RSS",
		  "%s (%s of usage) is in no process: page cache, kernel, sockets; these processes "
		  "have %s by PSS",
		  units_format_bytes(bytes, beyond), label_share(share, beyond, group->usage_bytes),
		  units_format_bytes(pss, footprint->total.pss_bytes));
}

static void write_group(const struct page *page, const struct footprint *footprint)
{
	const struct footprint_group *group = &footprint->group;
	bool limited = group->limit_bytes != UINT64_MAX;
	char a[UNITS_TEXT_MAX], b[UNITS_TEXT_MAX], c[UNITS_TEXT_MAX], d[UNITS_TEXT_MAX],
		share[LABEL_SHARE_MAX];

	fprintf(page->stream, "\n%sCONTAINER%s: %s (cgroup v%" PRIu32 ")\n", page_bold(page),
		page_plain(page), group->path, group->version);
	if (limited)
		page_item(page, "usage", "%s of %s (%s), at most %s so far",
			  units_format_bytes(a, group->usage_bytes),
			  units_format_bytes(b, group->limit_bytes),
			  label_share(share, group->usage_bytes, group->limit_bytes),
			  units_format_bytes(c, group->peak_bytes));
	else
		page_item(page, "usage", "%s, no limit", units_format_bytes(a, group->usage_bytes));
	page_item(page, "anonymous", "%s%s%s", units_format_bytes(a, group->anon_bytes),
		  group->swap_bytes ? ", and swapped out " : "",
		  group->swap_bytes ? units_format_bytes(b, group->swap_bytes) : "");
	page_item(page, "page cache", "%s: mapped %s, inactive %s; tmpfs and shared memory %s",
		  units_format_bytes(a, group->file_bytes),
		  units_format_bytes(b, group->file_mapped_bytes),
		  units_format_bytes(c, group->inactive_file_bytes),
		  units_format_bytes(d, group->shmem_bytes));
	write_kernel(page, footprint);
	write_beyond(page, footprint);
	page_item(page, "OOM", "%s kills; the limit was hit %s times",
		  units_format_count(a, group->oom_kills),
		  units_format_count(b, group->limit_hits));
	if (group->others)
		page_item(page, "others", "%" PRIu32 " more %s in this cgroup", group->others,
			  group->others == 1 ? "process is" : "processes are");
}

/* A figure that is held against the group's limit. */
static void write_figure(const struct page *page, const struct footprint_group *group,
			 const char *label, uint64_t bytes, const char *what)
{
	char text[UNITS_TEXT_MAX], share[LABEL_SHARE_MAX];

	units_format_bytes(text, bytes);
	if (group->limit_bytes == UINT64_MAX)
		page_item(page, label, "%s: %s", text, what);
	else
		page_item(page, label, "%s, %s of the limit: %s", text,
			  label_share(share, bytes, group->limit_bytes), what);
}

/* Which figure kills: each manager has its own. */
static void write_managers(const struct page *page, const struct footprint *footprint)
{
	const struct footprint_group *group = &footprint->group;
	uint64_t yarn_bytes = 0, cache = footprint_reclaimable(group);
	char bytes[UNITS_TEXT_MAX];

	vec_for_each (process, &footprint->processes)
		yarn_bytes += process->yarn_bytes;
	fprintf(page->stream, "\n%sWHICH FIGURE KILLS%s\n", page_bold(page), page_plain(page));
	if (group->path) {
		write_figure(page, group, "kernel",
			     group->usage_bytes > cache ? group->usage_bytes - cache : 0,
			     "usage without page cache");
		write_figure(page, group, "Kubernetes", footprint_working_set(group),
			     "working set, usage - inactive_file");
	}
	page_item(page, "YARN", "%s: the sum of RSS, shared pages once for each process",
		  units_format_bytes(bytes, footprint->total.rss_bytes));
	page_item(page, "", "%s: smaps-based, private + min(shared dirty, PSS)",
		  units_format_bytes(bytes, yarn_bytes));
}

/* -- growth ------------------------------------------------------------------------------------ */

/* "+1.2 MiB" */
static const char *signed_bytes(char *buffer, size_t buffer_bytes, double bytes)
{
	char text[UNITS_TEXT_MAX];

	units_format_bytes(text, (uint64_t)(bytes < 0 ? -bytes : bytes));
	snprintf(buffer, buffer_bytes, "%s%s", bytes <= -1 ? "-" : bytes >= 1 ? "+" : "", text);
	return buffer;
}

static void write_growth_row(const struct page *page, const char *name, uint64_t rss_bytes,
			     double change, double rate)
{
	char now[UNITS_TEXT_MAX], grown[UNITS_TEXT_MAX + 2], minute[UNITS_TEXT_MAX + 2];

	fprintf(page->stream, "%-*s %8s  %9s  %9s/min\n", NAME_WIDTH, name,
		units_format_bytes(now, rss_bytes), signed_bytes(grown, sizeof(grown), change),
		signed_bytes(minute, sizeof(minute), 60 * rate));
}

static int compare_changes(const void *left, const void *right, void *context)
{
	int64_t a = llabs(growth_change(context, *(const int *)left));
	int64_t b = llabs(growth_change(context, *(const int *)right));

	return (a < b) - (a > b);
}

static void write_limit(const struct page *page, const struct footprint *footprint,
			const struct growth *growth)
{
	const struct footprint_group *group = &footprint->group;
	double seconds = growth_seconds_to_limit(growth, group), rate = growth_charged_rate(growth);
	char usage[UNITS_TEXT_MAX], limit[UNITS_TEXT_MAX], time[UNITS_TEXT_MAX],
		minute[UNITS_TEXT_MAX + 2];

	if (!group->path || group->limit_bytes == UINT64_MAX)
		return;
	units_format_bytes(usage, group->usage_bytes);
	units_format_bytes(limit, group->limit_bytes);
	signed_bytes(minute, sizeof(minute), 60 * rate);
	if (seconds < 0)
		page_item(page, "limit", "%s of %s in use, %s/min without page cache: not growing",
			  usage, limit, minute);
	else
		page_item(page, "limit", "%s of %s in use, %s/min without page cache: full in %s",
			  usage, limit, minute, units_format_time(time, (uint64_t)(seconds * 1e9)));
}

static void write_growth(const struct page *page, const struct footprint *footprint,
			 const struct growth *growth)
{
	int order[CLASSES], count = 0;
	char time[UNITS_TEXT_MAX];

	for (int class = 0; class < CLASSES; class ++)
		if (growth_change(growth, class))
			order[count++] = class;
	qsort_r(order, count, sizeof(*order), compare_changes, (void *)growth);
	units_format_time(time, (uint64_t)(growth_seconds(growth) * 1e9));
	fprintf(page->stream, "\n%sGROWTH%s in %s\n%-*s %8s  %9s  %9s\n", page_bold(page),
		page_plain(page), time, NAME_WIDTH, "CLASS", "RSS", "CHANGE", "RATE");
	for (int i = 0; i < count; i++)
		write_growth_row(page, class_name(order[i]), footprint->classes[order[i]].rss_bytes,
				 growth_change(growth, order[i]), growth_rate(growth, order[i]));
	write_growth_row(page, "all", footprint->total.rss_bytes, growth_change(growth, CLASSES),
			 growth_rate(growth, CLASSES));
	write_limit(page, footprint, growth);
}

/* -- the whole --------------------------------------------------------------------------------- */

static struct page page_of(const struct footprint_options *options, FILE *stream)
{
	struct page page = { stream, COLUMNS_DEFAULT, options->color, false };

	if (options->columns > 0)
		page.columns = options->columns < COLUMNS_MIN ? COLUMNS_MIN : options->columns;
	return page;
}

static void write_head(const struct page *page, const struct footprint *footprint)
{
	char target[LABEL_MAX], rss[UNITS_TEXT_MAX], pss[UNITS_TEXT_MAX], count[UNITS_TEXT_MAX];

	label_fit(target, footprint->target ? footprint->target : "?", page->columns - 12);
	fprintf(page->stream, "%sunfreed: %s%s\n", page_bold(page), target, page_plain(page));
	page_item(page, "processes", "%s, RSS %s, PSS %s",
		  units_format_count(count, footprint->processes.count),
		  units_format_bytes(rss, footprint->total.rss_bytes),
		  units_format_bytes(pss, footprint->total.pss_bytes));
	page_item(page, "stall", "%s at most: so long may a mapping call have waited for this",
		  units_format_time(count, footprint->longest_stall_ns));
	vec_for_each (note, &footprint->notes)
		page_item(page, "note", "%s", *note);
}

void footprint_table(const struct footprint *footprint, const struct growth *growth,
		     const struct footprint_options *options, FILE *stream)
{
	struct page page = page_of(options, stream);

	if (growth && growth->count > 1) {
		write_growth(&page, footprint, growth);
		return;
	}
	write_head(&page, footprint);
	if (options->by == FOOTPRINT_BY_CLASS)
		write_by_class(&page, footprint);
	else if (options->by == FOOTPRINT_BY_PROCESS)
		write_by_process(&page, footprint, options->top);
	else
		write_by_mapping(&page, footprint, options->top);
	if (options->by == FOOTPRINT_BY_CLASS)
		write_unknown(&page, footprint);
	if (footprint->group.path)
		write_group(&page, footprint);
	write_managers(&page, footprint);
}

void footprint_diff_table(const struct footprint *before, const struct footprint *after,
			  const struct footprint_options *options, FILE *stream)
{
	struct page page = page_of(options, stream);
	struct footprint then = *before, now = *after;
	struct growth growth = { 0 };

	/* Two footprints are growth with two samples. */
	then.monotonic_ns = before->unix_ns;
	now.monotonic_ns = after->unix_ns;
	growth_add(&growth, &then);
	growth_add(&growth, &now);
	write_growth(&page, after, &growth);
}
