/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cmd/attach.h"

#include <stdio.h>
#include <unistd.h>

#include "base/text.h"

/* On a terminal: what takes its time, until it is done. NULL: nothing any more. */
static void show_progress(const char *what, const char *name)
{
	char text[256];

	if (!isatty(STDERR_FILENO))
		return;
	if (!name) {
		fputs("\r\033[K", stderr);
		return;
	}
	text_escape(text, sizeof(text), name);
	fprintf(stderr, "\r%s %s\033[K", what, text);
}

/* While the names are looked up. */
static void show_fetching(const char *name)
{
	show_progress("fetching debug information of", name);
}

int attach(struct collect **collect, const struct collect_options *options,
	   const struct target *target)
{
	struct collect_options filled = *options;
	char shown[1024];
	int error;

	vec_for_each (note, &target->notes) {
		text_escape(shown, sizeof(shown), *note);
		fprintf(stderr, "unfreed: %s\n", shown);
	}
	filled.target = target->name;
	filled.pids = target->pids.items;
	filled.pid_count = target->pids.count;
	filled.members = target;
	if (!filled.fetching)
		filled.fetching = show_fetching;
	/* Where all CPUs are busy the kernel takes seconds for its probes. */
	show_progress("attaching to", target->name);
	error = collect_start(collect, &filled);
	show_progress(NULL, NULL);
	return error;
}

void attach_announce(const struct collect *collect, const struct target *target,
		     const char *how_long)
{
	char text[128], name[256];

	collect_describe(collect, text, sizeof(text));
	text_escape(name, sizeof(name), target->name);
	fprintf(stderr, "tracing %s %s: %s\n", name, how_long, text);
}
