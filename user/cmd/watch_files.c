/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What watch writes: reports by a key, and recordings. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/output.h"
#include "base/text.h"
#include "cmd/watch.h"

/* By what stands behind the last dot: a format's name, or what its files are mostly called. */
static const struct report_ops *format_of(const char *path)
{
	static const char *const also[][2] = {
		{ "txt", "table" },   { "gz", "pprof" }, { "pb", "pprof" },
		{ "heap", "jeprof" }, { "gv", "dot" },
	};
	const char *dot = strrchr(path, '.'), *name = dot ? dot + 1 : "";

	for (size_t i = 0; i < sizeof(also) / sizeof(*also); i++)
		if (!strcmp(name, also[i][0]))
			name = also[i][1];
	return report_find(name);
}

static int write_report(const struct watch *watch, const char *path)
{
	const struct report_ops *format = format_of(path);
	struct report_options options = watch->report;
	struct output *output;
	int error;

	if (!format)
		return error_set(-EINVAL,
				 "'%s' has no ending that says a format: .html, .svg, "
				 ".json, .folded, .pprof, .txt …",
				 path);
	options.top = 20;
	if (strcmp(format->name, "table"))
		options.min_age_ns = 0;
	error = output_open(&output, path);
	if (error)
		return error;
	format->write(watch->rows.shown, &options, output_stream(output));
	return output_commit(output);
}

void watch_write(struct watch *watch, const char *path)
{
	char shown[WATCH_PROMPT_MAX - 16];

	if (!watch->rows.shown)
		return;
	if (write_report(watch, path)) {
		text_escape(watch->message, sizeof(watch->message), error_message());
		return;
	}
	text_escape(shown, sizeof(shown), path);
	snprintf(watch->message, sizeof(watch->message), "wrote %s", shown);
}

int watch_record(struct watch *watch, const char *path)
{
	int error;

	watch->recording = mem_string(path);
	error = save_begin(&watch->save, watch->recording, watch->words);
	if (error) {
		mem_free(watch->recording);
		watch->recording = NULL;
	}
	return error;
}
