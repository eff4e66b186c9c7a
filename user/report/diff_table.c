/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What changed, for people: by class, then the stacks that grew and those that shrank. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "report/diff.h"
#include "report/label.h"
#include "report/page.h"
#include "report/stack.h"

enum { COLUMNS_DEFAULT = 80, COLUMNS_MIN = 60, SIGNED_MAX = UNITS_TEXT_MAX + 1 };

static char *format_signed(char *text, int64_t bytes)
{
	*text = bytes < 0 ? '-' : '+';
	units_format_bytes(text + 1, (uint64_t)llabs(bytes));
	return bytes ? text : strcpy(text, "0 B");
}

static char *format_rate(char *text, double bytes_per_hour)
{
	double most = ldexp(1, 60);

	return format_signed(text, (int64_t)(fabs(bytes_per_hour) < most
						     ? bytes_per_hour
						     : copysign(most, bytes_per_hour)));
}

/* -- the head ---------------------------------------------------------------------------------- */

static char *describe_moment(const char *target, uint64_t unix_ns, uint64_t window_ns,
			     const struct heap_totals *heap, const struct mapping_totals *mapping)
{
	char when[32] = "?", window[UNITS_TEXT_MAX], live[UNITS_TEXT_MAX], mapped[UNITS_TEXT_MAX];
	time_t seconds = (time_t)(unix_ns / 1000000000);
	struct tm fields;

	if (gmtime_r(&seconds, &fields))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &fields);
	return mem_printf("%s, %s, watched for %s: heap %s, mappings %s outstanding",
			  target ? target : "?", when, units_format_time(window, window_ns),
			  units_format_bytes(live, heap->live_bytes),
			  units_format_bytes(mapped, mapping->live_bytes));
}

char *diff_describe_before(const struct diff *diff)
{
	return describe_moment(diff->before_target, diff->before_unix_ns, diff->before_window_ns,
			       &diff->before_heap, &diff->before_mapping);
}

static void write_head(const struct page *page, const struct diff *diff)
{
	int64_t between_ns = (int64_t)(diff->after_unix_ns - diff->before_unix_ns);
	char between[UNITS_TEXT_MAX];
	cleanup_free char *before = diff_describe_before(diff);
	cleanup_free char *after =
		describe_moment(diff->shown->target, diff->after_unix_ns, diff->after_window_ns,
				&diff->shown->heap_totals, &diff->shown->mapping_totals);

	units_format_time(between, (uint64_t)llabs(between_ns));
	fprintf(page->stream, "%sunfreed: what changed in %s%s%s\n", page_bold(page), between,
		between_ns < 0 ? ", backwards" : "", page_plain(page));
	page_item(page, "before", "%s", before);
	page_item(page, "after", "%s", after);
	if (!diff->same_watch)
		page_item(page, "rates",
			  "of two watches: what was outstanding at the end by the length of each");
}

/* -- classes ----------------------------------------------------------------------------------- */

static void write_classes(const struct page *page, const struct diff *diff)
{
	char before[UNITS_TEXT_MAX], after[UNITS_TEXT_MAX], growth[SIGNED_MAX], rate[SIGNED_MAX];
	diff_classes classes;

	diff_sum_classes(diff->shown, &classes);
	fprintf(page->stream, "\n%sCLASSES%s\n  %-10s%-24s%9s%10s%11s%12s\n", page_bold(page),
		page_plain(page), "LEDGER", "CLASS", "BEFORE", "AFTER", "GROWTH", "PER HOUR");
	vec_for_each (class, &classes) {
		char name[LABEL_MAX];

		label_fit(name, class->name, 23);
		fprintf(page->stream, "  %-10s%-24s%9s%10s%11s%12s\n", site_kind_name(class->kind),
			name, units_format_bytes(before, class->before_bytes),
			units_format_bytes(after, class->bytes),
			format_signed(growth, (int64_t)(class->bytes - class->before_bytes)),
			format_rate(rate, diff_rate(diff, class->before_bytes, class->bytes)));
	}
	vec_free(&classes);
}

/* What map says: all memory, whoever allocated it. */
static void write_map_row(const struct page *page, const char *name, uint64_t was, uint64_t is)
{
	char before[UNITS_TEXT_MAX], after[UNITS_TEXT_MAX], growth[SIGNED_MAX];

	fprintf(page->stream, "  %-34s%9s%10s%11s\n", name, units_format_bytes(before, was),
		units_format_bytes(after, is), format_signed(growth, (int64_t)(is - was)));
}

static void write_map(const struct page *page, const struct diff *diff)
{
	if (!diff->before_map)
		return;
	fprintf(page->stream, "\n%sMAP%s\n  %-34s%9s%10s%11s\n", page_bold(page), page_plain(page),
		"CLASS", "BEFORE", "AFTER", "GROWTH");
	for (enum memory_class class = 0; class < CLASSES; class ++) {
		uint64_t was = diff->before_map->classes[class].rss_bytes;
		uint64_t is = diff->after_map->classes[class].rss_bytes;

		if (was != is)
			write_map_row(page, class_name(class), was, is);
	}
	write_map_row(page, "all", diff->before_map->total.rss_bytes,
		      diff->after_map->total.rss_bytes);
}

/* -- sites ------------------------------------------------------------------------------------- */

static void write_site(const struct page *page, const struct diff *diff, uint64_t number,
		       const struct site *site)
{
	char before[UNITS_TEXT_MAX], after[UNITS_TEXT_MAX], growth[SIGNED_MAX], rate[SIGNED_MAX],
		blocks[UNITS_TEXT_MAX], comm[64];

	fprintf(page->stream, "%s%3" PRIu64 "  %s%9s%s  %11s  %9s  %9s  %s%-10s  %s",
		number > 1 ? "\n" : "", number, page_bold(page),
		format_signed(growth, diff_growth(site)), page_plain(page),
		format_rate(rate, diff_rate(diff, site->before_bytes, site->bytes)),
		units_format_bytes(before, site->before_bytes),
		units_format_bytes(after, site->bytes),
		site->blocks < site->before_blocks ? "-" : "+",
		units_format_count(blocks,
				   (uint64_t)llabs((int64_t)(site->blocks - site->before_blocks))),
		diff_state(site));
	if (site->owner)
		fprintf(page->stream, ", %s", site->owner);
	if (diff->shown->processes.count > (diff->same_watch ? 1 : 2)) {
		label_fit(comm, snapshot_comm(diff->shown, site->pid), 15);
		fprintf(page->stream, ", %s", comm);
		if (diff->same_watch) /* else it was another one then */
			fprintf(page->stream, "[%d]", site->pid);
	}
	putc('\n', page->stream);
	stack_write(page, site);
}

/* Of a kind those that grew (sign 1) or shrank (-1). */
static void write_sites(const struct page *page, const struct diff *diff, const diff_sites *sites,
			enum site_kind kind, int sign, uint64_t top)
{
	static const char *const titles[SITE_KINDS] = { "HEAP", "MAPPINGS", "PAGE FAULTS" };
	uint64_t number = 0, left_out = 0;
	int64_t left_bytes = 0;
	char text[SIGNED_MAX], count[UNITS_TEXT_MAX];

	for (size_t i = 0; i < sites->count; i++) {
		/* the most shrunk is the last one */
		const struct site *site = sites->items[sign > 0 ? i : sites->count - 1 - i];

		if (site->kind != kind || diff_growth(site) * sign <= 0)
			continue;
		if (!number && !left_out)
			fprintf(page->stream,
				"\n%s%s%s: %s\n  #  %9s  %11s  %9s  %9s  %-11s  STATE\n",
				page_bold(page), titles[kind], page_plain(page),
				sign > 0 ? "grown" : "shrunk", sign > 0 ? "GROWTH" : "LOSS",
				"PER HOUR", "BEFORE", "AFTER", "BLOCKS");
		if (number < top) {
			write_site(page, diff, ++number, site);
			continue;
		}
		left_bytes += diff_growth(site);
		left_out++;
	}
	if (!left_out)
		return;
	fputs("\n", page->stream);
	page_item(page, "left out", "%s in %s more stack%s (--top)",
		  format_signed(text, left_bytes), units_format_count(count, left_out),
		  left_out == 1 ? "" : "s");
}

static void write_losses(const struct page *page, const struct diff *diff)
{
	char before[UNITS_TEXT_MAX], after[UNITS_TEXT_MAX];
	uint64_t losses = snapshot_losses(diff->shown);

	if (losses || diff->before_losses)
		page_item(page, "losses", "%s before, %s after: 'unfreed report' names them",
			  units_format_count(before, diff->before_losses),
			  units_format_count(after, losses));
	else
		page_item(page, "losses", "none");
}

void diff_table_write(const struct diff *diff, const struct report_options *options, FILE *stream)
{
	struct page page = { stream, COLUMNS_DEFAULT, options->color, false };
	diff_sites sites;

	if (options->columns > 0)
		page.columns = options->columns < COLUMNS_MIN ? COLUMNS_MIN : options->columns;
	write_head(&page, diff);
	write_classes(&page, diff);
	write_map(&page, diff);
	diff_sort_sites(diff->shown, &sites);
	for (enum site_kind kind = 0; kind < SITE_KINDS; kind++) {
		write_sites(&page, diff, &sites, kind, 1, options->top);
		write_sites(&page, diff, &sites, kind, -1, options->top);
	}
	if (!sites.count)
		fputs("\n  No stack has changed.\n", stream);
	vec_free(&sites);
	putc('\n', stream);
	write_losses(&page, diff);
	vec_for_each (note, &diff->shown->notes)
		page_item(&page, "note", "%s", *note);
}
