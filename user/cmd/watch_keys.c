/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The keys of watch: one table acts on them, and is its help. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "cmd/screen.h"
#include "cmd/watch.h"

enum { PAGE_LINES = 10 };

static void say(struct watch *watch, const char *what, const char *which)
{
	snprintf(watch->message, sizeof(watch->message), "%s %s", what, which);
}

/* -- what is typed -----------------------------------------------------------------------------
 */

static const char filter_question[] = "only stacks that match (regex): ";
static const char write_question[] = "write what is shown to (.html .svg .json .txt): ";
static const char record_question[] = "record from now on to: ";

static void ask(struct watch *watch, const char *question, const char *text)
{
	watch->prompt.question = question;
	snprintf(watch->prompt.text, sizeof(watch->prompt.text), "%s", text);
}

static void answer(struct watch *watch)
{
	const char *question = watch->prompt.question, *text = watch->prompt.text;
	int error = 0;

	watch->prompt.question = NULL;
	if (question == filter_question)
		error = watch_rows_filter(&watch->rows, text);
	else if (question == write_question && *text)
		watch_write(watch, text);
	else if (question == record_question && *text)
		error = watch_record(watch, text);
	if (error)
		text_escape(watch->message, sizeof(watch->message), error_message());
}

static void type(struct watch *watch, int key)
{
	char *text = watch->prompt.text;
	size_t length = strlen(text);

	if (key == SCREEN_ENTER) {
		answer(watch);
	} else if (key == SCREEN_ESCAPE) {
		watch->prompt.question = NULL;
	} else if (key == SCREEN_BACKSPACE) {
		/* a whole character */
		while (length && (text[length - 1] & 0xc0) == 0x80)
			length--;
		text[length ? length - 1 : 0] = '\0';
	} else if (key >= ' ' && key < 0x100 && length + 1 < WATCH_PROMPT_MAX) {
		text[length] = (char)key;
		text[length + 1] = '\0';
	}
}

/* -- what keys do ------------------------------------------------------------------------------
 */

static void quit(struct watch *watch)
{
	watch->quits = true;
}

static void move(struct watch *watch, long by)
{
	if (watch->page == PAGE_NONE)
		watch_rows_move(&watch->rows, by);
	else if (by < 0)
		watch->page_top -= watch->page_top > (size_t)-by ? (size_t)-by : watch->page_top;
	else
		watch->page_top += (size_t)by; /* where it ends is known when it is drawn */
}

static void up(struct watch *watch)
{
	move(watch, -1);
}

static void down(struct watch *watch)
{
	move(watch, 1);
}

static void page_up(struct watch *watch)
{
	move(watch, -PAGE_LINES);
}

static void page_down(struct watch *watch)
{
	move(watch, PAGE_LINES);
}

static void first(struct watch *watch)
{
	move(watch, -(1L << 30));
}

static void last(struct watch *watch)
{
	move(watch, 1L << 30);
}

static void turn_to(struct watch *watch, enum watch_page page)
{
	watch->page = watch->page == page ? PAGE_NONE : page;
	watch->page_top = 0;
}

static void help(struct watch *watch)
{
	turn_to(watch, PAGE_HELP);
}

static void coverage(struct watch *watch)
{
	turn_to(watch, PAGE_COVERAGE);
}

static void enter(struct watch *watch)
{
	const struct watch_row *row = watch_rows_chosen(&watch->rows);

	if (watch->page != PAGE_NONE)
		watch->page = PAGE_NONE;
	else if (row && row->node)
		watch_rows_open(&watch->rows, !row->open);
	else if (row)
		turn_to(watch, PAGE_STACK);
}

static void right(struct watch *watch)
{
	watch_rows_open(&watch->rows, true);
}

static void left(struct watch *watch)
{
	watch_rows_open(&watch->rows, false);
}

static void leave(struct watch *watch)
{
	if (watch->page != PAGE_NONE)
		watch->page = PAGE_NONE;
	else if (watch->rows.pattern)
		watch_rows_filter(&watch->rows, "");
}

static void sort(struct watch *watch)
{
	watch_rows_sort(&watch->rows, (watch->rows.sort + 1) % SORTS);
}

static void by_live(struct watch *watch)
{
	watch_rows_sort(&watch->rows, SORT_LIVE);
}

static void by_growth(struct watch *watch)
{
	watch_rows_sort(&watch->rows, SORT_GROWTH);
}

static void by_rate(struct watch *watch)
{
	watch_rows_sort(&watch->rows, SORT_RATE);
}

static void filter(struct watch *watch)
{
	ask(watch, filter_question, watch->rows.pattern ? watch->rows.pattern : "");
}

static void kind(struct watch *watch)
{
	static const struct {
		unsigned int kinds;
		const char *name;
	} next[] = {
		[0] = { 1u << SITE_HEAP, "heap only" },
		[1u << SITE_HEAP] = { 1u << SITE_MAPPING, "mappings only" },
		[1u << SITE_MAPPING] = { 1u << SITE_FAULT, "page faults only" },
		[1u << SITE_FAULT] = { 0, "all kinds" },
	};
	unsigned int now = watch->rows.kinds;

	say(watch, "shows", next[now].name);
	watch_rows_kinds(&watch->rows, next[now].kinds);
}

static void group(struct watch *watch)
{
	static const char *const names[] = {
		[VIEW_BY_SITE] = "site",       [VIEW_BY_FUNCTION] = "function",
		[VIEW_BY_MODULE] = "module",   [VIEW_BY_THREAD] = "thread",
		[VIEW_BY_PROCESS] = "process",
	};
	enum view_by by = (watch->rows.by + 1) % (VIEW_BY_PROCESS + 1);

	watch_rows_group(&watch->rows, by);
	say(watch, "sums by", names[by]);
}

static void tree(struct watch *watch)
{
	watch_rows_tree(&watch->rows, !watch->rows.as_tree);
}

static void freeze(struct watch *watch)
{
	watch->paused = !watch->paused;
}

static void save_as(struct watch *watch)
{
	ask(watch, write_question, "unfreed.html");
}

static void record(struct watch *watch)
{
	if (watch->save)
		say(watch, "recorded already, until the end:", watch->recording);
	else if (watch->ended)
		say(watch, "nothing to record:", "the target has exited");
	else
		ask(watch, record_question, "unfreed.rec");
}

static const struct {
	int keys[3]; /* 0: no more */
	const char *name, *help; /* NULL: stands in the row before */
	void (*act)(struct watch *watch);
} table[] = {
	{ { SCREEN_UP }, "Up Down", "choose a row; a page: scroll", up },
	{ { SCREEN_DOWN }, NULL, NULL, down },
	{ { SCREEN_PAGE_UP },
	  "PgUp PgDn",
	  "ten rows at once; Home, End: the first, the last",
	  page_up },
	{ { SCREEN_PAGE_DOWN }, NULL, NULL, page_down },
	{ { SCREEN_HOME }, NULL, NULL, first },
	{ { SCREEN_END }, NULL, NULL, last },
	{ { SCREEN_ENTER },
	  "Enter",
	  "the chosen site's figures and whole stack; tree: open, close",
	  enter },
	{ { SCREEN_RIGHT }, "Right Left", "tree: open, close", right },
	{ { SCREEN_LEFT }, NULL, NULL, left },
	{ { SCREEN_ESCAPE }, "Esc", "back; without the filter", leave },
	{ { 's' }, "s", "sort by the next: live, growth, rate, blocks, allocated", sort },
	{ { 'l' }, "l g r", "sort by live, growth, rate", by_live },
	{ { 'g' }, NULL, NULL, by_growth },
	{ { 'r' }, NULL, NULL, by_rate },
	{ { 't' }, "t", "sites, or a tree of callers", tree },
	{ { '/', 'f' }, "/ f", "only stacks of which a function, module or file matches", filter },
	{ { 'k' }, "k", "heap, mappings, page faults, or all", kind },
	{ { 'b' }, "b", "sums by site, function, module, thread, process", group },
	{ { 'p', ' ' }, "p Space", "pause the screen; what is traced goes on", freeze },
	{ { 'c' }, "c", "coverage: window, losses, cost", coverage },
	{ { 'w' }, "w", "write what is shown: a page, a flamegraph, a table …", save_as },
	{ { 'R' }, "R", "record from now on, for 'unfreed report' and 'diff'", record },
	{ { 'h', '?' }, "h ?", "this help", help },
	{ { 'q' }, "q Ctrl-C", "quit", quit },
};

enum { KEYS = sizeof(table) / sizeof(*table) };

void watch_key(struct watch *watch, int key)
{
	if (key == SCREEN_RESIZED)
		return;
	if (watch->prompt.question) {
		type(watch, key);
		return;
	}
	*watch->message = '\0';
	for (size_t i = 0; i < KEYS; i++)
		for (size_t j = 0; j < 3; j++)
			if (table[i].keys[j] == key && key)
				table[i].act(watch);
}

void watch_keys_help(FILE *stream)
{
	for (size_t i = 0; i < KEYS; i++)
		if (table[i].name)
			fprintf(stream, "  %-11s %s\n", table[i].name, table[i].help);
}
