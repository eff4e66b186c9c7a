/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The coverage: a number without it is worth nothing. */
#include <inttypes.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "base/units.h"
#include "base/vec.h"
#include "model/ends.h"
#include "report/coverage.h"
#include "report/label.h"

enum { ENDS_SHOWN = 8 };

static void write_window(const struct page *page, const struct snapshot *snapshot)
{
	char length[UNITS_TEXT_MAX], sample[UNITS_TEXT_MAX] = "", when[32] = "?";
	time_t start = snapshot->start_unix_ns / 1000000000;
	struct tm fields;

	if (gmtime_r(&start, &fields))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &fields);
	if (snapshot->sample_bytes)
		units_format_bytes(sample, snapshot->sample_bytes);
	page_item(page, "window", "%s from %s%s%s; mode %s%s%s%s",
		  units_format_time(length, snapshot->window_ns), when,
		  snapshot->ended_by ? ", ended by " : "",
		  snapshot->ended_by ? snapshot->ended_by : "",
		  snapshot->mode ? snapshot->mode : "unknown", *sample ? ": a block in " : "",
		  sample, *sample ? " of the heap" : "");
}

static void write_command(const struct page *page, int status)
{
	if (status == -1)
		return;
	if (WIFSIGNALED(status))
		page_item(page, "command", "killed by signal %d (%s)", WTERMSIG(status),
			  strsignal(WTERMSIG(status)));
	else
		page_item(page, "command", "exit status %d", WEXITSTATUS(status));
}

/* What the process had before: known only by what it gives back or grows. */
static void write_before(const struct page *page, const struct snapshot *snapshot)
{
	const struct heap_totals *heap = &snapshot->heap_totals;
	char frees[UNITS_TEXT_MAX], blocks[UNITS_TEXT_MAX], bytes[UNITS_TEXT_MAX];

	if (!heap->unmatched_frees && !heap->preexisting_blocks)
		page_item(page, "before", "no older block was freed or grown");
	else
		page_item(page, "before",
			  "%s frees of older blocks; %s older blocks grown since, now %s",
			  units_format_count(frees, heap->unmatched_frees),
			  units_format_count(blocks, heap->preexisting_blocks),
			  units_format_bytes(bytes, heap->preexisting_bytes));
	if (heap->inherited_frees)
		page_item(page, "", "%s frees of blocks from before a fork",
			  units_format_count(frees, heap->inherited_frees));
	if (snapshot->mapping_totals.preexisting_unmapped_bytes)
		page_item(page, "", "%s of older mappings unmapped",
			  units_format_bytes(bytes,
					     snapshot->mapping_totals.preexisting_unmapped_bytes));
}

enum { UNTRACED_MAX = 8 }; /* processes that are named */

static void write_not_traced(const struct page *page, const struct snapshot *snapshot)
{
	const char *label = "not traced";
	size_t count = 0;

	if (!snapshot->heap) {
		page_item(page, label, "heap blocks (see --events)");
		label = "";
	}
	if (!snapshot->mapping) {
		page_item(page, label, "mappings (see --events)");
		label = "";
	}
	vec_for_each (process, &snapshot->processes) {
		if (process->allocator || !snapshot->heap || ++count > UNTRACED_MAX)
			continue;
		page_item(page, label, "blocks of pid %d (%s): no known allocator in it",
			  process->pid, process->comm ? process->comm : "?");
		label = "";
	}
	if (count > UNTRACED_MAX)
		page_item(page, label, "and of %zu processes more", count - UNTRACED_MAX);
}

static void write_losses(const struct page *page, const struct snapshot *snapshot)
{
	const char *label = "losses";
	char count[UNITS_TEXT_MAX];

	vec_for_each (loss, &snapshot->losses) {
		if (!loss->count)
			continue;
		page_item(page, label, "%s %s", units_format_count(count, loss->count),
			  loss->text ? loss->text : loss->name);
		label = "";
	}
	if (*label)
		page_item(page, label, "none");
}

/* What was missing where stacks end. */
static const struct {
	const char *what;
	const char *where; /* what stands before the module, where it says something */
} missing[SITE_ENDS] = {
	[SITE_END_NO_TABLE] = { "no unwind rows", "in" },
	[SITE_END_NO_MAPPING] = { "called from an address outside of all code", NULL },
	[SITE_END_READ_FAULT] = { "the stack was not readable", "in" },
	[SITE_END_DEPTH] = { "deeper than is followed", NULL },
	[SITE_END_BAD_FRAME] = { "a frame that cannot be", "above" },
	[SITE_END_LOST] = { "the stack was lost", NULL },
};

static void write_end(const struct page *page, const struct ends *ends, const struct end_sum *sum)
{
	char share[LABEL_SHARE_MAX], count[UNITS_TEXT_MAX];
	const char *where = sum->module ? missing[sum->end].where : NULL;

	if (ends->bytes)
		label_share(share, sum->bytes, ends->bytes);
	else
		label_share(share, sum->sites, ends->sites);
	page_item(page, "", "%s cut: %s%s%s%s%s (%s stack%s)", share, missing[sum->end].what,
		  where ? " " : "", where ? where : "", where ? " " : "", where ? sum->module : "",
		  units_format_count(count, sum->sites), sum->sites == 1 ? "" : "s");
}

static void write_stacks(const struct page *page, const struct snapshot *snapshot)
{
	double share = 100 * snapshot_stacks_complete(snapshot);
	char count[UNITS_TEXT_MAX];
	struct ends ends;
	size_t shown;

	ends_sum(&ends, snapshot);
	/* "100 %" is said only of all */
	if (ends.sums.count && share > 99.9)
		share = 99.9;
	page_item(page, "stacks", "%.*f%% complete, by bytes", ends.sums.count ? 1 : 0, share);
	for (shown = 0; shown < ends.sums.count && shown < ENDS_SHOWN; shown++)
		write_end(page, &ends, &ends.sums.items[shown]);
	if (shown < ends.sums.count)
		page_item(page, "", "and for %s more reasons (--json names all)",
			  units_format_count(count, ends.sums.count - shown));
	ends_free(&ends);
}

/* In which ways heap calls were traced, and by turns. */
static void write_epochs(const struct page *page, const struct snapshot *snapshot)
{
	char begin[UNITS_TEXT_MAX], end[UNITS_TEXT_MAX], on[UNITS_TEXT_MAX];
	const char *label = "heap";

	if (!snapshot->heap || snapshot->epochs.count < 2)
		return;
	vec_for_each (epoch, &snapshot->epochs) {
		units_format_time(begin, epoch->begin_ns);
		units_format_time(end, epoch->end_ns);
		if (epoch->windows)
			page_item(page, label, "%s to %s: %s, %" PRIu64 " windows, %s in all",
				  begin, end, epoch->mode, epoch->windows,
				  units_format_time(on, epoch->on_ns));
		else
			page_item(page, label, "%s to %s: %s", begin, end, epoch->mode);
		label = "";
	}
}

static void write_budget(const struct page *page, const struct cost *cost)
{
	if (cost->budget_share > 0)
		page_item(page, "budget",
			  "%.1f%% of the target's time; probes took %.1f%%, and at most %.1f%% "
			  "in any 5 s",
			  100 * cost->budget_share, 100 * cost->used_share,
			  100 * cost->worst_share);
}

static void write_cost(const struct page *page, const struct snapshot *snapshot)
{
	const struct cost *cost = &snapshot->cost;
	char hits[UNITS_TEXT_MAX], text[UNITS_TEXT_MAX], more[UNITS_TEXT_MAX], maps[UNITS_TEXT_MAX],
		share[LABEL_SHARE_MAX];

	units_format_count(hits, cost->hits);
	if (cost->hits_cpu_ns)
		page_item(page, "cost", "%s probe hits took %s of CPU, %s of one CPU's time", hits,
			  units_format_time(text, cost->hits_cpu_ns),
			  label_share(share, cost->hits_cpu_ns, snapshot->window_ns));
	else
		page_item(page, "cost", "%s probe hits, their time not measured", hits);
	units_format_count(hits, cost->syscalls);
	if (snapshot->mapping && cost->syscall_tax_ns >= 0)
		page_item(page, "",
			  "%s mapping calls traced; every system call of the machine +%.0f ns",
			  hits, cost->syscall_tax_ns);
	else if (snapshot->mapping)
		page_item(page, "", "%s mapping calls traced; tax on the machine not measured",
			  hits);
	page_item(page, "tool", "%s of CPU, %s of memory, %s of kernel maps; attached in %s",
		  units_format_time(hits, cost->tool_cpu_ns),
		  units_format_bytes(text, cost->tool_rss_bytes),
		  units_format_bytes(maps, cost->kernel_map_bytes),
		  units_format_time(more, cost->attach_ns));
}

void coverage_items(const struct page *page, const struct snapshot *snapshot)
{
	write_window(page, snapshot);
	write_epochs(page, snapshot);
	write_command(page, snapshot->command_status);
	write_before(page, snapshot);
	write_not_traced(page, snapshot);
	write_losses(page, snapshot);
	write_stacks(page, snapshot);
	write_budget(page, &snapshot->cost);
	write_cost(page, snapshot);
	vec_for_each (note, &snapshot->notes)
		page_item(page, "note", "%s", *note);
}

void coverage_write(const struct page *page, const struct snapshot *snapshot)
{
	fprintf(page->stream, "%sCOVERAGE%s\n", page_bold(page), page_plain(page));
	coverage_items(page, snapshot);
}

void verdicts_write(const struct page *page, const struct snapshot *snapshot)
{
	char gain[UNITS_TEXT_MAX], retained[UNITS_TEXT_MAX], used[UNITS_TEXT_MAX];

	vec_for_each (row, &snapshot->verdicts) {
		fprintf(page->stream, "\n%sVERDICT%s", page_bold(page), page_plain(page));
		if (snapshot->verdicts.count > 1)
			fprintf(page->stream, " on pid %d", (int)row->pid);
		fprintf(page->stream, ": %s", row->kind);
		if (row->gain_bytes)
			fprintf(page->stream, ", to be had back: %s",
				units_format_bytes(gain, row->gain_bytes));
		putc('\n', page->stream);
		page_item(page, "evidence", "%s", row->evidence);
		page_item(page, "retained",
			  "%s of freed memory that malloc keeps, beside %s in use",
			  units_format_bytes(retained, row->retained_bytes),
			  units_format_bytes(used, row->in_use_bytes));
		page_item(page, "remedy", "%s", row->remedy);
	}
}
