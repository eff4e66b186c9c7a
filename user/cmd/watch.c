/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* unfreed watch: a trace that is looked at while it goes on. */
#include "cmd/watch.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/text.h"
#include "cmd/attach.h"
#include "cmd/cmd.h"
#include "cmd/collect_options.h"
#include "cmd/interrupt.h"
#include "cmd/screen.h"
#include "cmd/target_options.h"
#include "cmd/view_options.h"
#include "survey/group.h"

enum {
	POLL_MS = 100,
	MOMENT_SHARE = 10, /* one part in so many of the time may go into looking */
};

/* -- options -----------------------------------------------------------------------------------
 */

static int check(const struct watch *watch, char *const *rest)
{
	if (!watch->interval_ns)
		return error_set(-EINVAL, "--interval: longer than nothing");
	if (collect_options_check(&watch->collecting))
		return -EINVAL;
	return target_options_take(&watch->spec, rest);
}

/* False: the command ends with *status. */
static bool parse_options(struct watch *watch, int argc, char **argv, int *status)
{
	const struct option_row rows[] = {
		TARGET_OPTION_ROWS(&watch->spec),
		{ "interval", 'i', "TIME", "look, and record, every TIME (1s)", OPTION_TIME,
		  &watch->interval_ns, NULL, NULL },
		{ "min-age", 0, "TIME", "leave younger blocks out (5s)", OPTION_TIME,
		  &watch->collecting.min_age_ns, NULL, NULL },
		COLLECT_OPTION_ROWS(&watch->collecting),
		FILTER_OPTION_ROWS(&watch->view),
		{ "record", 'w', "FILE", "write a recording, for 'unfreed report' and 'diff'",
		  OPTION_STRING, &watch->record, NULL, NULL },
		{ "help", 'h', NULL, "this text", OPTION_FLAG, &watch->help, NULL, NULL },
		{ 0 },
	};
	int index;

	index = cmd_options(rows, "unfreed watch TARGET [options]",
			    "Attaches to TARGET (-p, -c, --pod, --cgroup or -n) as 'unfreed trace' "
			    "does, and shows\non the terminal what is outstanding while it goes "
			    "on. The key h lists the keys.",
			    argc, argv, &watch->help, status);
	if (index < 0)
		return false;
	if (check(watch, argv + index)) {
		*status = cmd_fail(EXIT_USAGE);
		return false;
	}
	watch->report.min_age_ns = watch->collecting.min_age_ns;
	return true;
}

/* -- moments -----------------------------------------------------------------------------------
 */

/* A debug file is waited for: keys are not heard meanwhile. */
static void show_fetching(const char *name)
{
	char shown[128], text[192] = "";

	if (name) {
		text_escape(shown, sizeof(shown), name);
		snprintf(text, sizeof(text), "fetching debug information of %s", shown);
	}
	if (!screen_is_open()) {
		if (isatty(STDERR_FILENO))
			fprintf(stderr, "\r%s\033[K", text);
		return;
	}
	screen_put(screen_lines() - 1, 0, screen_columns(), STYLE_BOLD, text);
	screen_show(-1, 0);
}

static void show_moment(struct watch *watch, struct snapshot *snapshot)
{
	struct snapshot *before = watch->latest;

	watch->latest = view_apply(&watch->view, snapshot);
	if (!watch->group_folder || group_read(&watch->group, watch->group_folder))
		watch->group = (struct footprint_group){ 0 };
	else
		watch->group.path = watch->group_folder;
	watch_rows_take(&watch->rows, watch->latest);
	snapshot_free(before);
}

static int take_moment(struct watch *watch, bool last, const char *ended_by)
{
	struct snapshot *snapshot;
	int error = collect_snapshot(watch->collect, last, ended_by, &snapshot);

	if (error)
		return error;
	if (watch->save) {
		error = save_add(watch->save, snapshot, NULL);
		watch->recorded++;
	}
	/* The end is not to be missed. */
	if (!error && (!watch->paused || watch->ended))
		show_moment(watch, snapshot);
	else
		snapshot_free(snapshot);
	return error;
}

/* Takes the next moment where it is time; the time after that is in *next_ns. */
static int look(struct watch *watch, uint64_t *next_ns, bool *redraw)
{
	uint64_t start_ns = collect_window_ns(watch->collect), took_ns;
	int error;

	if (watch->ended || start_ns < *next_ns || (watch->paused && !watch->save))
		return 0;
	error = take_moment(watch, false, "interval");
	*redraw = true;
	took_ns = collect_window_ns(watch->collect) - start_ns;
	*next_ns = start_ns + (took_ns * MOMENT_SHARE > watch->interval_ns ? took_ns * MOMENT_SHARE
									   : watch->interval_ns);
	return error;
}

/* -- the loop ----------------------------------------------------------------------------------
 */

/* Waits for what happens in the target, or on the keyboard. */
static int wait_for_more(struct watch *watch)
{
	struct pollfd keyboard = { .fd = STDIN_FILENO, .events = POLLIN };
	int running;

	if (watch->ended) {
		poll(&keyboard, 1, POLL_MS);
		return 0;
	}
	running = collect_poll(watch->collect, POLL_MS);
	if (running < 0)
		return running == -EINTR ? 0 : running;
	if (running)
		return 0;
	watch->ended = true;
	return take_moment(watch, true, "target exited");
}

static int run(struct watch *watch)
{
	uint64_t next_ns = 0;
	bool redraw = true;
	int error = 0, key;

	while (!interrupted() && !watch->quits && !error && !screen_is_gone()) {
		bool ended = watch->ended;

		while ((key = screen_key()) != SCREEN_NO_KEY) {
			watch_key(watch, key);
			redraw = true;
		}
		if (redraw)
			watch_draw(watch);
		redraw = false;
		error = wait_for_more(watch);
		if (!error)
			error = look(watch, &next_ns, &redraw);
		redraw |= watch->ended != ended;
	}
	/* A recording ends with the end. */
	if (!error && watch->save && !watch->ended)
		error = take_moment(watch, true, "interrupted");
	return error;
}

/* The terminal is given back before the probes come off: that takes time where they are many. */
static int run_watch(struct watch *watch)
{
	int error = target_resolve(&watch->target, &watch->spec);

	if (!error) {
		interrupt_catch();
		error = screen_check();
	}
	if (!error && watch->record)
		error = watch_record(watch, watch->record);
	if (!error) {
		watch->group_folder = group_of(watch->target.pids.items, watch->target.pids.count);
		watch->collecting.fetching = show_fetching;
		watch->collecting.also_fd = STDIN_FILENO;
		error = attach(&watch->collect, &watch->collecting, &watch->target);
	}
	if (!error) {
		attach_announce(watch->collect, &watch->target, "on the terminal");
		error = screen_open();
	}
	if (!error)
		error = run(watch);
	screen_close();
	error = save_end(watch->save, error);
	return error ? cmd_fail(EXIT_FAILED) : EXIT_DONE;
}

int cmd_watch(int argc, char **argv)
{
	struct watch watch = { .words = argv, .interval_ns = 1000000000 };
	int status;

	watch.report.top = UINT64_MAX;
	collect_defaults(&watch.collecting);
	view_init(&watch.view);
	watch_rows_init(&watch.rows, &watch.report);
	if (parse_options(&watch, argc, argv, &status))
		status = run_watch(&watch);
	collect_free(watch.collect);
	watch_rows_free(&watch.rows);
	snapshot_free(watch.latest);
	view_free(&watch.view);
	mem_free(watch.recording);
	mem_free(watch.group_folder);
	target_free(&watch.target);
	return status;
}
