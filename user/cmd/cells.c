/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cmd/cells.h"

#include <string.h>

enum { LINE = 78, INDENT = 14 };

struct cell cell_bytes(uint64_t bytes)
{
	struct cell cell;

	units_format_bytes(cell.text, bytes);
	return cell;
}

struct cell cell_count(uint64_t count)
{
	struct cell cell;

	units_format_count(cell.text, count);
	return cell;
}

struct cell cell_growth(int64_t bytes)
{
	uint64_t size = bytes < 0 ? -(uint64_t)bytes : (uint64_t)bytes;
	struct cell cell;

	cell.text[0] = bytes < 0 ? '-' : '+';
	memcpy(cell.text + 1, cell_bytes(size).text, sizeof(cell.text) - 1);
	cell.text[sizeof(cell.text) - 1] = '\0';
	return cell;
}

struct cell cell_time(uint64_t time_ns)
{
	struct cell cell;

	units_format_time(cell.text, time_ns);
	return cell;
}

void cells_paragraph(FILE *stream, const char *label, const char *text)
{
	size_t column = INDENT;

	fprintf(stream, "  %-11s ", label);
	while (*text) {
		size_t word = strcspn(text, " ");

		if (column + word > LINE && column > INDENT) {
			fprintf(stream, "\n%*s", INDENT, "");
			column = INDENT;
		}
		fprintf(stream, "%.*s", (int)word, text);
		column += word + 1;
		text += word;
		if (*text == ' ') {
			text++;
			if (*text && column + strcspn(text, " ") <= LINE)
				fputc(' ', stream);
		}
	}
	fputc('\n', stream);
}

void cells_verdict(const struct verdict *verdict, FILE *stream)
{
	char head[VERDICT_TEXT_MAX];

	fputc('\n', stream);
	snprintf(head, sizeof(head), "%s%s%s%s", verdict_name(verdict->kind),
		 verdict->gain_bytes ? ", to be had back: " : "",
		 verdict->gain_is_least ? "at least " : "",
		 verdict->gain_bytes ? cell_bytes(verdict->gain_bytes).text : "");
	cells_paragraph(stream, "VERDICT", head);
	cells_paragraph(stream, "evidence", verdict->evidence);
	cells_paragraph(stream, "remedy", verdict->remedy);
}
