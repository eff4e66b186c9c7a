/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The report for people: totals, the top stacks of each ledger, and the coverage. */
#include <inttypes.h>
#include <string.h>

#include "base/units.h"
#include "report/coverage.h"
#include "report/formats.h"
#include "report/incident.h"
#include "report/label.h"
#include "report/page.h"
#include "report/selection.h"
#include "report/stack.h"

enum {
	COLUMNS_DEFAULT = 80,
	COLUMNS_MIN = 60,
	DETAILS = 5, /* indent of what does not fit beside the numbers */
	AGE_END = 61, /* where the details beside most ages begin */
	PROCESSES_MAX = 12, /* listed in the head */
};

/* The two ledgers, and what they are made of. */
static const struct section {
	enum site_kind kind;
	const char *title, *held, *blocks, *allocated;
} sections[] = {
	{ SITE_HEAP, "HEAP", "outstanding", "BLOCKS", "ALLOCATED" },
	{ SITE_MAPPING, "MAPPINGS", "outstanding", "MAPPINGS", "MAPPED" },
	{ SITE_FAULT, "PAGE FAULTS", "resident", "PAGES", "TOUCHED" },
};

/* -- the head ------------------------------------------------------------------------------------
 */

static void write_processes(const struct page *page, const struct snapshot *snapshot)
{
	const char *label = snapshot->processes.count == 1 ? "process" : "processes";
	size_t i;

	for (i = 0; i < snapshot->processes.count && i < PROCESSES_MAX; i++) {
		const struct process *process = &snapshot->processes.items[i];
		char rss[UNITS_TEXT_MAX];

		page_item(page, i ? "" : label, "%d %s: %s%s%s, %s%s%s", process->pid,
			  process->comm ? process->comm : "?",
			  process->state ? process->state : "unknown", process->exit ? ", " : "",
			  process->exit ? process->exit : "",
			  process->allocator ? process->allocator : "no known allocator",
			  process->rss_bytes ? ", RSS " : "",
			  process->rss_bytes ? units_format_bytes(rss, process->rss_bytes) : "");
	}
	if (i < snapshot->processes.count)
		page_item(page, "", "and %zu more", snapshot->processes.count - i);
}

static bool is_sampled(const struct snapshot *snapshot)
{
	return snapshot->mode && !strcmp(snapshot->mode, "sampled");
}

/* Calls are seen in windows only, from which figures are estimated. */
static bool is_windowed(const struct snapshot *snapshot)
{
	return snapshot_is_estimated(snapshot) && !is_sampled(snapshot);
}

static void write_totals(const struct page *page, const struct snapshot *snapshot,
			 unsigned int kinds)
{
	const struct heap_totals *heap = &snapshot->heap_totals;
	const struct mapping_totals *mapping = &snapshot->mapping_totals;
	char live[UNITS_TEXT_MAX], blocks[UNITS_TEXT_MAX], in[UNITS_TEXT_MAX], out[UNITS_TEXT_MAX],
		committed[UNITS_TEXT_MAX];

	const bool with_heap = snapshot->heap && kinds & 1u << SITE_HEAP;

	if (with_heap && is_windowed(snapshot))
		page_item(page, "heap",
			  "about %s more outstanding in %s %s, estimated; %s seen allocated",
			  units_format_bytes(live, heap->live_bytes),
			  units_format_count(blocks, heap->live_blocks),
			  label_blocks(SITE_HEAP, heap->live_blocks),
			  units_format_bytes(in, heap->allocated_bytes));
	else if (with_heap)
		page_item(page, "heap", "%s%s outstanding in %s %s; %s allocated, %s freed",
			  is_sampled(snapshot) ? "about " : "",
			  units_format_bytes(live, heap->live_bytes),
			  units_format_count(blocks, heap->live_blocks),
			  label_blocks(SITE_HEAP, heap->live_blocks),
			  units_format_bytes(in, heap->allocated_bytes),
			  units_format_bytes(out, heap->freed_bytes));
	if (snapshot->mapping && kinds & 1u << SITE_MAPPING)
		page_item(page, "mappings",
			  "%s outstanding in %s %s, %s of it committed; %s mapped, %s unmapped",
			  units_format_bytes(live, mapping->live_bytes),
			  units_format_count(blocks, mapping->live_mappings),
			  label_blocks(SITE_MAPPING, mapping->live_mappings),
			  units_format_bytes(committed, mapping->committed_bytes),
			  units_format_bytes(in, mapping->mapped_bytes),
			  units_format_bytes(out, mapping->unmapped_bytes));
}

static void write_faults(const struct page *page, const struct snapshot *snapshot,
			 unsigned int kinds)
{
	const struct fault_totals *totals = &snapshot->fault_totals;
	char resident[UNITS_TEXT_MAX], touched[UNITS_TEXT_MAX], faults[UNITS_TEXT_MAX];

	if (snapshot->fault && kinds & 1u << SITE_FAULT)
		page_item(page, "faults", "about %s resident of %s touched, by %s page faults",
			  units_format_bytes(resident, totals->resident_bytes),
			  units_format_bytes(touched, totals->touched_bytes),
			  units_format_count(faults, totals->faults));
}

static void write_head(const struct page *page, const struct snapshot *snapshot,
		       const struct report_options *options)
{
	char target[LABEL_MAX], length[UNITS_TEXT_MAX];

	label_fit(target, snapshot->target ? snapshot->target : "?", page->columns - 30);
	fprintf(page->stream, "%sunfreed: %s, watched for %s%s\n", page_bold(page), target,
		units_format_time(length, snapshot->window_ns), page_plain(page));
	write_processes(page, snapshot);
	write_totals(page, snapshot, options->kinds ? options->kinds : ~0u);
	write_faults(page, snapshot, options->kinds ? options->kinds : ~0u);
}

/* -- sites ---------------------------------------------------------------------------------------
 */

/*
 * "5.2 s - 29 s", youngest to oldest. Of a site with blocks too young to be shown the youngest
 * shown is only known to have the minimum; a block from before the attach is older than it seems.
 */
static void format_age(char *text, size_t text_bytes, const struct selection_row *row,
		       uint64_t min_age_ns)
{
	const struct site *site = row->site;
	uint64_t youngest = site->min_age_ns > min_age_ns ? site->min_age_ns : min_age_ns;
	char from[UNITS_TEXT_MAX], to[UNITS_TEXT_MAX];
	const char *or_more = site->preexisting_bytes ? "+" : "";

	units_format_time(from, youngest);
	units_format_time(to, site->max_age_ns);
	if (site->max_age_ns < youngest)
		snprintf(text, text_bytes, "%s+", from);
	else if (!strcmp(from, to))
		snprintf(text, text_bytes, "%s%s", to, or_more);
	else
		snprintf(text, text_bytes, "%s - %s%s", from, to, or_more);
}

static const struct process *process_of(const struct snapshot *snapshot, pid_t pid)
{
	vec_for_each (process, &snapshot->processes)
		if (process->pid == pid)
			return process;
	return NULL;
}

/* Appends ", format" to text, without the comma at its start. */
static void append(char *text, size_t text_bytes, const char *format, const char *argument)
{
	size_t length = strlen(text);

	if (length)
		length += snprintf(text + length, text_bytes - length, ", ");
	if (length < text_bytes)
		snprintf(text + length, text_bytes - length, format, argument);
}

/* Whose it is, and what else is known of it; empty when there is nothing to say. */
static void format_details(char *text, size_t text_bytes, const struct snapshot *snapshot,
			   const struct selection_row *row)
{
	const struct site *site = row->site;
	char bytes[UNITS_TEXT_MAX];
	size_t length;

	*text = '\0';
	if (snapshot->processes.count > 1) {
		const struct process *process = process_of(snapshot, site->pid);

		snprintf(text, text_bytes, "%s[%d]", process && process->comm ? process->comm : "?",
			 site->pid);
	}
	if (site->owner)
		append(text, text_bytes, "%s", site->owner);
	if (site->kind == SITE_MAPPING && site->committed_bytes != site->bytes)
		append(text, text_bytes, "%s committed",
		       units_format_bytes(bytes, site->committed_bytes));
	if (site->resident_known)
		append(text, text_bytes, "%s resident",
		       units_format_bytes(bytes, site->resident_bytes));
	if (site->preexisting_bytes)
		append(text, text_bytes, "%s in blocks from before, grown",
		       units_format_bytes(bytes, site->preexisting_bytes));
	if (site->verdict)
		append(text, text_bytes, "%s", site->verdict);
	if (site->standard_error_bytes)
		append(text, text_bytes, "± %s",
		       units_format_bytes(bytes, site->standard_error_bytes));
	if (site->sampled_blocks) {
		units_format_count(bytes, site->sampled_live_blocks);
		append(text, text_bytes, "%s", bytes);
		length = strlen(text);
		snprintf(text + length, text_bytes - length, " of %s samples alive",
			 units_format_count(bytes, site->sampled_blocks));
	} else if (site->sampled_live_blocks) {
		append(text, text_bytes, "%s samples",
		       units_format_count(bytes, site->sampled_live_blocks));
	}
	if (site->unverified_bytes)
		append(text, text_bytes, "%s unverified",
		       units_format_bytes(bytes, site->unverified_bytes));
}

static void write_row(const struct page *page, const struct snapshot *snapshot, uint64_t number,
		      const struct selection_row *row, const struct selection *selection,
		      uint64_t min_age_ns)
{
	char bytes[UNITS_TEXT_MAX], blocks[UNITS_TEXT_MAX], allocated[UNITS_TEXT_MAX],
		share[LABEL_SHARE_MAX], age[2 * UNITS_TEXT_MAX + 8], raw[512], details[LABEL_MAX];
	size_t length;

	format_age(age, sizeof(age), row, min_age_ns);
	fprintf(page->stream, "%s%3" PRIu64 "  %s%8s%s", number > 1 ? "\n" : "", number,
		page_bold(page), units_format_bytes(bytes, row->bytes), page_plain(page));
	length = 13 + fprintf(page->stream, "  %5s  %11s  %9s  %s",
			      label_share(share, row->bytes, selection->bytes),
			      units_format_count(blocks, row->blocks),
			      units_format_bytes(allocated, row->site->allocated_bytes), age);
	format_details(raw, sizeof(raw), snapshot, row);
	if (*raw) {
		size_t column = length + 2 < AGE_END ? AGE_END : length + 2;
		size_t room = page->columns - DETAILS;
		size_t wanted = label_fit(details, raw, room);

		/* beside the numbers when it fits, else below them */
		if (column + wanted <= page->columns)
			fprintf(page->stream, "%*s%s", (int)(column - length), "", details);
		else
			fprintf(page->stream, "\n%*s%s", DETAILS, "", details);
	}
	putc('\n', page->stream);
	stack_write(page, row->site);
}

static void write_left_out(const struct page *page, const struct section *section,
			   const struct selection *selection, uint64_t min_age_ns)
{
	char bytes[UNITS_TEXT_MAX], count[UNITS_TEXT_MAX], age[UNITS_TEXT_MAX];

	if (!selection->rest_sites && !selection->young_blocks)
		return;
	if (selection->rows.count)
		putc('\n', page->stream);
	if (selection->rest_sites)
		page_item(page, "left out", "%s in %s more %s (--top)",
			  units_format_bytes(bytes, selection->rest_bytes),
			  units_format_count(count, selection->rest_sites),
			  selection->rest_sites == 1 ? "stack" : "stacks");
	if (selection->young_blocks)
		page_item(page, selection->rest_sites ? "" : "left out",
			  "%s in %s %s younger than %s (--min-age)",
			  units_format_bytes(bytes, selection->young_bytes),
			  units_format_count(count, selection->young_blocks),
			  label_blocks(section->kind, selection->young_blocks),
			  units_format_time(age, min_age_ns));
}

/* Plainly, when there is no row: nothing allocated, all given back, or all too young. */
static void write_nothing(const struct page *page, const struct snapshot *snapshot,
			  const struct section *section, const struct selection *selection,
			  const char *age)
{
	uint64_t bytes = section->kind == SITE_HEAP ? snapshot->heap_totals.allocated_bytes
						    : snapshot->mapping_totals.mapped_bytes;
	char text[UNITS_TEXT_MAX];

	if (selection->young_blocks)
		fprintf(page->stream, "  Nothing older than %s is outstanding.\n", age);
	else if (bytes)
		fprintf(page->stream,
			"  Nothing is outstanding: all of the %s %s was given back.\n",
			units_format_bytes(text, bytes),
			section->kind == SITE_HEAP ? "allocated" : "mapped");
	else
		fprintf(page->stream, "  Nothing is outstanding, and nothing was %s.\n",
			section->kind == SITE_HEAP ? "allocated" : "mapped");
}

static void write_section(const struct page *page, const struct snapshot *snapshot,
			  const struct section *section, const struct report_options *options)
{
	uint64_t min_age_ns = options->min_age_ns ? snapshot->min_age_ns : 0, number = 0;
	char age[UNITS_TEXT_MAX];
	struct selection selection;

	selection_make(&selection, snapshot, 1u << section->kind, options, true);
	units_format_time(age, min_age_ns);
	fprintf(page->stream, "\n%s%s%s: %s%s%s\n", page_bold(page), section->title,
		page_plain(page), section->held, min_age_ns ? " for longer than " : "",
		min_age_ns ? age : "");
	if (selection.rows.count) {
		fprintf(page->stream, "  #  %8s  %5s  %11s  %9s  %s\n", "LIVE", "SHARE",
			section->blocks,
			section->kind == SITE_HEAP && is_windowed(snapshot) ? "SEEN"
									    : section->allocated,
			"AGE");
	} else {
		write_nothing(page, snapshot, section, &selection, age);
	}
	vec_for_each (row, &selection.rows)
		write_row(page, snapshot, ++number, row, &selection, min_age_ns);
	write_left_out(page, section, &selection, min_age_ns);
	selection_free(&selection);
}

/* -- the whole -----------------------------------------------------------------------------------
 */

void table_write(const struct snapshot *snapshot, const struct report_options *options,
		 FILE *stream)
{
	struct page page = { stream, COLUMNS_DEFAULT, options->color, false };
	size_t i;

	if (options->columns > 0)
		page.columns = options->columns < COLUMNS_MIN ? COLUMNS_MIN : options->columns;
	write_head(&page, snapshot, options);
	incidents_write(&page, snapshot);
	for (i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
		if (selection_shows(snapshot, sections[i].kind, options))
			write_section(&page, snapshot, &sections[i], options);
	putc('\n', stream);
	coverage_write(&page, snapshot);
	verdicts_write(&page, snapshot);
}
