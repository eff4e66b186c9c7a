/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The screen of watch. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/units.h"
#include "cmd/cells.h"
#include "cmd/screen.h"
#include "cmd/watch_head.h"
#include "report/coverage.h"
#include "report/label.h"
#include "report/stack.h"

enum {
	CELL_MAX = 64,
	BARS = 11,
	TEXT_COLUMNS_MIN = 60, /* of a page: a narrower screen cuts it */
	PANE_LEAST_LINES = 20, /* of a screen that shows the chosen stack beside the rows */
	PANE_MAX = 14,
	SMALLEST_LINES = 5,
	SMALLEST_COLUMNS = 20,
};

/* -- cells -------------------------------------------------------------------------------------
 */

static void live(const struct watch *watch, const struct watch_row *row, char *text)
{
	snprintf(text, CELL_MAX, "%s", cell_bytes(row->bytes).text);
}

static void growth(const struct watch *watch, const struct watch_row *row, char *text)
{
	if (row->growth)
		snprintf(text, CELL_MAX, "%s", cell_growth(row->growth).text);
}

static void rate(const struct watch *watch, const struct watch_row *row, char *text)
{
	if (row->rate <= -1 || row->rate >= 1)
		snprintf(text, CELL_MAX, "%s/s", cell_growth((int64_t)row->rate).text);
}

static void blocks(const struct watch *watch, const struct watch_row *row, char *text)
{
	snprintf(text, CELL_MAX, "%s", cell_count(row->blocks).text);
}

static void allocated(const struct watch *watch, const struct watch_row *row, char *text)
{
	snprintf(text, CELL_MAX, "%s", cell_bytes(row->site->allocated_bytes).text);
}

static void age(const struct watch *watch, const struct watch_row *row, char *text)
{
	if (row->site->max_age_ns)
		units_format_time(text, row->site->max_age_ns);
}

static void share(const struct watch *watch, const struct watch_row *row, char *text)
{
	label_share(text, row->bytes, row->share_of);
}

static void kind(const struct watch *watch, const struct watch_row *row, char *text)
{
	static const char letters[SITE_KINDS][2] = { "H", "M", "F" };

	snprintf(text, CELL_MAX, "%s", letters[row->site->kind]);
}

/* All moments that are known, or the one that is nearest to each bar. */
static size_t moment_of(size_t bar, size_t count)
{
	size_t ago = BARS - 1 - bar;

	return count > BARS ? ago * (count - 1) / (BARS - 1) : ago;
}

static void trend(const struct watch *watch, const struct watch_row *row, char *text)
{
	const struct trend *trend = watch->rows.trend;
	size_t count = trend_count(trend);
	uint64_t most = 0;

	for (size_t i = 0; i < BARS; i++) {
		uint64_t bytes = trend_bytes(trend, row->number, moment_of(i, count));

		most = bytes > most ? bytes : most;
	}
	for (size_t i = 0; i < BARS; i++)
		strcat(text,
		       screen_bar(trend_bytes(trend, row->number, moment_of(i, count)), most));
}

static const struct column {
	const char *title;
	int width;
	int least_columns; /* of the screen */
	bool of_sites, of_tree;
	enum watch_sort sort; /* SORTS: none */
	void (*write)(const struct watch *watch, const struct watch_row *row, char *text);
} columns[] = {
	{ "LIVE", 8, 0, true, true, SORT_LIVE, live },
	{ "GROWTH", 9, 40, true, true, SORT_GROWTH, growth },
	{ "RATE", 11, 76, true, false, SORT_RATE, rate },
	{ "SHARE", 6, 0, false, true, SORTS, share },
	{ "BLOCKS", 9, 60, true, true, SORT_BLOCKS, blocks },
	{ "ALLOCATED", 9, 100, true, false, SORT_ALLOCATED, allocated },
	{ "OLDEST", 13, 120, true, false, SORTS, age },
	{ "TREND", BARS, 72, true, false, SORTS, trend },
	{ "", 1, 40, true, false, SORTS, kind },
};

enum { COLUMNS = sizeof(columns) / sizeof(*columns) };

static bool is_shown(const struct watch *watch, const struct column *column)
{
	return screen_columns() >= column->least_columns &&
	       (watch->rows.as_tree ? column->of_tree : column->of_sites);
}

/* -- rows --------------------------------------------------------------------------------------
 */

static void draw_titles(const struct watch *watch, int line)
{
	int at = 0;

	screen_put(line, 0, screen_columns(), STYLE_TITLE, "");
	for (size_t i = 0; i < COLUMNS; i++) {
		char text[CELL_MAX];
		bool sorted = !watch->rows.as_tree && columns[i].sort == watch->rows.sort;

		if (!is_shown(watch, &columns[i]))
			continue;
		snprintf(text, sizeof(text), "%*s%s", columns[i].width + (sorted ? 0 : 1),
			 columns[i].title, sorted ? "*" : " ");
		screen_put(line, at, columns[i].width + 2, STYLE_TITLE, text);
		at += columns[i].width + 1;
	}
	screen_put(line, at + 1, screen_columns(), STYLE_TITLE,
		   watch->rows.as_tree ? "STACKS, FROM THEIR ROOTS" : "SITE");
}

/* What the row is about, in width columns. */
static void name_of(const struct watch_row *row, char *text, int width)
{
	static const struct frame unknown = { 0 };
	char label[LABEL_MAX], place[LABEL_MAX] = "", line[16] = "";
	const struct frame *frame;
	size_t room = width > 8 ? (size_t)width : 8, used;

	if (row->node) {
		int indent = row->indent < width / 2 ? row->indent : width / 2;

		snprintf(text, LABEL_MAX, "%*s%s ", indent, "",
			 !row->node->first ? " "
			 : row->open	   ? "-"
					   : "+");
		used = strlen(text);
		label_fit(label, row->node->label, room > used ? room - used : 1);
		snprintf(text + used, LABEL_MAX - used, "%.*s", LABEL_MAX - 128, label);
		return;
	}
	frame = row->site->frame_count ? label_site(row->site) : NULL;
	frame = frame ? frame : &unknown;
	used = label_fit(text, label_frame(frame, label), room);
	if (frame->file && frame->line)
		snprintf(line, sizeof(line), ":%u", frame->line);
	if (row->site->owner && room > used + 12)
		label_fit(place, row->site->owner, room - used - 2);
	else if (frame->file && room > used + 12)
		label_fit_path(place, frame->file, room - used - 2 - strlen(line));
	else
		return;
	used = strlen(text);
	snprintf(text + used, LABEL_MAX - used, "  %.*s%s", LABEL_MAX / 2, place,
		 row->site->owner ? "" : line);
}

static enum screen_style style_of(const struct column *column, const struct watch_row *row,
				  bool chosen)
{
	if (chosen)
		return STYLE_CHOSEN;
	if (column->sort != SORT_GROWTH || !row->growth)
		return STYLE_PLAIN;
	return row->growth > 0 ? STYLE_UP : STYLE_DOWN;
}

static void draw_row(const struct watch *watch, int line, size_t i)
{
	const struct watch_row *row = &watch->rows.rows.items[i];
	bool chosen = i == watch->rows.chosen;
	char text[LABEL_MAX];
	int at = 0;

	if (chosen)
		screen_put(line, 0, screen_columns(), STYLE_CHOSEN, "");
	for (size_t j = 0; j < COLUMNS; j++) {
		char cell[CELL_MAX] = "";
		int left;

		if (!is_shown(watch, &columns[j]))
			continue;
		columns[j].write(watch, row, cell);
		left = columns[j].write == trend ? 0 : columns[j].width - (int)strlen(cell);
		screen_put(line, at + 1 + (left > 0 ? left : 0), columns[j].width,
			   style_of(&columns[j], row, chosen), cell);
		at += columns[j].width + 1;
	}
	name_of(row, text, screen_columns() - at - 1);
	screen_put(line, at + 1, screen_columns(), chosen ? STYLE_CHOSEN : STYLE_PLAIN, text);
}

static void draw_rows(struct watch *watch, int line, int end)
{
	const struct watch_rows *rows = &watch->rows;
	size_t room = end > line ? (size_t)(end - line) : 0;
	char text[UNITS_TEXT_MAX + 64];

	if (!rows->rows.count) {
		snprintf(text, sizeof(text),
			 rows->young_blocks ? "Nothing is outstanding for longer than %s."
					    : "Nothing is outstanding.",
			 cell_time(watch->report.min_age_ns).text);
		screen_put(line, 2, screen_columns(), STYLE_PLAIN, watch->latest ? text : "");
		return;
	}
	if (rows->chosen < watch->top)
		watch->top = rows->chosen;
	if (room && rows->chosen >= watch->top + room)
		watch->top = rows->chosen - room + 1;
	if (watch->top + room > rows->rows.count)
		watch->top = rows->rows.count > room ? rows->rows.count - room : 0;
	for (size_t i = watch->top; i < rows->rows.count && line < end; i++)
		draw_row(watch, line++, i);
}

/* -- text --------------------------------------------------------------------------------------
 */

static void write_figures(const struct watch *watch, const struct watch_row *row,
			  const struct page *page)
{
	const struct site *site = row->site;
	const struct trend *trend = watch->rows.trend;
	char oldest[UNITS_TEXT_MAX], span[UNITS_TEXT_MAX];

	page_item(page, site_kind_name(site->kind), "%s outstanding in %s %s%s%s",
		  cell_bytes(row->bytes).text, cell_count(row->blocks).text,
		  label_blocks(site->kind, row->blocks), site->owner ? ", " : "",
		  site->owner ? site->owner : "");
	page_item(page, "allocated", "%s in %s %s", cell_bytes(site->allocated_bytes).text,
		  cell_count(site->allocated_blocks).text,
		  label_blocks(site->kind, site->allocated_blocks));
	units_format_time(span,
			  trend_span_ns(trend, trend_count(trend) ? trend_count(trend) - 1 : 0));
	page_item(page, "growth", "%s in the last %s", cell_growth(row->growth).text, span);
	if (site->max_age_ns)
		page_item(page, "oldest", "%s", units_format_time(oldest, site->max_age_ns));
	if (site->verdict)
		page_item(page, "verdict", "%s", site->verdict);
	if (site->pid)
		page_item(page, "process", "%d %s", (int)site->pid,
			  snapshot_comm(watch->latest, site->pid));
	putc('\n', page->stream);
}

static void write_page(const struct watch *watch, const struct page *page)
{
	const struct watch_row *row = watch_rows_chosen(&watch->rows);

	if (watch->page == PAGE_HELP) {
		watch_keys_help(page->stream);
	} else if (watch->page == PAGE_COVERAGE && watch->latest) {
		coverage_write(page, watch->latest);
	} else if (watch->page == PAGE_STACK && row && row->site) {
		write_figures(watch, row, page);
		stack_write(page, row->site);
	}
}

/* The text's lines from the top'th on, between two lines of the screen; how many there are. */
static size_t draw_text(char *text, size_t top, int line, int end)
{
	char *rest = text, *each;
	size_t count = 0;

	while ((each = strsep(&rest, "\n")) && rest) {
		if (count++ >= top && line < end)
			screen_put(line++, 0, screen_columns(), STYLE_PLAIN, each);
	}
	return count;
}

static void draw_page(struct watch *watch, int line, int end)
{
	int columns_now = screen_columns();
	struct page page = {
		.columns =
			(size_t)(columns_now > TEXT_COLUMNS_MIN ? columns_now : TEXT_COLUMNS_MIN),
	};
	size_t bytes, room = end > line ? (size_t)(end - line) : 0, count = 0;
	char *text = NULL, *at;

	page.stream = open_memstream(&text, &bytes);
	if (!page.stream)
		return;
	write_page(watch, &page);
	fclose(page.stream);
	for (at = text; (at = strchr(at, '\n')); at++)
		count++;
	if (watch->page_top + room > count)
		watch->page_top = count > room ? count - room : 0;
	draw_text(text, watch->page_top, line, end);
	free(text);
}

/* Those of the allocator: a line each. */
static size_t inner_frames(const struct site *site)
{
	const struct frame *frame = label_site(site);

	return frame ? (size_t)(frame - site->frames) : 0;
}

static void draw_pane(const struct watch *watch, int line, int end)
{
	const struct watch_row *row = watch_rows_chosen(&watch->rows);
	struct page page = { .columns = (size_t)screen_columns() };
	char *text = NULL;
	size_t bytes;

	char title[80] = "  STACK OF THE CHOSEN SITE";
	size_t inner = row && row->site ? inner_frames(row->site) : 0;

	if (inner)
		snprintf(title, sizeof(title), "  STACK OF THE CHOSEN SITE, from frame %zu on",
			 inner + 1);
	screen_put(line++, 0, screen_columns(), STYLE_TITLE, title);
	if (!row || !row->site || page.columns < TEXT_COLUMNS_MIN)
		return;
	page.stream = open_memstream(&text, &bytes);
	if (!page.stream)
		return;
	stack_write(&page, row->site);
	fclose(page.stream);
	draw_text(text, inner, line, end);
	free(text);
}

/* -- the whole ---------------------------------------------------------------------------------
 */

/* As many of the keys as there is room for. */
static void write_keys(char *text, size_t size)
{
	static const char *const keys[] = {
		"h help", "q quit",	 "/ filter", "s sort",	   "k kind",  "b by",
		"t tree", "Enter stack", "p pause",  "c coverage", "w write", "R record",
	};
	size_t room = (size_t)screen_columns() < size ? (size_t)screen_columns() : size, used = 0;

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		if (used + strlen(keys[i]) + 2 > room)
			break;
		used += (size_t)sprintf(text + used, "%s%s", i ? "  " : " ", keys[i]);
	}
}

static void draw_last_line(const struct watch *watch, int line)
{
	char text[2 * WATCH_PROMPT_MAX] = "", typed[WATCH_PROMPT_MAX];

	if (watch->prompt.question) {
		text_escape(typed, sizeof(typed), watch->prompt.text);
		snprintf(text, sizeof(text), "%s%s", watch->prompt.question, typed);
		/* what is typed last is seen */
		if ((int)strlen(text) >= screen_columns())
			memmove(text, text + strlen(text) - (size_t)screen_columns() + 1,
				(size_t)screen_columns());
		screen_put(line, 0, screen_columns(), STYLE_BOLD, text);
		screen_show(line, (int)strlen(text));
		return;
	}
	write_keys(text, sizeof(text));
	screen_put(line, 0, screen_columns(), *watch->message ? STYLE_BOLD : STYLE_DIM,
		   *watch->message ? watch->message : text);
	screen_show(-1, 0);
}

void watch_draw(struct watch *watch)
{
	int last = screen_lines() - 1, line, pane = last;

	screen_begin();
	if (screen_lines() < SMALLEST_LINES || screen_columns() < SMALLEST_COLUMNS) {
		screen_put(0, 0, screen_columns(), STYLE_PLAIN, "too small");
		screen_show(-1, 0);
		return;
	}
	line = watch_head(watch);
	if (watch->page != PAGE_NONE) {
		draw_page(watch, line + 1, last);
	} else {
		if (screen_lines() >= PANE_LEAST_LINES && !watch->rows.as_tree)
			pane = last - ((last - line) * 2 / 5 < PANE_MAX ? (last - line) * 2 / 5
									: PANE_MAX);
		draw_titles(watch, line);
		draw_rows(watch, line + 1, pane);
		if (pane < last)
			draw_pane(watch, pane, last);
	}
	draw_last_line(watch, last);
}
