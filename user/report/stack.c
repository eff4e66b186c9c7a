/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A stack for people, a frame on each line: the function, and where it is. */
#include "report/stack.h"

#include <inttypes.h>
#include <string.h>

#include "report/label.h"

enum {
	INDENT = 7,
	LOCATION_MAX = 28, /* a file's name takes no more when the function needs the room */
};

/* file:line, or the module; empty when the label says it already. */
static void format_location(char *text, const struct frame *frame, size_t width)
{
	char path[LABEL_MAX], line[16] = "";

	*text = '\0';
	if (frame->file) {
		if (frame->line)
			snprintf(line, sizeof(line), ":%" PRIu32, frame->line);
		label_fit_path(path, frame->file, width - strlen(line));
		snprintf(text, LABEL_MAX, "%.*s%s", LABEL_MAX - 32, path, line);
	} else if (frame->module && frame->name) {
		label_fit(path, label_basename(frame->module), width - 2);
		snprintf(text, LABEL_MAX, "(%.*s)", LABEL_MAX - 32, path);
	}
}

static size_t characters(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += (*text & 0xc0) != 0x80;
	return count;
}

static void write_frame(const struct page *page, const struct frame *frame)
{
	static const char *const marks[] = {
		[FRAME_INLINED] = " (inlined)",
		[FRAME_INTERPRETED] = " (interpreted)",
		[FRAME_KERNEL] = " (kernel)",
	};
	const char *mark =
		frame->type <= FRAME_KERNEL && marks[frame->type] ? marks[frame->type] : "";
	const size_t width = page->columns - INDENT - strlen(mark);
	char buffer[LABEL_MAX], name[LABEL_MAX], location[LABEL_MAX];
	const char *label = label_frame(frame, buffer);
	size_t name_length = label_fit(name, label, width), room;

	/* The function comes first; its place takes what is left, but some of it always. */
	room = width - name_length > LOCATION_MAX + 2 ? width - name_length - 2 : LOCATION_MAX;
	format_location(location, frame, room);
	if (*location && name_length + 2 + characters(location) > width)
		label_fit(name, label, width - 2 - characters(location));
	fprintf(page->stream, "%*s%s%s%s%s%s%s\n", INDENT, "", name, mark, *location ? "  " : "",
		page_dim(page), location, page_plain(page));
}

void stack_write(const struct page *page, const struct site *site)
{
	size_t i;

	for (i = 0; i < site->frame_count; i++)
		write_frame(page, &site->frames[i]);
	if (site->end == SITE_END_LOST)
		fprintf(page->stream, "%*s[stack lost; the sums are right]\n", INDENT, "");
	else if (site->end != SITE_END_ROOT && site->end != SITE_END_BARRIER)
		fprintf(page->stream, "%*s[stack cut: %s]\n", INDENT, "", site_end_name(site->end));
}
