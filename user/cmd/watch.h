/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* unfreed watch: what it was asked for, and where it is. */
#ifndef UNFREED_CMD_WATCH_H
#define UNFREED_CMD_WATCH_H

#include "cmd/save.h"
#include "cmd/watch_rows.h"
#include "collect/collect.h"
#include "model/footprint.h"
#include "process/target.h"
#include "report/report.h"
#include "report/view.h"

enum { WATCH_PROMPT_MAX = 256 };

/* What covers the rows. */
enum watch_page { PAGE_NONE, PAGE_STACK, PAGE_COVERAGE, PAGE_HELP };

/* A line that is being typed. */
struct watch_prompt {
	const char *question; /* NULL: none */
	char text[WATCH_PROMPT_MAX];
};

struct watch {
	/* asked for */
	struct target_spec spec;
	struct collect_options collecting;
	struct view view;
	struct report_options report;
	uint64_t interval_ns;
	const char *record;
	char *const *words; /* the command line, for recordings */
	bool help;

	/* at work */
	struct target target;
	char *group_folder; /* NULL: no group of memory is known */
	struct collect *collect;
	struct save *save; /* NULL: nothing is recorded */
	char *recording; /* its path */
	uint64_t recorded; /* snapshots */
	bool ended; /* all of the target has exited */
	bool quits;

	/* shown */
	struct snapshot *latest; /* through view */
	struct footprint_group group; /* at the same moment */
	struct watch_rows rows;
	bool paused;
	size_t top; /* the first row on the screen */
	enum watch_page page;
	size_t page_top; /* the first line of the page */
	struct watch_prompt prompt;
	char message[WATCH_PROMPT_MAX]; /* in the last line, until a key comes */
};

/* -- watch_draw.c --------------------------------------------------------------------------------
 */

void watch_draw(struct watch *watch);

/* -- watch_keys.c --------------------------------------------------------------------------------
 */

/* Does what key asks for. */
void watch_key(struct watch *watch, int key);

/* The help: what each key does, as lines. */
void watch_keys_help(FILE *stream);

/* -- watch_files.c -------------------------------------------------------------------------------
 */

/* Writes what is shown into the file at path, in the format of its last letters. The outcome is the
 * message. */
void watch_write(struct watch *watch, const char *path);

/* Records from now on. 0, or a negative errno with a sentence. */
int watch_record(struct watch *watch, const char *path);

#endif
