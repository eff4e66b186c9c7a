/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cmd/attach.h"

#include <stdio.h>
#include <unistd.h>

#include "base/text.h"

/* While the names are looked up. */
static void show_fetching(const char *name)
{
	char text[256];

	if (!isatty(STDERR_FILENO))
		return;
	if (!name) {
		fputs("\r\033[K", stderr);
		return;
	}
	text_escape(text, sizeof(text), name);
	fprintf(stderr, "\rfetching debug information of %s\033[K", text);
}

int attach(struct collect **collect, const struct collect_options *options,
	   const struct target *target)
{
	struct collect_options filled = *options;
	char shown[1024];

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
	return collect_start(collect, &filled);
}

void attach_announce(const struct collect *collect, const struct target *target,
		     const char *how_long)
{
	char text[128], name[256];

	collect_describe(collect, text, sizeof(text));
	text_escape(name, sizeof(name), target->name);
	fprintf(stderr, "tracing %s %s: %s\n", name, how_long, text);
}
